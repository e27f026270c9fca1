"""Wakes the runs whose question was decided, has expired or was overtaken, for as long as they have not noticed, and starts another
run for a case that was amended after its end.

What was said is in the ledger before anybody is woken, so a wake that is lost only delays: the next look finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable

from gateway.dispatch.runs import Runs, RunsUnavailable
from incident.approvals import Asked, Standing
from incident.ledger import Kind
from tasks.approvals import Approvals
from tasks.ledger import Ledger, LedgerUnavailable

_log = logging.getLogger("countermand.gateway")


class Waker:
    """Looks through the open questions every few seconds, and at once when nudged."""

    def __init__(self, ledger: Ledger, approvals: Approvals, runs: Runs, every_seconds: float = 10.0) -> None:
        self._ledger, self._approvals, self._runs, self._every = ledger, approvals, runs, every_seconds
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """Look at once: somebody just decided."""
        self._nudged.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            self._nudged.clear()
            await self.look()
            # `asyncio.wait_for` of Python 3.11 forgets that it was cancelled when it is woken in the same moment.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every):
                    await self._nudged.wait()

    async def look(self) -> None:
        """Wake what has not noticed yet."""
        try:
            unnoticed = await asyncio.to_thread(self._unnoticed)
            amended = await asyncio.to_thread(self._amended)
        except LedgerUnavailable as error:
            _log.warning("%s", error)
            return
        for incident, digest in unnoticed:
            await self._try(incident, self._runs.wake(incident, digest))
        for incident, amendments in amended:
            await self._try(incident, self._runs.go_on(incident, amendments))

    async def _try(self, incident: str, attempt: Awaitable[None]) -> None:
        try:
            await attempt
        except (RunsUnavailable, LedgerUnavailable) as error:
            _log.warning("%s: %s", incident, error)

    def _unnoticed(self) -> list[tuple[str, str]]:
        """Incidents and plan digests whose question is no longer waiting, and whose run has not written so."""
        found: list[tuple[str, str]] = []
        for incident in self._ledger.incidents_with(Kind.QUESTION):
            for line in self._ledger.lines(incident, Kind.QUESTION):
                asked = Asked.model_validate(line.body)
                noticed = self._ledger.find(incident, f"message:answer:{asked.id}") is not None
                if not noticed and self._approvals.standing(incident, asked.id) is not Standing.WAITING:
                    found.append((incident, asked.digest))
        return found

    def _amended(self) -> list[tuple[str, str]]:
        """Incidents to which a responder, or a finding that joined, added what no look has taken in, and how much in all."""
        found: list[tuple[str, str]] = []
        for incident in sorted({*self._ledger.incidents_with(Kind.AMENDMENT), *self._ledger.incidents_with(Kind.FINDING)}):
            said = len(self._ledger.lines(incident, Kind.AMENDMENT))
            joined = sum(bool(line.body["news"]) for line in self._ledger.lines(incident, Kind.FINDING))
            looks = self._ledger.lines(incident, Kind.LOOK)
            behind = not looks or looks[-1].body["amendments"] < said or looks[-1].body.get("findings", 0) < joined
            if (said or joined) and behind:
                found.append((incident, f"{said}-{joined}" if joined else f"{said}"))
        return found
