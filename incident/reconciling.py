"""Actual network changes against approved requests: each change is in one class, each request has one outcome.

What was made is read from CloudTrail and understood by the registry; what fits is decided by `ApprovedChange.misses`, as
everywhere. The order in which records and requests are given makes no difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from incident.change_requests import ChangeRequest
from incident.findings.trail_event import opens_to_everybody
from incident.network.registry import Standing, family_for_event, standing
from incident.network.values import mapping, text
from incident.policy import ApprovedChange, Miss, Policy, matches
from incident.record import JsonObject, Record
from incident.settings import Entry, Fold, PriorValue, SettingKey, canonical
from incident.tables import as_csv

VpcTags = Callable[[str, str, str], dict[str, str] | None]
"""The tags of a VPC in an account and region; `None` where they are not known."""


class Verdict(StrEnum):
    """The class of a change, the gravest first."""

    NOT_UNDERSTOOD = "not understood"
    UNAPPROVED = "made without approval"
    BY_ANOTHER = "made by another than named"
    OUTSIDE = "made outside its window"
    APPROVED = "approved"
    OURS = "made by Countermand"


class Outcome(StrEnum):
    """What became of a request."""

    NEVER_MADE = "approved but never made"
    NOT_APPROVED = "not approved"
    NOT_KNOWN = "not known"
    PENDING = "its window still runs"
    MADE = "made"


@dataclass(frozen=True)
class Change:
    """One call that changed the network.

    Attributes:
        requests: the tickets that the verdict rests on: those that cover it, or those that it comes nearest to.
        why: a sentence where the verdict alone does not say it.
        urgent: why it cannot wait, or nothing.
        raw: the record as CloudTrail wrote it, of what is urgent.
    """

    record: Record
    resources: tuple[str, ...]
    verdict: Verdict
    requests: tuple[str, ...] = ()
    why: str = ""
    urgent: str = ""
    raw: JsonObject = field(default_factory=dict[str, Any], repr=False)


@dataclass(frozen=True)
class Requested:
    """One request, what became of it, and the events that made it."""

    request: ApprovedChange
    outcome: Outcome
    events: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Reconciliation:
    """Everything that was made and asked for between two moments (UTC); `unknown` are the gaps, in words."""

    since: datetime
    until: datetime
    changes: tuple[Change, ...]
    requests: tuple[Requested, ...]
    unknown: tuple[str, ...] = ()

    @property
    def urgent(self) -> tuple[Change, ...]:
        """What people are paged for; all else is a log."""
        return tuple(one for one in self.changes if one.urgent)

    def to_json(self) -> dict[str, Any]:
        return {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "changes": [_change_json(one) for one in self.changes],
            "requests": [_requested_json(one) for one in self.requests],
            "not_known": list(self.unknown),
        }


@dataclass(frozen=True)
class Known:
    """What the matching needs to know beside records and policy.

    Attributes:
        baseline: what was read of the network before; it tells what a call names only by an association's id.
        own: the ARNs under which our own calls appear in an account.
        tags: a VPC's tags.
        gaps: what of the window was not read, in words; with any, no request is called never made.
    """

    baseline: Sequence[tuple[SettingKey, PriorValue]] = ()
    own: Callable[[str], tuple[str, ...]] = lambda account: ()
    tags: VpcTags = lambda account, region, vpc: None
    gaps: tuple[str, ...] = ()


def reconcile(
    records: Iterable[Record], policy: Policy, since: datetime, until: datetime, known: Known | None = None
) -> Reconciliation:
    """Put every change of a window beside the policy's approved changes, the kept requests among them (`Policy.knowing`)."""
    known = known or Known()
    approved = sorted(policy.approved_changes, key=lambda one: (one.ticket, canonical(one.model_dump(mode="json"))))
    written = _written(records, known, since, until)
    made: dict[int, list[str]] = {}
    changes: list[Change] = []
    for record, entries in written:
        change, covering = _judged(record, entries, approved, policy, known)
        changes.append(change)
        for place in covering:
            made.setdefault(place, []).append(record.event_id)
    unclear = [one.record for one in changes if one.verdict is Verdict.NOT_UNDERSTOOD]
    requested = [
        _outcome(one, made.get(place, ()), since, until, unclear, known)
        for place, one in enumerate(approved)
        if one.since <= until and one.until >= since
    ]
    return Reconciliation(since, until, tuple(changes), tuple(requested), known.gaps)


# --- what was made ------------------------------------------------------------------------------------------------------------


