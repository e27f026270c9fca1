"""The ledger's lines: every fact of an incident, each chained to the one before it by its hash.

A line is identified within its incident by a unique key, so that saying a thing twice says it once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from incident.settings import canonical

GENESIS = "0" * 64
INTAKE = "intake"
"""The chain that holds deliveries which belong to no incident yet."""

BASELINE_CHAIN = "baseline"
ROSTER_CHAIN = "roster"
DOORS_CHAIN = "doors"
"""The chain that holds how far each place was reconciled, and where that failed."""

SUPPRESSION_CHAIN = "suppressions"
"""The chain that holds what responders agreed to leave unanswered for a time."""

CHANGES_CHAIN = "changes"
"""The chain that holds the change requests as they were handed in."""

ESCALATION_CHAIN = "escalation"
"""The chain that holds the tests of the escalation policy."""


class Kind(StrEnum):
    """What a line is about."""

    DELIVERY = "delivery"
    QUARANTINE = "quarantine"
    SORTED = "sorted"
    """What became of a delivery: it opens an incident or joins one, is suppressed, or is only noted."""
    FINDING = "finding"
    """A finding, or another version of one, that joined an incident which it did not open."""
    SUPPRESSION = "suppression"
    CHANGE_REQUEST = "change-request"
    """One version of a request to change the network, with who approved it."""
    OPENED = "incident-opened"
    RUN = "run"
    PROCESS = "process"
    """A process began to work at the incident; whichever began before it stops."""
    PHASE = "phase"
    ACTOR = "actor"
    COVERAGE = "coverage"
    PLAN = "plan"
    QUESTION = "approval-requested"
    DECISION = "decision"
    VOID = "approval-void"
    PREAUTHORIZATION = "pre-authorization"
    LOOK = "look"
    AMENDMENT = "amendment"
    INTENT = "step-intent"
    CALL = "step-call"
    OUTCOME = "step-outcome"
    EVIDENCE = "evidence"
    MESSAGE = "message"
    ACK = "ack"
    """Somebody has taken the incident: `{person, surface, at, until}`, both times in ISO 8601 with zone."""
    ESCALATE = "escalate"
    """Somebody called the next level in: `{person, surface, reason}`."""
    DEADLINE = "deadline"
    """When the escalation has something to do next."""
    NOTICE = "notice"
    """A message that escalation sends, and what its channel answered."""
    PROOF = "proof"
    COSTS = "costs"
    EXPOSURES = "exposures"
    """What the internet reached before the incident, after the actor's last change, and at the report."""
    TRAFFIC = "traffic"
    """What the actor's addresses touched, as flow logs tell."""
    REPORT = "report"
    REMARK = "remark"
    """What a responder wrote into a section of the report."""
    BACKLOG = "backlog"
    """A backlog item was added, given to an owner, or done."""
    CLOSED = "incident-closed"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `at` is when it was written, in UTC; `position` counts from 1 within the incident."""

    incident: str
    position: int
    key: str
    kind: str
    at: datetime
    body: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The first line at which a chain does not hold."""

    position: int
    reason: str


def line_hash(incident: str, position: int, key: str, kind: str, at: datetime, body: Mapping[str, Any], previous: str) -> str:
    """The SHA-256, in hex, that chains a line to the one before it."""
    content = canonical([incident, position, key, kind, at.isoformat(), body, previous])
    return hashlib.sha256(content.encode()).hexdigest()


def chained(incident: str, position: int, key: str, kind: str, at: datetime, body: Mapping[str, Any], previous: str) -> Line:
    """A new line behind the one whose hash is `previous`."""
    digest = line_hash(incident, position, key, kind, at, body, previous)
    return Line(incident, position, key, kind, at, body, previous, digest)


def verify(lines: Iterable[Line], head: tuple[int, str] | None = None) -> Broken | None:
    """Find the first line that was changed, removed or moved.

    Args:
        lines: the incident's lines in the order in which they are stored.
        head: the last position and hash that the store remembers apart from the lines; it shows lines cut off at the end.
    """
    expected, previous = 1, GENESIS
    for line in lines:
        if line.position != expected:
            return Broken(expected, f"line {expected} was removed or moved: line {line.position} stands in its place")
        if line.previous != previous:
            return Broken(
                expected, f"line {expected} was moved, or the line before it changed: it does not follow line {expected - 1}"
            )
        if line.hash != line_hash(line.incident, line.position, line.key, line.kind, line.at, line.body, line.previous):
            return Broken(expected, f"line {expected} ({line.kind}) was changed: its content does not match its hash")
        expected, previous = expected + 1, line.hash
    if head is not None and head != (expected - 1, previous):
        return Broken(expected, f"line {expected} was removed: the ledger had {head[0]} lines and {expected - 1} remain")
    return None
