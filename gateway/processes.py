"""Processes that run beside each other, each in a group of its own so that what it starts ends with it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import flows

ROOT = Path(flows.__file__).resolve().parent.parent
"""Where `prefect.yaml` stands, and from where its entry points are found."""

POOL = "countermand"
_KILLED_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def started(
    command: Sequence[str], environment: Mapping[str, str], log: Path | None = None, *, ends_with_us: bool = False
) -> subprocess.Popen[bytes]:
    """Start a process; its output goes to the end of `log`, or to our own output.

    Args:
        ends_with_us: on Linux it is asked to end when the thread that called this dies, even by SIGKILL; only for a program of one
            thread, since it runs code between fork and exec.
    """
    with contextlib.ExitStack() as closing:
        output = closing.enter_context(log.open("ab")) if log is not None else None
        return subprocess.Popen(  # noqa: S603
            list(command),
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT if output is not None else None,
            start_new_session=True,
            preexec_fn=_end_with_parent if ends_with_us and _LIBC is not None else None,
        )


def _end_with_parent() -> None:
    """See https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html"""
    assert _LIBC is not None
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a process and all that it started; nothing where all of them have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started at once; also what a process that has ended left behind."""
    signal_group(process, signal.SIGKILL)
    process.wait(_KILLED_SECONDS)


def end(processes: Sequence[subprocess.Popen[bytes]], seconds: float) -> None:
    """Ask processes to end, the last started first, all within `seconds`; then make them."""
    for process in reversed(processes):
        signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.1, deadline - time.monotonic()))
        kill(process)


def prefect_command() -> list[str]:
    """How Prefect's own command line is called with this very Python."""
    return [sys.executable, "-m", "prefect"]


def server_command(host: str, port: int) -> list[str]:
    """How Prefect's server is started on one address. Without `--host` an operator's setting would decide who reaches it."""
    return [*prefect_command(), "server", "start", "--host", host, "--port", str(port)]


def worker_command(*options: str) -> list[str]:
    """How a worker of the pool is started with this very Python; the options are those of `prefect worker start`."""
    return [sys.executable, "-m", "gateway.worker", "--pool", POOL, "--type", "process", *options]


def gateway_command() -> list[str]:
    """How the doors are opened with this very Python."""
    return [sys.executable, "-m", "gateway.cli", "gateway"]


def prefect_of_its_own(home: Path, port: int) -> dict[str, str]:
    """The environment of a Prefect that shares nothing with another on this machine and sends nothing anywhere."""
    return {
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        # As the browser reaches the page, so it reaches the API: also through a reverse proxy.
        "PREFECT_UI_API_URL": "/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PREFECT_RUNNER_POLL_FREQUENCY": "1",
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_CLI_PROMPT": "false",
    }
