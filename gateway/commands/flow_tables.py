"""The CloudFormation template of flow logs in Athena, made from the named queries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.shell import UserError, console, errors

app = typer.Typer()

_HEAD = "# Made by `countermand flow-tables --write`; change tasks/flow_logs/athena_stack.py or the queries, not this file.\n"


@app.command(name="flow-tables")
def flow_tables(
    write: Annotated[Path | None, typer.Option(help="Write the CloudFormation template to this file.")] = None,
    check: Annotated[Path | None, typer.Option(help="Fail unless this file is the template as it would be written.")] = None,
    format_: Annotated[str, typer.Option("--format", help="The flow log's format; one that all queries can use if left out.")] = "",
) -> None:
    """Make the CloudFormation template of flow logs in Athena, for the format that your flow logs have."""
    text = template_text(format_)
    if write is not None:
        try:
            write.write_text(text)
        except OSError as error:
            raise UserError(f"{write} cannot be written ({error.strerror}); name a file in a folder that is there") from None
        console.print(f"wrote {write}", soft_wrap=True, highlight=False)
    elif check is not None:
        _check(check, text)
    else:
        raise UserError("say what to do: --write FILE, or --check FILE")


def template_text(format_: str = "") -> str:
    """The template as YAML."""
    import yaml

    from incident.flow_log_format import FlowLogFormatError, parse_format
    from tasks.flow_logs.athena_stack import FORMAT, template

    try:
        fields = parse_format(format_) if format_ else FORMAT
    except FlowLogFormatError as error:
        raise UserError(f"--format: {error}") from None
    # Without this, YAML would write what stands twice as an alias, which CloudFormation does not read.
    dumper = type("Dumper", (yaml.SafeDumper,), {"ignore_aliases": lambda self, data: True})
    return _HEAD + yaml.dump(template(fields), Dumper=dumper, sort_keys=False, width=132, allow_unicode=True)


def _check(path: Path, text: str) -> None:
    again = f"make it with `countermand flow-tables --write {path}`"
    try:
        found = path.read_text()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}); {again}") from None
    if found != text:
        errors.print(f"{path} is not what the queries need; {again}", soft_wrap=True)
        raise typer.Exit(1)
