"""Reading values that somebody else wrote: bounded, typed, and never raising on what they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

_DEEPEST = 40
_PLAIN = frozenset((str, int, float, bool, type(None)))
_MOST_VALUES = 100_000
_LONGEST_MESSAGE = 1024 * 1024


class FindingError(ValueError):
    """Something that is not one finding or event that starts an incident; the message says what to give instead."""


def from_json(words: str) -> object:
    """What the text of a message says.

    Raises:
        FindingError: it is too long, or no JSON.
    """
    if len(words) > _LONGEST_MESSAGE:
        raise FindingError(f"the message inside has more than {_LONGEST_MESSAGE} characters, which no finding has")
    try:
        return json.loads(words)
    except (ValueError, RecursionError):
        raise FindingError("the message inside is no JSON; give the finding as GuardDuty or EventBridge writes it") from None


def lowered(value: object) -> Mapping[str, Any]:
    """The value with every key in lowerCamel. Walks without recursion, for an attacker may nest as deep as they like."""
    if not isinstance(value, Mapping):
        raise FindingError(f"a finding is a JSON object, this is {type(value).__name__}")
    top: dict[str, Any] = {}
    pending: list[tuple[Mapping[object, object] | list[object], dict[str, Any] | list[Any], int]] = []
    pending.append((cast(Mapping[object, object], value), top, 0))
    seen = 0
    while pending:
        source, target, depth = pending.pop()
        if depth > _DEEPEST:
            raise FindingError(f"this is nested more than {_DEEPEST} deep, which no finding is")
        seen += len(source)
        if seen > _MOST_VALUES:
            raise FindingError(f"this holds more than {_MOST_VALUES} values, which no finding does")
        pairs = source.items() if isinstance(source, Mapping) else enumerate(source)
        for name, item in pairs:
            copy = item
            # Most values are plain; to ask each whether it is a mapping would take longer than all the rest.
            if type(item) not in _PLAIN:
                copy = _emptied(item)
                if copy is not item:
                    container = cast("Mapping[object, object] | list[object]", item)
                    pending.append((container, cast("dict[str, Any] | list[Any]", copy), depth + 1))
            if isinstance(target, list):
                target.append(copy)
            else:
                key = str(name)
                target[key[:1].lower() + key[1:]] = copy
    return top


def _emptied(item: object) -> object:
    if isinstance(item, dict | Mapping):
        return dict[str, Any]()
    return list[Any]() if isinstance(item, list) else item


def moment(value: object) -> datetime | None:
    """A moment in UTC, or none where it is not one. Without a zone it counts as UTC."""
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(text(value))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (OverflowError, ValueError):
        return None


def number(value: object) -> float:
    """A number, 0 where it is none or out of all bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return 0.0
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return 0.0
    return number if -1e9 < number < 1e9 else 0.0


def text(value: object) -> str:
    """A string that every database and every hash takes: a lone surrogate, which JSON can smuggle in, becomes `?`."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def mapping(value: object) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return cast(Mapping[str, Any], value) if isinstance(value, dict | Mapping) else {}


def mappings(value: object) -> list[Mapping[str, Any]]:
    """The mappings in a list, or the one that stands alone."""
    items = cast(list[object], value) if isinstance(value, list) else [value]
    return [cast(Mapping[str, Any], item) for item in items if isinstance(item, Mapping)]
