"""One form for one fact, whoever tells it: a CloudTrail record, whose scalars went through XML, or boto3's answer to a read."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

from incident.record import JsonObject


def text(value: Any) -> str:
    """A string, though XML conversion made a number or a boolean of it; nothing is the empty string."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, Mapping | list):
        return ""
    return str(value)


def whole(value: Any) -> int | None:
    """An integer, though it came as text; `None` where there is none."""
    if type(value) is int:
        return value
    try:
        return int(text(value))
    except ValueError:
        return None


def flag(value: Any) -> bool:
    """A boolean, plain or as text, or as EC2's `{"Value": …}`."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        value = cast(JsonObject, value).get("Value")
    return text(value).lower() == "true"


def mapping(value: Any) -> JsonObject:
    """A structure; anything else is an empty one."""
    if isinstance(value, dict):
        return cast(JsonObject, value)
    return cast(JsonObject, value) if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """A list, though CloudTrail wrote an empty one as `{}` or `""`, or one element without its list."""
    if isinstance(value, list):
        return cast(list[Any], value)
    return [] if value is None or value in ("", {}) else [value]


def structures(value: Any) -> list[JsonObject]:
    """A list of structures."""
    return [mapping(item) for item in items(value)] if value else []


def identifiers(value: Any, name: str = "") -> list[str]:
    """A list of ids, plain or each in a structure under `name`."""
    return [text(mapping(item).get(name)) if isinstance(item, Mapping) else text(item) for item in items(value)]


def cidr(value: Any) -> str:
    """A network as AWS keeps it, host bits cleared: `10.1.2.3/8` is `10.0.0.0/8`. Anything else stays as it is."""
    return _without_host_bits(text(value))


@lru_cache(maxsize=65536)
def _without_host_bits(network: str) -> str:
    try:
        return str(ipaddress.ip_network(network, strict=False))
    except ValueError:
        return network


def address(value: Any) -> str:
    """An IP address in its shortest form; anything else stays as it is."""
    try:
        return str(ipaddress.ip_address(text(value)))
    except ValueError:
        return text(value)


def is_world(network: str) -> bool:
    """Whether a network is (nearly) every address: `0.0.0.0/0`, `::/0` and the halves by which some avoid naming them."""
    try:
        return ipaddress.ip_network(network, strict=False).prefixlen <= 1
    except ValueError:
        return False


def document(value: Any) -> Any:
    """A policy document as the JSON value it is, so that white space and key order make no difference."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def present(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Only the pairs that say something: no `None`, no empty text, no empty list."""
    return {name: value for name, value in pairs.items() if value is not None and value != "" and value != []}


def texts(body: JsonObject, names: Iterable[str]) -> dict[str, str]:
    """The named members of a structure that are there, as text."""
    return {name: text(body[name]) for name in names if text(body.get(name))}


def tags(body: JsonObject) -> dict[str, str]:
    """A described resource's tags."""
    listed = structures(body.get("Tags") or body.get("TagSet"))
    return {text(tag.get("Key")): text(tag.get("Value")) for tag in listed}
