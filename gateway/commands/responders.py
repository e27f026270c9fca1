"""The people who may decide."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.shell import UserError, console, open_ledger, read_config

app = typer.Typer(help="The people who may decide.", no_args_is_help=True)


@app.command("add")
def responders_add(name: Annotated[str, typer.Argument(help="The name as it stands in the policy file.")]) -> None:
    """Enrol a responder: shows the secret for their authenticator once, as a QR code."""
    import segno

    from tasks.config import load_policy
    from tasks.hands import utc_now
    from tasks.roster import Roster

    config = read_config()
    if load_policy(config).by_name(name) is None:
        raise UserError(f"the policy file has no responder {name!r}; add them to `responders` first")
    address = Roster(config.folder / "roster", open_ledger(), utc_now).enrol(name)
    segno.make(address).terminal(compact=True)
    console.print(escape(address), soft_wrap=True)
    console.print("Scan it now: it is shown only this once, and replaces any code that they had.")


@app.command("list")
def responders_list() -> None:
    """List the responders of the policy and whether each is enrolled."""
    from tasks.config import load_policy
    from tasks.hands import utc_now
    from tasks.roster import Roster

    config = read_config()
    enrolled = set(Roster(config.folder / "roster", open_ledger(), utc_now).enrolled())
    table = Table("responder", "Slack", "one-time code")
    for person in load_policy(config).responders:
        known = "enrolled" if person.name in enrolled else "not enrolled: run `countermand responders add`"
        table.add_row(escape(person.name), escape(f"{person.slack_team} {person.slack_user}".strip() or "none"), known)
    console.print(table)
