"""From records and a baseline to what the actor wrote, and what of it nobody can read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from incident.actor import Actor
from incident.collector import collector_paused
from incident.families import family_for_event
from incident.network.opposites import advised_call
from incident.network.registry import recognize
from incident.plan import Unplanned
from incident.record import Record, in_order
from incident.resources.recognized import advice_for, named
from incident.settings import Entry, Fold, PriorValue, Reversal, SettingKey, reversals


@dataclass(frozen=True)
class Investigation:
    """What the records show.

    Attributes:
        reversals: each setting that the actor wrote, with the value that it would have without them.
        not_undone: the actor's successful changes that no family understands; each is shown to people.
        changes: the actor's records that changed something.
        refused: the actor's calls that AWS refused.
        others: what other people set, inside the window, on the resources that the actor touched; it stays.
        approved: the actor's writes that an approved change covers, each with its ticket; they stay too.
        doubts: changes with a stolen credential that could be the other's, of owner and actor, in plain words.
    """

    reversals: tuple[Reversal, ...]
    not_undone: tuple[Unplanned, ...]
    changes: tuple[Record, ...]
    refused: tuple[Record, ...]
    others: tuple[Entry, ...] = ()
    approved: tuple[tuple[str, Entry], ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def kept(self) -> tuple[str, ...]:
        """Other people's work and approved work in plain words, one line a setting."""
        agreed = tuple(f"{_in_words(entry)}, approved change {ticket}" for ticket, entry in self.approved)
        return (*(_in_words(entry) for entry in self.others), *agreed)


def _doubtful(record: Record, theirs: bool, doubt: str) -> str:
    taken = "taken for the actor's" if theirs else "taken for the owner's"
    return f"{record.event_name} in {record.region} at {record.time:%H:%M:%S}, record {record.event_id}: {taken}, but made {doubt}"


def _in_words(entry: Entry) -> str:
    key, record = entry.key, entry.record
    kind = key.kind.replace("-", " ")
    setting = f"{kind} {key.name} in {key.resource}" if key.name else f"{kind} {key.resource}"
    return f"{setting} ({key.region}): {record.event_name} by {record.identity.label} at {record.time:%H:%M:%S}"


def investigate(
    records: Iterable[Record],
    baseline: Iterable[tuple[SettingKey, PriorValue]],
    actor: Actor,
    swept_at: Callable[[SettingKey], datetime | None] = lambda key: None,
    ticket: Callable[[Entry], str] = lambda entry: "",
) -> Investigation:
    """Fold the records over the baseline and ask what the actor wrote.

    Args:
        records: in any order, and some perhaps more than once, as deliveries have them.
        baseline: what was read before, with what told it.
        actor: whose work is asked for.
        swept_at: as `Fold` has it.
        ticket: the approved change that a write is part of, or nothing.
    """
    with collector_paused():
        return _investigated(records, baseline, actor, swept_at, ticket)


def _investigated(
    records: Iterable[Record],
    baseline: Iterable[tuple[SettingKey, PriorValue]],
    actor: Actor,
    swept_at: Callable[[SettingKey], datetime | None],
    ticket: Callable[[Entry], str],
) -> Investigation:
    fold = Fold(baseline, swept_at)
    changes: list[Record] = []
    refused: list[Record] = []
    not_undone: list[Unplanned] = []
    doubts: list[str] = []
    for record in in_order(_once_each(records)):
        theirs = actor.did(record) and not record.read_only and record.service != _SIGN_IN
        if not record.succeeded:
            refused.extend([record] if theirs else [])
            continue
        problem = _fold_in(fold, record)
        if not record.read_only and (doubt := actor.doubt(record)):
            doubts.append(_doubtful(record, theirs, doubt))
        if theirs:
            changes.append(record)
            if problem:
                not_undone.append(_not_understood(record, problem))
    found = tuple(reversals(fold, actor.did, lambda entry: bool(ticket(entry))))
    return Investigation(
        reversals=found,
        not_undone=tuple(not_undone),
        changes=tuple(changes),
        refused=tuple(refused),
        others=tuple(_by_others(fold, found, actor)),
        approved=tuple(_approved(fold, actor, ticket)),
        doubts=tuple(doubts),
    )


_SIGN_IN = "signin"
"""The service of console sign-ins, which CloudTrail does not call reads though they change nothing."""


def _once_each(records: Iterable[Record]) -> Iterator[Record]:
    """CloudTrail may deliver a record twice; a record without an id is taken as it comes."""
    seen: set[str] = set()
    for record in records:
        if not record.event_id or record.event_id not in seen:
            seen.add(record.event_id)
            yield record


def _approved(fold: Fold, actor: Actor, ticket: Callable[[Entry], str]) -> Iterator[tuple[str, Entry]]:
    """The last write on each setting that is the actor's by its credential, and somebody's approved change."""
    for history in fold.histories.values():
        theirs = [entry for entry in history.entries if actor.did(entry.record) and ticket(entry)]
        if theirs:
            yield ticket(theirs[-1]), theirs[-1]


def _by_others(fold: Fold, found: tuple[Reversal, ...], actor: Actor) -> Iterable[Entry]:
    """The last write of somebody else on each setting that they wrote inside the window, next to or after the actor's."""
    touched = {(*reversal.key[:2], reversal.key.resource) for reversal in found}
    for history in fold.histories.values():
        if (*history.key[:2], history.key.resource) not in touched or not history.entries:
            continue
        last = history.entries[-1]
        inside = actor.since is None or last.record.time >= actor.since
        if inside and not actor.did(last.record):
            yield last


def _fold_in(fold: Fold, record: Record) -> str:
    """Fold one record in; why it could not be, or nothing."""
    family = family_for_event(record.operation)
    if family is None:
        return "no part of Countermand undoes this operation"
    try:
        fold.read(record, family.writes)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        return f"the record has a shape that is not known ({type(error).__name__}: {error})"
    return ""


def _not_understood(record: Record, problem: str) -> Unplanned:
    known = recognize(record)
    advised = advised_call(record)
    thing, by_hand = advice_for(record)
    advice = by_hand or (known.advice if known else "Read the record and decide by hand whether it must be taken back.")
    what = known.what if known else thing
    of = f" of {name}" if (name := named(record)) else ""
    return Unplanned(
        status="not-understood",
        what=f"{record.operation}{of} in {record.region} at {record.time:%Y-%m-%d %H:%M:%S} UTC",
        why=f"{what}; {problem}" if what else problem,
        advice=f"By hand: {advised}." if advised else advice,
        records=(record.event_id,),
        authors=(record.identity.label,),
    )
