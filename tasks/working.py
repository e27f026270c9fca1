"""Who works at an incident: one process, the one that began last.

Prefect cannot promise that a run has one process. A worker that was slow or cut off may begin a run that was begun elsewhere
meanwhile, and nobody can end its process from here. So each process writes a line when it begins, and every one asks before each
phase and each step whether another began after it: then it stops. That two of them never make one call twice is the work of the
locks and keys of the steps (`tasks.executor`); this makes only one of them go on.

While it works a process holds a name of the ledger, which the ledger's database gives back when the process dies. So whoever looks
after the runs knows the dead from the slow and need not guess.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from incident.ledger import Kind
from tasks.ledger import Ledger, LedgerUnavailable

_ASKS_SECONDS = 5.0
_PATIENCE_SECONDS = 20.0
_log = logging.getLogger(__name__)


class Working:
    """The incidents that this process works at."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._places: dict[str, int] = {}

    @contextmanager
    def on(self, incident: str, run: str) -> Iterator[None]:
        """Work at an incident for the time of a `with`; whoever worked at it before stops.

        Raises:
            LedgerUnavailable: it cannot be written down that this process works at it.
        """
        name = uuid4().hex
        with self._sign_of_life(incident, name):
            body = {"flow_run": run, "name": name, "host": socket.gethostname(), "process": os.getpid()}
            line, _ = self._ledger.append(incident, Kind.PROCESS, f"process:{name}", body)
            self._places[incident] = line.position
            try:
                yield
            finally:
                self._places.pop(incident, None)

    def check(self, incident: str) -> None:
        """Nothing, where no process began after this one, or where this one does not work at the incident as a run.

        Raises:
            Overtaken: another process began to work at it.
            LedgerUnavailable: the ledger does not say.
        """
        mine = self._places.get(incident)
        if mine is None:
            return
        for later in self._ledger.lines(incident, Kind.PROCESS, after=mine, most=1):
            from tasks.overtaken import Overtaken

            where = f"{later.body['host']}, process {later.body['process']}"
            raise Overtaken(f"{incident} is worked at by another process since {later.at:%H:%M:%S} UTC ({where}); this one stops")

    @contextmanager
    def _sign_of_life(self, incident: str, name: str) -> Iterator[None]:
        """Hold this process's name, taken again whenever the database was away, from a thread that dies with the process."""
        held, stop = threading.Event(), threading.Event()
        thread = threading.Thread(target=self._hold, args=(sign_of(incident, name), held, stop), name="sign of life", daemon=True)
        thread.start()
        try:
            # Without the sign it works all the same: it would only be started again, and be overtaken.
            held.wait(_PATIENCE_SECONDS)
            yield
        finally:
            stop.set()
            thread.join(_PATIENCE_SECONDS)

    def _hold(self, sign: str, held: threading.Event, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                with self._ledger.holding(sign) as still:
                    held.set()
                    while not stop.wait(_ASKS_SECONDS):
                        still()
            except LedgerUnavailable as error:
                _log.warning("the sign of life is lost for now: %s", error)
                stop.wait(_ASKS_SECONDS)


def sign_of(incident: str, name: str) -> str:
    """The name in the ledger that a working process holds."""
    return f"alive:{incident}:{name}"


def is_worked_at(ledger: Ledger, incident: str) -> bool:
    """Whether the process that began last to work at an incident lives; not where none ever began.

    Raises:
        LedgerUnavailable: the ledger does not say.
    """
    began = ledger.lines(incident, Kind.PROCESS)
    return bool(began) and ledger.is_held(sign_of(incident, str(began[-1].body["name"])))
