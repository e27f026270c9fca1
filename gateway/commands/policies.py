"""The IAM policies of the responder's role, made from what its steps and reads need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from gateway.commands.shell import Json, UserError, console, errors

app = typer.Typer()

_HEAD = "# Made by `countermand policies --write`; change what the families declare or incident/policies.py, not this file.\n"


@app.command()
def policies(
    write: Annotated[Path | None, typer.Option(help="Write the CloudFormation template to this file.")] = None,
    check: Annotated[Path | None, typer.Option(help="Fail unless this file is the template as it would be written.")] = None,
    as_json: Json = False,
) -> None:
    """Show which IAM actions the responder's role needs, by what it does; or write its CloudFormation template."""
    if write is not None:
        _write(write)
    elif check is not None:
        _check(check)
    else:
        _show(as_json)


def template_text() -> str:
    """The template as YAML."""
    import yaml

    from incident.role_template import template

    return _HEAD + yaml.safe_dump(template(), sort_keys=False, width=132, allow_unicode=True)


def _write(path: Path) -> None:
    try:
        path.write_text(template_text())
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); name a file in a folder that is there") from None
    console.print(f"wrote {path}", soft_wrap=True, highlight=False)


def _check(path: Path) -> None:
    try:
        found = path.read_text()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); make it with `countermand policies --write {path}`") from None
    if found != template_text():
        errors.print(f"{path} is not what the steps need; make it again with `countermand policies --write {path}`", soft_wrap=True)
        raise typer.Exit(1)


def _show(as_json: bool) -> None:
    from incident.permissions import needed

    actions = {str(acting): sorted(some) for acting, some in needed().items()}
    if as_json:
        typer.echo(json.dumps(actions, indent=2))
        return
    table = Table("what for", "actions", "number", show_lines=True)
    for acting, some in actions.items():
        table.add_row(acting, "\n".join(some), str(len(some)))
    console.print(table)
