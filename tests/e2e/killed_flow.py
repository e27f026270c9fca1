"""Runs one flow run in this process, as a worker's child does, and ends itself with SIGKILL at every so many steps, once each."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from pathlib import Path

from tasks import hands

KILLED_AT = "after outcome"
# `make nightly` kills after every step.
STRIDE = int(os.environ.get("COUNTERMAND_BOUNDARY_STRIDE", "12"))


def main() -> None:
    run, passed_file = sys.argv[1], Path(sys.argv[2])
    passed = passed_file.read_text().splitlines() if passed_file.exists() else []

    def boundary(name: str) -> None:
        if name in passed or not name.endswith(KILLED_AT):
            return
        passed.append(name)
        with passed_file.open("a") as file:
            file.write(f"{name}\n")
            file.flush()
            os.fsync(file.fileno())
        if len(passed) % STRIDE == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    hands.use_boundary(boundary)
    os.environ["PREFECT__FLOW_RUN_ID"] = run
    sys.argv = ["prefect.engine", run]
    runpy.run_module("prefect.engine", run_name="__main__")


if __name__ == "__main__":
    main()
