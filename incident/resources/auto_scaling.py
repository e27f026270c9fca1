"""Auto Scaling groups: their existence, their size, from what and where they launch instances, and what state each instance is in.

A record names a group and never its whole ARN, so that the end of the ARN stands for it. What makes a group again is its own value;
each part of it is a setting as well, and so is the desired size, which Auto Scaling moves by itself. A group that the actor made
goes before its instances do, for it would launch others.
https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, absent_before, always_there, family, seen
from incident.network.service import Service
from incident.network.values import identifiers, mapping, present, structures, text, whole
from incident.record import JsonObject
from incident.resources.compute import INSTANCE
from incident.resources.launch_template import LAUNCH_TEMPLATE
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

AUTO_SCALING = Service("autoscaling", "autoscaling")
GROUP = "auto-scaling-group"
ATTRIBUTE = "auto-scaling-group-attribute"
MEMBER = "auto-scaling-member"
"""An instance's state in its group, which the setting's name tells."""
IN_SERVICE, STANDBY = "InService", "Standby"

_PREFIX = "autoScalingGroupName/"
_MIN, _MAX, _DESIRED = "MinSize", "MaxSize", "DesiredCapacity"
_TEMPLATE, _SUBNETS, _ZONES = "LaunchTemplate", "VPCZoneIdentifier", "AvailabilityZones"
_CONFIGURATION, _MIXED = "LaunchConfigurationName", "MixedInstancesPolicy"
_MAKING = (_MIN, _MAX, _TEMPLATE, _CONFIGURATION, _MIXED, _SUBNETS, _ZONES)
_ONE_OF = ((_TEMPLATE, _CONFIGURATION, _MIXED), (_SUBNETS, _ZONES))
"""A group launches from one thing, and into subnets or zones: the new takes the place of the old."""
_NAME = "AutoScalingGroupName"
_IN_DELETION = "Delete in progress"
_LOSES = (
    "the group's instances, and with them what they held; it comes back with new ones, without its scaling policies, schedules, "
    "hooks, targets, health checks, notifications and tags"
)
_GOES = "its instances are terminated with it; the evidence taken before is what remains"


def _resource(name: str) -> str:
    return f"{_PREFIX}{name}" if name else ""


def _named(key: SettingKey) -> dict[str, str]:
    return {_NAME: key.resource.removeprefix(_PREFIX)}


# --- values -------------------------------------------------------------------------------------------------------------------


def _attributes(told: JsonObject) -> dict[str, Value | Unknown]:
    """Every attribute that is told, by the name under which it is set."""
    found: dict[str, Value | Unknown] = {
        name: whole(told.get(name)) for name in (_MIN, _MAX, _DESIRED) if told.get(name) is not None
    }
    if told.get(_CONFIGURATION):
        found[_CONFIGURATION] = text(told.get(_CONFIGURATION))
    subnets = sorted(filter(None, text(told.get(_SUBNETS)).replace(" ", "").split(",")))
    if subnets:
        found[_SUBNETS] = subnets
    elif told.get(_ZONES):
        found[_ZONES] = sorted(identifiers(told.get(_ZONES)))
    if told.get(_TEMPLATE):
        found[_TEMPLATE] = _template(mapping(told.get(_TEMPLATE)))
    if told.get(_MIXED):
        found[_MIXED] = mapping(told.get(_MIXED))
    return found


def _template(told: JsonObject) -> dict[str, str]:
    named = present({"LaunchTemplateId": text(told.get("LaunchTemplateId"))}) or {
        "LaunchTemplateName": text(told.get("LaunchTemplateName"))
    }
    return {**named, "Version": text(told.get("Version")) or "$Default"}


def _value(attributes: Mapping[str, Value | Unknown]) -> Value | Unknown:
    """A group as the parameters that make it again; unknown if one of them is."""
    making = {name: attributes[name] for name in _MAKING if name in attributes}
    return UNKNOWN if any(isinstance(value, Unknown) for value in making.values()) else making


# --- records ------------------------------------------------------------------------------------------------------------------


def _asked(event: Event) -> dict[str, Value | Unknown]:
    """What a record sets. AWS completes a mixed policy, and a template's name has an id; what a record does not tell is unknown."""
    asked = _attributes(event.request)
    if _MIXED in asked:
        asked[_MIXED] = UNKNOWN
    template = mapping(asked.get(_TEMPLATE))
    if "LaunchTemplateName" in template:
        named = event.known.keys_naming(LAUNCH_TEMPLATE, template["LaunchTemplateName"])
        here = [one.resource for one in named if one[:2] == (event.record.account, event.record.region)]
        known = {"LaunchTemplateId": here[0], "Version": template["Version"]} if len(here) == 1 else UNKNOWN
        asked[_TEMPLATE] = known
    return asked


