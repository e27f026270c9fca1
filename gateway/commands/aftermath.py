"""After the response: notes in the report, the backlog, and closing an incident."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.shell import Code, Json, Person, UserError, console, errors, lines_of, open_ledger, read_config
from incident.people.messages import plain

if TYPE_CHECKING:
    from tasks.hands import Hands

app = typer.Typer()
backlog_app = typer.Typer(help="What is to be done after an incident, and who has it.", no_args_is_help=True)

Incident = Annotated[str, typer.Argument(help="The incident's id.")]
OfIncident = Annotated[str, typer.Option("--incident", help="The incident's id; without it, the backlog of no incident.")]
ItemId = Annotated[str, typer.Argument(help="The item's id, as `backlog list` shows it.")]


@app.command()
def note(
    incident: Incident,
    text: Annotated[str, typer.Argument(help="What you found out, and from whom.")],
    section: Annotated[str, typer.Option("--section", help="weaknesses, tools, intent, attribution or damage.")],
    person: Person,
    code: Code,
) -> None:
    """Write into a section of the report what no evidence tells; it stands there with your name and the time."""
    hands = _hands()
    _refuse(hands.aftermath.note(incident, section, text, person=person, code=code))
    _rewrite(hands, incident)
    console.print(f"Written into “{escape(section)}” of {escape(incident)}.")


@app.command()
def close(
    incident: Incident,
    reason: Annotated[str, typer.Option("--reason", help="Why; it stands in the report.")],
    person: Person,
    code: Code,
    force: Annotated[
        bool, typer.Option("--force", help="Close it although something speaks against it, which is written down.")
    ] = False,
) -> None:
    """Close an incident. Refused, with every reason, while something is unproven; later findings then open a new one."""
    hands = _hands()
    against = hands.aftermath.close(incident, person=person, code=code, reason=reason, force=force)
    for line in against[:-1]:
        errors.print(f"  {escape(plain(line, 400))}", soft_wrap=True, highlight=False)
    if against:
        more = "; settle these, or say --force with a reason" if len(against) > 1 else ""
        raise UserError(f"{incident} is not closed: {plain(against[-1], 400)}{more}")
    _rewrite(hands, incident)
    console.print(f"{escape(incident)} is closed.")


@backlog_app.command("list")
def list_(incident: OfIncident = "", as_json: Json = False) -> None:
    """List the items: of one incident, or those of no incident and of all incidents."""
    from dataclasses import asdict

    from incident.reports.backlog import BACKLOG_CHAIN, items

    ledger = open_ledger()
    chains = [incident] if incident else [BACKLOG_CHAIN, *ledger.incidents_with("backlog")]
    found = [
        (chain, item) for chain in dict.fromkeys(chains) for item in items(lines_of(chain) if incident else ledger.lines(chain))
    ]
    if as_json:
        print(
            json.dumps([{"incident": "" if chain == BACKLOG_CHAIN else chain, **asdict(item)} for chain, item in found], indent=1)
        )
        return
    table = Table("incident", "item", "what", "perspective", "owner", "due", "state")
    for chain, item in found:
        where = "" if chain == BACKLOG_CHAIN else chain
        cells = (where, item.id, item.title, item.perspective, item.owner or "nobody yet", item.due, item.state)
        table.add_row(*(escape(plain(cell, 300)) for cell in cells))
    console.print(table)


@backlog_app.command("add")
def add(
    person: Person,
    code: Code,
    title: Annotated[str, typer.Argument(help="What is to be done, and by what it is seen to be done.")] = "",
    incident: OfIncident = "",
    perspective: Annotated[
        str, typer.Option("--perspective", help="directive, preventive, detective or responsive.")
    ] = "directive",
    recommended: Annotated[
        bool, typer.Option("--recommended", help="Take up every recommendation of the incident's report.")
    ] = False,
    stories: Annotated[bool, typer.Option("--stories", help="Take up the playbook's four backlog stories.")] = False,
) -> None:
    """Add an item, or those that the report recommends, or the playbook's stories."""
    from incident.reports.backlog import STORIES, added
    from incident.reports.report import report

    bodies: list[Mapping[str, Any]] = [added(title, perspective, person)] if title else []
    if recommended and not incident:
        raise UserError("--recommended takes up what a report recommends; name the incident with --incident")
    if recommended:
        bodies += [added(one.text, one.perspective, person) for one in report(lines_of(incident)).proposed]
    if stories:
        bodies += [added(story, "detective", person) for story in STORIES]
    if not (title or recommended or stories):
        raise UserError("say what is to be done, or --recommended, or --stories")
    _take(incident, bodies, person, code)


@backlog_app.command("assign")
def assign(
    item: ItemId,
    person: Person,
    code: Code,
    owner: Annotated[str, typer.Option("--owner", help="Who has it: a person or a team.")],
    due: Annotated[str, typer.Option("--due", help="Until when, as 2026-12-24.")] = "",
    incident: OfIncident = "",
) -> None:
    """Give an item to an owner."""
    from incident.reports.backlog import assigned

    if due:
        try:
            date.fromisoformat(due)
        except ValueError:
            raise UserError("--due is no day; give it as 2026-12-24") from None
    _take(incident, [assigned(item, owner, due, person)], person, code)


@backlog_app.command("done")
def done(
    item: ItemId,
    person: Person,
    code: Code,
    how: Annotated[str, typer.Option("--how", help="How it was done, and where that is seen.")],
    incident: OfIncident = "",
) -> None:
    """Say that an item is done."""
    from incident.reports.backlog import finished

    _take(incident, [finished(item, how, person)], person, code)


def _take(incident: str, bodies: Sequence[Mapping[str, Any]], person: str, code: str) -> None:
    from incident.reports.backlog import BACKLOG_CHAIN

    hands = _hands()
    _refuse(hands.aftermath.backlog(incident or BACKLOG_CHAIN, bodies, person=person, code=code))
    if incident:
        _rewrite(hands, incident)
    console.print(", ".join(escape(str(body["item"])) for body in bodies), highlight=False)


def _hands() -> Hands:
    from tasks.hands import wire

    return wire(read_config())


def _refuse(problem: str) -> None:
    if problem:
        raise UserError(problem)


def _rewrite(hands: Hands, incident: str) -> None:
    """Let the page that the gateway shows say it too."""
    from incident.reports.report import report
    from tasks.hub_findings import import_findings
    from tasks.report_files import write_pages

    written = report(hands.ledger.lines(incident))
    for problem in import_findings(hands.aws, hands.ledger, written, hands.clock()) if hands.config.aws.security_hub else ():
        errors.print(f"Not imported into Security Hub: {escape(problem)}", soft_wrap=True)
    try:
        write_pages(hands.config.reports, written)
    except OSError as error:
        errors.print(f"It is in the ledger; the page could not be written anew: {escape(str(error))}", soft_wrap=True)
