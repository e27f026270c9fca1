"""From records and a baseline to what the actor wrote, and what of it nobody can read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from incident.actor import Actor
from incident.families import family_for_event
from incident.plan import Unplanned
from incident.record import Record
from incident.settings import Fold, PriorValue, Reversal, SettingKey, reversals


@dataclass(frozen=True)
class Investigation:
    """What the records show.

    Attributes:
        reversals: each setting that the actor wrote, with the value that it would have without them.
        not_undone: the actor's successful changes that no family understands; each is shown to people.
        changes: the actor's records that changed something.
        refused: the actor's calls that AWS refused.
    """

    reversals: tuple[Reversal, ...]
    not_undone: tuple[Unplanned, ...]
    changes: tuple[Record, ...]
    refused: tuple[Record, ...]


def investigate(records: Iterable[Record], baseline: Iterable[tuple[SettingKey, PriorValue]], actor: Actor) -> Investigation:
    """Fold the records, oldest first, over the baseline and ask what the actor wrote."""
    fold = Fold(baseline)
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
    return Investigation(tuple(reversals(fold, actor.did)), tuple(not_undone), tuple(changes), tuple(refused))


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
    return Unplanned(
        status="not-understood",
        what=f"{record.operation} in {record.region} at {record.time:%Y-%m-%d %H:%M:%S} UTC",
        why=problem,
        advice="Read the record and decide by hand whether it must be taken back.",
        records=(record.event_id,),
        authors=(record.identity.label,),
    )
