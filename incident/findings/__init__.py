"""What comes in at the doors: how it is read, what it is about, and to which incident it belongs."""
