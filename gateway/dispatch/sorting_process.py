"""Sorting in a process of its own: Python works on one thing at a time, and a sender must not wait while something is sorted."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Protocol

from incident.findings.joining import Sorted

_END_SECONDS = 10.0
_log = logging.getLogger("countermand.gateway")


class Sorts(Protocol):
    """Sorts what has arrived, as `gateway.dispatch.sorter.Sorter` does."""

    def sort(self) -> Sequence[Sorted]:
        """Sort what has arrived, and say what became of it."""
        ...


class NotSorted(Exception):
    """The other process could not sort this time; the message is one line that says why."""


class SortingProcess:
    """The other process, as this one sees it. When it has died, this one sorts for itself."""

    def __init__(self, process: multiprocessing.process.BaseProcess, asked: Connection) -> None:
        self._process, self._asked = process, asked
        self._ended = False

    def instead_of(self, here: Sorts) -> Sorts:
        """A sorter that asks the other process while it lives, and `here` afterwards."""
        return _Apart(self, here)

    def sort(self) -> Sequence[Sorted] | None:
        """What the other process sorted; nothing when it has died.

        Raises:
            NotSorted: it could not; ask again.
        """
        if self._ended:
            return None
        try:
            self._asked.send(None)
            answer: Sequence[Sorted] | NotSorted = self._asked.recv()
        except (EOFError, OSError):
            self._ended = True
            _log.error("the process that sorts has died; the gateway sorts for itself until it is started again")
            return None
        if isinstance(answer, NotSorted):
            raise answer
        return answer

    def end(self) -> None:
        """Let it end after what it is sorting now."""
        self._asked.close()
        self._process.join(_END_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


class _Apart:
    def __init__(self, apart: SortingProcess, here: Sorts) -> None:
        self._apart, self._here = apart, here

    def sort(self) -> Sequence[Sorted]:
        answer = self._apart.sort()
        return answer if answer is not None else self._here.sort()


@contextmanager
def sorting_apart(make: Callable[[], Sorts]) -> Iterator[SortingProcess | None]:
    """Fork a process that sorts when it is asked; none where the system is not Linux.

    Call it before this process has a second thread or a database open: a fork may take neither along.

    Args:
        make: makes the sorter, in the other process.
    """
    if sys.platform != "linux":
        yield None
        return
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(make, ours, theirs), name="sorting", daemon=True)
    process.start()
    theirs.close()
    apart = SortingProcess(process, ours)
    try:
        yield apart
    finally:
        apart.end()


def _serve(make: Callable[[], Sorts], parents: Connection, asked: Connection) -> None:
    """Sort at every question until the asker has gone. Signals for the group are the gateway's: when it ends, this ends."""
    parents.close()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    sorter: Sorts | None = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            asked.recv()
            try:
                sorter = sorter or make()
                answer: object = sorter.sort()
            # Whatever goes wrong with one round, the next must come; the gateway writes it to its log.
            except Exception as error:
                answer = NotSorted(f"{type(error).__name__}: {error}")
            asked.send(answer)
    os._exit(0)
