"""Traffic mirroring, by which an actor copies a network's packets: filters and their rules, targets, and the sessions that copy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope
from incident.network.kinds import Event, Kind, Resource, call, family, immutable, seen
from incident.network.values import cidr, identifiers, mapping, present, structures, texts, whole
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

FILTER = "traffic-mirror-filter"
RULE = "traffic-mirror-filter-rule"
SERVICE = "traffic-mirror-filter-service"
TARGET = "traffic-mirror-target"
SESSION = "traffic-mirror-session"

_MIRRORED: dict[str, Any] = {}
_REMOVABLE = {"Description": "description", "PacketLength": "packet-length", "VirtualNetworkId": "virtual-network-id"}
_REMOVABLE_OF_RULES = {
    "DestinationPortRange": "destination-port-range",
    "SourcePortRange": "source-port-range",
    "Protocol": "protocol",
    "Description": "description",
}

_FILTERS = Resource(
    kind=FILTER,
    noun="TrafficMirrorFilter",
    listed="TrafficMirrorFilters",
    rank=24,
    value=lambda told: texts(told, ("Description",)),
    parts=(SERVICE,),
)


def _rule(told: JsonObject) -> dict[str, Any]:
    return present(
        {
            **texts(told, ("TrafficMirrorFilterId", "TrafficDirection", "RuleAction", "Description")),
            "RuleNumber": whole(told.get("RuleNumber")),
            "Protocol": whole(told.get("Protocol")),
            "SourceCidrBlock": cidr(told.get("SourceCidrBlock")),
            "DestinationCidrBlock": cidr(told.get("DestinationCidrBlock")),
            "SourcePortRange": _ports(told.get("SourcePortRange")),
            "DestinationPortRange": _ports(told.get("DestinationPortRange")),
        }
    )


def _ports(told: Any) -> dict[str, int | None] | None:
    ports = mapping(told)
    return {"FromPort": whole(ports.get("FromPort")), "ToPort": whole(ports.get("ToPort"))} if ports else None


_RULES = Resource(
    kind=RULE,
    noun="TrafficMirrorFilterRule",
    listed="TrafficMirrorFilterRules",
    rank=23,
    value=_rule,
    ids="TrafficMirrorFilterRuleIds",
)

_TARGETS = Resource(
    kind=TARGET,
    noun="TrafficMirrorTarget",
    listed="TrafficMirrorTargets",
    rank=24,
    value=lambda told: texts(
        told, ("NetworkInterfaceId", "NetworkLoadBalancerArn", "GatewayLoadBalancerEndpointId", "Description")
    ),
)

_SESSIONS = Resource(
    kind=SESSION,
    noun="TrafficMirrorSession",
    listed="TrafficMirrorSessions",
    rank=22,
    value=lambda told: present(
        {
            **texts(told, ("NetworkInterfaceId", "TrafficMirrorTargetId", "TrafficMirrorFilterId", "Description")),
            "SessionNumber": whole(told.get("SessionNumber")),
            "PacketLength": whole(told.get("PacketLength")),
            "VirtualNetworkId": whole(told.get("VirtualNetworkId")),
        }
    ),
)


def _modify_services(event: Event) -> Iterator[Write]:
    resource = event.requested("TrafficMirrorFilterId")
    for name in identifiers(event.request.get("AddNetworkServices")):
        yield Write(event.key(SERVICE, resource, name), _MIRRORED)
    for name in identifiers(event.request.get("RemoveNetworkServices")):
        yield Write(event.key(SERVICE, resource, name), None)


def _observe_filters(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for one in structures(answer.get("TrafficMirrorFilters")):
        yield from _FILTERS.observed(scope, one)
        for name in identifiers(one.get("NetworkServices")):
            yield seen(scope, SERVICE, one.get("TrafficMirrorFilterId"), _MIRRORED, name)
        for rule in (*structures(one.get("IngressFilterRules")), *structures(one.get("EgressFilterRules"))):
            yield from _RULES.observed(scope, rule)


def _change_service(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    verb = "Remove" if wanted is None else "Add"
    asked = {"TrafficMirrorFilterId": key.resource, f"{verb}NetworkServices": [key.name]}
    return call("ModifyTrafficMirrorFilterNetworkServices", asked)


def _change_rule(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    return _modify(_RULES, _REMOVABLE_OF_RULES, ("TrafficMirrorFilterId",), key, live, wanted)


def _change_session(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    return _modify(_SESSIONS, _REMOVABLE, ("NetworkInterfaceId",), key, live, wanted)


def _modify(
    resource: Resource,
    removable: dict[str, str],
    fixed: tuple[str, ...],
    key: SettingKey,
    live: Observed | None,
    wanted: Value,
) -> Change:
    if live is None or wanted is None:
        return resource.change(key, live, wanted)
    if any(live.value.get(name) != wanted.get(name) for name in fixed):
        return immutable(key.resource)
    asked = {name: said for name, said in wanted.items() if live.value.get(name) != said}
    removed = [field for name, field in removable.items() if name in live.value and name not in wanted]
    return call(f"Modify{resource.noun}", {resource.id: key.resource, **asked, **present({"RemoveFields": removed})})


TRAFFIC_MIRRORS = family(
    _FILTERS.as_kind(),
    _RULES.as_kind(change=_change_rule),
    Kind(SERVICE, 23, _FILTERS.read, _change_service, part_of=FILTER),
    _TARGETS.as_kind(),
    _SESSIONS.as_kind(change=_change_session, opens=lambda key, value: True),
    readers={
        **_FILTERS.readers(),
        **_RULES.readers(),
        **_TARGETS.readers(),
        **_SESSIONS.readers(),
        "ModifyTrafficMirrorFilterNetworkServices": _modify_services,
        "ModifyTrafficMirrorFilterRule": _RULES.read_modified,
        "ModifyTrafficMirrorSession": _SESSIONS.read_modified,
    },
    observers={
        "DescribeTrafficMirrorFilters": _observe_filters,
        "DescribeTrafficMirrorFilterRules": _RULES.observe,
        "DescribeTrafficMirrorTargets": _TARGETS.observe,
        "DescribeTrafficMirrorSessions": _SESSIONS.observe,
    },
    inventory=("DescribeTrafficMirrorFilters", "DescribeTrafficMirrorTargets", "DescribeTrafficMirrorSessions"),
    absent_codes=(
        "InvalidTrafficMirrorFilterId.NotFound",
        "InvalidTrafficMirrorFilterRuleId.NotFound",
        "InvalidTrafficMirrorTargetId.NotFound",
        "InvalidTrafficMirrorSessionId.NotFound",
    ),
    acts={
        RULE: Acts(
            sets=("ec2:CreateTrafficMirrorFilterRule", "ec2:ModifyTrafficMirrorFilterRule"),
            removes=("ec2:DeleteTrafficMirrorFilterRule",),
        ),
        SERVICE: Acts(
            sets=("ec2:ModifyTrafficMirrorFilterNetworkServices",), removes=("ec2:ModifyTrafficMirrorFilterNetworkServices",)
        ),
        SESSION: Acts(
            sets=("ec2:CreateTrafficMirrorSession", "ec2:ModifyTrafficMirrorSession"), removes=("ec2:DeleteTrafficMirrorSession",)
        ),
    },
)
