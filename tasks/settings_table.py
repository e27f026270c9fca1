"""Every setting in one table, from the code that reads them: its name, its default, and what its class says of it."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tasks.config import Config

_ENTRY = re.compile(r"^ {8}(\w+(?:, \w+)*): (.*)$")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `name` is its place in the file, with dots; `*` stands for a name of one's own, `[]` for each of a list."""

    name: str
    default: str
    what: str
    secret: bool


def settings(model: type[BaseModel] = Config, before: str = "") -> Iterator[Setting]:
    """The settings of a model, the parts of its parts after it, in the order of the code."""
    said = descriptions(model)
    for name, field in model.model_fields.items():
        path = f"{before}{name}"
        inner, sign = _part(field.annotation)
        if inner is not None:
            if sign:
                yield Setting(path, "none", said.get(name, ""), False)
            yield from settings(inner, f"{path}{sign}.")
        else:
            yield Setting(path, _default(field), said.get(name, ""), _is_secret(field.annotation))


def table() -> str:
    """The table in Markdown."""
    rows = ["| setting | default | what it is |", "|---|---|---|"]
    for one in settings():
        secret = " **Secret.**" if one.secret else ""
        rows.append(f"| `{one.name}` | {one.default} | {one.what.replace('|', chr(92) + '|')}{secret} |")
    return "\n".join(rows) + "\n"


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"COUNTERMAND_{name.upper().replace('.', '__')}"


def descriptions(model: type[BaseModel]) -> dict[str, str]:
    """What a class's docstring says of its attributes, each in one line."""
    found: dict[str, str] = {}
    names: list[str] = []
    for line in (model.__doc__ or "").partition("Attributes:")[2].splitlines():
        if entry := _ENTRY.match(line):
            names = entry[1].split(", ")
            found.update(dict.fromkeys(names, entry[2].strip()))
        elif line.strip() and not line.startswith(" " * 8):
            break
        elif names and line.strip():
            found.update({name: f"{found[name]} {line.strip()}" for name in names})
    return {name: _sentence(text) for name, text in found.items()}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _part(annotation: Any) -> tuple[type[BaseModel] | None, str]:
    """The model inside a type, and how it is written: `[]` in a list, `.*` under names of one's own."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, ""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    for one in arguments if origin in (list, tuple, dict) else ():
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one, ".*" if origin is dict else "[]"
    return None, ""


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "must be given"
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value in (None, "", (), {}):
        return "none"
    if isinstance(value, tuple | list):
        return ", ".join(f"`{one}`" for one in value)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    choices = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is typing.Literal else ()
    others = "".join(f", or `{choice}`" for choice in choices if choice != value)
    return f"`{value.as_posix() if isinstance(value, Path) else value}`{others}"


def _is_secret(annotation: Any) -> bool:
    if annotation is SecretStr:
        return True
    return isinstance(annotation, types.GenericAlias | types.UnionType) and any(map(_is_secret, typing.get_args(annotation)))
