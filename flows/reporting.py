"""The report: written from the ledger alone, as a page, as Markdown and as an artifact of the run."""

from __future__ import annotations

import json
from dataclasses import asdict

from prefect import flow

from flows.artifacts import show_report
from flows.case import Case
from incident import messages
from incident.ledger import Kind
from incident.report import Report, report
from tasks import render
from tasks.costs import note_costs
from tasks.work import in_thread, post


@flow(name="report", persist_result=True)
async def write_report(incident: str, look: int = 1) -> str:
    """Write the report and say where it is."""
    case = Case(incident)
    if case.hands.config.aws.costs:
        await in_thread(note_costs, case.hands.aws, case.hands.ledger, incident, look, case.hands.clock())
    written = report(case.hands.ledger.lines(incident))
    await in_thread(_write, case, written)
    await show_report(incident, render.text(written))
    url = f"{case.hands.config.gateway.public_url}/incidents/{incident}/report"
    case.hands.ledger.append(incident, Kind.REPORT, f"report:{look}", {"status": written.status, "url": url})
    await post(incident, f"report-{look}", *messages.progress(f"Report: {written.status}. {url}"))
    return written.status


def _write(case: Case, written: Report) -> None:
    folder = case.hands.config.reports
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / f"{written.incident}.html").write_text(render.html(written))
    (folder / f"{written.incident}.md").write_text(render.text(written))
    (folder / f"{written.incident}.json").write_text(json.dumps(asdict(written), indent=1, default=str))
