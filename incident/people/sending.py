"""The outbox of the second channels: what is to be tried now, and when again. A pure function of ledger lines and time.

An attempt is written down before it is made, under its number, so of two processes one makes it. One that died meanwhile is made
again when its lease is over; the channel knows the copy by its key where it can.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from incident.ledger import Kind, Line
from incident.people.escalation import EscalationPolicy
from incident.people.notices import Entry, Notice

LEASE = timedelta(minutes=3)
"""Longer than any attempt lasts."""

FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=15), timedelta(minutes=15)
GIVEN_UP_AFTER = timedelta(hours=24)


class Result(StrEnum):
    """What an attempt came to."""

    DELIVERED = "delivered"
    FAILED = "failed"
    """The channel was not reached, or it is not known whether it took the message: it is tried again."""

    REFUSED = "refused"
    """The channel will never take it as it is."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A notice that is to be tried now, for which time that is, and since when it waits."""

    notice: Notice
    number: int
    since: datetime

    @property
    def attempt(self) -> str:
        return f"attempt:{self.notice.id}:{self.number}"

    @property
    def result(self) -> str:
        return f"result:{self.notice.id}:{self.number}"

    def begun(self, now: datetime) -> Entry:
        body = {"notice": self.notice.id, "number": self.number, "at": now.isoformat()}
        return (self.notice.incident, Kind.NOTICE, self.attempt, body)

    def ended(self, result: Result, detail: str, now: datetime) -> Entry:
        """The result; a failure after a whole day is the last one."""
        final = result is not Result.FAILED or now - self.since >= GIVEN_UP_AFTER
        body = {"notice": self.notice.id, "number": self.number, "result": result, "detail": detail, "final": final}
        return (self.notice.incident, Kind.NOTICE, self.result, body | {"at": now.isoformat()})


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a notice so far: its last result, or nothing."""

    result: str = ""
    detail: str = ""
    final: bool = False


def outbox(lines: Sequence[Line], now: datetime) -> tuple[tuple[Sending, ...], datetime | None]:
    """What is to be tried now, and when the next attempt of something else is due."""
    tried, ended = _numbered(lines, "attempt:"), _numbered(lines, "result:")
    ready: list[Sending] = []
    waits: list[datetime] = []
    for line in (line for line in lines if line.kind == Kind.NOTICE and line.key.startswith("notice:")):
        notice = Notice.of(line)
        number, last = tried.get(notice.id, (0, None))
        outcome = ended.get(notice.id)
        if outcome is not None and outcome[1].body["final"]:
            continue
        at = line.at if last is None else _again_at(number, last, outcome)
        if at <= now:
            ready.append(Sending(notice, number + 1, line.at))
        else:
            waits.append(at)
    return tuple(ready), min(waits, default=None)


def _again_at(number: int, attempt: Line, outcome: tuple[int, Line] | None) -> datetime:
    """After a failure a while that doubles; after an attempt that came to no end, its lease."""
    if outcome is None or outcome[0] < number:
        return _at(attempt) + LEASE
    return _at(outcome[1]) + min(FIRST_WAIT * 2 ** min(number - 1, 10), LONGEST_WAIT)


def _at(line: Line) -> datetime:
    return datetime.fromisoformat(str(line.body["at"]))


def _numbered(lines: Iterable[Line], prefix: str) -> dict[str, tuple[int, Line]]:
    """The line with the highest number of each notice."""
    found: dict[str, tuple[int, Line]] = {}
    for line in lines:
        if line.kind == Kind.NOTICE and line.key.startswith(prefix):
            number, notice = int(line.body["number"]), str(line.body["notice"])
            if notice not in found or found[notice][0] < number:
                found[notice] = (number, line)
    return found


def fates(lines: Iterable[Line]) -> dict[str, Fate]:
    """What became of each notice so far, by its id; a Slack message's by `escalation:` and its id."""
    found: dict[str, Fate] = {}
    for line in lines:
        if line.kind == Kind.NOTICE and line.key.startswith("notice:"):
            found[line.key.removeprefix("notice:")] = Fate()
        elif line.kind == Kind.NOTICE and line.key.startswith("result:"):
            found[str(line.body["notice"])] = Fate(str(line.body["result"]), str(line.body["detail"]), bool(line.body["final"]))
        elif line.kind == Kind.MESSAGE and line.key.startswith("message:escalation:"):
            found[line.key.removeprefix("message:")] = Fate()
        elif line.kind == Kind.MESSAGE and line.key.startswith("sent:escalation:"):
            found[line.key.removeprefix("sent:")] = Fate(Result.DELIVERED, f"message {line.body['ts']}", True)
    return found


def missed_by_slack(policy: EscalationPolicy, lines: Sequence[Line], now: datetime) -> tuple[tuple[Line, ...], datetime | None]:
    """Messages that Slack should have by now, in their order, and when the next one should; each falls back once."""
    if policy.fallback is None:
        return (), None
    settled = {str(line.body["key"]) for line in lines if line.kind == Kind.MESSAGE and line.key.startswith("sent:")}
    for line in lines:
        if line.kind == Kind.NOTICE and line.key.startswith("fallback:"):
            settled.add(str(line.body.get("message", "")))
    written = [line for line in lines if line.kind == Kind.MESSAGE and line.key.startswith("message:")]
    open_ = [line for line in written if str(line.body["key"]) not in settled]
    waits = [line.at + policy.fallback.after for line in open_ if line.at + policy.fallback.after > now]
    return tuple(line for line in open_ if line.at + policy.fallback.after <= now), min(waits, default=None)
