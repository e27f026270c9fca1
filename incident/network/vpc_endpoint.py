"""VPC endpoints: their policy and other attributes, and the tables, subnets and groups that each has, one setting for each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from incident.family import Acts, Change, Read, Scope
from incident.network.kinds import Event, Kind, Resource, always_there, call, family, seen
from incident.network.values import document, flag, identifiers, present, structures, text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

ENDPOINT = "vpc-endpoint"
ATTRIBUTE = "vpc-endpoint-attribute"

_IN_USE: dict[str, Any] = {}
_FULL_ACCESS = {
    "Version": "2008-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}
"""What `ResetPolicy` sets."""


@dataclass(frozen=True)
class Element:
    """Something that an endpoint has several of: the member of create and describe, and its name in `Add…` and `Remove…`."""

    kind: str
    member: str
    inner: str
    changed: str

    def named(self, told: JsonObject) -> list[str]:
        return identifiers(told.get(self.member), self.inner)


_ELEMENTS = (
    Element("vpc-endpoint-route-table", "RouteTableIds", "RouteTableId", "RouteTableIds"),
    Element("vpc-endpoint-subnet", "SubnetIds", "SubnetId", "SubnetIds"),
    Element("vpc-endpoint-security-group", "Groups", "GroupId", "SecurityGroupIds"),
)


def _value(told: JsonObject) -> dict[str, str]:
    return present(
        {
            "VpcId": text(told.get("VpcId")),
            "ServiceName": text(told.get("ServiceName")),
            "VpcEndpointType": text(told.get("VpcEndpointType")) or "Gateway",
        }
    )


_ENDPOINTS = Resource(
    kind=ENDPOINT,
    noun="VpcEndpoint",
    listed="VpcEndpoints",
    rank=30,
    value=_value,
    unsettled=frozenset({"pending", "deleting"}),
    ids="VpcEndpointIds",
    parts=(ATTRIBUTE, *(element.kind for element in _ELEMENTS)),
    loses="the id and the DNS names: it comes back under new ones",
)


def _attributes(told: JsonObject) -> dict[str, Value]:
    found: dict[str, Value] = {}
    if text(told.get("PolicyDocument")) or isinstance(told.get("PolicyDocument"), dict):
        found["PolicyDocument"] = document(told["PolicyDocument"])
    if "PrivateDnsEnabled" in told:
        found["PrivateDnsEnabled"] = flag(told["PrivateDnsEnabled"])
    if text(told.get("IpAddressType")):
        found["IpAddressType"] = text(told["IpAddressType"])
    return found


# --- records ------------------------------------------------------------------------------------------------------------------


def _create(event: Event) -> Iterator[Write]:
    described = _ENDPOINTS.describing(event)
    endpoint = text(described.get("VpcEndpointId"))
    yield from _ENDPOINTS.read_created(event)
    for name, value in _attributes(described).items():
        yield Write(event.key(ATTRIBUTE, endpoint, name), value, before=None)
    for element in _ELEMENTS:
        for name in element.named(described) or identifiers(event.request.get(element.changed)):
            yield Write(event.key(element.kind, endpoint, name), _IN_USE, before=None)


def _modify(event: Event) -> Iterator[Write]:
    endpoint = event.requested("VpcEndpointId")
    for name, value in _attributes(event.request).items():
        yield Write(event.key(ATTRIBUTE, endpoint, name), value)
    if flag(event.request.get("ResetPolicy")):
        yield Write(event.key(ATTRIBUTE, endpoint, "PolicyDocument"), _FULL_ACCESS)
    for element in _ELEMENTS:
        for name in identifiers(event.request.get(f"Add{element.changed}")):
            yield Write(event.key(element.kind, endpoint, name), _IN_USE)
        for name in identifiers(event.request.get(f"Remove{element.changed}")):
            yield Write(event.key(element.kind, endpoint, name), None)


def _delete(event: Event) -> Iterator[Write]:
    kept = {text(one.get("ResourceId")) for one in structures(event.response.get("Unsuccessful"))}
    for endpoint in identifiers(event.request.get("VpcEndpointIds")):
        if endpoint not in kept:
            yield from event.deleted(ENDPOINT, endpoint, *_ENDPOINTS.parts)


# --- reads and changes --------------------------------------------------------------------------------------------------------


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for endpoint in structures(answer.get("VpcEndpoints")):
        resource = endpoint.get("VpcEndpointId")
        yield from _ENDPOINTS.observed(scope, endpoint)
        if _ENDPOINTS.is_gone(endpoint):
            continue
        for name, value in _attributes(endpoint).items():
            yield seen(scope, ATTRIBUTE, resource, value, name)
        for element in _ELEMENTS:
            for name in element.named(endpoint):
                yield seen(scope, element.kind, resource, _IN_USE, name)


def _change_endpoint(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return call("DeleteVpcEndpoints", {"VpcEndpointIds": [key.resource]}, loses=_ENDPOINTS.loses)
    return _ENDPOINTS.change(key, live, wanted)


def _change_attribute(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there(key.name)
    value = json.dumps(wanted) if key.name == "PolicyDocument" and not isinstance(wanted, str) else wanted
    return call("ModifyVpcEndpoint", {"VpcEndpointId": key.resource, key.name: value})


def _changing(element: Element) -> Callable[[SettingKey, Observed | None, Value], Change]:
    def change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
        verb = "Remove" if wanted is None else "Add"
        return call("ModifyVpcEndpoint", {"VpcEndpointId": key.resource, f"{verb}{element.changed}": [key.name]})

    return change


def _kinds() -> Iterable[Kind]:
    yield _ENDPOINTS.as_kind(change=_change_endpoint)
    yield Kind(ATTRIBUTE, 10, _ENDPOINTS.read, _change_attribute, part_of=ENDPOINT)
    for element in _ELEMENTS:
        yield Kind(element.kind, 28, _ENDPOINTS.read, _changing(element), part_of=ENDPOINT)


VPC_ENDPOINTS = family(
    *_kinds(),
    readers={"CreateVpcEndpoint": _create, "ModifyVpcEndpoint": _modify, "DeleteVpcEndpoints": _delete},
    observers={"DescribeVpcEndpoints": _observe},
    inventory=("DescribeVpcEndpoints",),
    absent_codes=("InvalidVpcEndpointId.NotFound",),
    acts={
        ENDPOINT: Acts(sets=("ec2:CreateVpcEndpoint",), removes=("ec2:DeleteVpcEndpoints",)),
        ATTRIBUTE: Acts(sets=("ec2:ModifyVpcEndpoint",)),
        "vpc-endpoint-route-table": Acts(sets=("ec2:ModifyVpcEndpoint",), removes=("ec2:ModifyVpcEndpoint",)),
        "vpc-endpoint-subnet": Acts(sets=("ec2:ModifyVpcEndpoint",), removes=("ec2:ModifyVpcEndpoint",)),
        "vpc-endpoint-security-group": Acts(sets=("ec2:ModifyVpcEndpoint",), removes=("ec2:ModifyVpcEndpoint",)),
    },
)
