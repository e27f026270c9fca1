"""What an actor may have left running, and what it costs."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.shell import Json, UserError, console, lines_of, read_config
from incident.people.messages import plain

app = typer.Typer()

_RECENT_DAYS = 7


@app.command()
def costs(
    incident: Annotated[str | None, typer.Argument(help="Mark what this incident's actor made, and ask since its day.")] = None,
    since: Annotated[str | None, typer.Option(help="The first day to compare with the weeks before, as 2026-11-24.")] = None,
    as_json: Json = False,
) -> None:
    """Count what costs by region, and compare with the weeks before. Cost Explorer charges 0.01 USD for each account asked."""
    from incident.costs import as_json as told
    from incident.costs import made_by_actor
    from tasks.aws import Aws
    from tasks.costs import read_costs
    from tasks.hands import utc_now

    now, lines = utc_now(), lines_of(incident) if incident else ()
    begins = _day(since, now.date()) if since else lines[0].at.date() if lines else now.date() - timedelta(days=_RECENT_DAYS)
    aws = Aws(read_config().aws)
    found = told(read_costs(aws, _accounts(aws), begins, now.date(), made_by_actor(lines)), now)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _show(found)


def _accounts(aws: Any) -> tuple[str, ...]:
    from tasks.aws import AwsError

    try:
        return aws.accounts() or (aws.own_account(),)
    except AwsError as error:
        raise UserError(f"the accounts are not known: {error}; name them in aws.accounts, and check the credentials") from None


def _day(text: str, today: date) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise UserError("--since is no day; give it as 2026-11-24") from None
    if not today - timedelta(days=365) <= found <= today:
        raise UserError("--since is to be a day of the last year; Cost Explorer keeps no older ones by day")
    return found


def _show(found: dict[str, Any]) -> None:
    table = Table("account", "region", "what", "number", "made by the actor", title="What is there now")
    for one in found["counts"]:
        table.add_row(one["account"], one["region"], one["kind"], str(one["number"]), str(one["by_actor"] or ""))
    read = ", of what could be read" if found["unread"] else ""
    console.print(table if found["counts"] else f"Nothing that costs by the hour is there{read}.")
    for one in found["by_actor"]:
        words = f"{one['kind']} {plain(one['id'], 200)} ({plain(one['detail'], 100)}), {one['account']} {one['region']}"
        console.print(f"[red]made by the actor[/red]: {escape(words)}", soft_wrap=True, highlight=False)
    days = Table("day", "account", "region", "service", f"cost, {found['unit']}", "usual a day", title="Days that stand out")
    for one in found["spikes"]:
        day = f"{one['day']}, an estimate" if one["estimated"] else one["day"]
        days.add_row(day, one["account"], one["region"], escape(one["service"]), f"{one['amount']:.2f}", f"{one['usual']:.2f}")
    console.print(days if found["spikes"] else f"No day since {found['since']} stands out{read}.")
    for account, amount in found["totals"].items():
        console.print(f"{account}: {amount:.2f} {found['unit']} since {found['since']}", soft_wrap=True, highlight=False)
    for one in found["unread"]:
        console.print(f"[yellow]not known[/yellow]: {escape(plain(one, 400))}", soft_wrap=True, highlight=False)
    console.print(f"{found['rule']} {found['lag']}", soft_wrap=True, highlight=False)
