"""The response, top to bottom, as the story of the incident.

Each phase is an inline subflow; the pauses for people stand between phases, in this flow, so that a waiting incident holds no
process. A run that starts again walks the same story: what is done stands in the ledger and is not done twice.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

from prefect import Flow, flow
from prefect.runtime import flow_run

from flows.acting import begin_evidence, contain, contain_at_once, eradicate, keep_evidence, recover
from flows.artifacts import plan_address, show_case, show_plan
from flows.case import Case
from flows.detect import RESPOND, detect
from flows.facts import keep_facts
from flows.holding import (
    AFTER,
    BEFORE_RESTORATION,
    hold_after_containment,
    hold_at_a_look,
    hold_before_restoration,
    hold_before_the_proof,
    is_lost,
    was_undone,
)
from flows.identify import identify
from flows.planning import CONTAIN, RESTORE, plan_containment, plan_evidence, plan_restoration
from flows.prove import prove
from flows.questions import answered
from flows.releasing import RELEASE, plan_release, release
from flows.reporting import write_report
from flows.scope import scope
from incident.approvals import Asked, Standing, moved
from incident.findings.joining import JOINED
from incident.ledger import Kind
from incident.new_ids import step_with_new_ids
from incident.people import messages
from incident.plan import Plan
from incident.policy import Question
from tasks.executor import Result, renamed_ids
from tasks.hands import hands
from tasks.traces import traces
from tasks.work import post, read_settings

LATE_LOOKS = 2
"""How often CloudTrail is looked at again for late events before what still arrives is left to a person."""

UNDONE_LOOKS = 3
"""How often a new plan is made because somebody undid containment; after that the proof says what does not stand."""

_CARRIED_OUT_BY = {CONTAIN: "contain", RESTORE: "recover", RELEASE: "release"}
_FIRST, _LATE, _AMENDED = "first", "late events", "a responder added to the case"
_UNDONE = "containment was undone"
_MOVED, _RAN_OUT = "what an approved plan would change has moved", "an approval ran out before its plan was carried out"

PLANNED_AGAIN = 3
"""How often a plan is made again because its approval was void or ran out, before a person must look."""
_BEFORE_ANY_LOOK = 0


@flow(name="respond", flow_run_name="{incident}", persist_result=False)
async def respond(incident: str) -> str:
    """Answer one incident, from the finding to the report."""
    with traces(hands().config.traces).span("respond", incident), hands().working.on(incident, str(flow_run.id)):
        status = await _respond(incident)
    await show_case(Case(incident))
    return status


async def _respond(incident: str) -> str:
    case = Case(incident)
    case.hands.ledger.append(incident, Kind.RUN, f"run:{flow_run.id}", {"flow_run": str(flow_run.id)})
    if await detect(incident) != RESPOND and not case.seeds():
        return await write_report(incident, _BEFORE_ANY_LOOK)
    look = 1
    case.begin_look(look, _FIRST)
    while await _another(case, look, await _one_look(case, look)) or await _undone_at_the_end(case, look):
        look += 1
    await _phase(prove, case, look)
    return await write_report(incident, look)


async def _another(case: Case, look: int, more: bool) -> bool:
    """Whether there is another look after this one, begun now or before; late events are waited for where `more` may come."""
    if case.overtaken(look):
        return True
    if case.amended_since(look):
        case.begin_look(look + 1, _AMENDED)
        await post(case.incident, f"look-{look + 1}", *messages.progress(_amendment_in_words(case, look + 1)))
        return True
    if case.joined_since(look):
        case.begin_look(look + 1, JOINED)
        words = "Another finding about the same actor or instance joined; the records are looked at again and a new plan is made."
        await post(case.incident, f"look-{look + 1}", *messages.progress(words))
        return True
    if any(is_lost(case, look, moment) for moment in (AFTER, BEFORE_RESTORATION)) and await _undone(case, look):
        return True
    if more and case.looks().count(_LATE) < LATE_LOOKS:
        await _late_events(case, look + 1)
        return True
    return False


async def _undone_at_the_end(case: Case, look: int) -> bool:
    """Whether containment, read once more before the proof, makes another look: whoever undid it is a suspect then."""
    await _phase(hold_before_the_proof, case, look)
    return was_undone(case, look) and await _undone(case, look)


def _must_be_planned_again(case: Case, look: int, moment: str) -> bool:
    """Whether the actor is not contained, and people can be asked about a new plan that does it: first that, then the rest."""
    return is_lost(case, look, moment) and _may_be_planned_again(case)


def _may_be_planned_again(case: Case) -> bool:
    return case.looks().count(_UNDONE) < UNDONE_LOOKS


async def _undone(case: Case, look: int) -> bool:
    """Begin a look because containment was undone, unless there were too many."""
    if not _may_be_planned_again(case):
        told = f"Containment was undone {UNDONE_LOOKS + 1} times. A person must act now: somebody with rights works against us"
        await post(case.incident, f"must-act-undone-{look}", *messages.progress(told))
        return False
    case.begin_look(look + 1, _UNDONE)
    await post(case.incident, f"look-{look + 1}", *messages.progress("Containment was undone: the records are looked at again"))
    return True


async def _one_look(case: Case, look: int) -> bool:
    """Look at the records, plan, ask and act; whether events that arrive later are worth waiting for."""
    late = case.looks()[look - 1] == _LATE
    for phase in (identify, scope, keep_facts, plan_evidence, begin_evidence, hold_at_a_look, plan_containment, contain_at_once):
        await _phase(phase, case, look)
    contains = await _agreed(case, CONTAIN, "addition" if late else "contain", look)
    if contains:
        await _phase(contain, case, look)
        await _ask_for_the_rest(case, CONTAIN, look)
    await _phase(hold_after_containment, case, look)
    # What a finding has named meanwhile is contained before anything is restored, which may wait long for people.
    if _overtaken(case, look) or case.joined_since(look) or _must_be_planned_again(case, look, AFTER):
        await _tell_overtaken(case, look)
        return False
    # The actor is stopped before anything waits for snapshots, which may take hours; what rests on them waits.
    await _phase(keep_evidence, case, look)
    if not contains:
        return False
    await _phase(plan_restoration, case, look)
    if not await _agreed(case, RESTORE, "addition" if late else "restore", look):
        return False
    await _phase(hold_before_restoration, case, look)
    if _must_be_planned_again(case, look, BEFORE_RESTORATION):
        return False
    for phase in (eradicate, recover):
        await _phase(phase, case, look)
    await _ask_for_the_rest(case, RESTORE, look)
    if case.amendments(look).released:
        await _phase(plan_release, case, look)
        if await _agreed(case, RELEASE, "release", look):
            await _phase(release, case, look)
    return not late or _did_anything(case, look)


async def _phase(phase: Flow[..., Any], case: Case, look: int) -> None:
    """One phase of one look. Prefect knows a subflow by its place in the run and may answer for it with an earlier one's result;
    whether it happened is what the ledger says.
    """
    with traces(case.hands.config.traces).span(f"phase {phase.name}", case.incident, {"countermand.look": look}):
        await phase(case.incident, look)
    if not case.done(phase.name.replace(" ", "-"), look):
        await phase.fn(case.incident, look)
    await show_case(case)


def _amendment_in_words(case: Case, look: int) -> str:
    told = "\n".join(case.amendments(look).in_words)
    return f"A responder added to the case; the records are looked at again and a new plan is made.\n{told}".rstrip()


def _did_anything(case: Case, look: int) -> bool:
    return any(plan is not None and plan.steps for plan in (case.plan(CONTAIN, look), case.plan(RESTORE, look)))


async def _agreed(case: Case, name: str, question: Question, look: int) -> bool:
    """Ask people about a plan and wait for them. One that was carried out, or has nothing to decide, needs no decision."""
    plan = case.plan(name, look)
    if plan is None:
        return False
    if case.done(_CARRIED_OUT_BY[name], look):
        return True
    await show_plan(case.incident, name, look, plan)
    if _is_done(case, plan) and not plan.to_settle - _shown_before(case, name, look):
        return True
    asked = case.hands.approvals.ask(plan, question, look, case.suspects(look))
    url = f"{case.hands.config.prefect_ui_url}/v2/runs/flow-run/{flow_run.id}"
    await post(case.incident, f"question:{asked.id}", *messages.question(plan, asked, url))
    await show_case(case)
    whole_plan = plan_address(case.hands.config.prefect_ui_url, case.incident, name, look)
    standing = await answered(case.hands, plan, asked, whole_plan)
    if standing is Standing.APPROVED and not case.overtaken(look):
        standing = await _still_there(case, plan, asked, look)
    if standing is Standing.EXPIRED:
        await _ask_again_if_it_ran_out(case, plan, look)
    await _tell_answer(case, plan, asked, standing)
    return standing is Standing.APPROVED


async def _tell_answer(case: Case, plan: Plan, asked: Asked, standing: Standing) -> None:
    """Say what became of a question; until then its buttons stay, and the run is woken for it."""
    said = case.hands.approvals.decisions(case.incident, asked.id)
    people = ", ".join(f"{decision.person} in {decision.surface}" for decision in said) or "nobody"
    await post(case.incident, f"answer:{asked.id}", *messages.progress(f"{plan.title}: {standing} ({people})"))


async def _tell_overtaken(case: Case, look: int) -> None:
    """A run that was woken since it asked about restoration walks this story from its begin, and does not come to its question."""
    plan = case.plan(RESTORE, look)
    for line in case.hands.ledger.lines(case.incident, Kind.QUESTION):
        asked = Asked.model_validate(line.body)
        standing = case.hands.approvals.standing(case.incident, asked.id)
        if plan is not None and asked.digest == plan.digest and standing in (Standing.AMENDED, Standing.JOINED):
            await _tell_answer(case, plan, asked, standing)


def _is_done(case: Case, plan: Plan) -> bool:
    """Whether nothing of a plan is left to do: it has no steps, or the policy allowed all of them and they ended well."""
    ended = case.hands.executor.outcomes(plan)
    return all(step.id in ended and ended[step.id].good for step in plan.steps)


async def _still_there(case: Case, plan: Plan, asked: Asked, look: int) -> Standing:
    """Whether an approved plan still finds what it was made from. If not, the approval is void, and a new plan is made and asked
    about; after some rounds of that the steps that find something else stop one by one.
    """
    begun, renamed = case.hands.executor.begun(plan), renamed_ids(case.hands.ledger, case.incident)
    waiting = plan.model_copy(
        update={"steps": tuple(step_with_new_ids(step, renamed) for step in plan.steps if step.id not in begun)}
    )
    why = moved(waiting, await read_settings([step.key for step in waiting.steps])) if not begun - set(asked.begun) else []
    if not why or not _may_plan_again(case):
        return Standing.APPROVED
    case.hands.approvals.void(plan, asked, why)
    told = "\n".join(f"- {line}" for line in why[:10])
    await post(case.incident, f"moved:{asked.id}", *messages.progress(f"The approval is void, a new plan is made:\n{told}"))
    case.begin_look(look + 1, _MOVED)
    return Standing.MOVED


async def _ask_for_the_rest(case: Case, name: str, look: int) -> None:
    """Plan and ask again where steps did not run because the approval ran out meanwhile."""
    plan = case.plan(name, look)
    ended = case.hands.executor.outcomes(plan).values() if plan is not None else ()
    if plan is not None and any(end.result is Result.REFUSED for end in ended):
        await _ask_again_if_it_ran_out(case, plan, look)


async def _ask_again_if_it_ran_out(case: Case, plan: Plan, look: int) -> None:
    if case.overtaken(look) or not case.hands.approvals.has_run_out(plan) or not _may_plan_again(case):
        return
    rest = f"The approval of plan {plan.short_digest} ran out before all of it was done; a new plan is made for the rest"
    await post(case.incident, f"ran-out:{plan.short_digest}", *messages.progress(rest))
    case.begin_look(look + 1, _RAN_OUT)


def _may_plan_again(case: Case) -> bool:
    return sum(why in (_MOVED, _RAN_OUT) for why in case.looks()) < PLANNED_AGAIN


def _overtaken(case: Case, look: int) -> bool:
    return case.amended_since(look) or case.overtaken(look)


def _shown_before(case: Case, name: str, look: int) -> frozenset[str]:
    """What earlier looks already put before people to settle."""
    plans = [case.plan(name, number) for number in range(1, look)]
    return frozenset[str]().union(*(plan.to_settle for plan in plans if plan is not None))


async def _late_events(case: Case, look: int) -> None:
    """Wait until what happened before now must have reached CloudTrail. A restart waits for the same deadline, not anew."""
    lag = timedelta(seconds=case.hands.config.aws.delivery_lag_seconds)
    until = (case.hands.clock() + lag).isoformat()
    line, _ = case.hands.ledger.append(case.incident, Kind.NOTE, f"late-events:{look}", {"until": until})
    while (left := (datetime.fromisoformat(str(line.body["until"])) - case.hands.clock()).total_seconds()) > 0:
        if case.amended_since(look - 1):
            case.begin_look(look, _AMENDED)
            return
        await asyncio.sleep(min(left, 30))
    case.begin_look(look, _LATE)
