"""A process that has imported all that a flow run needs, and forks itself for each: a run begins seconds sooner.

Prefect's process worker starts two Pythons for a run, one after the other, and each imports Prefect anew. A responder waits for
that at the finding, and again at every answer.

This process never runs a flow itself, has one thread, and ends when the worker that started it has ended and its last fork with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import logging
import os
import runpy
import selectors
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.worker.flow_run import ENDED, LENGTH, READY
from tasks.aws import read_models

IMPORTED = (
    "prefect.flow_engine",
    "prefect.task_engine",
    "prefect._internal.metrics",
    "prefect.deployments.steps.pull",
    "prefect.utilities.visualization",
    "anyio._backends._asyncio",
    "fastapi",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "tasks.flow_logs.touched",
    "flows.respond",
    "flows.sweep",
    "flows.escalate",
    "flows.drill",
)
"""What flow runs need. What is missing here is only imported later."""

_ASKED = ("sts", "cloudtrail", "ec2", "iam", "elbv2", "rds", "lambda", "eks", "guardduty", "s3")
"""The services that every response asks, or whose models take longest to read."""

NOT_HERE = 3
"""The exit code of a server that cannot fork on this system."""

_REQUEST_SECONDS = 5.0
_LONGEST_REQUEST = 8 * 1024 * 1024
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)
_NOT_FOR_US = (signal.SIGTERM, signal.SIGINT)
"""A service manager may ask every process of a unit to end. The forks then end in order; this process ends after the last."""

_log = logging.getLogger("countermand.worker")


@dataclass(frozen=True, slots=True)
class Job:
    """One flow run, as its client asked for it."""

    folder: str
    environment: dict[str, str]
    output: int
    errors: int


@dataclass(frozen=True, slots=True)
class _Fork:
    """A fork that runs, its client, and the descriptor that tells of its end."""

    process: int
    client: socket.socket
    end: int


class Forks:
    """Forks this process for each client of a socket.

    Args:
        listener: where clients come; nobody but this user may reach it.
        worker: a descriptor that is at its end when the worker has ended.
    """

    def __init__(self, listener: socket.socket, worker: int) -> None:
        self._listener, self._worker = listener, worker
        self._forks: dict[int, _Fork] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._came)
        self._selector.register(worker, selectors.EVENT_READ, self._orphaned)
        self._orphan = False
        self._job: Job | None = None

    def next_job(self) -> Job | None:
        """Serve until this is a fork, which gets its job; the server itself gets nothing, at its end."""
        while self._job is None and not (self._orphan and not self._forks):
            for key, _ in self._selector.select():
                # What came before it may have been the end of it.
                if self._job is None and key.fd in self._selector.get_map():
                    key.data()
        return self._job

    def _came(self) -> None:
        client, _ = self._listener.accept()
        client.settimeout(_REQUEST_SECONDS)
        try:
            client.sendall(READY)
            job = _request(client)
        except (OSError, ValueError) as error:
            _log.warning("a flow run was not asked for: %s", error)
            client.close()
            return
        process = os.fork()
        if process == 0:
            self._become(job, client)
            return
        os.close(job.output)
        os.close(job.errors)
        client.setblocking(False)
        fork = _Fork(process, client, os.pidfd_open(process))
        self._forks[process] = fork
        self._selector.register(client, selectors.EVENT_READ, lambda: self._told(fork))
        self._selector.register(fork.end, selectors.EVENT_READ, lambda: self._ended(fork))

    def _become(self, job: Job, client: socket.socket) -> None:
        """This is the fork: it keeps nothing of the server's, and dies with it, since nobody else could say how it ended."""
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in _NOT_FOR_US:
            signal.signal(number, signal.SIG_DFL)
        self._selector.close()
        for fork in self._forks.values():
            fork.client.close()
            os.close(fork.end)
        self._listener.close()
        client.close()
        os.close(self._worker)
        self._job = job

    def _told(self, fork: _Fork) -> None:
        """A client passes on its signals; one that is gone was killed, and its fork is killed with it."""
        try:
            numbers = fork.client.recv(64)
        except ConnectionError:
            numbers = b""
        for number in numbers or bytes([signal.SIGKILL]):
            # By the descriptor: the number of a process that has ended may be another's by now.
            signal.pidfd_send_signal(fork.end, number)
        if not numbers:
            self._selector.unregister(fork.client)

    def _ended(self, fork: _Fork) -> None:
        _, status = os.waitpid(fork.process, 0)
        try:
            fork.client.send(ENDED.pack(os.waitstatus_to_exitcode(status)))
        except OSError:
            _log.info("flow run's process %d ended, and nobody waited for it", fork.process)
        self._selector.unregister(fork.end)
        if fork.client in self._selector.get_map():
            self._selector.unregister(fork.client)
        fork.client.close()
        os.close(fork.end)
        del self._forks[fork.process]

    def _orphaned(self) -> None:
        """The worker has ended: no run comes any more, but those that are under way go on."""
        self._selector.unregister(self._listener)
        self._selector.unregister(self._worker)
        place = Path(self._listener.getsockname())
        self._listener.close()
        with contextlib.suppress(OSError):
            place.unlink()
            place.parent.rmdir()
        self._orphan = True


