"""Ledgers in memory for the tests of escalation: lines appended as the store would, at times that the test chooses."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from incident.ledger import GENESIS, Kind, Line, chained
from incident.people.escalation import EscalationPolicy
from incident.people.ladder import Outlook, outlook
from incident.people.notices import Entry, rung_entries, stakeholder_entries
from incident.people.occasions import facts

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
INCIDENT = "inc-1"
OPENED = {"title": "Alice's key", "type": "Recon:IAMUser/X", "severity": 8.0, "account": "111122223333", "region": "us-east-1"}


class Book:
    """The lines of one incident."""

    def __init__(self, policy: EscalationPolicy) -> None:
        self.policy = policy
        self.lines: list[Line] = []

    def open(self, at: datetime = NOON, **more: object) -> None:
        self.write(at, (INCIDENT, Kind.OPENED, "opened", OPENED | {"responds": True, "reason": "why", "pages": False} | more))

    def write(self, at: datetime, *entries: Entry) -> None:
        held = {line.key for line in self.lines}
        for incident, kind, key, body in entries:
            if key in held:
                continue
            previous = self.lines[-1].hash if self.lines else GENESIS
            self.lines.append(chained(incident, len(self.lines) + 1, key, str(kind), at, body, previous))

    def ack(self, at: datetime, person: str = "alice", minutes: float = 60) -> None:
        until = (at + timedelta(minutes=minutes)).isoformat()
        self.write(at, (INCIDENT, Kind.ACK, f"ack:{at.isoformat()}", {"person": person, "surface": "slack", "until": until}))

    def call(self, at: datetime, person: str = "alice") -> None:
        body = {"person": person, "surface": "slack", "reason": "help"}
        self.write(at, (INCIDENT, Kind.ESCALATE, f"escalate:{at.isoformat()}", body))

    def view(self, at: datetime) -> Outlook:
        known = facts(self.lines, at)
        assert known is not None
        return outlook(self.policy, known, self.lines, at)

    def tick(self, at: datetime) -> datetime | None:
        """Do what is due, as the driver does; when to look again."""
        for _ in range(100):
            known, view = facts(self.lines, at), self.view(at)
            assert known is not None
            for rung in view.rungs:
                self.write(at, *rung_entries(self.policy, known, rung, at))
            for one in view.stakeholders:
                self.write(at, *stakeholder_entries(self.policy, known, one, at))
            if not view.rungs and not view.stakeholders:
                return view.next_at
        raise AssertionError("it never ends")

    def sleep_until(self, start: datetime, end: datetime) -> None:
        """Look only when the last look said so."""
        at: datetime | None = start
        while at is not None and at <= end:
            following = self.tick(at)
            assert following is None or following > at
            at = following

    def told(self, climb: str = "opened") -> list[tuple[datetime, int, int]]:
        """Each telling of a climb: when, level, and which time of it."""
        rungs: Iterable[Line] = (line for line in self.lines if line.key.startswith(f"rung:{climb}:"))
        return [(line.at, int(line.body["level"]), int(line.body["telling"])) for line in rungs]


def policy(**parts: object) -> EscalationPolicy:
    """Three levels: a for 5 minutes, twice; b for 10; c for 15."""
    given = {
        "contacts": {name: {"email": [f"{name}@example.com"]} for name in ("a", "b", "c", "law")},
        "ladders": {
            "main": {
                "levels": [
                    {"name": "one", "whom": ["a"], "wait_minutes": 5, "repeats": 1},
                    {"name": "two", "whom": ["b"], "wait_minutes": 10},
                    {"name": "three", "whom": ["c"], "wait_minutes": 15},
                ]
            }
        },
        "rules": [{"ladder": "main"}],
    }
    return EscalationPolicy.model_validate(given | parts)
