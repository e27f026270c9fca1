"""Behind the doors: what becomes of a delivery, and the runs that are started, woken and started again."""
