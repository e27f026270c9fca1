"""What the ledger's lines amount to, counted as they come: the numbers that a monitor watches.

Every name that a number carries is one of a few that stand in this program. What an attacker named is never one of them: it would
fill a monitor's memory, and tell in one place what is meant for another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from incident.findings.joining import Outcome
from incident.ledger import INTAKE, Kind, Line
from incident.people.rehearsal import PREFIX
from incident.people.sending import Result as Delivery
from incident.plan import Phase

OTHER = "other"
STEP_RESULTS = ("done", "already right", "moved", "refused", "failed", "not confirmed", "blocked", "struck")
BY_TIME, BY_PERSON = "time", "person"
_PHASES = frozenset(str(phase) for phase in Phase)
_OUTCOMES = frozenset(str(outcome) for outcome in Outcome)
_DELIVERIES = frozenset(str(result) for result in Delivery)


class Tally:
    """Counts lines. Each line is given once; those of one chain in their order.

    Attributes:
        arrivals: deliveries in the ledger, `accepted` or `quarantined`.
        sorted: what became of deliveries, by outcome.
        runs: responses that were started.
        steps: ended steps by phase and result.
        escalations: who was called because of what: the time, or a person.
        notices: attempts to reach somebody beside Slack, by result.
    """

    def __init__(self) -> None:
        self.arrivals: Counter[str] = Counter()
        self.sorted: Counter[str] = Counter()
        self.runs = 0
        self.steps: Counter[tuple[str, str]] = Counter()
        self.escalations: Counter[str] = Counter()
        self.notices: Counter[str] = Counter()
        self._unsorted: dict[str, datetime] = {}
        self._unstarted: dict[str, datetime] = {}
        self._started: set[str] = set()
        self._unsent: dict[tuple[str, str], datetime] = {}
        self._open: set[str] = set()

    def take(self, lines: Iterable[Line]) -> None:
        """Count lines that were not counted before."""
        for line in lines:
            if not line.incident.startswith(PREFIX):
                self._take(line)

    def _take(self, line: Line) -> None:
        if line.incident == INTAKE:
            self._arrived(line)
        elif line.kind == Kind.RUN:
            self._ran(line)
        elif line.kind in (Kind.OPENED, Kind.LOOK, Kind.AMENDMENT):
            self._open.add(line.incident)
        elif line.kind == Kind.REPORT:
            self._open.discard(line.incident)
        elif line.kind == Kind.OUTCOME:
            phase, result = str(line.body.get("phase")), str(line.body.get("result"))
            self.steps[_one_of(phase, _PHASES), _one_of(result, STEP_RESULTS)] += 1
        elif line.kind == Kind.MESSAGE:
            self._told(line)
        elif line.kind == Kind.ESCALATE:
            self.escalations[BY_PERSON] += 1
        elif line.kind == Kind.NOTICE and line.key.startswith("rung:"):
            self.escalations[BY_TIME] += 1
        elif line.kind == Kind.NOTICE and line.key.startswith("result:"):
            self.notices[_one_of(str(line.body.get("result")), _DELIVERIES)] += 1

    def _arrived(self, line: Line) -> None:
        if line.kind == Kind.QUARANTINE:
            self.arrivals["quarantined"] += 1
        elif line.kind == Kind.DELIVERY:
            self.arrivals["accepted"] += 1
            self._unsorted[line.key] = line.at
        elif line.kind == Kind.SORTED:
            outcome = str(line.body.get("outcome"))
            self.sorted[_one_of(outcome, _OUTCOMES)] += 1
            since = self._unsorted.pop(str(line.body.get("delivery")), line.at)
            incident = str(line.body.get("incident"))
            if outcome == Outcome.OPENS and incident not in self._started:
                self._unstarted.setdefault(incident, since)

    def _ran(self, line: Line) -> None:
        """The gateway writes `run` and `run-again`; what a flow writes of itself when it goes on is no start."""
        if not line.key.startswith("run:"):
            self.runs += 1
        self._started.add(line.incident)
        self._unstarted.pop(line.incident, None)

    def _told(self, line: Line) -> None:
        verb, _, key = line.key.partition(":")
        if verb == "message":
            self._unsent.setdefault((line.incident, key), line.at)
        elif verb == "sent":
            self._unsent.pop((line.incident, key), None)

    @property
    def open_incidents(self) -> int:
        """Incidents whose response goes on."""
        return len(self._open)

    @property
    def unsorted(self) -> int:
        return len(self._unsorted)

    @property
    def unstarted(self) -> int:
        return len(self._unstarted)

    @property
    def unsent(self) -> int:
        """Messages that Slack has not taken."""
        return len(self._unsent)

    def oldest_unsorted(self, now: datetime) -> float:
        """Seconds since the oldest delivery arrived that is not sorted yet; 0 without one."""
        return _age(self._unsorted.values(), now)

    def oldest_unstarted(self, now: datetime) -> float:
        """Seconds since the oldest delivery arrived that opened an incident which has no run yet; 0 without one."""
        return _age(self._unstarted.values(), now)

    def oldest_unsent(self, now: datetime) -> float:
        """Seconds since the oldest message was written that Slack has not taken; 0 without one."""
        return _age(self._unsent.values(), now)


def _age(times: Iterable[datetime], now: datetime) -> float:
    oldest = min(times, default=now)
    return max(0.0, (now - oldest).total_seconds())


def _one_of(name: str, known: Iterable[str]) -> str:
    return name if name in known else OTHER
