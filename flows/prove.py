"""Proof: everything is read once more; what is not as it must be, and what could not be read, is said by name."""

from __future__ import annotations

from typing import Any

from prefect import flow

from flows.case import Case, once
from flows.holding import works_still
from flows.planning import outstanding, set_by_containment, to_be_released
from flows.scope import investigation
from incident.containment import settings_to_read, still_open
from incident.coverage import gaps
from incident.isolation import still_connected, suspects
from incident.ledger import Kind
from incident.people import messages
from incident.planner import Unread, propose
from incident.resources.bucket import to_be_emptied
from incident.words import counted
from tasks.work import in_thread, look_around, post, read_settings, read_undone


@flow(name="prove", persist_result=True)
@once("prove")
async def prove(incident: str, look: int = 1) -> str:
    """Compare every setting that the actor wrote with what it must be, every credential with being stopped, and every instance
    that was to be isolated with being so, or gone.
    """
    case = Case(incident)
    found = await in_thread(investigation, case, look)
    reversals = await outstanding(case, look, found)
    live = to_be_emptied(reversals, await read_undone(reversals))
    left = propose(reversals, live)
    ours, said = set_by_containment(case, look), case.amendments(look)
    differences = [step.title for step in left.steps if step.key not in ours or step.leaves is None]
    differences += [f"{item.what}: {item.why}" for item in said.left(left.unplanned)]
    not_understood = [item.what for item in said.left(found.not_undone)]
    actor = case.actor(look)
    keys = await read_settings(settings_to_read(actor, case.hands.clock()))
    freed = to_be_released(case, look)
    active = still_open(actor, keys, case.hands.clock(), freed, said.by_hand)
    working = works_still(case, look)
    instances = suspects(reversals, case.finding)
    connected = still_connected(instances, await look_around([one.key for one in instances]), freed)
    unread = [str(key) for key, value in {**live, **keys}.items() if isinstance(value, Unread)]
    unknown = gaps(case.hands.ledger.lines(incident))
    body: dict[str, Any] = {
        "restored": not differences and not unread,
        "contained": not active and not connected and not working,
        "differences": differences,
        "active_credentials": active,
        "working_credentials": working,
        "connected_instances": connected,
        "unread": unread,
        "unknown_regions": unknown,
        "settings_checked": len(reversals),
        "not_understood": not_understood,
        "kept": list(found.kept),
        "chosen": list(said.in_words),
        "complete": not any((differences, unread, active, working, connected, unknown, not_understood)),
    }
    case.hands.ledger.append(incident, Kind.PROOF, f"proof:{look}", body)
    line = _in_words(body)
    await post(incident, f"proof-{look}", *messages.progress(line))
    return line


def _in_words(body: dict[str, Any]) -> str:
    checked = counted(body["settings_checked"], "setting")
    if body["complete"]:
        return f"Proved: {checked} read again, all as they must be; every credential of the actor is stopped"
    open_points = {
        "setting that differs": body["differences"],
        "credential that is not stopped": body["active_credentials"],
        "credential that worked after it was stopped": body["working_credentials"],
        "instance that is not isolated": body["connected_instances"],
        "setting that could not be read": body["unread"],
        "unknown region": body["unknown_regions"],
        "change that is not understood": body["not_understood"],
    }
    parts = [f"{len(items)} × {what}" for what, items in open_points.items() if items]
    return f"Incomplete: {checked} read again; {', '.join(parts)}"
