"""Every setting, from the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.shell import Json, UserError, console, errors

app = typer.Typer()

_HEAD = """<!-- Made by `countermand settings --write`; change what the classes in tasks/config.py say, not this file. -->
# Settings

`COUNTERMAND_CONFIG` names a YAML file. Any value can be given by the environment instead, which wins: `COUNTERMAND_`,
the name in capitals, `__` for each dot, as in `COUNTERMAND_SLACK__BOT_TOKEN` for `slack.bot_token`; a list or a group
as JSON. Keep what is marked **Secret** there, or in a file that only Countermand's user can read. A name that is not in
the table is refused. `*` is a name of your own, `[]` each of a list. Policy and escalation have files of their own:
[containment](containment.md), [escalation](escalation.md).

"""


@app.command()
def settings(
    write: Annotated[Path | None, typer.Option(help="Write the page to this file.")] = None,
    check: Annotated[Path | None, typer.Option(help="Fail unless this file is the page as it would be written.")] = None,
    as_json: Json = False,
) -> None:
    """Show every setting with its default and what it is; or write the page of the documentation."""
    from tasks.settings_table import settings as every
    from tasks.settings_table import variable

    if write is not None:
        _write(write)
    elif check is not None:
        _check(check)
    elif as_json:
        rows = [{"name": one.name, "variable": variable(one.name), "default": one.default, "what": one.what} for one in every()]
        typer.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        for one in every():
            console.print(f"{one.name}  ({one.default})\n    {one.what}", soft_wrap=True, markup=False, highlight=False)


def page() -> str:
    """The page as it stands in the documentation."""
    from tasks.settings_table import table

    return _HEAD + table()


def _write(path: Path) -> None:
    try:
        path.write_text(page())
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror}); name a file in a folder that is there") from None
    console.print(f"wrote {path}", soft_wrap=True, highlight=False)


def _check(path: Path) -> None:
    try:
        found = path.read_text()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); make it with `countermand settings --write {path}`") from None
    if found != page():
        errors.print(f"{path} is not what the code says; make it again with `countermand settings --write {path}`", soft_wrap=True)
        raise typer.Exit(1)
