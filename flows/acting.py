"""Acting: the approved plan's steps, one after the other, through the one executor."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from prefect import flow

from flows.case import Case, once
from flows.planning import CONTAIN, EVIDENCE, RESTORE
from incident import messages
from incident.plan import Plan, Step
from incident.planner import first_wave
from tasks.executor import Outcome
from tasks.work import apply_step, post


@flow(name="keep evidence", persist_result=True)
@once("keep-evidence")
async def keep_evidence(incident: str, look: int = 1) -> str:
    """Take the snapshots and wait until AWS says that they are complete. Taking evidence only adds, so nobody is asked."""
    case = Case(incident)
    plan = _kept(case, EVIDENCE, look)
    outcomes = await asyncio.gather(*(apply_step(plan, step) for step in plan.steps))
    line = _in_words("Evidence", outcomes)
    if plan.steps:
        await post(incident, f"evidence-{look}", *messages.progress(line))
    return line


@flow(name="contain", persist_result=True)
@once("contain")
async def contain(incident: str, look: int = 1) -> str:
    """Stop the actor."""
    return await carried_out(incident, look, "Containment", CONTAIN, None)


@flow(name="eradicate", persist_result=True)
@once("eradicate")
async def eradicate(incident: str, look: int = 1) -> str:
    """Close what the actor opened and remove what they made."""
    return await carried_out(incident, look, "Eradication", RESTORE, True)


@flow(name="recover", persist_result=True)
@once("recover")
async def recover(incident: str, look: int = 1) -> str:
    """Put back what the actor changed or deleted."""
    return await carried_out(incident, look, "Recovery", RESTORE, False)


async def carried_out(incident: str, look: int, what: str, name: str, first: bool | None) -> str:
    case = Case(incident)
    plan = _kept(case, name, look)
    early = {step.id for step in first_wave(plan)}
    steps = [step for step in plan.steps if first is None or (step.id in early) == first]
    outcomes = [await apply_step(plan, step) for step in steps]
    line = _in_words(what, outcomes)
    if steps:
        await post(incident, f"{what.lower()}-{look}", *messages.progress(_with_troubles(line, steps, outcomes)))
    return line


def _kept(case: Case, name: str, look: int) -> Plan:
    plan = case.plan(name, look)
    if plan is None:
        raise LookupError(f"{case.incident}: there is no {name} plan of look {look} in the ledger")
    return plan


def _in_words(what: str, outcomes: Iterable[Outcome]) -> str:
    counted = Counter(str(outcome.result) for outcome in outcomes)
    tally = ", ".join(f"{count} {result}" for result, count in sorted(counted.items()))
    return f"{what}: {tally or 'nothing to do'}"


def _with_troubles(line: str, steps: list[Step], outcomes: list[Outcome]) -> str:
    troubles = [
        f"{step.title}: {outcome.result}, {outcome.detail}"
        for step, outcome in zip(steps, outcomes, strict=True)
        if not outcome.good
    ]
    return "\n".join([line, *troubles])
