"""What the incident opened to the internet, what of it is closed, and what remains open; for the report."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from flows.case import Case
from incident.actor import Actor
from incident.exposures.exposed import NEEDED, Stored, Times, folded, summary
from incident.exposures.reachability import exposures
from incident.exposures.visible import Visible
from incident.family import Scope
from incident.ledger import Kind
from incident.record import Record
from tasks.baseline import sweep_region


def note_exposures(case: Case, look: int) -> None:
    """Keep in the ledger what the internet reached before, when attacked, and reaches now; once for each look.

    Only the regions that the actor changed are read; where nobody was looked for, nothing is.
    """
    ledger, key = case.hands.ledger, f"exposures:{look}"
    known = ledger.find(case.incident, f"actor:{look}") is not None
    if not known or ledger.find(case.incident, key) is not None or not _has_records(case, look):
        return
    actor, records, at = case.actor(look), case.records(look), case.hands.clock()
    changed = {Scope(one.account, one.region) for one in records if actor.did(one) and not one.read_only and one.succeeded}
    places = sorted(changed, key=lambda one: (one.account, one.region))
    ledger.append(case.incident, Kind.EXPOSURES, key, summary([_times(case, place, records, actor, at) for place in places], at))


def _times(case: Case, place: Scope, records: list[Record], actor: Actor, at: datetime) -> Times:
    where = f"{place.account} {place.region}"
    baseline = case.baseline(place, actor)
    if baseline is None:
        found = Times(unknown=(f"{where}: no baseline from before the incident, so what it opened cannot be told apart",))
    else:
        stored = Stored(baseline.settings, baseline.covered, baseline.at)
        found = folded(place, stored, records, actor, lambda entry: bool(case.hands.policy.ticket(entry)))
    swept = sweep_region(case.hands.aws, place, at, NEEDED)
    now = exposures(Visible(place, ((one.key, one.value) for one in swept.settings), swept.covered))
    failed = tuple(f"{where}: {read} was not read: {why}" for read, why in swept.failed.items())
    return replace(found, now=now, unknown=(*found.unknown, *failed))


def _has_records(case: Case, look: int) -> bool:
    return case.hands.evidence.has(case.incident, f"records/look-{look}.json")
