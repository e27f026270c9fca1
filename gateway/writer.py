"""Writes deliveries, as many as wait with one commit: a storm costs a few commits, a single delivery waits for nobody."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError

from gateway.intake import Ingested, Prepared
from tasks.ledger import Ledger, LedgerUnavailable

_AT_ONCE = 256
Job = tuple[Callable[[], Prepared], "Future[Ingested]"]


class Writer:
    """One thread that prepares and writes what is handed to it, in the order in which it came."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="intake", daemon=True)
        self._thread.start()

    def write(self, prepare: Callable[[], Prepared]) -> Future[Ingested]:
        """Hand in a delivery; the future has its outcome when it is durable, or `LedgerUnavailable` when nothing was written."""
        outcome: Future[Ingested] = Future()
        self._waiting.put((prepare, outcome))
        return outcome

    def close(self) -> None:
        """Write what is waiting, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        going_on = True
        while going_on:
            jobs: list[Job] = []
            with contextlib.suppress(queue.Empty):
                while going_on and len(jobs) < _AT_ONCE:
                    job = self._waiting.get(block=not jobs)
                    if job is None:
                        going_on = False
                    else:
                        jobs.append(job)
            self._written(jobs)

    def _written(self, jobs: list[Job]) -> None:
        prepared: list[tuple[Prepared, Future[Ingested]]] = []
        for prepare, outcome in jobs:
            try:
                prepared.append((prepare(), outcome))
            # Whoever handed it in hears what is wrong with it; the others are written.
            except Exception as error:
                _tell(outcome, error)
        self._committed(prepared)

    def _committed(self, prepared: list[tuple[Prepared, Future[Ingested]]]) -> None:
        if not prepared:
            return
        try:
            written = iter(self._ledger.append_all([entry for one, _ in prepared for entry in one.entries]))
        except Exception as error:
            if len(prepared) == 1 or isinstance(error, LedgerUnavailable):
                for _, outcome in prepared:
                    _tell(outcome, error)
                return
            # One of them cannot be written; it must not keep the others out.
            for one in prepared:
                self._committed([one])
            return
        for one, outcome in prepared:
            _tell(outcome, one.outcome([next(written) for _ in one.entries]))


def _tell(outcome: Future[Ingested], said: Ingested | Exception) -> None:
    """Nobody may wait any more: whoever did has hung up."""
    with contextlib.suppress(InvalidStateError):
        if isinstance(said, Exception):
            outcome.set_exception(said)
        else:
            outcome.set_result(said)
