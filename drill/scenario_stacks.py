"""A step through CloudFormation: the caller's own call on the stack, and then what CloudFormation does for them.

CloudFormation puts three tags on what it makes:
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, StructureShape

from drill.scenario_calls import operation_model, operation_of
from drill.scenario_yaml import Path, Source

SERVICE = "cloudformation.amazonaws.com"
_CHANGES = ("create", "update", "delete")
_KEYS = {"as", "region", "through", "stack", "change", "service_role", "calls", "after", "legitimate"}
_CALL_KEYS = {"id", "call", "with", "save", "after", "fails"}
_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9-]{0,127}$")
_LOGICAL_ID = re.compile(r"^[A-Za-z0-9]{1,255}$")
# moto's stack holds nothing: the resources are made by the calls, which leave records as CloudFormation's do.
_EMPTY_TEMPLATE = '{"Resources": {}}'
_RESOURCE_TYPES = {
    "allocate_address": "elastic-ip",
    "create_flow_logs": "vpc-flow-log",
    "create_managed_prefix_list": "prefix-list",
    "create_nat_gateway": "natgateway",
    "run_instances": "instance",
}

Plain = tuple[Path, dict[str, Any], dict[str, str]]


def stack_name(name: str) -> str:
    """The saved name under which a scenario finds a stack's ARN."""
    return f"stack_{name.replace('-', '_')}"


def expand(source: Source, path: Path, step: dict[str, Any], principals: dict[str, Any]) -> Iterator[Plain]:
    """The plain steps of one through CloudFormation, each with its place and with what the step of a stack has besides.

    Raises:
        ScenarioError: the step is not one that CloudFormation could take.
    """
    _check(source, path, step)
    change, role = step.get("change", "create"), step.get("service_role", "")
    common = {key: step[key] for key in ("as", "region", "legitimate") if key in step}
    yield path, {**common, **_own_call(step, change, role, principals)}, {}
    for place, inner in enumerate(step["calls"]):
        at: Path = (*path, "calls", place)
        _check_call(source, at, inner)
        plain = {**common, **{key: value for key, value in inner.items() if key != "id"}}
        if change != "delete":
            plain = _tagged(plain, step["stack"], inner.get("id", ""))
        yield at, plain, {"through": SERVICE, "service_role": role}


def _check(source: Source, path: Path, step: dict[str, Any]) -> None:
    if step["through"] != "cloudformation":
        raise source.error((*path, "through"), f"through is {step['through']!r}", "write through: cloudformation")
    for key in step:
        if key not in _KEYS:
            remedy = f"use one of {', '.join(sorted(_KEYS))}"
            raise source.error((*path, key), f"unknown key {key!r} in a step through cloudformation", remedy)
    if not isinstance(step.get("stack"), str) or not _NAME.match(step["stack"]):
        raise source.error((*path, "stack"), f"stack is {step.get('stack')!r}", "write a name of letters, digits and -")
    if step.get("change", "create") not in _CHANGES:
        raise source.error((*path, "change"), f"change is {step['change']!r}", f"write one of {', '.join(_CHANGES)}")
    if not isinstance(step.get("calls"), list):
        raise source.error((*path, "calls"), "calls is no list", "write what CloudFormation does: - {id: …, call: …, with: {…}}")
    if not isinstance(step.get("service_role", ""), str):
        raise source.error((*path, "service_role"), f"service_role is {step['service_role']!r}", "write the role's name")


def _check_call(source: Source, path: Path, inner: Any) -> None:
    if not isinstance(inner, dict):
        raise source.error(path, "a call is no mapping", "write - {id: …, call: …, with: {…}}")
    for key in inner:
        if key not in _CALL_KEYS:
            remedy = f"use one of {', '.join(sorted(_CALL_KEYS))}"
            raise source.error((*path, key), f"unknown key {key!r} in a call of a stack", remedy)
    if "id" in inner and not (isinstance(inner["id"], str) and _LOGICAL_ID.match(inner["id"])):
        raise source.error((*path, "id"), f"{inner['id']!r} is no logical id", "use letters and digits, as in WebGroup")


def _own_call(step: dict[str, Any], change: str, role: str, principals: dict[str, Any]) -> dict[str, Any]:
    params = {"StackName": step["stack"]}
    if change != "delete":
        params["TemplateBody"] = _EMPTY_TEMPLATE
    if role and step.get("as") in principals:
        params["RoleARN"] = f"arn:aws:iam::{principals[step['as']]['account']}:role/{role}"
    own: dict[str, Any] = {"call": f"cloudformation.{change}_stack", "with": params}
    if change == "create":
        own["save"] = {stack_name(step["stack"]): "StackId"}
    return own | ({"after": step["after"]} if "after" in step else {})


def _tagged(plain: dict[str, Any], stack: str, logical_id: str) -> dict[str, Any]:
    """The call with CloudFormation's tags, where the operation takes tags."""
    service, _, method = str(plain.get("call", "")).partition(".")
    noun = "".join(part.capitalize() for part in method.split("_")[1:])
    tags = {
        "aws:cloudformation:stack-name": stack,
        "aws:cloudformation:stack-id": f"${{{stack_name(stack)}}}",
        "aws:cloudformation:logical-id": logical_id or noun,
    }
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    given = plain.get("with") or {}
    kind = _RESOURCE_TYPES.get(method, "-".join(method.split("_")[1:]))
    place = _tag_place(service, method, kind)
    if not isinstance(given, dict) or not place:
        return plain
    if place == "TagSpecifications":
        others = given.get(place, [])
        own = [tag for spec in others if spec.get("ResourceType") == kind for tag in spec.get("Tags", [])]
        rest = [spec for spec in others if spec.get("ResourceType") != kind]
        return {**plain, "with": {**given, place: [*rest, {"ResourceType": kind, "Tags": [*own, *pairs]}]}}
    return {**plain, "with": {**given, place: [*given.get(place, []), *pairs]}}


def _tag_place(service: str, method: str, kind: str) -> str:
    """The parameter that takes the tags of what an operation makes, or nothing."""
    operation = operation_of(service, method)
    if not operation or method.split("_")[0] not in ("create", "run", "allocate"):
        return ""
    shape = operation_model(service, operation).input_shape
    members = shape.members if isinstance(shape, StructureShape) else {}
    specifications = members.get("TagSpecifications")
    if isinstance(specifications, ListShape):
        return "TagSpecifications" if kind in specifications.member.members["ResourceType"].enum else ""
    tags = members.get("Tags")
    is_pairs = isinstance(tags, ListShape) and "Key" in getattr(tags.member, "members", {})
    return "Tags" if is_pairs else ""
