"""Target groups: their health checks, their attributes, and each target, by its id and port.

A target that is registered without a port has that of its group. One that drains is not a target any more. A group that is deleted
comes back under a new ARN, which listeners and rules that are restored with it follow.
https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RegisterTargets.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope
from incident.network.kinds import Event, Kind, always_there, family, immutable, seen
from incident.network.load_balancer import ELB, options
from incident.network.values import flag, mapping, present, structures, text, whole
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

GROUP = "target-group"
OPTION = "target-group-option"
TARGET = "target"

_MADE_WITH = ("TargetGroupName", "Protocol", "ProtocolVersion", "VpcId", "TargetType", "IpAddressType")
_CHECKED = ("HealthCheckProtocol", "HealthCheckPort", "HealthCheckPath")
_COUNTED = ("HealthCheckIntervalSeconds", "HealthCheckTimeoutSeconds", "HealthyThresholdCount", "UnhealthyThresholdCount")
_LOSES = "the ARN and the tags: it comes back under a new ARN, untagged"
_GOING = ("Target.DeregistrationInProgress", "Target.NotRegistered")


def _group(told: JsonObject) -> dict[str, Any]:
    """A target group as the parameters that make it again."""
    plain = {name: text(told.get(name)) for name in (*_MADE_WITH, *_CHECKED)}
    counts = {name: whole(told.get(name)) for name in ("Port", *_COUNTED)}
    matcher = {name: text(value) for name, value in mapping(told.get("Matcher")).items() if text(value)}
    enabled = {"HealthCheckEnabled": flag(told["HealthCheckEnabled"])} if "HealthCheckEnabled" in told else {}
    return present({**plain, **counts, **enabled, "Matcher": matcher or None})


def _name(target: JsonObject, port: Any = None) -> str:
    """`i-1 80`; a function has no port."""
    return " ".join(filter(None, (text(target.get("Id")), text(target.get("Port")) or text(port))))


def _place(target: JsonObject) -> dict[str, str]:
    """Where a target is: an address outside the network says `all`; AWS finds the zone of every other by itself."""
    zone = text(target.get("AvailabilityZone"))
    return {"AvailabilityZone": zone} if zone == "all" else {}


# --- records ------------------------------------------------------------------------------------------------------------------


def _create(event: Event) -> Iterator[Write]:
    for group in structures(event.response.get("TargetGroups")):
        yield Write(event.key(GROUP, text(group.get("TargetGroupArn"))), _group(group), before=None)


def _modify(event: Event) -> Iterator[Write]:
    for group in structures(event.response.get("TargetGroups")):
        yield Write(event.key(GROUP, text(group.get("TargetGroupArn"))), _group(group))


def _delete(event: Event) -> Iterator[Write]:
    yield from event.deleted(GROUP, event.requested("TargetGroupArn"), OPTION, TARGET)


def _set_options(event: Event) -> Iterator[Write]:
    for name, value in options(event.request):
        yield Write(event.key(OPTION, event.requested("TargetGroupArn"), name), value)


def _register(event: Event) -> Iterator[Write]:
    for key, target in _targets(event):
        yield Write(key, _place(target))


def _deregister(event: Event) -> Iterator[Write]:
    for key, _ in _targets(event):
        yield Write(key, None)


def _targets(event: Event) -> Iterator[tuple[SettingKey, JsonObject]]:
    """The targets of a record.

    Raises:
        ValueError: a target has no port, and nothing tells that of its group.
    """
    group = event.requested("TargetGroupArn")
    known = mapping(event.value(event.key(GROUP, group)))
    for target in structures(event.request.get("Targets")):
        if not known and not text(target.get("Port")):
            raise ValueError(f"the record names no port, and nothing tells that of {group}")
        yield event.key(TARGET, group, _name(target, known.get("Port"))), target


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe_groups(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for group in structures(answer.get("TargetGroups")):
        yield seen(scope, GROUP, group.get("TargetGroupArn"), _group(group))


def _observe_options(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for name, value in options(answer):
        yield seen(scope, OPTION, read.parameters.get("TargetGroupArn"), value, name)


def _observe_targets(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for described in structures(answer.get("TargetHealthDescriptions")):
        target, health = mapping(described.get("Target")), mapping(described.get("TargetHealth"))
        if text(health.get("Reason")) not in _GOING:
            yield seen(scope, TARGET, read.parameters.get("TargetGroupArn"), _place(target), _name(target))


def _read_group(key: SettingKey) -> Read:
    return ELB.read("DescribeTargetGroups", TargetGroupArns=[key.resource])


def _read_options(key: SettingKey) -> Read:
    return ELB.read("DescribeTargetGroupAttributes", TargetGroupArn=key.resource)


def _read_targets(key: SettingKey) -> Read:
    return ELB.read("DescribeTargetHealth", TargetGroupArn=key.resource)


def _details(key: SettingKey) -> Iterable[Read]:
    return (_read_options(key), _read_targets(key))


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change_group(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return ELB.call("DeleteTargetGroup", {"TargetGroupArn": key.resource}, loses=_LOSES)
    if live is None:
        made = {("Name" if name == "TargetGroupName" else name): value for name, value in wanted.items()}
        return ELB.call("CreateTargetGroup", made, creates="TargetGroups[0].TargetGroupArn", loses=_LOSES)
    if any(live.value.get(name) != wanted.get(name) for name in (*_MADE_WITH, "Port")):
        return immutable(key.resource)
    asked = {name: value for name, value in wanted.items() if live.value.get(name) != value}
    return ELB.call("ModifyTargetGroup", {"TargetGroupArn": key.resource, **asked})


def _change_option(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there(key.name)
    asked = [{"Key": key.name, "Value": wanted}]
    return ELB.call("ModifyTargetGroupAttributes", {"TargetGroupArn": key.resource, "Attributes": asked})


def _change_target(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    name, _, port = key.name.partition(" ")
    target = present({"Id": name, "Port": whole(port)})
    operation = "DeregisterTargets" if wanted is None else "RegisterTargets"
    place = mapping(live.value if wanted is None and live else wanted)
    return ELB.call(operation, {"TargetGroupArn": key.resource, "Targets": [{**target, **place}]})


TARGET_GROUPS = family(
    # After the rules and listeners that use it, before its network.
    Kind(GROUP, 20, _read_group, _change_group, details=_details),
    Kind(OPTION, 10, _read_options, _change_option, part_of=GROUP),
    Kind(TARGET, 11, _read_targets, _change_target, part_of=GROUP, opens=lambda key, value: True),
    service=ELB.source,
    readers={
        "CreateTargetGroup": _create,
        "ModifyTargetGroup": _modify,
        "DeleteTargetGroup": _delete,
        "ModifyTargetGroupAttributes": _set_options,
        "RegisterTargets": _register,
        "DeregisterTargets": _deregister,
    },
    observers={
        "DescribeTargetGroups": _observe_groups,
        "DescribeTargetGroupAttributes": _observe_options,
        "DescribeTargetHealth": _observe_targets,
    },
    inventory=(ELB.read("DescribeTargetGroups"),),
    absent_codes=("TargetGroupNotFound",),
    acts={
        GROUP: Acts(
            sets=(
                "elasticloadbalancing:CreateTargetGroup",
                "elasticloadbalancing:ModifyTargetGroup",
            ),
            removes=("elasticloadbalancing:DeleteTargetGroup",),
        ),
        OPTION: Acts(sets=("elasticloadbalancing:ModifyTargetGroupAttributes",)),
        TARGET: Acts(sets=("elasticloadbalancing:RegisterTargets",), removes=("elasticloadbalancing:DeregisterTargets",)),
    },
)
