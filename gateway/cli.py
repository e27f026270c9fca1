"""The `countermand` command line. Each command imports what it needs: reading a record must not wait for a server's libraries."""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer
from rich.markup import escape

from gateway.commands import (
    aftermath,
    changes,
    costs,
    deciding,
    doors,
    escalation,
    flow_tables,
    flows,
    incidents,
    inventory,
    opening,
    policies,
    practice,
    preparation_stacks,
    preparing,
    records,
    records_kept,
    reporting,
    responders,
    serving,
    settings,
    suppressing,
    who_can_change,
)
from gateway.commands.shell import UserError, errors

app = typer.Typer(
    name="countermand",
    help="Answers unauthorized network changes in AWS and undoes exactly what the actor did.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for commands in (
    records,
    practice,
    doors,
    serving,
    settings,
    opening,
    incidents,
    reporting,
    aftermath,
    deciding,
    escalation,
    policies,
    costs,
    flows,
    flow_tables,
    inventory,
    changes,
    preparing,
    preparation_stacks,
    who_can_change,
):
    app.add_typer(commands.app)
for name, group in (
    ("ledger", records_kept.ledger_app),
    ("evidence", records_kept.evidence_app),
    ("responders", responders.app),
    ("escalation", escalation.escalation_app),
    ("suppress", suppressing.app),
    ("backlog", aftermath.backlog_app),
):
    app.add_typer(group, name=name)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"countermand {version('countermand')}")
        raise typer.Exit


@app.callback()
def countermand(
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Answers unauthorized network changes in AWS and undoes exactly what the actor did."""


def _stop(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; what a user did wrong ends in one line and exit code 2."""
    from tasks.config import ConfigError
    from tasks.ledger import LedgerUnavailable

    # Asked to end, a drill must end the processes that it started.
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except (UserError, ConfigError, LedgerUnavailable) as error:
        errors.print(f"countermand: {escape(' '.join(str(error).split()))}", soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        errors.print("countermand: stopped")
        sys.exit(130)


if __name__ == "__main__":
    main()
