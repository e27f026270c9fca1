"""Acting: the approved plan's steps, one after the other, through the one executor."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable

from prefect import flow
from prefect.logging import get_run_logger

from flows.artifacts import SnapshotsShown, show_case
from flows.case import Case, once
from flows.facts import tell_what_waits
from flows.planning import CONTAIN, EVIDENCE, RESTORE
from incident.collection import Handover, copy_steps, seal_steps
from incident.people import messages
from incident.plan import Plan, Step
from incident.planner import first_wave
from incident.resources.evidence import EVIDENCE_COPY, EVIDENCE_SNAPSHOTS
from incident.settings import Observed, SettingKey
from incident.words import counted
from tasks.executor import Outcome
from tasks.work import apply_step, begin_step, post, progress_of, read_settings

COPIES, SEALS = "evidence-copies", "evidence-seals"
_PROGRESS_SECONDS = 30
_STEPS_SHOWN_SECONDS = 10


@flow(name="begin evidence", persist_result=True)
@once("begin-evidence")
async def begin_evidence(incident: str, look: int = 1) -> str:
    """Let the snapshots begin: each shows its volumes as they are now. Containment waits for no snapshot's end.

    See https://docs.aws.amazon.com/ebs/latest/userguide/ebs-snapshots.html. Taking evidence only adds, so nobody is asked.
    """
    plan = _kept(Case(incident), EVIDENCE, look)
    await asyncio.gather(*(begin_step(plan, step) for step in plan.steps if not step.after))
    return f"snapshots of {counted(len(plan.steps), 'instance')} begun"


@flow(name="keep evidence", persist_result=True)
@once("keep-evidence")
async def keep_evidence(incident: str, look: int = 1) -> str:
    """Wait until AWS says that the snapshots are complete, and hand them over as the configuration says."""
    case = Case(incident)
    plan = _kept(case, EVIDENCE, look)
    await tell_what_waits(case, f"evidence-{look}")
    taken = await _taken(plan)
    line = _in_words("Evidence", [*taken, *await _handed_over(case, look, plan)])
    if plan.steps:
        await post(incident, f"evidence-{look}", *messages.progress(_with_troubles(line, list(plan.steps), taken)))
    return line


async def _taken(plan: Plan) -> list[Outcome]:
    """Carry the steps out side by side, and say from time to time how far the snapshots are."""
    applying = asyncio.gather(*(apply_step(plan, step) for step in plan.steps))
    artifact = SnapshotsShown(plan)
    while not applying.done():
        await asyncio.wait([applying], timeout=_PROGRESS_SECONDS)
        if not applying.done():
            shown = await progress_of([step.key for step in plan.steps if step.key.kind in (EVIDENCE_SNAPSHOTS, EVIDENCE_COPY)])
            get_run_logger().info("%s: %s", plan.title, ", ".join(f"{one} {done}" for one, done in sorted(shown.items())))
            await artifact.show(shown)
    return await applying


async def _handed_over(case: Case, look: int, plan: Plan) -> list[Outcome]:
    """Copy, share and lock the snapshots, as the configuration says."""
    told = case.hands.config.snapshots
    handover = Handover(told.account, told.key, told.lock_days)
    if handover == Handover():
        return []
    taken = await _ids_of([step.key for step in plan.steps])
    copying = _planned(case, COPIES, look, "Copy the evidence", copy_steps(case.incident, taken, handover))
    outcomes = await _taken(copying)
    copies = await _ids_of([step.key for step in copying.steps])
    sealing = _planned(case, SEALS, look, "Share and lock the evidence", seal_steps(taken, copies, handover))
    return [*outcomes, *await _taken(sealing)]


async def _ids_of(keys: list[SettingKey]) -> list[SettingKey]:
    """The snapshots that live settings stand for, each as a setting whose resource is its id."""
    live = await read_settings(keys)
    found = [(key, value) for key, value in live.items() if isinstance(value, Observed)]
    return [key._replace(resource=snapshot) for key, value in found for snapshot in sorted(value.handles.values())]


def _planned(case: Case, name: str, look: int, title: str, steps: tuple[Step, ...]) -> Plan:
    """The plan as it was kept the first time, so that a run that starts again goes on with it."""
    if case.plan(name, look) is None:
        case.keep_plan(name, look, Plan(incident=case.incident, title=title, look=look, steps=steps))
    return _kept(case, name, look)


@flow(name="contain at once", persist_result=True)
@once("contain-at-once")
async def contain_at_once(incident: str, look: int = 1) -> str:
    """Begin with what the policy allows before anybody is asked; each of it can be taken back."""
    case = Case(incident)
    plan = _kept(case, CONTAIN, look)
    allowed = case.hands.approvals.preauthorize(plan, case.finding.severity)
    steps = [step for step in plan.steps if step.id in allowed]
    outcomes = [await apply_step(plan, step) for step in steps]
    line = _in_words("Containment that the policy allows at once", outcomes)
    if steps:
        rules = ", ".join(sorted(set(allowed.values())))
        told = _with_troubles(f"{line} (rule {rules}); `countermand release` takes it back", steps, outcomes)
        await post(incident, f"contain-at-once-{look}", *messages.progress(told))
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
    if name == RESTORE:
        await tell_what_waits(case, f"{what.lower()}-{look}")
    early = {step.id for step in first_wave(plan)}
    steps = [step for step in plan.steps if first is None or (step.id in early) == first]
    outcomes = await _one_by_one(case, plan, steps)
    line = _in_words(what, outcomes)
    if steps:
        await post(incident, f"{what.lower()}-{look}", *messages.progress(_with_troubles(line, steps, outcomes)))
    return line


async def _one_by_one(case: Case, plan: Plan, steps: list[Step]) -> list[Outcome]:
    """Carry the steps out in their order, and show from time to time how far they are."""
    outcomes: list[Outcome] = []
    shown_at = time.monotonic()
    for step in steps:
        outcomes.append(await apply_step(plan, step))
        if time.monotonic() - shown_at > _STEPS_SHOWN_SECONDS:
            await show_case(case)
            shown_at = time.monotonic()
    return outcomes


def _kept(case: Case, name: str, look: int) -> Plan:
    plan = case.plan(name, look)
    if plan is None:
        raise LookupError(f"{case.incident}: there is no {name} plan of look {look} in the ledger")
    return plan


def _in_words(what: str, outcomes: Iterable[Outcome]) -> str:
    ended = Counter(str(outcome.result) for outcome in outcomes)
    tally = ", ".join(f"{count} {result}" for result, count in sorted(ended.items()))
    return f"{what}: {tally or 'nothing to do'}"


def _with_troubles(line: str, steps: list[Step], outcomes: list[Outcome]) -> str:
    troubles = [
        f"{step.title}: {outcome.result}, {outcome.detail}"
        for step, outcome in zip(steps, outcomes, strict=True)
        if not outcome.good
    ]
    return "\n".join([line, *troubles])
