"""Checking what was kept: the ledger and the evidence."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from gateway.commands.shell import UserError, console, errors, open_ledger, read_config
from incident.messages import plain

ledger_app = typer.Typer(help="The incident's hash-chained ledger.", no_args_is_help=True)
evidence_app = typer.Typer(help="The evidence that was kept.", no_args_is_help=True)


@ledger_app.command("verify")
def ledger_verify(incident: Annotated[str, typer.Argument(help="The incident's id.")]) -> None:
    """Check the incident's chain; name the first line that was changed, removed or moved."""
    ledger = open_ledger()
    broken = ledger.verify(incident)
    if broken is not None:
        errors.print(f"[red]broken[/red] at line {broken.position}: {escape(broken.reason)}", soft_wrap=True)
        raise typer.Exit(1)
    position, digest = ledger.head(incident)
    if position == 0:
        raise UserError(f"the ledger has no line of {incident}; `countermand incidents` lists what it knows")
    console.print(f"[green]intact[/green]: {position} lines, last hash {digest}", soft_wrap=True)


@evidence_app.command("verify")
def evidence_verify(incident: Annotated[str, typer.Argument(help="The incident's id.")]) -> None:
    """Check every kept item against the manifest in the ledger."""
    from tasks.aws import Aws
    from tasks.evidence import EvidenceUnavailable
    from tasks.hands import evidence_store

    config = read_config()
    store = evidence_store(config, Aws(config.aws), open_ledger())
    items = store.manifest(incident)
    if not items and not store.waiting(incident):
        raise UserError(f"no evidence of {incident} is in the ledger; `countermand incidents` lists what it knows")
    try:
        damage = [*store.verify(incident), *store.lost_aside(incident)]
    except EvidenceUnavailable as error:
        raise UserError(str(error)) from None
    for name, why in store.gaps(incident).items():
        console.print(f"[yellow]not kept[/yellow]: {escape(name)}: {escape(plain(why, 300))}", soft_wrap=True, highlight=False)
    for name, why in store.waiting(incident).items():
        console.print(f"[yellow]waits for the store[/yellow]: {escape(name)}: {escape(plain(why, 300))}", soft_wrap=True)
    for item in damage:
        errors.print(f"[red]{escape(item.what)}[/red]: {escape(item.item)}", soft_wrap=True)
    if damage:
        raise typer.Exit(1)
    console.print(f"[green]intact[/green]: {len(items)} items")
