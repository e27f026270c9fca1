"""A flow that says in which process it runs, and waits until a file is there."""

from __future__ import annotations

import os
import time
from pathlib import Path

from prefect import flow


@flow(persist_result=False, log_prints=True)
def waiting(told: str, until: str) -> None:
    server = os.getppid()
    Path(told).write_text(f"{os.getpid()} {Path(f'/proc/{server}/cmdline').read_text()}")
    while not Path(until).exists():
        time.sleep(0.05)
