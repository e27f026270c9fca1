"""What every command of the command line shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    from incident.ledger import Line

console = Console()
errors = Console(stderr=True)

Person = Annotated[str, typer.Option("--as", help="Your name as it stands in the policy file.")]
Code = Annotated[str, typer.Option("--code", prompt="One-time code", help="The six digits of your authenticator.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Several = list[str] | None


class UserError(Exception):
    """What a command cannot do; the message is one line that says what to do."""


def moment(text: str, option: str = "--since") -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option} is no moment; give it as 2026-11-24T02:00:00Z") from None


def read_config() -> Any:
    from tasks.config import load_config

    return load_config()


def open_ledger() -> Any:
    from tasks.hands import utc_now
    from tasks.ledger import Ledger

    return Ledger.open(read_config().ledger, utc_now)


def lines_of(incident: str) -> Sequence[Line]:
    """The lines of an incident whose response has begun."""
    from incident.ledger import INTAKE, Kind

    ledger = open_ledger()
    lines = ledger.lines(incident)
    if any(line.kind == Kind.OPENED for line in lines):
        return lines
    bodies: list[object] = [line.body for line in ledger.lines(INTAKE, Kind.DELIVERY)]
    if any(isinstance(body, Mapping) and body.get("incident") == incident for body in bodies):
        raise UserError(f"{incident} is taken in and its response has not begun; see that the gateway and a worker are running")
    raise UserError(f"the ledger knows no incident {incident}; `countermand incidents` lists them")
