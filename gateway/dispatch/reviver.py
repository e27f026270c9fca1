"""Starts runs again that ended, or stand still, before their incident was finished.

- Prefect sets a run to Crashed when its process dies under a living worker. When the worker died with it, the heartbeat automation
  of `deployments/prefect-automations.yaml` does, or else the ledger tells: a working process holds a name there (`tasks.working`).
- A worker claims a run (Pending) and then starts its process. One that is killed between the two leaves a run that no other worker
  takes and that no heartbeat tells of.
- A Prefect whose database was lost, or whose run somebody deleted, knows nothing of the run: another is started in its place.

Either way the run goes on from what stands in the ledger. Nobody can tell a dead worker from one that will still start its process;
if it does, the process that begins last goes on and the other stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from gateway.dispatch.runs import Runs, RunsUnavailable, Stand, Standing
from incident.ledger import (
    BASELINE_CHAIN,
    CHANGES_CHAIN,
    DOORS_CHAIN,
    ESCALATION_CHAIN,
    INTAKE,
    ROSTER_CHAIN,
    SUPPRESSION_CHAIN,
    Kind,
)
from incident.people.rehearsal import PREFIX
from tasks.ledger import Ledger, LedgerUnavailable
from tasks.working import is_worked_at

REST = timedelta(seconds=6)
"""A worker reports a crash twice; a run that is started again before the second report would be cancelled by it."""

REST_AFTER_FAILURE = timedelta(minutes=1)
"""A run fails when AWS or the ledger stays away for longer than its tasks try again; a while later it may succeed."""

SILENCE = timedelta(seconds=30)
"""So long nobody may be seen to work at a run that stands as running. A process writes its first line within seconds of that state,
and takes its name in the ledger again within seconds after the database was away.
"""

CLAIMED = timedelta(minutes=3)
"""So long a worker may take from its claim to the process, unless the configuration says otherwise."""

MOST_REVIVALS = 20
_MOST_DOUBLINGS = 3
_log = logging.getLogger("countermand.gateway")


class Place(Protocol):
    """The turn of one among several gateways."""

    def take(self) -> bool: ...


class Reviver:
    """Looks after the runs of every incident that has no report yet.

    Args:
        turn: of several gateways only the one that has it starts runs again; without one, this does.
        claimed: how long a worker may take to begin a run that it claimed.
    """

    def __init__(
        self,
        ledger: Ledger,
        runs: Runs,
        clock: Callable[[], datetime],
        every_seconds: float = 5.0,
        turn: Place | None = None,
        claimed: timedelta = CLAIMED,
    ) -> None:
        self._ledger, self._runs, self._clock, self._every, self._turn = ledger, runs, clock, every_seconds, turn
        self._rests = {Stand.CRASHED: REST, Stand.FAILED: REST_AFTER_FAILURE, Stand.CLAIMED: claimed}
        self._silent: dict[str, datetime] = {}
        self._finished: set[str] = {
            INTAKE,
            BASELINE_CHAIN,
            ROSTER_CHAIN,
            ESCALATION_CHAIN,
            DOORS_CHAIN,
            SUPPRESSION_CHAIN,
            CHANGES_CHAIN,
        }

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._every)

    async def look(self) -> None:
        """Start again what ended or stands still, each time once."""
        try:
            if self._turn is not None and not await asyncio.to_thread(self._turn.take):
                return
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
        standing = await self._runs.standing_of(incident)
        if standing is None:
            return
        revived = [line for line in self._ledger.lines(incident, Kind.NOTE) if line.key.startswith("revived:")]
        claimed = sum(line.body.get("stood_as") == Stand.CLAIMED for line in revived)
        if len(revived) >= MOST_REVIVALS or not await self._stands_still(incident, standing, claimed):
            return
        if standing.stand is Stand.GONE:
            await self._runs.start_instead(incident, standing.run)
        else:
            await self._runs.start_again(standing.run)
        self._silent.pop(incident, None)
        since = str(standing.run) if standing.stand is Stand.GONE else standing.at.isoformat()
        body = {"flow_run": str(standing.run), "stood_as": str(standing.stand), "since": since}
        self._ledger.append(incident, Kind.NOTE, f"revived:{since}", body)
        _log.warning("incident %s: its run stood as %s and was started again", incident, standing.stand)

    async def _stands_still(self, incident: str, standing: Standing, claimed: int) -> bool:
        if (rest := self._rests.get(standing.stand)) is not None:
            self._silent.pop(incident, None)
            # A host at its limit gets no faster by more processes: each time a worker has twice as long.
            longer = 2 ** min(claimed, _MOST_DOUBLINGS) if standing.stand is Stand.CLAIMED else 1
            return self._clock() - standing.at >= rest * longer
        if await asyncio.to_thread(is_worked_at, self._ledger, incident):
            self._silent.pop(incident, None)
            return False
        since = max(standing.at, self._silent.setdefault(incident, self._clock()))
        return self._clock() - since >= SILENCE
