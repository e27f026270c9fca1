"""Functions: the subnets and groups with which one stands in a VPC, none if it stands outside, and who may call it.

CloudTrail ends the event's name in the version of the API. An update may carry more than the VPC; each further member is a setting
whose values are not known, so that it is shown to people and never lost from sight.
https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Change, Read, Scope, Unrestorable
from incident.network import function_access as access
from incident.network.function_access import LAMBDA
from incident.network.kinds import Event, Kind, always_there, family, immutable, seen
from incident.network.values import identifiers, mapping, structures, text
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, SettingKey, Value, Write

FUNCTION = "function"
ATTRIBUTE = "function-attribute"

_VPC = "VpcConfig"
_HOW = frozenset({"FunctionName", "RevisionId"})
_NEEDED = ("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs")


def _vpc(told: Any) -> dict[str, Any]:
    config = mapping(told)
    chosen = {name: sorted(identifiers(config.get(name))) for name in ("SubnetIds", "SecurityGroupIds")}
    return {**chosen, "Ipv6AllowedForDualStack": True} if config.get("Ipv6AllowedForDualStack") is True else chosen


def _update(event: Event) -> Iterator[Write]:
    function = event.answered("FunctionName") or access.named(event.requested("FunctionName"))[0]
    for name, value in event.request.items():
        if name not in _HOW:
            yield Write(event.key(ATTRIBUTE, function, name), _vpc(value) if name == _VPC else UNKNOWN)


def _shown(scope: Scope, function: JsonObject) -> Iterator[Observed]:
    name, settled = text(function.get("FunctionName")), text(function.get("LastUpdateStatus")) != "InProgress"
    yield seen(scope, FUNCTION, name, {"FunctionArn": text(function.get("FunctionArn"))})
    yield seen(scope, ATTRIBUTE, name, _vpc(function.get(_VPC)), _VPC, settled=settled)


def _observe_all(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for function in structures(answer.get("Functions")):
        yield from _shown(scope, function)


def _observe_one(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    if answer.get("FunctionName"):
        yield from _shown(scope, answer)


def _read(key: SettingKey) -> Read:
    return LAMBDA.read("GetFunctionConfiguration", FunctionName=key.resource)


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there(key.name)
    if key.name != _VPC:
        return Unrestorable(f"{key.name} of a function is not part of the network", "Decide by hand what it must be.")
    return LAMBDA.call("UpdateFunctionConfiguration", {"FunctionName": key.resource, _VPC: wanted}, permissions=_NEEDED)


FUNCTIONS = family(
    Kind(FUNCTION, 60, _read, lambda key, live, wanted: immutable(key.resource), details=access.details),
    Kind(ATTRIBUTE, 10, _read, _change, part_of=FUNCTION),
    *access.KINDS,
    service=LAMBDA.source,
    readers={
        **{f"UpdateFunctionConfiguration{version}": _update for version in ("", "20150331", "20150331v2")},
        **access.READERS,
    },
    observers={"ListFunctions": _observe_all, "GetFunctionConfiguration": _observe_one, **access.OBSERVERS},
    inventory=(LAMBDA.read("ListFunctions"),),
    absent_codes=("ResourceNotFoundException",),
)
