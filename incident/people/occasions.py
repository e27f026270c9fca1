"""What of an incident calls for people, read from its ledger lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incident.approvals import Answer, Asked, Decision, overtaken
from incident.coverage import gaps
from incident.findings.notes import seeded
from incident.ledger import Kind, Line
from incident.people.escalation import ClimbPhase

_UNFINISHED = frozenset({"moved", "refused", "failed", "not confirmed", "blocked"})
"""Results of steps that leave something undone; see `tasks.executor.Result`."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """One reason to tell people. `over` says that it is no longer one; `id` is unique within the incident."""

    id: str
    phase: ClimbPhase
    since: datetime
    about: str
    over: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an incident as far as escalation needs it.

    Attributes:
        reported_at: when its newest report was written.
        changes_at: moments to come at which more is known by the clock alone, as when a question expires.
    """

    incident: str
    title: str
    type: str
    severity: float
    account: str
    region: str
    opened_at: datetime
    occasions: tuple[Occasion, ...]
    reported_at: datetime | None = None
    changes_at: tuple[datetime, ...] = ()
    test: bool = False


TEST_KEY = "escalation-test"
"""The key of the line with which the chain of a test of the escalation begins."""


def facts(lines: Sequence[Line], now: datetime) -> Facts | None:
    """The facts of an incident at a moment; `None` while it is not opened. A test has nothing that calls for people by itself."""
    opened = next((line for line in lines if line.kind == Kind.OPENED), None)
    if opened is None:
        return _of_test(lines)
    body = opened.body
    report = next((line for line in reversed(lines) if line.kind == Kind.REPORT), None)
    return Facts(
        incident=opened.incident,
        title=str(body.get("title", "")),
        type=str(body.get("type", "")),
        severity=float(body.get("severity", 0)),
        account=str(body.get("account", "")),
        region=str(body.get("region", "")),
        opened_at=opened.at,
        occasions=tuple(_occasions(lines, opened, now, ended=report is not None and not _amended_after(lines, report))),
        reported_at=report.at if report else None,
        changes_at=tuple(at for asked in _asked(lines) if (at := asked.expires_at) > now),
    )


def _of_test(lines: Sequence[Line]) -> Facts | None:
    begun = next((line for line in lines if line.key == TEST_KEY), None)
    if begun is None:
        return None
    title = f"A test of the escalation, begun by {begun.body['by']}"
    severity = float(begun.body["severity"])
    return Facts(begun.incident, title, "Test", severity, "", "", begun.at, (), test=True)


def _occasions(lines: Sequence[Line], opened: Line, now: datetime, *, ended: bool) -> list[Occasion]:
    """Oldest first. What a report does not settle stays until somebody has taken the incident."""
    settled = ended and any(line.kind in (Kind.ACK, Kind.DECISION, Kind.AMENDMENT) for line in lines)
    responds, reason = bool(opened.body.get("responds")) or seeded(lines), str(opened.body.get("reason", ""))
    found = [
        Occasion("opened", "opened", opened.at, "an incident was opened", over=ended)
        if responds
        else Occasion("notified", "notified", opened.at, f"nothing is changed in AWS: {reason}", over=settled)
    ]
    if opened.body.get("pages"):
        found.append(Occasion("must-act", "must-act", opened.at, f"a person must act: {reason}", over=settled))
    found += _questions(lines, now, settled)
    found += _gaps(lines, settled)
    found += _troubles(lines, settled)
    return sorted(found, key=lambda one: one.since)


def _amended_after(lines: Iterable[Line], report: Line) -> bool:
    return any(line.kind == Kind.AMENDMENT and line.position > report.position for line in lines)


def _asked(lines: Iterable[Line]) -> list[Asked]:
    return [Asked.model_validate(line.body) for line in lines if line.kind == Kind.QUESTION]


def _questions(lines: Sequence[Line], now: datetime, settled: bool) -> list[Occasion]:
    found: list[Occasion] = []
    decisions = [Decision.model_validate(line.body) for line in lines if line.kind == Kind.DECISION]
    for line in (line for line in lines if line.kind == Kind.QUESTION):
        asked = Asked.model_validate(line.body)
        passed = any(other.kind in (Kind.AMENDMENT, Kind.QUESTION) for other in lines if other.position > line.position)
        passed = passed or overtaken(asked, lines)
        answered = _is_answered(asked, decisions)
        late = now >= asked.expires_at
        what = f"the question to {asked.question} waits for an answer until {asked.expires_at:%Y-%m-%d %H:%M} UTC"
        found.append(Occasion(f"waiting:{asked.id}", "waiting", line.at, what, over=passed or answered or late))
        if late and not answered:
            what = f"the question to {asked.question} was not answered in time, so nothing is done"
            found.append(Occasion(f"expired:{asked.id}", "expired", asked.expires_at, what, over=passed or settled))
    return found


def _is_answered(asked: Asked, decisions: Iterable[Decision]) -> bool:
    """Whether enough people answered, whatever became of it since."""
    own = [one for one in decisions if one.question == asked.id and one.digest == asked.digest]
    agreed = {one.person for one in own if one.answer is Answer.APPROVE}
    return len(agreed) >= asked.people or any(one.answer is Answer.REJECT for one in own)


def _gaps(lines: Sequence[Line], settled: bool) -> list[Occasion]:
    """From the first coverage on that leaves something unknown, until a later one knows all."""
    since: datetime | None = None
    seen: list[Line] = []
    for line in (line for line in lines if line.kind == Kind.COVERAGE):
        seen.append(line)
        if since is None and gaps(seen):
            since = line.at
    if since is None:
        return []
    open_ = gaps(seen)
    return [Occasion("gap", "gap", since, f"not known: {_places(open_) or 'nothing any more'}", over=settled or not open_)]


def _places(rows: Sequence[Mapping[str, Any]]) -> str:
    named = [f"{row['account']}/{row['region']} ({row['status']})" for row in rows]
    more = f" and {len(named) - 5} more" if len(named) > 5 else ""
    return ", ".join(named[:5]) + more


def _troubles(lines: Sequence[Line], settled: bool) -> list[Occasion]:
    """From the first step on that left something undone, until each has been done after all."""
    bad = [line for line in lines if line.kind == Kind.OUTCOME and line.body["result"] in _UNFINISHED]
    if not bad:
        return []
    newest = {str(line.body["step"]): line.body for line in lines if line.kind == Kind.OUTCOME}
    left = [body for body in newest.values() if body["result"] in _UNFINISHED]
    what = "; ".join(f"{body['title']}: {body['result']}" for body in left[:3]) or "every step has been done after all"
    return [Occasion("trouble", "trouble", bad[0].at, what, over=settled or not left)]
