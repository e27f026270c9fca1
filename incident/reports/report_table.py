"""The report as one table for spreadsheets: a row for every claim, step, region, item of evidence, recommendation, backlog item."""

from __future__ import annotations

from collections.abc import Iterator

from incident.reports.report import Report
from incident.tables import as_csv

COLUMNS = ("incident", "part", "name", "state", "what", "because", "at", "records", "line")
_Row = tuple[object, ...]


def report_csv(written: Report) -> str:
    """CSV with a header; what a spreadsheet would take for a formula is made text."""
    rows = (*_told(written), *_steps(written), *_places(written), *_kept(written), *_to_do(written))
    return as_csv(COLUMNS, [(written.incident, *row) for row in rows])


def _told(written: Report) -> Iterator[_Row]:
    for span in written.times:
        took = "" if span.took is None else f"{span.took.total_seconds():.0f} s"
        yield "time", f"to {span.name}", took or "not reached", span.why, "", span.ended or "", "", span.line or ""
    for part, claims in (("happened", written.happened), ("done", written.did)):
        for one in claims:
            yield part, "", "", one.text, "", "", " ".join(one.records), one.line or ""
    for section in written.sections:
        for one in section.claims:
            yield section.name, section.title, "inferred" if one.inferred else "", one.text, "", "", " ".join(one.records), one.line
        for said in section.remarks:
            yield section.name, section.title, "answered", said.text, said.person, said.at, "", said.line
        for ask in section.asks:
            yield section.name, section.title, "open" if section.is_open else "asked", ask, "", "", "", ""


def _steps(written: Report) -> Iterator[_Row]:
    for one in written.done:
        yield "step", one.phase, one.result, one.title, one.detail, one.at, " ".join(one.records), ""
    for left in written.unplanned:
        yield "left to people", left["id"], left["status"], left["what"], left["why"], "", " ".join(left["records"]), ""
    for said in written.decisions:
        why = said.get("reason", "")
        yield "decision", said["person"], said["answer"], f"by {said['surface']}, {said['method']}", why, said["decided_at"], "", ""


def _places(written: Report) -> Iterator[_Row]:
    for row in written.regions:
        yield "region", f"{row['account']} {row['region']}", row["status"], "", row["why"], "", "", ""
    for one in written.changed:
        values = f"{one.what}: before {one.before}; attacked {one.attacked}; after {one.after}"
        yield "network", str(one.key), one.state, values, "", "", " ".join(one.records), one.line


def _kept(written: Report) -> Iterator[_Row]:
    for item in written.evidence:
        state = item.get("sha256") or item.get("gap") or item.get("why", "")
        yield "evidence", item["item"], state, item["about"], "", "", "", ""


def _to_do(written: Report) -> Iterator[_Row]:
    for one in written.recommendations:
        yield "recommendation", one.perspective, "", one.text, one.because, "", "", one.line or ""
    for item in written.backlog:
        yield "backlog", item.id, item.state, item.title, f"owner: {item.owner or 'nobody yet'}", item.due, "", item.line
