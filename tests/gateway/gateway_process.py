"""A gateway in a process of its own, with its doors open; see `dying_gateway.py`. What it logs is in `log` in its folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

PROGRAM = Path(__file__).with_name("dying_gateway.py")


@contextmanager
def gateway(folder: Path, boundary: str = "", *more: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    helpers = (PROGRAM.parent, PROGRAM.parents[1] / "incident", PROGRAM.parents[2])
    command = [sys.executable, str(PROGRAM), str(folder), boundary, *more]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, helpers))}
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, "the gateway did not open its doors"
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, trust_env=False) as client:
            yield process, client
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
