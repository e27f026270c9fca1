"""The CloudFormation templates of what `countermand prepare` plans, for those who prepare by stacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.shell import UserError, console, errors

app = typer.Typer()

_HEAD = "# Made by `countermand preparation-stacks --write`; change tasks/preparation_stacks.py or the registry, not this file.\n"


@app.command("preparation-stacks")
def preparation_stacks(
    write: Annotated[Path | None, typer.Option(help="Write the templates into this folder.")] = None,
    check: Annotated[Path | None, typer.Option(help="Fail unless this folder has them as they would be written.")] = None,
) -> None:
    """Make the templates of the rules for changes, the NAT gateway alarms, and the Config rule for open ports."""
    texts = template_texts()
    if write is not None:
        for name, text in texts.items():
            try:
                (write / name).write_text(text)
            except OSError as error:
                raise UserError(f"{write / name} cannot be written ({error.strerror}); name a folder that is there") from None
            console.print(f"wrote {write / name}", soft_wrap=True, highlight=False)
    elif check is not None:
        _check(check, texts)
    else:
        raise UserError("say what to do: --write FOLDER, or --check FOLDER")


def template_texts() -> dict[str, str]:
    """The templates as YAML, by file name."""
    import yaml

    from tasks.preparation_stacks import templates

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            """CloudFormation does not read YAML's aliases."""
            return True

    def as_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, as_text)
    return {
        name: _HEAD + yaml.dump(told, Dumper=Dumper, sort_keys=False, width=132, allow_unicode=True)
        for name, told in templates().items()
    }


def _check(folder: Path, texts: dict[str, str]) -> None:
    again = f"make it again with `countermand preparation-stacks --write {folder}`"
    for name, text in texts.items():
        try:
            found = (folder / name).read_text()
        except OSError as error:
            raise UserError(f"{folder / name} cannot be read ({error.strerror}); {again}") from None
        if found != text:
            errors.print(f"{folder / name} is not what the registry says; {again}", soft_wrap=True)
            raise typer.Exit(1)
