"""Reading incidents, and telling them what a responder knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.shell import Code, Json, Person, UserError, console, lines_of, open_ledger, read_config
from incident.people.messages import plain
from incident.plan import TO_CHOOSE
from incident.words import moment

if TYPE_CHECKING:
    from incident.reports.report import Report

app = typer.Typer()


@app.command()
def show(incident: Annotated[str, typer.Argument(help="The incident's id.")]) -> None:
    """Say where an incident stands: its actor, its last proof, and what is left to people, each with the id that `amend` takes."""
    from incident.reports.report import report as reported

    shown = reported(lines_of(incident))
    console.print(f"[bold]{escape(incident)}[/bold] {shown.status}: {escape(plain(shown.title, 300))}", highlight=False)
    for claim in (*shown.happened, *shown.did):
        console.print(escape(plain(claim.text, 400)), highlight=False)
    console.print(escape(plain(_since(shown.actor), 300)), highlight=False)
    keys = Table("credential", "owner", "link", "how")
    for credential in shown.actor.get("credentials", ()):
        keys.add_row(*(escape(plain(credential[name], 200)) for name in ("access_key", "owner", "link", "how")))
    left = Table("id", "what", "why", "now")
    for item in shown.unplanned:
        # Of what could not be read, nobody knows what it is now.
        now = "" if item["status"] not in TO_CHOOSE else "absent" if item["found"] is None else json.dumps(item["found"])
        left.add_row(item["id"], *(escape(plain(cell, 300)) for cell in (item["what"], item["why"], now)))
    for table in (keys, left):
        if table.row_count:
            console.print(table)
    for line in shown.chosen:
        console.print(escape(plain(line, 400)), highlight=False)
    _show_the_rest(incident, shown)


def _since(actor: Mapping[str, Any]) -> str:
    if not actor:
        return "No actor is known yet"
    if not actor.get("since"):
        return "Since when the actor acts is not known"
    return f"What they did counts from {moment(actor['since'])}: {actor.get('since_reason', '')}"


def _show_the_rest(incident: str, shown: Report) -> None:
    """How long it took, what is still to be determined, who has what in the backlog, and what keeps it from being closed."""
    from incident.words import span_in_words
    from tasks.hands import wire

    took = ", ".join(f"{span_in_words(span.took)} to {span.name}" for span in shown.times)
    console.print(escape(took), highlight=False)
    asked = ", ".join(section.title for section in shown.sections if section.is_open)
    if asked:
        console.print(f"To be determined: {escape(asked)}", highlight=False)
    items = Table("item", "what", "owner", "state")
    for item in shown.backlog:
        items.add_row(*(escape(plain(cell, 300)) for cell in (item.id, item.title, item.owner or "nobody yet", item.state)))
    if items.row_count:
        console.print(items)
    if shown.closed:
        console.print(escape(plain(f"Closed by {shown.closed['person']}: {shown.closed['reason']}", 400)), highlight=False)
        return
    hands = wire(read_config())
    for reason in hands.aftermath.against(incident, hands.ledger.lines(incident)):
        console.print(f"Not to be closed yet: {escape(plain(reason, 400))}", highlight=False)


@app.command()
def amend(
    incident: Annotated[str, typer.Argument(help="The incident's id.")],
    amendments: Annotated[
        list[str],
        typer.Argument(
            help="One or more of: 'ITEM keep', 'ITEM absent', 'ITEM = JSON', 'ITEM done', 'window TIME', 'strike RECORD', "
            "'credential KEY theirs', 'credential KEY not-theirs', look-again."
        ),
    ],
    person: Person,
    code: Code,
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "",
) -> None:
    """Tell the case what you know: its plans are void, and new ones are made and asked about."""
    from tasks.hands import wire

    hands = wire(read_config())
    problem = hands.amending.take(incident, amendments, person=person, code=code, surface="command line", reason=reason)
    if problem:
        raise UserError(problem)
    console.print("Taken down; the plans so far are void, and a new one is made and asked about.")


@app.command()
def release(
    incident: Annotated[str, typer.Argument(help="The incident's id.")],
    person: Person,
    code: Code,
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    steps: Annotated[list[str] | None, typer.Argument(help="Ids of containment steps; all of them if none is given.")] = None,
) -> None:
    """Ask to take containment back, whole or in part: a plan is made and asked about, nothing is released before."""
    amend(incident, [" ".join(["release", *(steps or [])])], person, code, reason)


@app.command()
def incidents(as_json: Json = False) -> None:
    """List the incidents in the ledger."""
    from incident.ledger import Kind

    ledger = open_ledger()
    found: list[dict[str, Any]] = []
    for incident in ledger.incidents():
        opened = next(iter(ledger.lines(incident, Kind.OPENED)), None)
        if opened is None:
            continue
        ends = ledger.lines(incident, Kind.REPORT)
        status = str(ends[-1].body["status"]) if ends else "open"
        if ledger.find(incident, "closed") is not None:
            status = f"closed, {status}"
        lines = ledger.head(incident)[0]
        found.append({"incident": incident, "opened": opened.at, "finding": opened.body["type"], "lines": lines, "status": status})
    if as_json:
        print(json.dumps(found, indent=1, default=datetime.isoformat))
        return
    if not found:
        console.print("The ledger holds no incident.")
        return
    table = Table("incident", "opened (UTC)", "finding", "lines", "status")
    for one in found:
        cells = (one["incident"], f"{one['opened']:%Y-%m-%d %H:%M}", one["finding"], one["lines"], one["status"])
        table.add_row(*(escape(plain(cell)) for cell in cells))
    console.print(table)
