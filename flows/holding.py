"""Holding: containment is read again after it must have spread, and before the proof; what was undone meanwhile is done again.

Doing it again needs an approval like the first time: the plan's own, while it stands and where the very same calls bring it back.
Where it does not, another look makes a new plan and asks.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from prefect import flow

from flows.case import Case, once
from flows.planning import CONTAIN, to_be_released
from incident.actor import Actor
from incident.holding import Contained, Undone, in_force, questions, still_working, suspected, to_read, undoer, undone
from incident.ledger import Kind, Line
from incident.new_ids import step_with_new_ids
from incident.people import messages
from incident.plan import Phase
from incident.record import Record
from incident.words import counted
from tasks.executor import GOOD, Outcome, renamed_ids
from tasks.work import apply_step_again, in_thread, look_up, post, read_settings

AFTER, AT_A_LOOK, BEFORE_RESTORATION, BEFORE_PROOF = "after containment", "at a new look", "before restoration", "before the proof"


@flow(name="hold after containment", persist_result=True)
@once("hold-after-containment")
async def hold_after_containment(incident: str, look: int = 1) -> str:
    """Read containment again once it must have spread."""
    return await _held(Case(incident), look, AFTER)


@flow(name="hold at a look", persist_result=True)
@once("hold-at-a-look")
async def hold_at_a_look(incident: str, look: int = 1) -> str:
    """Read what earlier looks contained, before anything is planned on top of it."""
    return await _held(Case(incident), look, AT_A_LOOK)


@flow(name="hold before restoration", persist_result=True)
@once("hold-before-restoration")
async def hold_before_restoration(incident: str, look: int = 1) -> str:
    """Read containment again before what the actor could undo at once is restored; people may have taken hours to answer."""
    return await _held(Case(incident), look, BEFORE_RESTORATION)


@flow(name="hold before the proof", persist_result=True)
@once("hold-before-the-proof")
async def hold_before_the_proof(incident: str, look: int = 1) -> str:
    """Read containment again before anybody says that the actor is stopped."""
    return await _held(Case(incident), look, BEFORE_PROOF)


async def _held(case: Case, look: int, moment: str) -> str:
    contained = contained_steps(case, look)
    if not contained:
        return "nothing was contained"
    await _spread(case, contained)
    broken, unread = await _read_twice(case, look, moment, contained)
    again = [await _once_more(case, look, moment, item) for item in broken]
    actor, records = case.actor(look), await in_thread(case.load_records, f"records/actor-{look}.json")
    working = still_working(actor, contained_steps(case, look), records, case.hands.config.aws.spread_seconds)
    body = {
        "look": look,
        "moment": moment,
        "checked": len(contained),
        "undone": again,
        "lost": [item["step"] for item in again if not item["good"]],
        "unread": unread,
        "working": working,
    }
    line = _in_words(body)
    case.hands.ledger.append(case.incident, Kind.NOTE, f"held:{look}:{moment}", body | {"said": line})
    if again or unread or working:
        await post(case.incident, f"held-{look}-{moment.replace(' ', '-')}", *messages.progress(line))
    return line


def contained_steps(case: Case, look: int) -> list[Contained]:
    """Every step of containment that stands as the last on its setting and is not to be released, with when it was carried out."""
    freed, renamed = to_be_released(case, look), renamed_ids(case.hands.ledger, case.incident)
    ends: dict[tuple[str, str], Line] = {}
    for line in case.hands.ledger.lines(case.incident, Kind.OUTCOME):
        if line.body["phase"] == Phase.CONTAIN and line.body["result"] in GOOD:
            ends[line.body["plan"], line.body["step"]] = line
    plans = [plan for number in range(1, look + 1) if (plan := case.plan(CONTAIN, number))]
    done = [
        Contained(step_with_new_ids(step, renamed), plan.digest, ends[plan.digest, step.id].at)
        for plan in plans
        for step in plan.steps
        if (plan.digest, step.id) in ends
    ]
    return [one for one in in_force(done) if one.step.key not in freed]


async def _spread(case: Case, contained: list[Contained]) -> None:
    """Wait until the newest step must have spread."""
    until = max(one.done_at for one in contained) + timedelta(seconds=case.hands.config.aws.spread_seconds)
    while (left := (until - case.hands.clock()).total_seconds()) > 0:
        await asyncio.sleep(min(left, 5))


async def _read_twice(case: Case, look: int, moment: str, contained: list[Contained]) -> tuple[list[dict[str, Any]], list[str]]:
    """What does not stand, as it was found first, whatever a run that starts again would find; a stale read accuses nobody."""
    key = f"undone:{look}:{moment}"
    kept = case.hands.ledger.find(case.incident, key)
    if kept is not None:
        return list(kept.body["steps"]), list(kept.body["unread"])
    broken, unread = undone(contained, await read_settings(to_read(contained)))
    if broken:
        await asyncio.sleep(min(case.hands.config.aws.spread_seconds, 5))
        broken, unread = undone(contained, await read_settings(to_read(contained)))
    if not broken:
        return [], unread
    steps = [_item(one, await _who(case, one.contained)) for one in broken]
    line, _ = case.hands.ledger.append(case.incident, Kind.NOTE, key, {"look": look, "steps": steps, "unread": unread})
    return list(line.body["steps"]), list(line.body["unread"])


def _item(one: Undone, record: Record | None) -> dict[str, Any]:
    by = {"by": "", "at": "", "record": "", "access_key": ""}
    if record is not None:
        by = {
            "by": record.identity.arn or record.identity.label,
            "at": record.time.isoformat(),
            "record": record.event_id,
            "access_key": record.identity.access_key,
        }
    step = one.contained.step
    return {"step": step.id, "plan": one.contained.plan, "title": step.title, "found": one.found, "covered": one.covered, **by}


async def _who(case: Case, one: Contained) -> Record | None:
    """Who undid a step, as far as CloudTrail shows it by now; the next look asks again."""
    end, records = case.hands.clock(), list[Record]()
    for asked in questions([one], case.hands.aws.config.home_region):
        if asked.place is not None:
            answer = await look_up(asked.place, asked.attribute, [asked.value], one.done_at - timedelta(seconds=1), end)
            records += answer.records
    return undoer(one, records)


async def _once_more(case: Case, look: int, moment: str, item: dict[str, Any]) -> dict[str, Any]:
    """Carry an undone step out again, if its approval still says so; how that ended."""
    if not item["covered"]:
        why = "its value is not the one that people saw when they approved, so they are asked again"
        return item | {"good": False, "detail": why}
    plans = (case.plan(CONTAIN, number) for number in range(1, look + 1))
    plan = next(plan for plan in plans if plan is not None and plan.digest == item["plan"])
    step = next(step for step in plan.steps if step.id == item["step"])
    outcome: Outcome = await apply_step_again(plan, step, f"{look}-{moment.replace(' ', '-')}")
    return item | {"good": outcome.good, "detail": outcome.detail or str(outcome.result)}


def undone_since(case: Case) -> list[dict[str, Any]]:
    """Every step that was found undone so far, as it stands in the ledger."""
    lines = case.hands.ledger.lines(case.incident, Kind.NOTE)
    return [item for line in lines if line.key.startswith("undone:") for item in line.body["steps"]]


def is_lost(case: Case, look: int, moment: str) -> bool:
    """Whether something was undone that no approval lets us do again."""
    line = case.hands.ledger.find(case.incident, f"held:{look}:{moment}")
    return line is not None and bool(line.body["lost"])


def was_undone(case: Case, look: int) -> bool:
    """Whether something did not stand at any moment of a look."""
    return any(line.key.startswith(f"undone:{look}:") for line in case.hands.ledger.lines(case.incident, Kind.NOTE))


def works_still(case: Case, look: int) -> list[str]:
    """The credentials that were seen to work after what stopped them must have spread."""
    line = case.hands.ledger.find(case.incident, f"held:{look}:{BEFORE_PROOF}")
    return list(line.body["working"]) if line is not None else []


def undoers(case: Case, look: int) -> list[Contained]:
    """The steps, with the time from which on somebody undid them, of whom CloudTrail is asked in this look."""
    broken = {(item["plan"], item["step"]) for item in undone_since(case)}
    first: dict[tuple[str, str], Line] = {}
    for line in case.hands.ledger.lines(case.incident, Kind.OUTCOME):
        first.setdefault((line.body["plan"], line.body["step"]), line)
    plans = [plan for number in range(1, look + 1) if (plan := case.plan(CONTAIN, number))]
    renamed = renamed_ids(case.hands.ledger, case.incident)
    return [
        Contained(step_with_new_ids(step, renamed), plan.digest, first[plan.digest, step.id].at)
        for plan in plans
        for step in plan.steps
        if (plan.digest, step.id) in broken
    ]


def with_undoers(case: Case, look: int, actor: Actor, records: list[Record], own: frozenset[str]) -> Actor:
    """The actor with whoever undid our containment as suspects; our own role's release is no sign of anybody."""
    for one in undoers(case, look):
        record = undoer(one, [record for record in records if _principal(record) not in own])
        if record is not None:
            actor = suspected(actor, one, record)
    return actor


def _principal(record: Record) -> str:
    arn = record.identity.arn
    return arn.rpartition("/")[0] if ":assumed-role/" in arn else arn


def _in_words(body: dict[str, Any]) -> str:
    parts = [
        f"{item['title']}: undone by {item['by'] or 'somebody whom no record shows yet'}; {_ended(item)}" for item in body["undone"]
    ]
    parts += [f"still works: {one}" for one in body["working"]]
    parts += [f"could not be read: {one}" for one in body["unread"]]
    checked = f"Containment read again {body['moment']}: {counted(body['checked'], 'step')}"
    return f"{checked}. " + ". ".join(parts) if parts else f"{checked}, all stand"


def _ended(item: dict[str, Any]) -> str:
    return "contained again" if item["good"] else f"not contained again: {item['detail']}"