def _written(records: Iterable[Record], known: Known, since: datetime, until: datetime) -> list[tuple[Record, list[Entry] | None]]:
    """Each change of the window once, in order of time, with what it wrote; `None` where that is not understood."""
    inside = [one for one in records if since <= one.time <= until and one.succeeded and not one.read_only]
    changing = [(canonical(one.raw), one) for one in inside if standing(one) is not Standing.ELSEWHERE]
    # Sorted first, so that which of two of one id is taken does not hang on the order in which they came.
    distinct = {one.event_id or raw: (one.order, raw, one) for raw, one in sorted(changing, key=lambda pair: pair[0])}
    fold = Fold(known.baseline)
    found: list[tuple[Record, list[Entry] | None]] = []
    waiting = [one for _, _, one in sorted(distinct.values(), key=lambda told: told[:2])]
    while waiting:
        # Within a second nothing tells which came first: what needs another's id is read after it.
        same = [one for one in waiting if one.time == waiting[0].time]
        waiting = waiting[len(same) :]
        found += _second(fold, same)
    return found


def _second(fold: Fold, records: list[Record]) -> list[tuple[Record, list[Entry] | None]]:
    found: list[tuple[Record, list[Entry] | None]] = []
    left = records
    while left:
        failed: list[Record] = []
        for one in left:
            entries = _entries(fold, one)
            if entries is None:
                failed.append(one)
            else:
                found.append((one, entries))
        if len(failed) == len(left):
            return found + [(one, None) for one in failed]
        left = failed
    return found


def _entries(fold: Fold, record: Record) -> list[Entry] | None:
    family = family_for_event(record.operation)
    if family is None:
        return None
    try:
        return fold.read(record, family.writes)
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _judged(
    record: Record, entries: list[Entry] | None, approved: Sequence[ApprovedChange], policy: Policy, known: Known
) -> tuple[Change, set[int]]:
    """A change with its verdict, and the places of the requests that cover any of it."""
    resources = tuple(dict.fromkeys(entry.key.resource for entry in entries or ()))
    if _is_ours(record, policy, known):
        return Change(record.gist, resources, Verdict.OURS), set()
    if not entries:
        why = (
            "what this call changed cannot be told from its record; look at it"
            if entries is None
            else "the record names nothing that it changed"
        )
        return Change(record.gist, resources, Verdict.NOT_UNDERSTOOD, why=why), set()
    verdicts = [_verdict(entry, approved) for entry in entries]
    worst = min((verdict for verdict, _, _ in verdicts), key=list(Verdict).index)
    places = sorted({place for verdict, near, _ in verdicts if verdict is worst for place in near})
    why = next((said for verdict, _, said in verdicts if verdict is worst and said), "")
    covering = {place for verdict, near, _ in verdicts if verdict is Verdict.APPROVED for place in near}
    urgent = "" if worst is Verdict.APPROVED else _urgent(record, entries, policy, known)
    tickets = tuple(dict.fromkeys(approved[place].ticket for place in places))
    return Change(record.gist, resources, worst, tickets, why, urgent, record.raw if urgent else {}), covering


def _is_ours(record: Record, policy: Policy, known: Known) -> bool:
    callers = [arn for arn in (record.identity.arn, record.identity.issuer_arn) if arn]
    patterns = (*policy.responder_principals, *known.own(record.account))
    return any(matches(arn, patterns) for arn in callers)


def _verdict(entry: Entry, approved: Sequence[ApprovedChange]) -> tuple[Verdict, tuple[int, ...], str]:
    """The class of one write, the requests that it rests on, and a sentence."""
    missed = [one.misses(entry) for one in approved]
    for verdict, misses in _NEAR:
        near = tuple(place for place, found in enumerate(missed) if found == misses)
        if near:
            return verdict, near, _SAID.get(misses, "")
    return Verdict.UNAPPROVED, (), ""


_NEAR: tuple[tuple[Verdict, frozenset[Miss]], ...] = (
    (Verdict.APPROVED, frozenset()),
    (Verdict.OUTSIDE, frozenset({"time"})),
    (Verdict.BY_ANOTHER, frozenset({"principal"})),
    (Verdict.UNAPPROVED, frozenset({"approval"})),
    (Verdict.UNAPPROVED, frozenset({"operation"})),
)
"""What a write may miss of a request and still be said to be near it, the nearest first."""

_SAID: dict[frozenset[Miss], str] = {
    frozenset({"approval"}): "a request for it is there, and nobody had approved it when it was made",
    frozenset({"operation"}): "a request for another call on it is there",
}


# --- what cannot wait ---------------------------------------------------------------------------------------------------------


