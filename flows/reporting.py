"""The report: written from the ledger alone, as a page, as Markdown and as an artifact of the run."""

from __future__ import annotations

from datetime import timedelta

from prefect import flow

from flows.artifacts import show_report
from flows.case import Case
from flows.exposing import note_exposures
from incident.ledger import Kind
from incident.people import messages
from incident.reports.indicators import actor_addresses
from incident.reports.report import Report, report
from tasks import render
from tasks.costs import note_costs
from tasks.hub_findings import import_findings
from tasks.report_files import write_pages
from tasks.work import in_thread, post

_FLOWS_REACH = timedelta(days=90)
"""How far back flow logs are read for a report, as far as CloudTrail's event history; the report says from when on they were."""


@flow(name="report", persist_result=True)
async def write_report(incident: str, look: int = 1) -> str:
    """Write the report and say where it is."""
    case = Case(incident)
    if case.hands.config.aws.costs:
        await in_thread(note_costs, case.hands.aws, case.hands.ledger, incident, look, case.hands.clock())
    if case.hands.config.flow_logs.in_report:
        await in_thread(_note_traffic, case, look)
    await in_thread(note_exposures, case, look)
    written = report(case.hands.ledger.lines(incident))
    await in_thread(write_pages, case.hands.config.reports, written)
    await show_report(incident, render.text(written))
    url = f"{case.hands.config.gateway.public_url}/incidents/{incident}/report"
    case.hands.ledger.append(incident, Kind.REPORT, f"report:{look}", {"status": written.status, "url": url})
    not_imported = await in_thread(_import_into_hub, case, written) if case.hands.config.aws.security_hub else []
    told = "".join(f"\nNot imported into Security Hub: {problem}" for problem in not_imported[:_SHOWN_PROBLEMS])
    await post(incident, f"report-{look}", *messages.progress(f"Report: {written.status}. {url}{told}"))
    return written.status


def _note_traffic(case: Case, look: int) -> None:
    """What the actor's addresses touched since the actor acted; where nobody was looked for, nothing is asked."""
    # Here, for DuckDB and sqlglot take long to load, and every run would wait for them before its first task.
    from tasks.flow_logs.touched import note_touched

    hands = case.hands
    if hands.ledger.find(case.incident, f"actor:{look}") is None:
        return
    actor = case.actor(look)
    now = hands.clock()
    window = (max(actor.since or case.finding.first_seen, now - _FLOWS_REACH), now)
    store = (hands.ledger, hands.evidence)
    addresses = sorted({*actor.addresses, *actor_addresses(hands.ledger.lines(case.incident))})
    note_touched(hands.aws, store, hands.config.flow_logs, case.incident, look, addresses, window)


_SHOWN_PROBLEMS = 5


def _import_into_hub(case: Case, written: Report) -> list[str]:
    hands = case.hands
    return import_findings(hands.aws, hands.ledger, written, hands.clock())
