"""CloudTrail's EC2 shapes as plain values under boto3's parameter names.

EC2 writes two shapes. Its older operations write lowerCamel keys and lists as `{"items": [...]}`. Its newer ones wrap everything
in `{"<Operation>Request": {...}}`, made from XML: a list is a repeated element with its position in `tag` and a scalar's text in
`content`. Both describe themselves well enough that a few rules and a short table of names read them, whatever the operation.

Scalars stay as CloudTrail has them: XML made numbers of digits and booleans of words, so a reader asks for what it expects with the
functions of `incident.network.values`. An empty list may be left as `{}` or `""` where nothing says that it is a list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from incident.record import JsonObject, Record

_WRAPPED_REQUEST = re.compile(r"(Request|Req)$")
_NOISE = frozenset({"xmlns", "requestId"})

_NAMES = {
    "_return": "Return",
    "aclProtocol": "Protocol",
    "groups": "UserIdGroupPairs",
    "Groups": "UserIdGroupPairs",
}
"""Keys that follow no rule."""

_LISTS_BY_NAME = frozenset(
    {
        "cidrBlockAssociationSet",
        "ipv6CidrBlockAssociationSet",
        "cidrBlockSet",
        "ipv6CidrBlockSet",
        "unsuccessful",
        "serviceType",
        "vgwTelemetry",
    }
)
"""Lists that boto3 calls by the same name, with neither the `Set` taken off nor a plural made."""


def request(record: Record) -> dict[str, Any]:
    """What was asked, as boto3 would be given it."""
    body = record.request
    if len(body) == 1:
        name, inner = next(iter(body.items()))
        if _WRAPPED_REQUEST.search(name):
            body = _mapping(inner)
    return _structure(body)


def response(record: Record) -> dict[str, Any]:
    """What was answered, as boto3 would return it."""
    body = record.response
    for name, inner in body.items():
        if name.endswith("Response"):
            body = _mapping(inner)
            break
    return _structure({key: value for key, value in body.items() if key not in _NOISE})


def _structure(body: JsonObject) -> dict[str, Any]:
    return dict(_member(key, value) for key, value in body.items())


def _member(key: str, value: Any) -> tuple[str, Any]:
    plain: Any = [] if key.endswith("Set") and not value else _value(value)
    return _name(key, is_list=isinstance(plain, list)), plain


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return [_element(item) for item in sorted(cast(list[Any], value), key=_position)]
    if isinstance(value, Mapping):
        body = cast(JsonObject, value)
        if _position(body):
            return [_element(body)]
        if body.keys() <= {"items", "item"} and body:
            return _value(_as_list(next(iter(body.values()))))
        return _structure(body)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _element(item: Any) -> Any:
    """An element of a list, without the position that XML conversion gave it."""
    if not isinstance(item, Mapping):
        return _value(item)
    body = {key: value for key, value in cast(JsonObject, item).items() if key != "tag" or not _is_number(value)}
    return _value(body["content"]) if body.keys() == {"content"} else _value(body)


def _position(item: Any) -> float:
    """An element's place in its list, 0 for an element that has none."""
    place = cast(JsonObject, item).get("tag") if isinstance(item, Mapping) else None
    return float(place) if place is not None and _is_number(place) else 0


def _name(key: str, *, is_list: bool) -> str:
    if key in _NAMES:
        return _NAMES[key]
    name = key[:1].upper() + key[1:]
    if not is_list or key in _LISTS_BY_NAME:
        return name
    return _plural(name.removesuffix("Set"))


def _plural(name: str) -> str:
    if name.endswith(("ss", "x")):
        return name + "es"
    if name.endswith("y") and not name.endswith("ey"):
        return name[:-1] + "ies"
    return name if name.endswith("s") else name + "s"


def _as_list(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else [value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _mapping(value: Any) -> JsonObject:
    return cast(JsonObject, value) if isinstance(value, Mapping) else {}
