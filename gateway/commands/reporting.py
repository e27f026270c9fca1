"""The report on the command line, in every form in which it leaves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from gateway.commands.shell import UserError, errors, lines_of

if TYPE_CHECKING:
    from incident.ledger import Line

app = typer.Typer()


class Form(StrEnum):
    """The forms of a report."""

    MARKDOWN = "md"
    HTML = "html"
    JSON = "json"
    STIX = "stix"
    CSV = "csv"


@app.command()
def report(
    incident: Annotated[str, typer.Argument(help="The incident's id.")],
    form: Annotated[
        Form, typer.Option("--format", help="Markdown, a page, JSON, STIX 2.1 indicators, or a table.")
    ] = Form.MARKDOWN,
    for_outsiders: Annotated[bool, typer.Option("--redacted", help="What is ours stands under pseudonyms.")] = False,
    output: Annotated[Path | None, typer.Option("--output", help="Write it to this file.")] = None,
) -> None:
    """Print an incident's report, built from the ledger."""
    from incident.reports.redaction import free_text, redacted

    lines = lines_of(incident)
    if for_outsiders:
        written = free_text(lines)
        lines = redacted(lines)
        if written:
            said = f"{written} passages that people wrote stand in it, known identifiers replaced: read them before you send it"
            errors.print(escape(said), soft_wrap=True, highlight=False)
    content = _content(lines, form, for_outsiders)
    if output is None:
        print(content, end="" if content.endswith("\n") else "\n")
        return
    try:
        _write(output, content)
    except OSError as error:
        raise UserError(f"{output}: {error.strerror or error}; name a file that can be written") from None


@app.command("report-schema")
def report_schema_() -> None:
    """Print the JSON Schema of `report --format json`."""
    from incident.reports.report_json import report_schema

    print(json.dumps(report_schema(), indent=1, sort_keys=True))


def _content(lines: Sequence[Line], form: Form, for_outsiders: bool) -> str:
    if form is Form.STIX:
        from incident.reports.indicators import indicators
        from tasks.stix import bundle

        return bundle(indicators(lines, outsiders=for_outsiders))
    from incident.reports.report import report as reported
    from incident.reports.report_json import report_json
    from incident.reports.report_table import report_csv
    from tasks import render

    written = replace(reported(lines), redacted=for_outsiders)
    makers = {Form.MARKDOWN: render.text, Form.HTML: render.html, Form.JSON: report_json, Form.CSV: report_csv}
    return makers[form](written)


def _write(output: Path, content: str) -> None:
    from tasks.report_files import write_whole

    write_whole(output, content)
