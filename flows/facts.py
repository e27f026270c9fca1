"""Facts that die with a resource, kept before snapshots are taken and before anything is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from prefect import flow

from flows.case import Case, once
from flows.planning import outstanding
from flows.scope import investigation
from incident.collection import at_stake
from incident.people import messages
from incident.volatile import items_of, subjects
from incident.words import counted
from tasks.work import in_thread, keep_facts_of, post, read_settings, take_in_evidence


@flow(name="keep facts", persist_result=True)
@once("keep-facts")
async def keep_facts(incident: str, look: int = 1) -> str:
    """Screens, consoles, user data, descriptions, functions' code, whom the actor acted as, and where flow logs go."""
    case = Case(incident)
    found = await in_thread(investigation, case, look)
    live = await read_settings(at_stake(await outstanding(case, look, found), case.finding))
    of = subjects([key for key, value in live.items() if value is not None], found.reversals, case.actor(look))
    await asyncio.gather(*(keep_facts_of(incident, subject) for subject in of))
    missing = await tell_what_waits(case, f"facts-{look}", [name for subject in of for name in items_of(subject)])
    gaps = [name for subject in of for name in items_of(subject) if name in case.hands.evidence.gaps(incident)]
    told = f"facts of {counted(len(of), 'resource')} kept, {counted(len(gaps), 'item')} could not be"
    return f"{told}, {len(missing)} wait for the store" if missing else told


async def tell_what_waits(case: Case, when: str, wanted: Iterable[str] = ()) -> list[str]:
    """The items that the evidence store has not taken, of what was set aside and of those wanted; people are told of them.

    Containment goes on; a deletion that rests on one is not carried out.
    """
    evidence, incident = case.hands.evidence, case.incident
    waiting = await take_in_evidence(incident)
    known = {str(item["item"]) for item in evidence.manifest(incident)} | evidence.gaps(incident).keys()
    missing = dict.fromkeys([*waiting, *(name for name in wanted if name not in known)])
    if missing:
        why = next(iter(waiting.values()), "the evidence store cannot be written")
        await post(incident, f"evidence-waits-{when}", *messages.evidence_waits(len(missing), why))
    return list(missing)
