"""Release: containment is taken back, whole or in part, when a responder asks for it and the plan is approved."""

from __future__ import annotations

from prefect import flow

from flows.acting import carried_out
from flows.case import Case, once
from flows.planning import CONTAIN, keep_guarded
from incident.new_ids import step_with_new_ids
from incident.plan import Plan, Step
from incident.release import released, to_read
from tasks.executor import GOOD, renamed_ids
from tasks.work import read_settings

RELEASE = "release"


@flow(name="plan release", persist_result=True)
@once("plan-release")
async def plan_release(incident: str, look: int = 1) -> str:
    """The way back for each containment step that a responder wants released."""
    case = Case(incident)
    steps = [step for step in _carried_out_steps(case, look) if case.amendments(look).releases(step.id)]
    live = await read_settings(to_read(steps))
    back, left = released(steps, live)
    plan = Plan(
        incident=incident,
        title="Release what was contained",
        look=look,
        because="A responder asked to take containment back.",
        steps=tuple(back),
        unplanned=tuple(left),
        chosen=case.amendments(look).in_words,
    )
    return await keep_guarded(case, RELEASE, look, plan)


@flow(name="release", persist_result=True)
@once("release")
async def release(incident: str, look: int = 1) -> str:
    """Put back what containment changed."""
    return await carried_out(incident, look, "Release", RELEASE, None)


def _carried_out_steps(case: Case, look: int) -> list[Step]:
    """Containment's steps that ended well, in the order in which they ran, with the ids of what they made."""
    plans = [plan for number in range(1, look + 1) if (plan := case.plan(CONTAIN, number))]
    renamed = renamed_ids(case.hands.ledger, case.incident)
    done: list[Step] = []
    for plan in plans:
        ended = case.hands.executor.outcomes(plan)
        done += [step_with_new_ids(step, renamed) for step in plan.steps if step.id in ended and ended[step.id].result in GOOD]
    return done
