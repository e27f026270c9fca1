"""The response, top to bottom, as the story of the incident.

Each phase is an inline subflow; the pauses for people stand between phases, in this flow, so that a waiting incident holds no
process. A run that starts again walks the same story: what is done stands in the ledger and is not done twice.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from prefect import flow
from prefect.runtime import flow_run

from flows.acting import contain, eradicate, keep_evidence, recover
from flows.artifacts import show_plan
from flows.case import Case
from flows.detect import RESPOND, detect
from flows.identify import identify
from flows.planning import CONTAIN, RESTORE, plan_containment, plan_evidence, plan_restoration
from flows.prove import prove
from flows.questions import answered
from flows.reporting import write_report
from flows.scope import scope
from incident import messages
from incident.approvals import Standing
from incident.ledger import Kind
from incident.policy import Question
from tasks.work import post

MOST_LOOKS = 3
"""How often CloudTrail is looked at before what still arrives is left to a person."""


@flow(name="respond", flow_run_name="{incident}", persist_result=False)
async def respond(incident: str) -> str:
    """Answer one incident, from the finding to the report."""
    case = Case(incident)
    case.hands.ledger.append(incident, Kind.RUN, f"run:{flow_run.id}", {"flow_run": str(flow_run.id)})
    if await detect(incident) != RESPOND:
        return await write_report(incident)
    look = 1
    await identify(incident, look)
    await scope(incident, look)
    await plan_evidence(incident, look)
    await keep_evidence(incident, look)
    await plan_containment(incident, look)
    if await _agreed(case, CONTAIN, "contain", look):
        await contain(incident, look)
        look = await _restored(case, look)
    await prove(incident, look)
    return await write_report(incident, look)


async def _restored(case: Case, look: int) -> int:
    """Restore, wait for late events, look again, and again while there is more to do; answers the last look."""
    await plan_restoration(case.incident, look)
    if not await _agreed(case, RESTORE, "restore", look):
        return look
    await eradicate(case.incident, look)
    await recover(case.incident, look)
    while look < MOST_LOOKS:
        look += 1
        await _late_events(case, look)
        await identify(case.incident, look)
        await scope(case.incident, look)
        await plan_evidence(case.incident, look)
        await keep_evidence(case.incident, look)
        await plan_containment(case.incident, look)
        await plan_restoration(case.incident, look)
        if not _anything_to_do(case, look):
            break
        if await _agreed(case, CONTAIN, "addition", look):
            await contain(case.incident, look)
        if await _agreed(case, RESTORE, "addition", look):
            await eradicate(case.incident, look)
            await recover(case.incident, look)
    return look


def _anything_to_do(case: Case, look: int) -> bool:
    return any(plan is not None and plan.steps for plan in (case.plan(CONTAIN, look), case.plan(RESTORE, look)))


async def _agreed(case: Case, name: str, question: Question, look: int) -> bool:
    """Ask people about a plan and wait for them. A plan without steps needs no decision."""
    plan = case.plan(name, look)
    if plan is None:
        return False
    await show_plan(case.incident, name, look, plan)
    if not plan.steps:
        return True
    asked = case.hands.approvals.ask(plan, question, look, case.suspects())
    url = f"{case.hands.config.prefect_ui_url}/v2/runs/flow-run/{flow_run.id}"
    await post(case.incident, f"question:{asked.id}", *messages.question(plan, asked, url))
    standing = await answered(case.hands, plan, asked)
    said = case.hands.approvals.decisions(case.incident, asked.id)
    people = ", ".join(f"{decision.person} in {decision.surface}" for decision in said) or "nobody"
    await post(case.incident, f"answer:{asked.id}", *messages.progress(f"{plan.title}: {standing} ({people})"))
    return standing is Standing.APPROVED


async def _late_events(case: Case, look: int) -> None:
    """Wait until what happened before now must have reached CloudTrail. A restart waits for the same deadline, not anew."""
    lag = timedelta(seconds=case.hands.config.aws.delivery_lag_seconds)
    until = (case.hands.clock() + lag).isoformat()
    line, _ = case.hands.ledger.append(case.incident, Kind.NOTE, f"late-events:{look}", {"until": until})
    while (left := (datetime.fromisoformat(str(line.body["until"])) - case.hands.clock()).total_seconds()) > 0:
        await asyncio.sleep(min(left, 30))
