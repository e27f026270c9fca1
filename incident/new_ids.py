"""Resources that were made again have new ids; whatever was planned or found under the old ones means the new ones from then on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from incident.plan import Step
from incident.settings import UNKNOWN, Reversal, SettingKey, Value

_ID = re.compile(r"[a-z]+(?:-[a-z]+)*-[0-9a-f]{8,32}")


def step_with_new_ids(step: Step, renamed: Mapping[str, str]) -> Step:
    """A step with the ids under which resources were made, in place of the old ones or of those that its plan gave them."""
    if not renamed:
        return step
    body = _renamed(step.model_dump(mode="json"), renamed)
    body["id"], body["after"], body["replaces"] = step.id, step.after, step.replaces
    return Step.model_validate(body)


def reversal_with_new_ids(reversal: Reversal, renamed: Mapping[str, str]) -> Reversal:
    """What a setting must be, where it and what it names were made again: a route's table and its gateway both have new ids."""
    if not renamed:
        return reversal
    return replace(
        reversal,
        key=SettingKey(*_renamed(list(reversal.key), renamed)),
        target=_value(reversal.target, renamed),
        written=_value(reversal.written, renamed),
    )


def _value(value: Any, renamed: Mapping[str, str]) -> Value:
    return value if value is UNKNOWN else _renamed(value, renamed)


def _renamed(value: Any, ids: Mapping[str, str]) -> Any:
    """A value with old ids replaced, also inside texts: a rule's name carries the id of the group that it lets in.

    An ARN or the id of a DNS zone is a text of its own.
    """
    if isinstance(value, str):
        return ids.get(value) or _ID.sub(lambda found: ids.get(found.group(), found.group()), value)
    if isinstance(value, list | tuple):
        return [_renamed(item, ids) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _renamed(item, ids) for key, item in cast("dict[str, Any]", value).items()}
    return value
