"""Facts that die with a resource, kept before snapshots are taken and before anything is stopped."""

from __future__ import annotations

import asyncio

from prefect import flow

from flows.case import Case, once
from flows.planning import outstanding
from flows.scope import investigation
from incident.collection import at_stake
from incident.volatile import items_of, subjects
from incident.words import counted
from tasks.work import in_thread, keep_facts_of, read_settings


@flow(name="keep facts", persist_result=True)
@once("keep-facts")
async def keep_facts(incident: str, look: int = 1) -> str:
    """Screens, consoles, user data, descriptions, functions' code, whom the actor acted as, and where flow logs go."""
    case = Case(incident)
    found = await in_thread(investigation, case, look)
    live = await read_settings(at_stake(await outstanding(case, look, found), case.finding))
    of = subjects([key for key, value in live.items() if value is not None], found.reversals, case.actor(look))
    await asyncio.gather(*(keep_facts_of(incident, subject) for subject in of))
    gaps = [name for subject in of for name in items_of(subject) if name in case.hands.evidence.gaps(incident)]
    return f"facts of {counted(len(of), 'resource')} kept, {counted(len(gaps), 'item')} could not be"
