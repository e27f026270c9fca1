"""Functions: their existence, the subnets and groups with which one stands in a VPC or none outside, and who may call it.

CloudTrail ends the event's name in the version of the API. An update may carry more than the VPC; each further member is a setting
whose values are not known, so that it is shown to people and never lost from sight. No record carries a function's code: what was
deleted or overwritten is deployed again by its owner.
https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionConfiguration.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network import function_access as access
from incident.network import function_concurrency as concurrency
from incident.network.function_access import LAMBDA
from incident.network.kinds import Event, Kind, always_there, family, immutable, seen
from incident.network.values import identifiers, mapping, structures, text, whole
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

FUNCTION = "function"
ATTRIBUTE = "function-attribute"
CODE = "function-code"
VERSION = "function-version"
"""A published version: a kind of `incident.resources.function_part`."""

_VPC = "VpcConfig"
_EARLIER_CODE = {"CodeSha256": "that of the code before"}
_SCALARS = ("Role", "Handler", "Runtime", "Timeout", "MemorySize")
"""What of an update is put back besides the VPC and the layers. Variables may be secrets: neither records nor sweeps have them."""
_LAYERS = "Layers"
_GOES = "its code goes with it: keep a copy (GetFunction links to it) where it is evidence"
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
            yield Write(event.key(ATTRIBUTE, function, name), _attribute(name, value))


def _attribute(name: str, value: Any) -> Value | Unknown:
    """One attribute in one form, whether a record or a read tells it."""
    if name == _VPC:
        return _vpc(value)
    if name == _LAYERS:
        return identifiers(value, "Arn") or None
    return (whole(value) or text(value)) if name in _SCALARS else UNKNOWN


def _create(event: Event) -> Iterator[Write]:
    function = event.answered("FunctionName") or event.requested("FunctionName")
    yield Write(event.key(FUNCTION, function), {"FunctionArn": event.answered("FunctionArn")}, before=None)
    yield Write(event.key(ATTRIBUTE, function, _VPC), _vpc(event.response.get(_VPC) or event.request.get(_VPC)), before=None)
    if event.answered("CodeSha256"):
        yield Write(event.key(CODE, function, "code"), _code(event.response), before=None)


def _delete(event: Event) -> Iterator[Write]:
    function, version = access.named(event.requested("FunctionName"))
    version = version or event.requested("Qualifier")
    if version:
        yield Write(event.key(VERSION, function, version), None, before={})
    else:
        yield Write(event.key(FUNCTION, function), None)


def _update_code(event: Event) -> Iterator[Write]:
    """That the code was overwritten is certain, though no record tells by what or what it was."""
    function = event.answered("FunctionName") or access.named(event.requested("FunctionName"))[0]
    key = event.key(CODE, function, "code")
    known = event.value(key)
    earlier = _EARLIER_CODE if known is None or isinstance(known, Unknown) else known
    yield Write(key, _code(event.response) if event.answered("CodeSha256") else UNKNOWN, before=earlier)


def _code(told: JsonObject) -> dict[str, str]:
    return {"CodeSha256": text(told.get("CodeSha256"))}


def _shown(scope: Scope, function: JsonObject) -> Iterator[Observed]:
    name, settled = text(function.get("FunctionName")), text(function.get("LastUpdateStatus")) != "InProgress"
    yield seen(scope, FUNCTION, name, {"FunctionArn": text(function.get("FunctionArn"))})
    yield seen(scope, ATTRIBUTE, name, _vpc(function.get(_VPC)), _VPC, settled=settled)
    yield seen(scope, CODE, name, _code(function), "code", settled=settled)
    for told in (*_SCALARS, _LAYERS):
        value = _attribute(told, function.get(told))
        if value:
            yield seen(scope, ATTRIBUTE, name, value, told, settled=settled)


def _observe_all(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for function in structures(answer.get("Functions")):
        yield from _shown(scope, function)


def _observe_one(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    if answer.get("FunctionName"):
        yield from _shown(scope, answer)


def _details(key: SettingKey) -> tuple[Read, ...]:
    return (*access.details(key), concurrency.concurrency_of(key))


def _read(key: SettingKey) -> Read:
    return LAMBDA.read("GetFunctionConfiguration", FunctionName=key.resource)


def _change_function(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return LAMBDA.call("DeleteFunction", {"FunctionName": key.resource}, irreversible=_GOES)
    if live is None:
        advice = "Deploy it again from its source; then plan again, for who may call it and where it stands."
        return Unrestorable("a deleted function's code is in no record", advice)
    return immutable(key.resource)


def _change_code(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there("the code of a function")
    advice = (
        "Deploy it again from its source, or from a published version of it: ListVersionsByFunction shows the CodeSha256 of each."
    )
    return Unrestorable("no record carries the code that a function had", advice)


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if key.name == _LAYERS:
        asked: dict[str, Any] = {"FunctionName": key.resource, _LAYERS: wanted or []}
        return LAMBDA.call("UpdateFunctionConfiguration", asked, permissions=("lambda:GetLayerVersion",) if wanted else ())
    if wanted is None:
        return always_there(key.name)
    if key.name not in (_VPC, *_SCALARS):
        return Unrestorable(f"{key.name} of a function is not part of the network", "Decide by hand what it must be.")
    needed = {_VPC: _NEEDED, "Role": ("iam:PassRole",)}.get(key.name, ())
    return LAMBDA.call("UpdateFunctionConfiguration", {"FunctionName": key.resource, key.name: wanted}, permissions=needed)


FUNCTIONS = family(
    Kind(FUNCTION, 60, _read, _change_function, details=_details),
    Kind(ATTRIBUTE, 10, _read, _change, part_of=FUNCTION),
    Kind(CODE, 10, _read, _change_code, part_of=FUNCTION),
    *access.KINDS,
    *concurrency.KINDS,
    service=LAMBDA.source,
    readers={
        **access.versioned("CreateFunction", _create, "20141111", "20150331"),
        **access.versioned("DeleteFunction", _delete, "20141111", "20150331"),
        **access.versioned("UpdateFunctionCode", _update_code, "20141111", "20150331", "20150331v2"),
        **access.versioned("UpdateFunctionConfiguration", _update, "20150331", "20150331v2"),
        **access.READERS,
        **concurrency.READERS,
    },
    observers={
        "ListFunctions": _observe_all,
        "GetFunctionConfiguration": _observe_one,
        **access.OBSERVERS,
        **concurrency.OBSERVERS,
    },
    inventory=(LAMBDA.read("ListFunctions"),),
    absent_codes=("ResourceNotFoundException",),
    acts={
        FUNCTION: Acts(removes=("lambda:DeleteFunction",)),
        ATTRIBUTE: Acts(
            sets=(
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
                "iam:PassRole",
                "lambda:GetLayerVersion",
                "lambda:UpdateFunctionConfiguration",
            )
        ),
        "function-permission": Acts(sets=("lambda:AddPermission",), removes=("lambda:RemovePermission",)),
        "function-concurrency": Acts(sets=("lambda:PutFunctionConcurrency",), removes=("lambda:DeleteFunctionConcurrency",)),
        "function-url": Acts(
            sets=(
                "lambda:CreateFunctionUrlConfig",
                "lambda:UpdateFunctionUrlConfig",
            ),
            removes=("lambda:DeleteFunctionUrlConfig",),
        ),
    },
)
