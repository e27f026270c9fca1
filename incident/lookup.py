"""The attributes by which CloudTrail's events are looked up, for sources that cannot filter as LookupEvents does.

See https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupAttribute.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

Json = Any
JsonObject = Mapping[str, Any]

_EMPTY: JsonObject = {}
_PLAIN = re.compile(r"[A-Za-z0-9_.:-]+")
_SPELLED = frozenset({"AccessKeyId", "EventId", "EventName", "EventSource", "ResourceName"})


def matches(raw: JsonObject, attribute: str, value: str) -> bool:
    """Whether LookupEvents would give the record for the attribute.

    CloudTrail does not publish how it finds an event's resources, and a record does not list them. Here a resource is referenced by
    what stands as a whole value in the request or the response, and by the ARNs of `resources`; of an ARN the last part will do.
    That finds a record more rather than one fewer.

    Raises:
        KeyError: CloudTrail knows no such attribute.
    """
    return _ATTRIBUTES[attribute](raw, value)


def is_management(raw: JsonObject) -> bool:
    """Whether it is a management event: a trail may hold data, insight and network activity events too, LookupEvents does not.

    Records from before version 1.05 do not say, and are management events unless they deny it.
    """
    return raw.get("eventCategory", "Management") == "Management" and raw.get("managementEvent", True) is not False


def user_name(raw: JsonObject) -> str:
    """The event's user name: of the user, `root`, or of the role's session."""
    identity = _mapping(raw.get("userIdentity"))
    if identity.get("type") == "Root":
        return "root"
    arn = str(identity.get("arn") or "")
    return str(identity.get("userName") or "") or (arn.rpartition("/")[2] if "/" in arn else "")


def names(raw: JsonObject) -> Iterator[str]:
    """The names that a record may reference a resource by."""
    for text in _texts([raw.get("requestParameters"), raw.get("responseElements"), raw.get("resources")]):
        yield text
        if text.startswith("arn:"):
            yield re.split("[/:]", text)[-1]


def spelled(attribute: str, value: str) -> str:
    """A text that every matching record's JSON holds letter by letter, or "" if there is none to go by.

    JSON may write other characters than these as escapes, so it is the longest run of the value without them.
    """
    runs = _PLAIN.findall(value) if attribute in _SPELLED else []
    return max(runs, key=len, default="")


def _texts(value: Json) -> Iterator[str]:
    """Every text in a JSON value. The record's author chose its depth, so it is walked without recursion."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            left.extend(cast(JsonObject, one).values())
        elif isinstance(one, list):
            left.extend(cast("list[Json]", one))


def _access_key(raw: JsonObject, value: str) -> bool:
    return _mapping(raw.get("userIdentity")).get("accessKeyId") == value


def _read_only(raw: JsonObject, value: str) -> bool:
    return str(raw.get("readOnly")).lower() == value


_ATTRIBUTES: dict[str, Callable[[JsonObject, str], bool]] = {
    "AccessKeyId": _access_key,
    "EventId": lambda raw, value: raw.get("eventID") == value,
    "EventName": lambda raw, value: raw.get("eventName") == value,
    "EventSource": lambda raw, value: raw.get("eventSource") == value,
    "ReadOnly": _read_only,
    "ResourceName": lambda raw, value: value in names(raw),
    "Username": lambda raw, value: user_name(raw) == value,
}


def _mapping(value: object) -> JsonObject:
    return cast(JsonObject, value) if isinstance(value, Mapping) else _EMPTY
