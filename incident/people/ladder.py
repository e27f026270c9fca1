"""Who is to be told now, and when to look again: a pure function of policy, facts, ledger lines and time.

A climb is one ladder climbed for one occasion. Each telling is a rung, kept in the ledger with the deadline of the next; the next
rung follows from the last one that stands there, so a process that starts again, however late, goes on where the ladder stood,
tells nobody twice, and gives each level its time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from incident.ledger import Kind, Line
from incident.people.escalation import NOBODY, ClimbPhase, Condition, EscalationPolicy, Ladder, Level, Rule, Stakeholder
from incident.people.occasions import Facts, Occasion

CALLED = "called"


@dataclass(frozen=True, slots=True)
class Rung:
    """One telling of one level. `number` counts the climb's rungs from 1, `telling` those of the level; `cause` is the key of the
    ledger line that called for it, where one did."""

    climb: str
    number: int
    ladder: str
    level: int
    telling: int
    phase: ClimbPhase
    why: str
    contacts: tuple[str, ...]
    wait: timedelta
    cause: str = ""

    @property
    def key(self) -> str:
        return f"rung:{self.climb}:{self.number}"

    @property
    def deadline_key(self) -> str:
        return f"deadline:{self.climb}:{self.number}"


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is due at a moment, and the next moment at which something may be; `exhausted` are climbs that nobody answered."""

    rungs: tuple[Rung, ...] = ()
    stakeholders: tuple[Stakeholder, ...] = ()
    next_at: datetime | None = None
    exhausted: tuple[str, ...] = ()
    taken_by: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """Somebody is at it, from `since` to `until`. One who decided has done their part of a question that needs a second person."""

    person: str
    since: datetime
    until: datetime
    decided: bool = False


@dataclass(frozen=True, slots=True)
class _Last:
    """The rung that a climb told last."""

    at: datetime
    deadline: datetime
    number: int
    ladder: str
    level: int
    telling: int


@dataclass(frozen=True, slots=True)
class _Due:
    """What one climb, or one stakeholder, comes to."""

    rung: Rung | None = None
    at: datetime | None = None
    exhausted: bool = False


_NOTHING = _Due()


def outlook(policy: EscalationPolicy, facts: Facts, lines: Sequence[Line], now: datetime) -> Outlook:
    """Who is due to be told of an incident at `now`."""
    held = holds(policy, lines)
    standing = [hold for hold in held if hold.since <= now < hold.until]
    calls = _open_calls(lines)
    climbs = _climbs(policy, facts, lines, bool(calls))
    dues = [_Climb(policy, facts, lines, one, held, now).due(calls if one is climbs[-1] else ()) for one in climbs]
    called_in, waits = _stakeholders(policy, facts, lines, now)
    moments = [due.at for due in dues if due.at is not None] + waits + list(facts.changes_at)
    return Outlook(
        rungs=tuple(due.rung for due in dues if due.rung is not None),
        stakeholders=called_in,
        next_at=min(moments, default=None),
        exhausted=tuple(one.id for one, due in zip(climbs, dues, strict=True) if due.exhausted),
        taken_by=max(standing, key=lambda hold: hold.until).person if standing else "",
    )


def holds(policy: EscalationPolicy, lines: Iterable[Line]) -> list[Hold]:
    """Who has taken the incident, and for how long. A decision or an amendment says as much as an acknowledgement.

    Whoever calls the next level in gives the incident away: what was held before ends there.
    """
    found: list[Hold] = []
    for line in lines:
        if line.kind == Kind.ESCALATE:
            found = [replace(hold, until=min(hold.until, line.at)) for hold in found]
        elif line.kind in (Kind.ACK, Kind.DECISION, Kind.AMENDMENT):
            until = min(_moment(line.body.get("until")) or line.at + policy.ack_time, line.at + policy.ack_time)
            found.append(Hold(str(line.body.get("person", "somebody")), line.at, until, line.kind == Kind.DECISION))
    return found


