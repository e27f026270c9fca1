"""Where an incident stands, in the few facts that a responder asks for first; told from the ledger's lines alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incident.approvals import Answer, Asked, Decision, Standing, objection, overtaken, standing
from incident.coverage import coverage, gaps
from incident.findings.notes import seeded
from incident.ledger import Kind, Line
from incident.people.occasions import TEST_KEY
from incident.policy import Policy

_NIST = {
    "detect": "Detection and analysis",
    "identify": "Detection and analysis",
    "scope": "Detection and analysis",
    "keep-facts": "Containment",
    "plan-evidence": "Containment",
    "begin-evidence": "Containment",
    "plan-containment": "Containment",
    "contain": "Containment",
    "keep-evidence": "Containment",
    "plan-restoration": "Eradication",
    "eradicate": "Eradication",
    "recover": "Recovery",
    "plan-release": "Recovery",
    "release": "Recovery",
    "prove": "Recovery",
}
"""The phase of NIST SP 800-61 that each phase of ours belongs to."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question that nobody has settled yet.

    Attributes:
        title: what it is about.
        asked: the question.
        needed: how many more people must agree.
        people: the responders who may still answer, by name.
    """

    title: str
    asked: Asked
    needed: int
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The facts. `ended` is the report's own word once there is one and nothing was added since."""

    incident: str
    title: str
    type: str
    severity: float
    account: str
    region: str
    opened_at: datetime | None
    phase: str
    ended: str
    why_not: str
    regions: int
    unread: tuple[Mapping[str, Any], ...]
    waiting: tuple[Waiting, ...]
    deadline: tuple[datetime, str] | None
    acknowledged: str
    escalated: str
    run: str


def status(incident: str, lines: Iterable[Line], policy: Policy, now: datetime) -> Status:
    """The status of one incident at a moment (UTC)."""
    lines = list(lines)
    opened = next((line for line in lines if line.kind == Kind.OPENED), None)
    told: Mapping[str, Any] = opened.body if opened else {}
    waiting = tuple(_waiting(lines, policy, now))
    runs = [str(line.body["flow_run"]) for line in lines if line.kind == Kind.RUN]
    return Status(
        incident=incident,
        title=str(told.get("title", "")),
        type=str(told.get("type", _unopened(lines))),
        severity=float(told.get("severity", 0)),
        account=str(told.get("account", "")),
        region=str(told.get("region", "")),
        opened_at=opened.at if opened else None,
        phase=_phase(lines),
        ended=_ended(lines),
        why_not="" if told.get("responds", True) or seeded(lines) else str(told.get("reason", "")),
        regions=sum(row["status"] != "not enabled" for row in coverage(lines)),
        unread=tuple(gaps(lines)),
        waiting=waiting,
        deadline=_deadline(lines, waiting, now),
        acknowledged=_acknowledged(lines, now),
        escalated=_escalated(lines),
        run=runs[-1] if runs else "",
    )


def _unopened(lines: Sequence[Line]) -> str:
    """What stands for the finding's type while there is none."""
    is_test = any(line.key == TEST_KEY for line in lines)
    return "a test of the escalation, nothing has happened" if is_test else "the finding is being read"


def _phase(lines: Sequence[Line]) -> str:
    phases = [line for line in lines if line.kind == Kind.PHASE]
    if not phases:
        return "Detection and analysis · begins"
    last = phases[-1].body
    name = str(last["phase"])
    look = f", look {last['look']}" if last["look"] != 1 else ""
    ended = " (done)" if last["state"] == "done" else ""
    return f"{_NIST.get(name, 'Response')} · {name.replace('-', ' ')}{ended}{look}"


def _ended(lines: Sequence[Line]) -> str:
    """The status of the newest report, unless a responder has added to the case since."""
    last = next((line for line in reversed(lines) if line.kind in (Kind.REPORT, Kind.AMENDMENT, Kind.LOOK)), None)
    return str(last.body["status"]) if last is not None and last.kind == Kind.REPORT else ""


def _waiting(lines: Sequence[Line], policy: Policy, now: datetime) -> Iterable[Waiting]:
    decisions = [Decision.model_validate(line.body) for line in lines if line.kind == Kind.DECISION]
    amended = max((line.position for line in lines if line.kind == Kind.AMENDMENT), default=0)
    void = {line.key.removeprefix("void:") for line in lines if line.kind == Kind.VOID}
    titles = {str(line.body["digest"]): str(line.body["plan"]["title"]) for line in lines if line.kind == Kind.PLAN}
    for line in lines:
        if line.kind != Kind.QUESTION or line.position < amended:
            continue
        asked = Asked.model_validate(line.body)
        said = [decision for decision in decisions if decision.question == asked.id]
        if asked.id in void or standing(asked, said, now) is not Standing.WAITING or overtaken(asked, lines):
            continue
        agreed = {decision.person for decision in said if decision.answer is Answer.APPROVE and now < decision.expires_at}
        able = [one.name for one in policy.responders if not objection(asked, one.name, asked.digest, now, policy, said)]
        yield Waiting(titles.get(asked.digest, asked.question), asked, max(1, asked.people - len(agreed)), tuple(able))


def _deadline(lines: Sequence[Line], waiting: Sequence[Waiting], now: datetime) -> tuple[datetime, str] | None:
    """The next moment at which something happens by itself."""
    found = [(one.asked.expires_at, f"the question about “{one.title}” expires") for one in waiting]
    late = [line for line in lines if line.kind == Kind.NOTE and line.key.startswith("late-events:")]
    found += [(datetime.fromisoformat(str(line.body["until"])), "CloudTrail is read again for late events") for line in late]
    found += _escalation(lines)
    return min((one for one in found if one[0] > now), default=None)


def _escalation(lines: Sequence[Line]) -> list[tuple[datetime, str]]:
    """When the escalation goes on, unless somebody has taken the incident since."""
    answers = (Kind.ACK, Kind.DECISION, Kind.AMENDMENT, Kind.REPORT)
    answered = max((line.position for line in lines if line.kind in answers), default=0)
    newest = {str(line.body["climb"]): line for line in lines if line.kind == Kind.DEADLINE and line.position > answered}
    return [
        (datetime.fromisoformat(str(line.body["at"])), f"the escalation goes on, unless {line.body['level_name']} answers")
        for line in newest.values()
    ]


def _acknowledged(lines: Sequence[Line], now: datetime) -> str:
    acks = [line for line in lines if line.kind == Kind.ACK]
    if not acks:
        return ""
    last = acks[-1].body
    until = str(last.get("until") or "")
    if not until:
        return f"by {last['person']} at {acks[-1].at:%Y-%m-%d %H:%M} UTC"
    lapsed = datetime.fromisoformat(until) <= now
    return f"by {last['person']}, {'lapsed at' if lapsed else 'until'} {datetime.fromisoformat(until):%Y-%m-%d %H:%M} UTC"


def _escalated(lines: Sequence[Line]) -> str:
    asked = [line for line in lines if line.kind == Kind.ESCALATE]
    return f"by {asked[-1].body['person']} at {asked[-1].at:%H:%M} UTC: {asked[-1].body['reason']}" if asked else ""
