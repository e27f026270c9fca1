"""The later EC2 dialect: the query's own tree turned from XML to JSON under {"<Operation>Request": …}.

List entries carry their place as `tag`, and a scalar entry its value as `content`; a list of one is the entry itself.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

from botocore.model import ListShape, Shape, StructureShape

from drill.aws.shapes.families import WRAPPERS

_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
_SENSITIVE = {"PreSharedKey", "preSharedKey", "CustomerGatewayConfiguration", "customerGatewayConfiguration", "UserData"}


def request(operation: str, shape: Shape, params: dict[str, Any]) -> dict[str, Any]:
    """A wrapped call's `requestParameters`; a call without parameters has an empty string inside."""
    return {WRAPPERS.get(operation, f"{operation}Request"): _value(shape, params) or ""}


def _value(shape: Shape, value: Any) -> Any:
    if not isinstance(shape, StructureShape):
        return _guess(value)
    out: dict[str, Any] = {}
    for member, member_shape in shape.members.items():
        if member not in value or member == "DryRun":
            continue
        key = _wire_name(member, member_shape)
        if key in _SENSITIVE:
            out[key] = "<sensitiveDataRemoved>"
        elif isinstance(member_shape, ListShape):
            if value[member]:
                out[key] = _entries(member_shape.member, value[member])
        else:
            out[key] = _value(member_shape, value[member])
    return out


def _wire_name(member: str, shape: Shape) -> str:
    named = shape.serialization
    if "queryName" in named:
        return str(named["queryName"])
    name = str(named.get("name", member))
    return name[:1].upper() + name[1:]


def _entries(shape: Shape, values: list[Any]) -> Any:
    entries = []
    for place, value in enumerate(values, 1):
        entry = _value(shape, value)
        entries.append({**entry, "tag": place} if isinstance(entry, dict) else {"content": entry, "tag": place})
    return entries[0] if len(entries) == 1 else entries


def _guess(value: Any) -> Any:
    """The JSON type that an XML reader sees in a text: true, 7 and 1.5 are not strings."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?(0|[1-9]\d{0,17})", text):
        return int(text)
    return text


def response(operation: str, body: bytes, request_id: str) -> dict[str, Any]:
    """A wrapped answer's `responseElements`."""
    read = _read(ET.fromstring(body))  # noqa: S314  the range's own answer
    inner = read if isinstance(read, dict) else {}
    inner = {"xmlns": _NAMESPACE, **inner, "requestId": request_id}
    return {f"{operation}Response": inner}


def _read(element: ET.Element) -> Any:
    children = list(element)
    if not children:
        return _guess((element.text or "").strip())
    out: dict[str, Any] = {}
    for child in children:
        name = child.tag.rsplit("}", 1)[-1]
        value = "<sensitiveDataRemoved>" if name in _SENSITIVE else _read(child)
        if name in out:
            earlier = out[name]
            out[name] = [*(earlier if isinstance(earlier, list) else [earlier]), value]
        else:
            out[name] = value
    return out