def _moment(value: object) -> datetime | None:
    """A moment with its zone; `None` for what is none."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _open_calls(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Calls for the next level that no rung has answered yet."""
    answered = {line.body.get("cause") for line in lines if line.kind == Kind.NOTICE}
    return tuple(line for line in lines if line.kind == Kind.ESCALATE and line.key not in answered)


def _climbs(policy: EscalationPolicy, facts: Facts, lines: Sequence[Line], called: bool) -> list[Occasion]:
    """What ladders are climbed for, oldest first; the newest that is not over stands last, for a call for help goes to it."""
    climbed = [one for one in facts.occasions if _rule(policy, facts, one.phase).ladder != NOBODY]
    begun = next((line for line in lines if line.key.startswith(f"rung:{CALLED}:")), None)
    if begun is not None or (called and not climbed):
        since = begun.at if begun is not None else facts.opened_at
        climbed.append(Occasion(CALLED, "called", since, "somebody called for help", over=facts.reported_at is not None))
    return sorted(climbed, key=lambda one: (not one.over, one.since))


def _rule(policy: EscalationPolicy, facts: Facts, phase: ClimbPhase) -> Rule:
    return policy.rule(facts.severity, phase)


class _Climb:
    """One ladder climbed for one occasion."""

    def __init__(
        self, policy: EscalationPolicy, facts: Facts, lines: Sequence[Line], occasion: Occasion, held: Sequence[Hold], now: datetime
    ) -> None:
        self._policy, self._facts, self._occasion, self._now = policy, facts, occasion, now
        self._held = [hold for hold in held if not (hold.decided and occasion.phase == "waiting")]
        self._rule = _rule(policy, facts, occasion.phase)
        self._last = _last(lines, occasion.id)
        # A climb keeps the ladder on which it began, as long as the policy has it.
        begun = self._last.ladder if self._last else ""
        self._name = begun if begun in policy.ladders else self._rule.ladder
        self._ladder: Ladder = policy.ladders[self._name]

    def due(self, calls: Sequence[Line]) -> _Due:
        """What is due, given the calls for help that are this climb's to answer."""
        if calls:
            return self._called(calls[0])
        if self._occasion.over:
            return _NOTHING
        taken = max((hold.until for hold in self._held if hold.since <= self._now < hold.until), default=None)
        if taken is not None:
            return _Due(at=taken)
        last = self._last
        if last is None:
            return self._tell(0, 1, self._occasion.about, self._occasion.since + self._rule.after)
        ended = max((h for h in self._held if last.at < h.until <= self._now), key=lambda h: h.until, default=None)
        if ended is not None:
            why = f"{ended.person} took it until {ended.until:%H:%M} UTC, and nobody has since; {self._occasion.about}"
            return self._tell(min(last.level, self._top), 1, why, ended.until)
        return self._further(last)

    @property
    def _top(self) -> int:
        return len(self._ladder.levels) - 1

    def _called(self, call: Line) -> _Due:
        """The next level at once, whatever the hour; at the top, the top again."""
        level = 0 if self._last is None else min(self._last.level + 1, self._top)
        why = f"{call.body.get('person', 'somebody')} called you in: {call.body.get('reason') or self._occasion.about}"
        one = self._ladder.levels[level]
        return _Due(self._rung(level, 1, why, one.whom, call.key))

    def _further(self, last: _Last) -> _Due:
        """The same level again, or the next one, when the last one's time is over."""
        if last.level <= self._top and last.telling <= self._ladder.levels[last.level].repeats:
            return self._tell(last.level, last.telling + 1, f"nobody has answered; {self._occasion.about}", last.deadline)
        if last.level < self._top:
            before = self._ladder.levels[last.level].name
            return self._tell(last.level + 1, 1, f"{before} did not answer; {self._occasion.about}", last.deadline)
        over = self._now >= last.deadline
        return _Due(at=None if over else last.deadline, exhausted=over)

    def _tell(self, level: int, telling: int, why: str, at: datetime) -> _Due:
        """Tell those of a level who are awake; while nobody is, wait for the first."""
        if self._now < at:
            return _Due(at=at)
        one = self._ladder.levels[level]
        wakes = {name: self._policy.contacts[name].awake_from(self._now, self._facts.severity) for name in one.whom}
        awake = tuple(name for name in one.whom if wakes[name] <= self._now)
        if not awake:
            return _Due(at=min(wakes.values()))
        return _Due(self._rung(level, telling, why, awake))

    def _rung(self, level: int, telling: int, why: str, contacts: tuple[str, ...], cause: str = "") -> Rung:
        number = self._last.number + 1 if self._last else 1
        wait = self._ladder.levels[level].wait
        return Rung(self._occasion.id, number, self._name, level, telling, self._occasion.phase, why, contacts, wait, cause)


