"""Attributes of an instance. Its groups and source check are its first interface's; the others are settings of the instance itself.

CloudTrail leaves user data out, so a record of it tells that it changed and not to what.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, always_there, call, family, listing, seen
from incident.network.network_interface import modify_instance
from incident.network.values import mapping, text
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

ATTRIBUTE = "instance-attribute"

_OF_THE_INTERFACE = frozenset({"groupSet", "sourceDestCheck"})
_REMOVED = "<sensitiveDataRemoved>"
_NAMES = (
    "instanceType",
    "kernel",
    "ramdisk",
    "userData",
    "disableApiTermination",
    "disableApiStop",
    "instanceInitiatedShutdownBehavior",
    "ebsOptimized",
    "enaSupport",
    "sriovNetSupport",
)
"""As `Attribute` of `DescribeInstanceAttribute` and `ModifyInstanceAttribute` spells them."""


def _modify(event: Event) -> Iterator[Write]:
    yield from modify_instance(event)
    instance = event.requested("InstanceId")
    chosen = event.requested("Attribute")
    if chosen and chosen not in _OF_THE_INTERFACE:
        yield Write(event.key(ATTRIBUTE, instance, chosen), _told(event.request.get("Value")))
    for name in _NAMES:
        member = _member(name)
        if member in event.request:
            yield Write(event.key(ATTRIBUTE, instance, name), _told(event.request[member]))


def _reset(event: Event) -> Iterator[Write]:
    """To which default a kernel or a source check is reset is the image's secret."""
    yield Write(event.key(ATTRIBUTE, event.requested("InstanceId"), event.requested("Attribute")), UNKNOWN)


def _told(value: Any) -> str | Unknown:
    said = text(mapping(value).get("Value")) if mapping(value) else text(value)
    return UNKNOWN if said == _REMOVED else said


def _member(name: str) -> str:
    return name[:1].upper() + name[1:]


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for name in _NAMES:
        if _member(name) in answer:
            value = text(mapping(answer[_member(name)]).get("Value"))
            yield seen(scope, ATTRIBUTE, answer.get("InstanceId"), value, name)


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there(key.name)
    if key.name == "userData":
        advice = "Stop the instance and set its user data from your own template."
        return Unrestorable("user data changes only while the instance is stopped", advice)
    value = wanted == "true" if wanted in ("true", "false") else wanted
    return call("ModifyInstanceAttribute", {"InstanceId": key.resource, _member(key.name): {"Value": value}})


INSTANCES = family(
    Kind(
        ATTRIBUTE,
        10,
        lambda key: listing("DescribeInstanceAttribute", InstanceId=key.resource, Attribute=key.name),
        _change,
    ),
    readers={"ModifyInstanceAttribute": _modify, "ResetInstanceAttribute": _reset},
    observers={"DescribeInstanceAttribute": _observe},
    inventory=(),
    absent_codes=("InvalidInstanceID.NotFound",),
    acts={
        ATTRIBUTE: Acts(sets=("ec2:ModifyInstanceAttribute",)),
    },
)
