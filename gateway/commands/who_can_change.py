"""Who may change the network of an account."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.shell import Json, Several, UserError, console, read_config
from incident.people.messages import plain

if TYPE_CHECKING:
    from incident.posture.who_can_change import Power

app = typer.Typer()
_SHOWN = 4


@app.command("who-can-change")
def who_can_change(
    account: Annotated[Several, typer.Option("--account", help="Only this account; may be given again.")] = None,
    as_json: Json = False,
) -> None:
    """Show which users and roles may change the network, by what IAM's documents say. Reads AWS; changes nothing.

    Ends with 1 where an account was not read.
    """
    from incident.posture.who_can_change import NOT_EVALUATED, network_actions
    from tasks.aws import AwsError
    from tasks.hands import wire

    aws = wire(read_config()).aws
    try:
        accounts = account or list(aws.covered())
    except AwsError as error:
        raise UserError(f"the accounts are not known: {error}; name them in aws.accounts, and check the credentials") from None
    found, unread = _read(aws, accounts)
    if as_json:
        told = {one: [asdict(power) for power in powers] for one, powers in found.items()}
        whole = {"actions": network_actions(), "accounts": told, "not_known": unread, "not_evaluated": NOT_EVALUATED}
        typer.echo(json.dumps(whole, indent=2))
        raise typer.Exit(bool(unread))
    for one, powers in found.items():
        _show(one, powers, len(network_actions()))
    for line in unread:
        console.print(f"[yellow]not known: {escape(plain(line, 600))}[/yellow]", highlight=False, soft_wrap=True)
    console.print(NOT_EVALUATED, highlight=False, soft_wrap=True)
    raise typer.Exit(bool(unread))


def _read(aws: Any, accounts: list[str]) -> tuple[dict[str, list[Power]], list[str]]:
    from incident.family import Read, Scope
    from incident.posture.who_can_change import powers
    from incident.resources.identity import GLOBAL
    from tasks.aws import AwsError

    found: dict[str, list[Power]] = {}
    unread: list[str] = []
    for account in accounts:
        try:
            pages = list(aws.read_all(Scope(account, GLOBAL), Read("iam", "GetAccountAuthorizationDetails")))
        except AwsError as error:
            unread.append(f"{account}: {error}")
            continue
        found[account] = powers(pages)
    return found, unread


def _show(account: str, powers: list[Power], every: int) -> None:
    able = [one for one in powers if one.any]
    title = f"{account}: {len(able)} of {len(powers)} principals may change the network, of {every} actions; root may do all"
    table = Table(title=title)
    for name in ("principal", "kind", "may", "conditionally", "not known", "may widen itself", "trusts"):
        table.add_column(name, overflow="fold")
    for one in able:
        trusts = ", ".join(one.trusts[:_SHOWN]) + (f" and {len(one.trusts) - _SHOWN} more" if len(one.trusts) > _SHOWN else "")
        numbers = [str(len(some)) for some in (one.may, one.conditionally, one.not_known)]
        table.add_row(*(escape(plain(cell, 400)) for cell in (one.arn, one.kind, *numbers, str(one.may_widen), trusts)))
    console.print(table)
