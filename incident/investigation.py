"""From records and a baseline to what the actor wrote, and what of it nobody can read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from incident.actor import Actor
from incident.families import family_for_event
from incident.network.opposites import advised_call
from incident.network.registry import recognize
from incident.plan import Unplanned
from incident.record import Record
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
    """

    reversals: tuple[Reversal, ...]
    not_undone: tuple[Unplanned, ...]
    changes: tuple[Record, ...]
    refused: tuple[Record, ...]
    others: tuple[Entry, ...] = ()

    @property
    def kept(self) -> tuple[str, ...]:
        """Other people's work in plain words, one line a setting."""
        return tuple(_in_words(entry) for entry in self.others)


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
) -> Investigation:
    """Fold the records, oldest first, over the baseline and ask what the actor wrote; `swept_at` is as `Fold` has it."""
    fold = Fold(baseline, swept_at)
    changes: list[Record] = []
    refused: list[Record] = []
    not_undone: list[Unplanned] = []
    for record in records:
        theirs = actor.did(record) and not record.read_only
        if not record.succeeded:
            refused.extend([record] if theirs else [])
            continue
        problem = _fold_in(fold, record)
        if theirs:
            changes.append(record)
            if problem:
                not_undone.append(_not_understood(record, problem))
    found = tuple(reversals(fold, actor.did))
    return Investigation(found, tuple(not_undone), tuple(changes), tuple(refused), tuple(_by_others(fold, found, actor)))


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
    advice = known.advice if known else "Read the record and decide by hand whether it must be taken back."
    return Unplanned(
        status="not-understood",
        what=f"{record.operation} in {record.region} at {record.time:%Y-%m-%d %H:%M:%S} UTC",
        why=f"{known.what}; {problem}" if known else problem,
        advice=f"By hand: {advised}." if advised else advice,
        records=(record.event_id,),
        authors=(record.identity.label,),
    )