def _last(lines: Iterable[Line], climb: str) -> _Last | None:
    """The newest rung of a climb, with the deadline that stands beside it in the ledger."""
    rung: Mapping[str, object] | None = None
    deadline: datetime | None = None
    for line in lines:
        if line.body.get("climb") != climb:
            continue
        if line.kind == Kind.NOTICE and line.key.startswith("rung:"):
            rung = line.body
        elif line.kind == Kind.DEADLINE:
            deadline = _moment(line.body["at"])
    if rung is None:
        return None
    at = datetime.fromisoformat(str(rung["at"]))
    number, level, telling = (int(str(rung[name])) for name in ("number", "level", "telling"))
    return _Last(at, deadline or at, number, str(rung["ladder"]), level, telling)


def level_of(policy: EscalationPolicy, rung: Rung) -> Level:
    return policy.ladders[rung.ladder].levels[rung.level]


# ---- stakeholders -----------------------------------------------------------------------------------------------


def stakeholder_key(name: str) -> str:
    return f"stakeholder:{name}"


def _stakeholders(
    policy: EscalationPolicy, facts: Facts, lines: Sequence[Line], now: datetime
) -> tuple[tuple[Stakeholder, ...], list[datetime]]:
    """Who is to be called in, and the moments at which others may be."""
    called = {line.key for line in lines if line.kind == Kind.NOTICE}
    due: list[Stakeholder] = []
    waits: list[datetime] = []
    for one in policy.stakeholders:
        if stakeholder_key(one.name) in called or not _holds(one.when, facts, lines):
            continue
        at = _called_in_at(policy, one, facts, now)
        if at is None:
            continue
        if at <= now:
            due.append(one)
        else:
            waits.append(at)
    return tuple(due), waits


def _holds(when: Condition, facts: Facts, lines: Iterable[Line]) -> bool:
    phases: set[str] = {one.phase for one in facts.occasions} | set(("reported",) if facts.reported_at else ())
    told = [int(line.body["level"]) + 1 for line in lines if line.kind == Kind.NOTICE and line.key.startswith("rung:")]
    return (
        facts.severity >= when.severity
        and (not when.phases or bool(phases & set(when.phases)))
        and (not when.findings or any(fnmatchcase(facts.type, pattern) for pattern in when.findings))
        and (not when.accounts or facts.account in when.accounts)
        and (not when.level or max(told, default=0) >= when.level)
    )


def _called_in_at(policy: EscalationPolicy, one: Stakeholder, facts: Facts, now: datetime) -> datetime | None:
    """When somebody comes in whose other conditions hold: after the given age, and when one of them is awake."""
    due = facts.opened_at + timedelta(minutes=one.when.minutes)
    if one.when.minutes and facts.reported_at is not None and facts.reported_at < due:
        return None
    at = max(now, due)
    return at if not one.whom else min(policy.contacts[name].awake_from(at, facts.severity) for name in one.whom)