def _group_of(event: Event) -> SettingKey:
    return event.key(GROUP, _resource(event.requested(_NAME)))


def _attribute_of(group: SettingKey, name: str) -> SettingKey:
    return group._replace(kind=ATTRIBUTE, name=name)


def _create(event: Event) -> Iterator[Write]:
    group, asked = _group_of(event), _asked(event)
    if event.requested("InstanceId"):
        # The group is made like an instance, which the record does not describe.
        yield Write(group, UNKNOWN, before=None)
        return
    asked.setdefault(_DESIRED, asked.get(_MIN))
    yield Write(group, _value(asked), before=None)
    yield from absent_before(event, ((_attribute_of(group, name), value) for name, value in asked.items()))


def _update(event: Event) -> Iterator[Write]:
    group, asked = _group_of(event), _asked(event)
    known = event.value(group)
    unread = {name: UNKNOWN for name in event.request if name not in asked and name not in (_NAME, _ZONES)}
    for name, value in {**unread, **asked, **_moved(event, group, asked), **_displaced(event, group, asked)}.items():
        yield Write(_attribute_of(group, name), value)
    changed = {name: value for name, value in asked.items() if name in _MAKING}
    if changed and known is not None and not isinstance(known, Unknown):
        yield Write(group, _value(_replaced(known, changed)))


def _replaced(known: JsonObject, changed: Mapping[str, Value | Unknown]) -> dict[str, Value | Unknown]:
    return {**{name: value for name, value in known.items() if name not in _rivals(changed)}, **changed}


def _rivals(changed: Iterable[str]) -> set[str]:
    """What each of these takes the place of."""
    return {name for one_of in _ONE_OF if not set(one_of).isdisjoint(changed) for name in one_of} - set(changed)


def _displaced(event: Event, group: SettingKey, asked: Mapping[str, Value | Unknown]) -> dict[str, None]:
    held = {key.name for key in event.known.keys_of(ATTRIBUTE, group.resource) if event.value(key) is not None}
    return dict.fromkeys(sorted(held & _rivals(asked)))


def _moved(event: Event, group: SettingKey, asked: Mapping[str, Value | Unknown]) -> dict[str, Value]:
    """The desired size, where a new bound moves it along."""
    desired = event.value(_attribute_of(group, _DESIRED))
    if _DESIRED in asked or not isinstance(desired, int):
        return {}
    lowest, highest = asked.get(_MIN), asked.get(_MAX)
    if isinstance(lowest, int) and desired < lowest:
        return {_DESIRED: lowest}
    return {_DESIRED: highest} if isinstance(highest, int) and desired > highest else {}


def _set_desired(event: Event) -> Iterator[Write]:
    yield Write(_attribute_of(_group_of(event), _DESIRED), whole(event.request.get(_DESIRED)))


def _delete(event: Event) -> Iterator[Write]:
    yield from event.deleted(GROUP, _resource(event.requested(_NAME)), ATTRIBUTE)


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for described in structures(answer.get("AutoScalingGroups")):
        resource = _resource(text(described.get(_NAME)))
        attributes, settled = _attributes(described), text(described.get("Status")) != _IN_DELETION
        yield seen(scope, GROUP, resource, _value(attributes), settled=settled)
        for name, value in attributes.items():
            yield seen(scope, ATTRIBUTE, resource, value, name, settled=settled)


