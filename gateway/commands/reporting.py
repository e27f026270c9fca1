"""The report on the command line, in every form in which it leaves."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.commands.shell import lines_of

app = typer.Typer()


@app.command()
def report(incident: Annotated[str, typer.Argument(help="The incident's id.")]) -> None:
    """Print an incident's report in Markdown, built from the ledger."""
    from incident.report import report as reported
    from tasks.render import text

    print(text(reported(lines_of(incident))))
