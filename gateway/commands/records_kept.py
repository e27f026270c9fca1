"""Checking what was kept: the ledger and the evidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from gateway.commands.shell import UserError, console, errors, open_ledger, read_config
from incident.anchors import Anchor, AnchorsError, as_json, broken_since, parse
from incident.people.messages import plain

ledger_app = typer.Typer(help="The incident's hash-chained ledger.", no_args_is_help=True)
evidence_app = typer.Typer(help="The evidence that was kept.", no_args_is_help=True)


@ledger_app.command("verify")
def ledger_verify(
    incident: Annotated[str | None, typer.Argument(help="The incident's id; without one, every chain is checked.")] = None,
    anchors: Annotated[Path | None, typer.Option(help="What `ledger anchors` printed earlier and was kept elsewhere.")] = None,
) -> None:
    """Check chains; name the first line of each that was changed, removed or moved."""
    ledger = open_ledger()
    held = [one for one in _read_anchors(anchors) if incident in (None, one.chain)] if anchors else []
    chains = [incident] if incident else sorted({*ledger.incidents(), *ledger.heads(), *(one.chain for one in held)})
    if anchors and incident and not held:
        raise UserError(f"{anchors} holds no anchor of {incident}; it was taken before the incident began")
    damaged = {chain: broken for chain in chains if (broken := ledger.verify(chain)) is not None}
    for one in held:
        if one.chain not in damaged and (broken := broken_since(ledger.lines(one.chain), one)) is not None:
            damaged[one.chain] = broken
    for chain, broken in damaged.items():
        named = "" if incident else f"{escape(chain)}: "
        errors.print(f"{named}[red]broken[/red] at line {broken.position}: {escape(broken.reason)}", soft_wrap=True)
    if damaged:
        raise typer.Exit(1)
    told = f"; {len(held)} as the anchors have them" if anchors else ""
    if incident is None:
        console.print(f"[green]intact[/green]: {len(chains)} chains{told}", soft_wrap=True)
        return
    position, digest = ledger.head(incident)
    if position == 0:
        raise UserError(f"the ledger has no line of {incident}; `countermand incidents` lists what it knows")
    console.print(f"[green]intact[/green]: {position} lines, last hash {digest}{told}", soft_wrap=True)


@ledger_app.command("anchors")
def ledger_anchors() -> None:
    """Print the ends of all chains as JSON, to be kept where nobody who owns the database can change them."""
    from tasks.hands import utc_now

    ledger = open_ledger()
    ends = [Anchor(chain, *ledger.head(chain)) for chain in sorted(ledger.heads())]
    print(json.dumps(as_json(ends, utc_now()), indent=1))


def _read_anchors(file: Path) -> list[Anchor]:
    try:
        return parse(json.loads(file.read_text()))
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; give what `countermand ledger anchors` printed") from None
    except ValueError as error:
        why = str(error) if isinstance(error, AnchorsError) else "it is no JSON"
        raise UserError(f"{file}: {why}") from None


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
