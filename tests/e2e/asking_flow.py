"""A run that does nothing but ask, as `respond` asks between its phases; what came of it stands in the ledger."""

from __future__ import annotations

from prefect import flow

from flows.artifacts import plan_address, show_plan
from flows.case import Case
from flows.questions import answered
from incident.ledger import Kind


@flow(name="ask", persist_result=False)
async def ask(incident: str) -> None:
    case = Case(incident)
    plan = case.plan("restore", 1)
    assert plan is not None
    await show_plan(incident, "restore", 1, plan)
    asked = case.hands.approvals.ask(plan, "restore", 1, ())
    standing = await answered(case.hands, plan, asked, plan_address(case.hands.config.prefect_ui_url, incident, "restore", 1))
    case.hands.ledger.append(incident, Kind.NOTE, "ended", {"standing": standing})