def _request(client: socket.socket) -> Job:
    """Read what a client asks for.

    Raises:
        ValueError: it asks for nothing that can be run.
        OSError: it is gone, or says nothing.
    """
    header, descriptors, _, _ = socket.recv_fds(client, LENGTH.size, 2)
    try:
        length = LENGTH.unpack(header)[0] if len(header) == LENGTH.size else 0
        if len(descriptors) != 2 or not 0 < length <= _LONGEST_REQUEST:
            raise ValueError("the client left before it had asked")
        request = bytearray()
        while len(request) < length:
            more = client.recv(length - len(request))
            if not more:
                raise ValueError("the client left while it asked")
            request += more
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
    folder, *pairs = os.fsdecode(bytes(request)).split("\0")
    return Job(folder, dict(pair.partition("=")[::2] for pair in pairs), *descriptors)


def import_all(names: Sequence[str] = IMPORTED) -> None:
    """Import what flow runs need, and keep it out of every later collection: what a collector touches is copied into each fork."""
    for name in names:
        importlib.import_module(name)
    read_models(_ASKED)
    gc.collect()
    gc.freeze()


def _why_not() -> str | None:
    """Why this process cannot be forked, if so."""
    # Of other threads, a fork has the locks but not the threads.
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        return "an import started a thread"
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as error:
        return f"this system has no pidfd_open ({error.strerror}); Linux has it since 5.3"
    return None


def take_over(job: Job) -> None:
    """Have the output, the folder and the environment of whoever asked for this fork."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for made, standard in ((nowhere, 0), (job.output, 1), (job.errors, 2)):
        os.dup2(made, standard)
        os.close(made)
    os.environ.clear()
    os.environ.update(job.environment)
    os.chdir(job.folder)


def run_flow() -> None:
    """Be the process of a flow run, as if it had been started for it."""
    import prefect.context

    prefect.context.refresh_global_settings_context()
    sys.argv = ["prefect.engine"]
    runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


def main() -> None:
    """Serve on the socket whose descriptor is the argument; descriptor 0 is at its end when the worker has ended."""
    for number in _NOT_FOR_US:
        signal.signal(number, signal.SIG_IGN)
    listener = socket.socket(fileno=int(sys.argv[1]))
    import_all()
    if (why_not := _why_not()) is not None:
        print(f"flow runs begin in processes of their own: {why_not}", file=sys.stderr)
        sys.exit(NOT_HERE)
    job = Forks(listener, worker=os.dup(0)).next_job()
    if job is not None:
        take_over(job)
        run_flow()


if __name__ == "__main__":
    main()