def _urgent(record: Record, entries: Iterable[Entry], policy: Policy, known: Known) -> str:
    for entry in entries:
        if opens_to_everybody(entry):
            return f"{entry.key.kind} {entry.key.resource} was opened to everybody"
    if record.operation != "ec2:AttachInternetGateway":
        return ""
    for entry in entries:
        vpc = text(mapping(entry.after).get("VpcId"))
        if vpc and (why := _internal(record, vpc, policy, known)):
            return f"an internet gateway was attached to {vpc}, {why}"
    return ""


def _internal(record: Record, vpc: str, policy: Policy, known: Known) -> str:
    if matches(vpc, policy.internal_vpcs):
        return "which the policy calls internal"
    if not policy.internal_tags:
        return ""
    tags = known.tags(record.account, record.region, vpc)
    if tags is None:
        return "whose tags are not known, so it may be internal"
    named = [key for key, pattern in policy.internal_tags.items() if key in tags and matches(tags[key], (pattern,))]
    return f"which its tag {named[0]} calls internal" if named else ""


# --- what was asked for -------------------------------------------------------------------------------------------------------


def _outcome(
    one: ApprovedChange, events: Sequence[str], since: datetime, until: datetime, unclear: Iterable[Record], known: Known
) -> Requested:
    if events:
        return Requested(one, Outcome.MADE, tuple(events))
    if isinstance(one, ChangeRequest) and not one.approved_by:
        return Requested(one, Outcome.NOT_APPROVED, why="nobody has approved it")
    if one.until > until:
        return Requested(one, Outcome.PENDING)
    if one.since < since:
        return Requested(one, Outcome.NOT_KNOWN, why="its window begins before what was read")
    if known.gaps:
        return Requested(one, Outcome.NOT_KNOWN, why="not everything was read")
    if any(one.since <= record.time <= one.until and _may_be_of(record, one) for record in unclear):
        return Requested(one, Outcome.NOT_KNOWN, why="a change in its window by its principals is not understood")
    return Requested(one, Outcome.NEVER_MADE)


def _may_be_of(record: Record, one: ApprovedChange) -> bool:
    return any(matches(arn, one.principals) for arn in (record.identity.arn, record.identity.issuer_arn) if arn)


# --- as JSON and as a table ---------------------------------------------------------------------------------------------------


def _change_json(one: Change) -> dict[str, Any]:
    record = one.record
    return {
        "verdict": str(one.verdict),
        "urgent": one.urgent,
        "time": record.time.isoformat(),
        "account": record.account,
        "region": record.region,
        "event": record.event_name,
        "event_id": record.event_id,
        "by": record.identity.label,
        "address": record.source_ip,
        "resources": list(one.resources),
        "requests": list(one.requests),
        "why": one.why,
    }


def _requested_json(one: Requested) -> dict[str, Any]:
    request = one.request
    by = list(request.approved_by) if isinstance(request, ChangeRequest) else ["the policy file"]
    return {
        "outcome": str(one.outcome),
        "ticket": request.ticket,
        "approved_by": by,
        "principals": list(request.principals),
        "resources": list(request.resources),
        "from": request.since.isoformat(),
        "until": request.until.isoformat(),
        "events": list(one.events),
        "why": one.why,
    }


_COLUMNS = (
    "what", "verdict", "urgent", "time", "account", "region", "event", "event_id", "by", "address", "resources", "tickets",
    "approved_by", "why",
)  # fmt: skip


def to_csv(found: Reconciliation) -> str:
    """Changes, requests and gaps as one table; no cell of it is run as a formula."""
    told = found.to_json()
    approvers = {one["ticket"]: one["approved_by"] for one in told["requests"]}
    rows: list[list[str]] = []
    for one in told["changes"]:
        by = [name for ticket in one["requests"] for name in approvers.get(ticket, ())]
        plain = [one[name] for name in ("verdict", "urgent", "time", "account", "region", "event", "event_id", "by", "address")]
        rows.append(["change", *plain, *map("; ".join, (one["resources"], one["requests"], by)), one["why"]])
    for one in told["requests"]:
        events, by = map("; ".join, (one["events"], one["principals"]))
        window = f"{one['from']} to {one['until']}"
        lists = map("; ".join, (one["resources"], [one["ticket"]], one["approved_by"]))
        rows.append(["request", one["outcome"], "", window, "", "", "", events, by, "", *lists, one["why"]])
    rows += [["gap", "not known", *[""] * (len(_COLUMNS) - 3), line] for line in told["not_known"]]
    return as_csv(_COLUMNS, rows)
