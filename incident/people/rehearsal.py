"""A test of the escalation: the ladder is walked with real messages, and the result says who did not answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from incident.ledger import ESCALATION_CHAIN, Kind, Line
from incident.people.escalation import EscalationPolicy, Ladder
from incident.people.ladder import Rung
from incident.people.notices import Entry, rung_entries
from incident.people.occasions import TEST_KEY, Facts
from incident.people.sending import Fate, fates

CLIMB = "test"
PREFIX = "escalation-test-"


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done now: entries to write, or nothing until `wait_until`; `over` when the walk has ended."""

    entries: tuple[Entry, ...] = ()
    wait_until: datetime | None = None
    over: bool = False


def begun(test: str, by: str, severity: float, ladder: str, within: timedelta | None) -> Entry:
    """The line with which a test begins. `within` stands for every level's own time-out."""
    seconds = within.total_seconds() if within is not None else None
    return (test, Kind.NOTE, TEST_KEY, {"by": by, "severity": severity, "ladder": ladder, "within_seconds": seconds})


def next_step(policy: EscalationPolicy, facts: Facts, lines: Sequence[Line], now: datetime) -> Step:
    """Tell the next level when all of the one before answered, or its time is over. Quiet hours do not hold in a test.

    Raises:
        ValueError: the lines begin no test, or its ladder is no longer in the policy.
    """
    name, within = _terms(lines)
    ladder = policy.ladders.get(name)
    if ladder is None:
        raise ValueError(f"the policy has no ladder {name} any more; begin another test")
    told = [line for line in lines if line.key.startswith(f"rung:{CLIMB}:")]
    if told:
        level = ladder.levels[len(told) - 1]
        until = datetime.fromisoformat(str(told[-1].body["at"])) + (within or level.wait)
        silent = [one for one in level.whom if _answered(policy, one, lines) is None]
        if silent and now < until:
            return Step(wait_until=until)
    if len(told) == len(ladder.levels):
        return Step(over=True)
    return Step(tuple(rung_entries(policy, facts, _rung(name, ladder, len(told), within), now)))


def _terms(lines: Iterable[Line]) -> tuple[str, timedelta | None]:
    line = next((line for line in lines if line.key == TEST_KEY), None)
    if line is None:
        raise ValueError("these lines begin no test of the escalation")
    seconds = line.body["within_seconds"]
    return str(line.body["ladder"]), timedelta(seconds=float(seconds)) if seconds is not None else None


def _rung(name: str, ladder: Ladder, level: int, within: timedelta | None) -> Rung:
    one = ladder.levels[level]
    why = f"this is a test: acknowledge it within {(within or one.wait).total_seconds() / 60:g} minutes"
    return Rung(CLIMB, level + 1, name, level, 1, "opened", why, one.whom, within or one.wait)


def _answered(policy: EscalationPolicy, contact: str, lines: Iterable[Line]) -> Line | None:
    """The first acknowledgement by whoever answers as a contact."""
    names = {contact, policy.contacts[contact].responder} - {""}
    return next((line for line in lines if line.kind == Kind.ACK and line.body.get("person") in names), None)


def result(policy: EscalationPolicy, lines: Sequence[Line], now: datetime) -> Entry:
    """The line that keeps the result: who was told by what, who answered and when, who did not, and what was not delivered."""
    test, fate = lines[0].incident, fates(lines)
    name, _ = _terms(lines)
    levels = [_level(policy, line, lines, fate) for line in lines if line.key.startswith(f"rung:{CLIMB}:")]
    people = [person for level in levels for person in level["contacts"]]
    unanswered = [person["contact"] for person in people if person["answered_at"] is None]
    undelivered = [
        f"{person['contact']}: {told['way']}: {told['detail'] or 'not delivered yet'}"
        for person in people
        for told in person["told"]
        if told["result"] != "delivered"
    ]
    body = {
        "test": test,
        "ladder": name,
        "severity": lines[0].body["severity"],
        "by": lines[0].body["by"],
        "begun_at": lines[0].at.isoformat(),
        "ended_at": now.isoformat(),
        "levels": levels,
        "unanswered": list(dict.fromkeys(unanswered)),
        "undelivered": undelivered,
        "passed": not unanswered and not undelivered,
    }
    return (ESCALATION_CHAIN, Kind.NOTE, f"test:{test}", body)


def _level(policy: EscalationPolicy, rung: Line, lines: Sequence[Line], fate: dict[str, Fate]) -> dict[str, Any]:
    contacts = [_contact(policy, rung, str(name), lines, fate) for name in rung.body["contacts"]]
    return {"level": int(rung.body["level"]) + 1, "name": rung.body["level_name"], "contacts": contacts}


def _contact(policy: EscalationPolicy, rung: Line, name: str, lines: Sequence[Line], fate: dict[str, Fate]) -> dict[str, Any]:
    answer = _answered(policy, name, lines)
    own = f"{CLIMB}:{rung.body['number']}:{name}"
    told = [
        {
            "way": "slack" if key.startswith("escalation:") else key.removeprefix(f"{own}:"),
            "result": one.result,
            "detail": one.detail,
        }
        for key, one in fate.items()
        if key == f"escalation:{own}" or key.startswith(f"{own}:")
    ]
    return {"contact": name, "told": told, "answered_at": answer.at.isoformat() if answer else None}
