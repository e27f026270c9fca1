"""Drives what is outstanding in Slack, for as long as the gateway runs, whether or not an incident's run still does."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from incident.ledger import ESCALATION_CHAIN, INTAKE, ROSTER_CHAIN
from tasks.ledger import Ledger, LedgerUnavailable, Turn
from tasks.outbox import Sender
from tasks.slack import SlackUnavailable

_FIRST_REST, _LONGEST_REST = 1.0, 60.0
_NO_INCIDENTS = frozenset({INTAKE, ROSTER_CHAIN, ESCALATION_CHAIN})
_log = logging.getLogger("countermand.slack")


@dataclass(slots=True)
class _Pace:
    """When the next try may be made, and how long to rest after another failure (seconds)."""

    not_before: float = 0.0
    rest: float = _FIRST_REST

    def failed(self, now: float, asked: float) -> None:
        # What Slack asks for is kept to; without a word from it, the rests grow.
        self.not_before = now + (asked or self.rest)
        if not asked:
            self.rest = min(_LONGEST_REST, self.rest * 2)


class SlackOutbox:
    """Looks for new lines every `every_seconds`, and sends again what did not arrive.

    Args:
        turn: so that two gateways on one ledger do not send the same.
    """

    def __init__(
        self, ledger: Ledger, sender: Sender, turn: Turn, every_seconds: float = 0.5, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._ledger, self._sender, self._turn, self._every, self._now = ledger, sender, turn, every_seconds, now
        self._seen: dict[str, int] = {}
        self._paces: dict[str, _Pace] = {}
        self._everywhere = _Pace()

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(self._every)
        finally:
            self._turn.give_back()

    async def look(self) -> None:
        """Bring every incident up to date that has new lines or something outstanding."""
        try:
            if await asyncio.to_thread(self._turn.take):
                await asyncio.to_thread(self._look)
        except (LedgerUnavailable, OSError) as error:
            _log.warning("%s", error)

    def _look(self) -> None:
        for incident, position in self._ledger.heads().items():
            if self._now() < self._everywhere.not_before:
                return
            if incident not in _NO_INCIDENTS and self._seen.get(incident) != position:
                self._send(incident, position)

    def _send(self, incident: str, position: int) -> None:
        pace = self._paces.setdefault(incident, _Pace())
        if self._now() < pace.not_before:
            return
        try:
            self._sender.send(incident)
        except SlackUnavailable as error:
            _log.warning("%s: %s", incident, error)
            # A refusal is about this incident's channel or message; everything else is about Slack.
            (pace if error.code else self._everywhere).failed(self._now(), error.retry_after)
            return
        self._paces.pop(incident, None)
        self._everywhere = _Pace()
        self._seen[incident] = position
