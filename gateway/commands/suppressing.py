"""Exceptions: what responders agree to leave unanswered for a time."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.shell import Code, Json, Person, Several, UserError, console, moment, read_config

app = typer.Typer(help="Findings that are left unanswered for a time, with who and why.", no_args_is_help=True)

Reason = Annotated[str, typer.Option("--reason", help="Why.")]


@app.command("add")
def add(
    types: Annotated[
        list[str], typer.Option("--type", help="A finding type; `*` stands for any text. Can be given several times.")
    ],
    until: Annotated[str, typer.Option("--until", help="When it ends, as 2026-12-24T00:00:00Z; at most a year from now.")],
    person: Person,
    reason: Reason,
    code: Code,
    accounts: Annotated[Several, typer.Option("--account", help="Only in this account. Can be given several times.")] = None,
    names: Annotated[Several, typer.Option("--name", help="Only about this user, access key, instance or resource.")] = None,
    below: Annotated[float, typer.Option("--below", help="Only under this severity.")] = 9.0,
) -> None:
    """Leave findings unanswered until a moment. Root and what is more severe are always answered."""
    from tasks.hands import wire
    from tasks.roster import RosterError
    from tasks.suppressions import NotSuppressed

    ends = moment(until, "--until")
    if ends.tzinfo is None:
        raise UserError("--until needs its zone, as 2026-12-24T00:00:00Z")
    try:
        made = wire(read_config()).suppressions.add(
            types=tuple(types),
            accounts=tuple(accounts or ()),
            names=tuple(names or ()),
            below=below,
            until=ends,
            person=person,
            reason=reason,
            code=code,
        )
    except (NotSuppressed, RosterError) as error:
        raise UserError(str(error)) from None
    print(made.id)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the exceptions that stand now."""
    from tasks.hands import wire

    standing = wire(read_config()).suppressions.standing()
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in standing]))
        return
    table = Table("id", "types", "accounts", "names", "below", "until", "by", "why")
    for one in standing:
        cells = (one.id, " ".join(one.types), " ".join(one.accounts) or "all", " ".join(one.names) or "all", f"{one.below:g}")
        table.add_row(*map(escape, (*cells, one.until.isoformat(timespec="minutes"), one.person, one.reason)))
    console.print(table)


@app.command("remove")
def remove(
    id_: Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")], person: Person, reason: Reason, code: Code
) -> None:
    """End an exception now."""
    from tasks.hands import wire
    from tasks.roster import RosterError
    from tasks.suppressions import NotSuppressed

    try:
        wire(read_config()).suppressions.remove(id_, person=person, reason=reason, code=code)
    except (NotSuppressed, RosterError) as error:
        raise UserError(str(error)) from None
    console.print(f"{escape(id_)} holds no more")
