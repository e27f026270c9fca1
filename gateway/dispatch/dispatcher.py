"""Starts a run for every incident that was delivered and has none, now and after any crash."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping

from gateway.dispatch.pace import Pace
from gateway.dispatch.sorting_process import Sorts
from incident.findings.finding import Finding
from incident.findings.joining import Outcome
from incident.findings.named import delivered_finding
from incident.ledger import INTAKE, Kind, Line
from tasks.ledger import Ledger

Start = Callable[[str, Finding, Line], Awaitable[None]]
"""Starts an incident's run and writes its `run` line. It may be called again, also by another gateway, and must start it once."""

_AT_ONCE = 4
_STORM = 20
"""So many deliveries while one look lasted are a storm."""
_RESTS = 3
_LONGEST_REST = 2.0
"""Seconds."""
_log = logging.getLogger("countermand.gateway")


class Dispatcher:
    """Walks the intake chain. That a run exists once is the idempotency key's work; this only never forgets.

    Args:
        every_seconds: how often to look again at what could not be started.
        start_seconds: how long one start may take before it is left for the next look.
        sorter: decides which deliveries open an incident; without one, each opens its own.
        pace: how many may be started; without one, all.
    """

    def __init__(
        self,
        ledger: Ledger,
        start: Start,
        every_seconds: float = 5.0,
        start_seconds: float = 60.0,
        sorter: Sorts | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._ledger, self._start, self._sorter, self._pace = ledger, start, sorter, pace
        self._every, self._patience = every_seconds, start_seconds
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._wake = asyncio.Event()
        self._nudges = 0
        self._read_to = 0
        self._sorted_some = False
        self._waiting: dict[str, Line] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._rests_until: dict[str, float] = {}

    def nudge(self) -> None:
        """Look at once: something was just delivered."""
        self._nudges += 1
        self._wake.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                self._wake.clear()
                before, began = self._nudges, time.monotonic()
                await self._begin()
                if self._nudges - before > _STORM:
                    # Taking in goes first: what is not taken may be lost, what is taken can wait.
                    await asyncio.sleep(min(_LONGEST_REST, _RESTS * (time.monotonic() - began)))
                # `asyncio.wait_for` of Python 3.11 forgets that it was cancelled when it is woken in the same moment.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every):
                        await self._wake.wait()
        finally:
            starts = list(self._starting.values())
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)

    async def look(self) -> None:
        """Start what has not been started. One that fails is left for the next look and holds up nothing else."""
        await self._begin()
        await asyncio.gather(*self._starting.values())

    async def _begin(self) -> None:
        """Sort what came and begin to start what waits; nothing here waits for Prefect, which may be away or slow."""
        try:
            waiting = await asyncio.to_thread(self._without_run)
        # Whatever went wrong with this look, the next one must come: without it, what is accepted would never start.
        except Exception as error:
            _log.warning("the deliveries cannot be looked at: %s: %s", type(error).__name__, error)
            return
        if self._sorted_some:
            # A round sorts some hundreds; the rest of a storm need not wait for the next look.
            self._wake.set()
        waiting = {one: line for one, line in waiting.items() if self._is_due(one)}
        if self._pace is not None:
            waiting = await asyncio.to_thread(self._pace.chosen, waiting, list(self._starting))
        for incident, line in waiting.items():
            start = asyncio.create_task(self._started(incident, line))
            self._starting[incident] = start
            start.add_done_callback(lambda _, incident=incident: self._starting.pop(incident))

    def _is_due(self, incident: str) -> bool:
        """Whether it still waits, nobody is starting it, and it did not fail a moment ago: a storm looks many times a second."""
        rested = self._rests_until.get(incident, 0.0) <= time.monotonic()
        return rested and incident in self._waiting and incident not in self._starting

    async def _started(self, incident: str, line: Line) -> None:
        async with self._places:
            try:
                async with asyncio.timeout(self._patience):
                    await self._start(incident, delivered_finding(line.body), line)
            # Whatever goes wrong with one incident, the others must still be started, and this one again later.
            except Exception as error:
                _log.warning("incident %s is not started yet: %s: %s", incident, type(error).__name__, error)
                self._rests_until[incident] = time.monotonic() + self._every
            else:
                self._waiting.pop(incident, None)
                self._rests_until.pop(incident, None)
                if self._pace is not None:
                    self._pace.started(incident)

    def _without_run(self) -> dict[str, Line]:
        """The delivery that opened each incident that has no run. Each is read once; the chain only grows."""
        if self._sorter is None:
            self._read_deliveries()
        else:
            self._sorted_some = bool(self._sorter.sort())
            self._read_sorted()
        for incident in list(self._waiting):
            if self._ledger.find(incident, "run") is not None:
                self._waiting.pop(incident, None)
        return dict(self._waiting)

    def _read_deliveries(self) -> None:
        for line in self._ledger.lines(INTAKE, Kind.DELIVERY, after=self._read_to):
            self._read_to = line.position
            if incident := _incident_of(line):
                self._waiting.setdefault(incident, line)
            else:
                _log.error("delivery %s names no incident; see `countermand ledger verify %s`", line.position, INTAKE)

    def _read_sorted(self) -> None:
        for line in self._ledger.lines(INTAKE, Kind.SORTED, after=self._read_to):
            self._read_to = line.position
            if line.body["outcome"] != Outcome.OPENS:
                continue
            delivery = self._ledger.find(INTAKE, str(line.body["delivery"]))
            if delivery is not None:
                self._waiting.setdefault(_incident_of(line), delivery)


def _incident_of(line: Line) -> str:
    """The incident that a delivery belongs to; nothing where somebody changed the line so that it no longer says."""
    body: object = line.body
    incident = body.get("incident") if isinstance(body, Mapping) else None
    return incident if isinstance(incident, str) else ""
