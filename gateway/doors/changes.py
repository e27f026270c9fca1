"""Holds everybody's changes against the change requests, again and again, and brings in what cannot wait.

What is urgent goes the way of a CloudTrail event from EventBridge: it is read back, sorted, and opens an incident whose escalation
pages people. How far it was read stands in the ledger.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from gateway.intake import Ingested
from incident.findings.arrivals import CLOUDTRAIL_EVENT
from incident.ledger import CHANGES_CHAIN, Kind
from incident.reconciling import Reconciliation
from tasks.hands import Hands
from tasks.ledger import LedgerUnavailable
from tasks.reconciling import reconciled

_FIRST_REACH = timedelta(days=1)
_log = logging.getLogger("countermand.gateway")


class ChangeWatch:
    """Reads on from where it stopped, back over the time that CloudTrail may take to show an event."""

    def __init__(
        self,
        hands: Hands,
        take: Callable[[bytes, Mapping[str, Any]], Ingested],
        own: Callable[[str], tuple[str, ...]] = lambda account: (),
    ) -> None:
        self._hands, self._take, self._own = hands, take, own

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except LedgerUnavailable as error:
                _log.warning("changes are not reconciled: %s", error)
            await asyncio.sleep(self._hands.config.gateway.changes_seconds)

    def look(self) -> Reconciliation:
        """Read what is new and bring in what is urgent. With gaps the next look begins where this one did.

        Raises:
            LedgerUnavailable: it is looked again.
        """
        until = self._hands.clock()
        since = self._since(until)
        found = reconciled(self._hands, since, until, own=self._own)
        for raw in urgent_events(found):
            self._take(raw, {"door": "changes"})
        for gap in found.unknown:
            _log.warning("changes are not all read: %s", gap)
        counted = {"changes": len(found.changes), "urgent": len(found.urgent)}
        body = {"until": until.isoformat(), **counted, "not_known": list(found.unknown)}
        self._hands.ledger.append(CHANGES_CHAIN, Kind.COVERAGE, f"reconciled:{until.isoformat()}", body)
        return found

    def _since(self, now: datetime) -> datetime:
        whole = [line for line in self._hands.ledger.lines(CHANGES_CHAIN, Kind.COVERAGE) if not line.body["not_known"]]
        if not whole:
            return now - _FIRST_REACH
        lag = timedelta(seconds=self._hands.config.aws.delivery_lag_seconds)
        return max(datetime.fromisoformat(str(whole[-1].body["until"])) - lag, now - self._hands.history.reach)


def urgent_events(found: Reconciliation) -> list[bytes]:
    """What cannot wait, as EventBridge would have brought it."""
    return [json.dumps({"detail-type": CLOUDTRAIL_EVENT, "detail": dict(one.raw)}, default=str).encode() for one in found.urgent]
