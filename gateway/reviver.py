"""Starts runs again that crashed or failed before their incident was finished.

Prefect sets a run to Crashed when its process dies under a living worker; when the worker died with it, the heartbeat automation of
`deployments/prefect-automations.yaml` does. Either way the run goes on from what stands in the ledger.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from gateway.runs import Runs, RunsUnavailable
from incident.ledger import BASELINE_CHAIN, DOORS_CHAIN, ESCALATION_CHAIN, INTAKE, ROSTER_CHAIN, SUPPRESSION_CHAIN, Kind
from incident.rehearsal import PREFIX
from tasks.ledger import Ledger, LedgerUnavailable

REST = timedelta(seconds=6)
"""A worker reports a crash twice; a run that is started again before the second report would be cancelled by it."""

REST_AFTER_FAILURE = timedelta(minutes=1)
"""A run fails when AWS or the ledger stays away for longer than its tasks try again; a while later it may succeed."""

MOST_REVIVALS = 20
_log = logging.getLogger("countermand.gateway")


class Reviver:
    """Looks after the runs of every incident that has no report yet."""

    def __init__(self, ledger: Ledger, runs: Runs, clock: Callable[[], datetime], every_seconds: float = 5.0) -> None:
        self._ledger, self._runs, self._clock, self._every = ledger, runs, clock, every_seconds
        self._finished: set[str] = {INTAKE, BASELINE_CHAIN, ROSTER_CHAIN, ESCALATION_CHAIN, DOORS_CHAIN, SUPPRESSION_CHAIN}

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """Start again what crashed or failed, each time once."""
        try:
            for incident in await asyncio.to_thread(self._unfinished):
                await self._look_after(incident)
        except (RunsUnavailable, LedgerUnavailable) as error:
            _log.warning("%s", error)

    def _unfinished(self) -> list[str]:
        """Incidents whose newest look has no report; one that was amended after its report is unfinished again."""
        amended = {*self._ledger.incidents_with(Kind.AMENDMENT), *self._ledger.incidents_with(Kind.FINDING)}
        for incident in self._ledger.incidents():
            if incident.startswith(PREFIX):
                # A test of the escalation has no run.
                self._finished.add(incident)
            elif incident not in self._finished and incident not in amended and self._ledger.lines(incident, Kind.REPORT):
                self._finished.add(incident)
        unfinished = [incident for incident in self._ledger.incidents() if incident not in self._finished - amended]
        return [incident for incident in unfinished if incident not in amended or not self._reported(incident)]

    def _reported(self, incident: str) -> bool:
        looks = len(self._ledger.lines(incident, Kind.LOOK))
        return self._ledger.find(incident, f"report:{max(1, looks)}") is not None

    async def _look_after(self, incident: str) -> None:
        crash = await self._runs.crash_of(incident)
        if crash is None or self._clock() - crash.at < (REST_AFTER_FAILURE if crash.failed else REST):
            return
        revived = [line for line in self._ledger.lines(incident, Kind.NOTE) if line.key.startswith("revived:")]
        if len(revived) >= MOST_REVIVALS:
            return
        await self._runs.start_again(crash)
        body = {"flow_run": str(crash.run), "crashed_at": crash.at.isoformat()}
        self._ledger.append(incident, Kind.NOTE, f"revived:{crash.at.isoformat()}", body)
        _log.warning("incident %s: its run ended before its time and was started again", incident)
