"""CloudTrail's EC2 shapes as plain values under boto3's parameter names.

EC2 writes two shapes. Its older operations write lowerCamel keys and lists as `{"items": [...]}`. Its newer ones wrap everything
in `{"<Operation>Request": {...}}`, made from XML: a list is a repeated element with its position in `tag` and a scalar's text in
`content`. Both describe themselves well enough that a few rules and a short table of names read them, whatever the operation.

Scalars stay as CloudTrail has them: XML made numbers of digits and booleans of words, so a reader asks for what it expects with the
functions of `incident.network.values`. An empty list may be left as `{}` or `""` where nothing says that it is a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from incident.record import JsonObject, Record

_WRAPPED_REQUEST = ("Request", "Req")
_NOISE = frozenset({"xmlns", "requestId"})
_LIST_KEYS = frozenset({"items", "item"})

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
        "clientIDList",
        "thumbprintList",
    }
)
"""Lists that boto3 calls by the same name, with neither the `Set` taken off nor a plural made."""


def request(record: Record) -> dict[str, Any]:
    """What was asked, as boto3 would be given it."""
    body = record.request
    if len(body) == 1:
        ((name, inner),) = body.items()
        if name.endswith(_WRAPPED_REQUEST):
            body = _mapping(inner)
    return _structure(body)


def response(record: Record) -> dict[str, Any]:
    """What was answered, as boto3 would return it."""
    body = record.response
    for name, inner in body.items():
        if name.endswith("Response"):
            body = _mapping(inner)
            break
    if not _NOISE.isdisjoint(body):
        body = {key: value for key, value in body.items() if key not in _NOISE}
    return _structure(body)


def _structure(body: JsonObject) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, value in body.items():
        if value and isinstance(value, str):
            plain[_name(key)] = value
            continue
        found: Any = [] if not value and key.endswith("Set") else _value(value)
        plain[_name_of_list(key) if isinstance(found, list) else _name(key)] = found
    return plain


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        return _object(cast(dict[str, Any], value)) if value else {}
    if isinstance(value, list):
        listed = cast(list[Any], value)
        return [_element(item) for item in (sorted(listed, key=_position) if len(listed) > 1 else listed)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _object(body: dict[str, Any]) -> Any:
    if "tag" in body and _position(body):
        return [_element(body)]
    if len(body) == 1:
        ((key, only),) = body.items()
        if key in _LIST_KEYS:
            return _value(_as_list(only))
    return _structure(body)


def _element(item: Any) -> Any:
    """An element of a list, without the position that XML conversion gave it."""
    if not isinstance(item, dict):
        return _value(item)
    body = cast(dict[str, Any], item)
    if "tag" in body and _is_number(body["tag"]):
        body = {key: value for key, value in body.items() if key != "tag"}
    return _value(body["content"]) if len(body) == 1 and "content" in body else _value(body)


def _position(item: Any) -> float:
    """An element's place in its list, 0 for an element that has none."""
    place = cast(dict[str, Any], item).get("tag") if isinstance(item, dict) else None
    return float(place) if place is not None and _is_number(place) else 0


@lru_cache(maxsize=4096)
def _name(key: str) -> str:
    return _NAMES.get(key) or key[:1].upper() + key[1:]


@lru_cache(maxsize=4096)
def _name_of_list(key: str) -> str:
    if key in _NAMES or key in _LISTS_BY_NAME:
        return _name(key)
    return _plural(_name(key).removesuffix("Set"))


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
