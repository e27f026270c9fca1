"""How long it took: to detect, to contain, to eradicate, to restore, each with what it is measured between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from incident.ledger import Kind, Line
from incident.plan import Phase
from incident.reports.case_file import GOOD, CaseFile


@dataclass(frozen=True, slots=True)
class Span:
    """One of the times. `took` is `None` until both its ends are known; `why` then says what is missing, else its two ends."""

    name: str
    took: timedelta | None
    why: str
    ended: datetime | None = None
    line: int = 0


def received_at(case: CaseFile) -> datetime:
    """When the finding was taken in; an older ledger tells only when the incident's first line was written."""
    told = str(case.opened.get("received", ""))
    return datetime.fromisoformat(told) if told else case.lines[0].at


def times(case: CaseFile) -> tuple[Span, ...]:
    """Detection from the actor's first known call to the finding's receipt; the others from there to the last step's good end."""
    received = received_at(case)
    spans = [_detect(case, received)]
    for name, phases in (
        ("contain", (Phase.CONTAIN,)),
        ("eradicate", (Phase.ERADICATE,)),
        ("restore", (Phase.ERADICATE, Phase.RECOVER)),
    ):
        spans.append(_reached(case, name, [line for line in case.outcomes if line.body["phase"] in phases], received))
    return tuple(spans)


def _detect(case: CaseFile, received: datetime) -> Span:
    first = min(case.calls, key=lambda call: call.at, default=None)
    if first is None:
        return Span("detect", None, "no call of the actor is known")
    if first.at > received:
        return Span("detect", timedelta(0), "the actor's first known call came after the finding", received)
    return Span("detect", received - first.at, f"from {first.event}, record {first.record}, to the finding's receipt", received)


def _reached(case: CaseFile, name: str, outcomes: Sequence[Line], received: datetime) -> Span:
    if not outcomes:
        return Span(name, None, "no step of it was carried out")
    newest = {(str(line.body["plan"]), str(line.body["step"])): line for line in outcomes}
    last = {step: line for (_, step), line in newest.items()}
    bad = [line for line in last.values() if line.body["result"] not in GOOD]
    if bad:
        return Span(name, None, f"{bad[0].body['title']}: {bad[0].body['result']}", None, bad[0].position)
    end = max(last.values(), key=lambda line: line.at)
    if name == "contain" and not _is_contained(case):
        return Span(name, None, "the proof says that the actor is not contained", None, case.position(Kind.PROOF))
    return Span(name, end.at - received, f"from the finding's receipt to “{end.body['title']}”", end.at, end.position)


def _is_contained(case: CaseFile) -> bool:
    """Whether nothing says otherwise: without a proof the steps' own outcomes are all that is known."""
    return bool(case.body(Kind.PROOF).get("contained", True))