def _observe_members(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for described in structures(answer.get("AutoScalingInstances")):
        state, group = text(described.get("LifecycleState")), text(described.get(_NAME))
        yield seen(scope, MEMBER, described.get("InstanceId"), state, group, settled=state in (IN_SERVICE, STANDBY))


def _read_member(key: SettingKey) -> Read:
    return AUTO_SCALING.read("DescribeAutoScalingInstances", InstanceIds=[key.resource])


def _read(key: SettingKey) -> Read:
    return AUTO_SCALING.read("DescribeAutoScalingGroups", AutoScalingGroupNames=[_named(key)[_NAME]])


# --- changes ------------------------------------------------------------------------------------------------------------------


def _parameters(values: JsonObject) -> dict[str, Any]:
    return {name: ",".join(value) if name == _SUBNETS else value for name, value in values.items()}


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return AUTO_SCALING.call("DeleteAutoScalingGroup", {**_named(key), "ForceDelete": True}, irreversible=_GOES)
    if live is None:
        needed = ("ec2:RunInstances", "iam:PassRole", "iam:CreateServiceLinkedRole")
        asked = {**_named(key), **_parameters(wanted)}
        return AUTO_SCALING.call("CreateAutoScalingGroup", asked, permissions=needed, loses=_LOSES)
    # Everything that can differ is an attribute.
    return ()


def _change_attribute(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        # What another has replaced goes as soon as that is set back.
        return () if any(key.name in one_of for one_of in _ONE_OF) else always_there(key.name)
    needed = ("ec2:RunInstances", "iam:PassRole") if key.name in (_TEMPLATE, _MIXED) else ()
    return AUTO_SCALING.call("UpdateAutoScalingGroup", {**_named(key), **_parameters({key.name: wanted})}, permissions=needed)


def _change_member(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    """Standby takes an instance out of service and keeps it; the smaller capacity keeps the group from launching another.

    See https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-enter-exit-standby.html
    """
    named = {_NAME: key.name, "InstanceIds": [key.resource]}
    if live is not None and (live.value, wanted) == (IN_SERVICE, STANDBY):
        return AUTO_SCALING.call("EnterStandby", {**named, "ShouldDecrementDesiredCapacity": True})
    if live is not None and (live.value, wanted) == (STANDBY, IN_SERVICE):
        return AUTO_SCALING.call("ExitStandby", named)
    return Unrestorable(f"the instance's state in group {key.name} is moved by Auto Scaling", "Look at the group's activities.")


def _place(key: SettingKey, found: Value, wanted: Value) -> int:
    """A bound that gives room goes first and one that takes room last, so that the desired size is always between them."""
    if key.name not in (_MIN, _MAX) or not isinstance(found, int) or not isinstance(wanted, int):
        return 0
    widens = wanted < found if key.name == _MIN else wanted > found
    return -1 if widens else 1


def _implied(key: SettingKey, value: Value) -> Iterable[tuple[SettingKey, Value]]:
    """What a group that is made again has from its first moment; it starts at its smallest size."""
    for name, inner in value.items():
        yield _attribute_of(key, name), inner
    yield _attribute_of(key, _DESIRED), value.get(_MIN)


AUTO_SCALING_GROUPS = family(
    Kind(GROUP, 4, _read, _change, implies=_implied),
    Kind(ATTRIBUTE, 3, _read, _change_attribute, part_of=GROUP, place=_place),
    Kind(MEMBER, 3, _read_member, _change_member, part_of=INSTANCE),
    service=AUTO_SCALING.source,
    readers={
        "CreateAutoScalingGroup": _create,
        "UpdateAutoScalingGroup": _update,
        "SetDesiredCapacity": _set_desired,
        "DeleteAutoScalingGroup": _delete,
    },
    observers={"DescribeAutoScalingGroups": _observe, "DescribeAutoScalingInstances": _observe_members},
    inventory=(AUTO_SCALING.read("DescribeAutoScalingGroups"),),
    acts={
        GROUP: Acts(
            sets=(
                "autoscaling:CreateAutoScalingGroup",
                "ec2:RunInstances",
                "iam:CreateServiceLinkedRole",
                "iam:PassRole",
            ),
            removes=("autoscaling:DeleteAutoScalingGroup",),
        ),
        ATTRIBUTE: Acts(
            sets=(
                "autoscaling:UpdateAutoScalingGroup",
                "ec2:RunInstances",
                "iam:PassRole",
            )
        ),
        MEMBER: Acts(
            sets=(
                "autoscaling:EnterStandby",
                "autoscaling:ExitStandby",
            )
        ),
    },
)
