"""Practising: drills, the demo, and codes where no authenticator is at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.shell import UserError, console

app = typer.Typer()


@app.command()
def drill(
    file: Annotated[Path, typer.Argument(help="The scenario, a YAML file.")],
    unattended: Annotated[bool, typer.Option("--unattended", help="Scripted responders approve; nobody is asked.")] = False,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the verdict here.")] = None,
    dump: Annotated[Path | None, typer.Option("--dump", help="Write before.json, attacked.json and after.json here.")] = None,
) -> None:
    """Replay an attack in the practice range and judge the response. Ends with 0 only when the scenario's expectation holds."""
    raise typer.Exit(_practise(file, interactive=not unattended, json_out=json_out, dump=dump))


@app.command()
def demo(
    interactive: Annotated[bool, typer.Option("--interactive", help="Leave the approvals to you, and stay up.")] = False,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the verdict here.")] = None,
) -> None:
    """One incident from the webhook to the restored network, against the practice range."""
    raise typer.Exit(_practise(None, interactive=interactive, json_out=json_out, dump=None))


def _practise(file: Path | None, *, interactive: bool, json_out: Path | None, dump: Path | None) -> int:
    """Play a scenario, the demo's where none is named, and return the exit code."""
    from drill.scenario import ScenarioError
    from gateway.practice.exercise import DEMO, Exercise
    from gateway.practice.stack import StackFailed

    try:
        return Exercise(file or DEMO, interactive=interactive, json_out=json_out, dump=dump, console=console).run()
    except (ScenarioError, StackFailed) as error:
        raise UserError(str(error)) from None
    except OSError as error:
        raise UserError(f"{error.filename or file}: {error.strerror or error}; name a file or folder that can be used") from None


@app.command()
def code(secret: Annotated[str, typer.Argument(help="The secret of an enrolled responder, as an authenticator holds it.")]) -> None:
    """Print the one-time code of this moment; for practice, where no authenticator is at hand."""
    import binascii

    import pyotp

    try:
        print(pyotp.TOTP(secret).now())
    except (binascii.Error, ValueError):
        raise UserError("that is no authenticator secret; it has capital letters and the digits 2 to 7 only") from None
