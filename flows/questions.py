"""The form that the Prefect UI shows, and the pause that waits for an answer.

The pause is only a way to sleep: what counts is the decision in the ledger. Whatever a form or a resumed run says is checked first,
and a wrong answer asks again instead of failing the run.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from pydantic import Field, ValidationError

from incident.amendments import FORMS
from incident.approvals import Answer, Asked, Standing
from incident.ledger import Kind
from incident.people.messages import approval_form
from incident.plan import Plan
from tasks.approvals import Refused
from tasks.hands import Hands

LOOK_AGAIN = "look again"
AMEND = "amend"
NOT_FILLED_IN = "the run was started again before anybody answered"
_GRACE_SECONDS = 24 * 3600


class PlanDecision(RunInput):
    """What a responder fills in. `look again` only wakes the run to read decisions that were made elsewhere."""

    decision: Literal["approve", "reject", "amend", "look again"] = Field(
        description="Reject stops the plan at once; one rejection wins. Amend makes a new plan from your amendments below."
    )
    responder: str = Field(description="Your name as it stands in the policy file.", max_length=80)
    one_time_code: str = Field(description="The six digits that your authenticator shows for Countermand.", max_length=12)
    reason: str = Field(default="", description="Why. Needed to reject.", max_length=1000)
    strike_steps: str = Field(default="", description="Ids of steps that must not run, separated by spaces.", max_length=4000)
    amendments: str = Field(default="", description=f"One a line: {FORMS}.", max_length=8000)
    plan_digest: str = Field(description="The plan you decide on; leave it as it is.", max_length=64)


async def answered(hands: Hands, plan: Plan, asked: Asked, whole_plan: str = "") -> Standing:
    """Wait until a question is decided or expires.

    Every answer that was given before a crash or a suspension is in the ledger under its own number, so a run that starts again
    walks past the pauses that are behind it and asks nobody twice. `whole_plan` is the address of the plan with all its calls.
    """
    problem = ""
    for number in range(10_000):
        standing = hands.approvals.standing(plan.incident, asked.id)
        if standing is not Standing.WAITING:
            return standing
        hands.working.check(plan.incident)
        shown = PlanDecision.with_initial_data(description=approval_form(plan, asked, problem, whole_plan), plan_digest=plan.digest)
        form = await _form(shown, f"{asked.id}-{number}", _seconds_left(hands.clock(), asked) + _GRACE_SECONDS)
        problem = _handled(hands, plan, asked, number, form)
    return Standing.EXPIRED


async def _form(shown: type[PlanDecision], key: str, seconds: int) -> PlanDecision | None:
    """What was filled in; None where the run was started again without that, which Prefect would let fail for ever."""
    try:
        return await suspend_flow_run(wait_for_input=shown, key=key, timeout=seconds)
    except ValidationError:
        return None


def _seconds_left(now: datetime, asked: Asked) -> int:
    return max(1, int((asked.expires_at - now).total_seconds()))


def _handled(hands: Hands, plan: Plan, asked: Asked, number: int, form: PlanDecision | None) -> str:
    """Take one filled-in form once; what was wrong with it, in one sentence."""
    key = f"form:{asked.id}:{number}"
    seen = hands.ledger.find(plan.incident, key)
    if seen is not None:
        return str(seen.body["problem"])
    problem = _taken(hands, plan, asked, form) if form is not None else NOT_FILLED_IN
    said = {"responder": form.responder, "decision": form.decision} if form is not None else {}
    hands.ledger.append(plan.incident, Kind.NOTE, key, {**said, "problem": problem})
    return problem


def _taken(hands: Hands, plan: Plan, asked: Asked, form: PlanDecision) -> str:
    if form.decision == LOOK_AGAIN:
        return ""
    if form.decision == AMEND:
        return _amended(hands, plan, form)
    if form.decision == Answer.REJECT and not form.reason.strip():
        return "to reject, give a reason"
    unknown = set(form.strike_steps.split()) - {step.id for step in plan.steps}
    if unknown:
        return f"the plan has no step {sorted(unknown)[0][:40]}"
    responder = form.responder.strip()
    # A code is good once: it is spent only on an answer that can count.
    wrong = hands.approvals.objection(plan.incident, asked.id, person=responder, digest=form.plan_digest)
    wrong = wrong or hands.roster.check(responder, form.one_time_code)
    if wrong:
        return wrong
    try:
        hands.approvals.decide(
            plan.incident,
            asked.id,
            person=responder,
            method="one-time-code",
            surface="prefect",
            answer=Answer(form.decision),
            digest=form.plan_digest,
            reason=form.reason,
            steps_struck=tuple(form.strike_steps.split()),
        )
    except Refused as refused:
        return str(refused)
    return ""


def _amended(hands: Hands, plan: Plan, form: PlanDecision) -> str:
    return hands.amending.take(
        plan.incident,
        form.amendments.splitlines(),
        person=form.responder.strip(),
        code=form.one_time_code,
        surface="prefect",
        reason=form.reason.strip(),
    )
