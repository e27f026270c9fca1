"""Prefect's process worker, whose runs begin in a process that has imported everything already."""
