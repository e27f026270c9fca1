"""Isolation of an instance: kept from being destroyed, out of its group and its target groups, without a role, without a network.

The plan is made from what a read just showed of the instance and of what others use it for; what is isolated already needs no step.
Groups change on each interface: an instance with several interfaces refuses a change of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from incident.families import family_for_kind
from incident.family import Unrestorable
from incident.findings.finding import Finding
from incident.network.classic_balancer import MEMBER as BALANCED
from incident.network.instance import ATTRIBUTE as INSTANCE_ATTRIBUTE
from incident.network.network_interface import ATTRIBUTE as INTERFACE_ATTRIBUTE
from incident.network.security_group import GROUP as SECURITY_GROUP
from incident.network.security_group import QUARANTINE_TAG
from incident.network.target_group import TARGET
from incident.plan import Phase, PlannedCall, Step, Unplanned, step_id
from incident.planner import Unread
from incident.resources.auto_scaling import ATTRIBUTE as SCALING_ATTRIBUTE
from incident.resources.auto_scaling import GROUP as SCALING_GROUP
from incident.resources.auto_scaling import IN_SERVICE, MEMBER, STANDBY
from incident.resources.block_device import BLOCK_DEVICE
from incident.resources.compute import INSTANCE
from incident.resources.instance_profile import ASSOCIATION
from incident.resources.quarantine import (
    CLOSED,
    OPEN,
    RULES,
    group_value,
    placeholder,
    rules_at_first,
    rules_of,
)
from incident.settings import Observed, Reversal, SettingKey, Value, same
from incident.surroundings import Interface, Network, Surroundings

KINDS = (
    INSTANCE_ATTRIBUTE,
    BLOCK_DEVICE,
    SCALING_ATTRIBUTE,
    MEMBER,
    TARGET,
    BALANCED,
    ASSOCIATION,
    SECURITY_GROUP,
    RULES,
    INTERFACE_ATTRIBUTE,
)
"""The kinds of settings that isolation changes, and that a release puts back."""

_RUNNING = frozenset({"pending", "running"})
_SOURCE = "isolation of an instance"


# --- which instances ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Suspect:
    """An instance to isolate: why, on which records, and the Auto Scaling groups that are the actor's own."""

    key: SettingKey
    why: str
    records: tuple[str, ...] = ()
    their_groups: frozenset[str] = frozenset()


def suspects(reversals: Iterable[Reversal], finding: Finding) -> list[Suspect]:
    """The instances that the actor started, or had started, the one that the finding is about, and those that a responder named.

    An honest instance whose role's session was stolen is not among them: its sessions are denied, and it works on.
    """
    made = [reversal for reversal in reversals if reversal.target is None]
    groups = frozenset(one.key.resource.rpartition("/")[2] for one in made if one.key.kind == SCALING_GROUP)
    found = {
        one.key: Suspect(one.key, "the actor started it", tuple(record.event_id for record in one.by_actor), groups)
        for one in made
        if one.key.kind == INSTANCE
    }
    if finding.instance is not None and is_about_the_instance(finding):
        key = SettingKey(finding.account, finding.region, INSTANCE, finding.instance.instance_id)
        found.setdefault(key, Suspect(key, f"{finding.type} is about it", their_groups=groups))
    if finding.named is not None:
        for instance in finding.named.instances:
            key = SettingKey(finding.account, finding.region, INSTANCE, instance)
            found.setdefault(key, Suspect(key, f"{finding.named.person} named it", their_groups=groups))
    return list(found.values())


def is_about_the_instance(finding: Finding) -> bool:
    """Whether it is the instance that a finding reports, and not a credential that was taken from it.

    See https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-types-active.html
    """
    named = finding.access_key is not None and finding.access_key.access_key_id != ""
    return not named or ":EC2/" in finding.type or ":Runtime/" in finding.type


# --- the plan -----------------------------------------------------------------------------------------------------------------


Around = Mapping[SettingKey, Surroundings | Unread | None]
"""What a read just showed of each instance; `None` is gone."""


def isolation(wanted: Iterable[Suspect], around: Around, freed: Collection[SettingKey] = ()) -> tuple[list[Step], list[Unplanned]]:
    """The steps that isolate the instances, in their order, and what cannot be planned; a setting that is `freed` is left alone."""
    steps: dict[str, Step] = {}
    unplanned: list[Unplanned] = []
    for suspect in wanted:
        found = around.get(suspect.key, Unread("it was not read"))
        if found is None:
            continue
        if isinstance(found, Unread):
            unplanned.append(_unread(suspect, found.reason))
            continue
        unplanned += [_unread(suspect, reason) for reason in found.unread]
        for outcome in _isolated(suspect, _without(found, freed)):
            if outcome.key in freed:
                continue
            if isinstance(outcome, Step):
                steps.setdefault(outcome.id, outcome)
            else:
                unplanned.append(outcome)
    return list(steps.values()), unplanned


_Outcome = Step | Unplanned


def _without(found: Surroundings, freed: Collection[SettingKey]) -> Surroundings:
    """Less the interfaces that a responder wants back, for which no quarantine group need be made."""
    released = {key.resource for key in freed if key.kind == INTERFACE_ATTRIBUTE}
    return replace(found, interfaces=tuple(one for one in found.interfaces if one.id not in released))


def _isolated(suspect: Suspect, found: Surroundings) -> Iterator[_Outcome]:
    yield from _not_to_be_destroyed(suspect, found)
    yield from _out_of_its_group(suspect, found)
    for target in found.of_kind(TARGET):
        where = target.key.resource.partition(":targetgroup/")[2].partition("/")[0]
        title = f"Deregister {_named(suspect)} from target group {where}: what it serves there goes to the group's other targets"
        yield from _step(suspect, target, None, title)
    for member in found.of_kind(BALANCED):
        title = f"Deregister {_named(suspect)} from classic load balancer {member.key.resource}: the others behind it serve instead"
        yield from _step(suspect, member, None, title)
    for profile in found.of_kind(ASSOCIATION):
        title = f"Take instance profile {profile.value['Arn']} from {_named(suspect)}: what runs on it gets no new credentials"
        yield from _step(suspect, profile, None, title)
    yield from _off_the_network(suspect, found)


def _not_to_be_destroyed(suspect: Suspect, found: Surroundings) -> Iterator[_Outcome]:
    """Spot instances have no termination protection; their volumes can be kept all the same."""
    for attribute in found.of_kind(INSTANCE_ATTRIBUTE) if not found.spot else ():
        yield from _step(suspect, attribute, "true", f"Protect {_named(suspect)} from termination: {suspect.why}")
    for device in found.of_kind(BLOCK_DEVICE):
        volume = device.value["VolumeId"]
        title = f"Keep volume {volume} of {_named(suspect)} when the instance ends: it stays until somebody deletes it"
        yield from _step(suspect, device, {**device.value, "DeleteOnTermination": False}, title)


def _out_of_its_group(suspect: Suspect, found: Surroundings) -> Iterator[_Outcome]:
    """Standby with a smaller capacity, for which the group's lowest size must leave room. A group of the actor's goes anyway."""
    for member in found.of_kind(MEMBER):
        group = member.key.name
        if group in suspect.their_groups or member.value != IN_SERVICE:
            continue
        sizes = {one.key.name: one for one in found.of_kind(SCALING_ATTRIBUTE)}
        lowest, desired = sizes.get("MinSize"), sizes.get("DesiredCapacity")
        if lowest is not None and desired is not None and 0 < desired.value <= lowest.value:
            title = f"Lower the smallest size of Auto Scaling group {group} from {lowest.value} to {desired.value - 1}"
            yield from _step(suspect, lowest, desired.value - 1, f"{title}, so that it starts no replacement of {_named(suspect)}")
        left = f"from {desired.value} to {desired.value - 1}" if desired is not None else "by one"
        title = f"Put {_named(suspect)} on standby in Auto Scaling group {group}, whose capacity goes {left}"
        yield from _step(suspect, member, STANDBY, title)


def _off_the_network(suspect: Suspect, found: Surroundings) -> Iterator[_Outcome]:
    for interface in found.interfaces:
        network = found.networks.get(interface.vpc)
        if network is None:
            yield _unread(suspect, f"the VPC of interface {interface.id} was not shown")
            continue
        if _is_closed(interface, network):
            continue
        making = {purpose: list(_group_steps(suspect, interface.vpc, network, purpose)) for purpose in (OPEN, CLOSED)}
        yield from (step for steps in making.values() for step in steps)
        yield _moved(suspect, interface, network, tuple(steps[-1].id for steps in making.values() if steps))


def _is_closed(interface: Interface, network: Network) -> bool:
    return bool(interface.groups) and set(interface.groups) <= set(network.serving(CLOSED))


def _group_id(vpc: str, network: Network, purpose: str) -> str:
    return next(iter(network.serving(purpose)), placeholder(purpose, vpc))


def _group_steps(suspect: Suspect, vpc: str, network: Network, purpose: str) -> Iterator[Step]:
    """A quarantine group with its rules, where none is there whose rules are right."""
    if network.serving(purpose):
        return
    key = suspect.key._replace(kind=SECURITY_GROUP, resource=placeholder(purpose, vpc))
    value = group_value(purpose, vpc, {group.name for group in network.groups})
    tag = {"ResourceType": "security-group", "Tags": [{"Key": QUARANTINE_TAG, "Value": purpose}]}
    making = [
        call.model_copy(update={"parameters": {**call.parameters, "TagSpecifications": [tag]}, "permissions": TAGGING})
        for call in _calls(key, None, value)
    ]
    made = Step(
        id=step_id(Phase.CONTAIN, key, value),
        phase=Phase.CONTAIN,
        title=f"Make our quarantine group {value['GroupName']} in {vpc}",
        key=key,
        leaves=value,
        calls=tuple(making),
        undo=_calls(key, Observed(key, value), None),
        source=_SOURCE,
        creates="GroupId",
        replaces=key.resource,
    )
    yield made
    for direction in ("ingress", "egress"):
        rules = key._replace(kind=RULES, name=direction)
        first, wanted = rules_at_first(direction, network.ipv6), rules_of(purpose, direction, network.ipv6)
        if not same(first, wanted):
            yield Step(
                id=step_id(Phase.CONTAIN, rules, wanted),
                phase=Phase.CONTAIN,
                title=f"Let {'everything' if wanted else 'nothing'} {_WAYS[direction]} our quarantine group {value['GroupName']}",
                key=rules,
                expects=first,
                leaves=wanted,
                calls=_calls(rules, Observed(rules, first), wanted),
                undo=_calls(rules, Observed(rules, wanted), first),
                source=_SOURCE,
                after=(made.id,),
            )


TAGGING = ("ec2:CreateSecurityGroup", "ec2:CreateTags")
"""A quarantine group is made with its tag."""
_WAYS = {"ingress": "into", "egress": "out of"}


def _moved(suspect: Suspect, interface: Interface, network: Network, after: tuple[str, ...]) -> Step:
    """Through the all-open group into the empty one, as one step: nobody may be left between the two."""
    key = suspect.key._replace(kind=INTERFACE_ATTRIBUTE, resource=interface.id, name="Groups")
    now, passing = list(interface.groups), [_group_id(interface.vpc, network, OPEN)]
    wanted = [_group_id(interface.vpc, network, CLOSED)]
    return Step(
        id=step_id(Phase.CONTAIN, key, wanted),
        phase=Phase.CONTAIN,
        title=f"Cut interface {interface.id} of {_named(suspect)} off: from {' '.join(now)} through an all-open group, which ends "
        "the tracking of open connections, into one without rules (those through a NAT gateway or endpoint may last till they end)",
        key=key,
        expects=now,
        leaves=wanted,
        calls=(*_calls(key, Observed(key, now), passing), *_calls(key, Observed(key, passing), wanted)),
        undo=_calls(key, Observed(key, wanted), now),
        why=suspect.records,
        source=_SOURCE,
        after=after,
        concerns=suspect.key.resource,
    )


def _step(suspect: Suspect, found: Observed, wanted: Value, title: str) -> Iterator[_Outcome]:
    """One setting brought to what isolation wants, if it is not so already."""
    if same(found.value, wanted):
        return
    family = family_for_kind(found.key.kind)
    change = family.change(found.key, found, wanted)
    if isinstance(change, Unrestorable):
        yield Unplanned(status="not-invertible", what=title, why=change.reason, advice=change.advice, key=found.key)
        return
    back = family.change(found.key, None if wanted is None else Observed(found.key, wanted), found.value)
    yield Step(
        id=step_id(Phase.CONTAIN, found.key, wanted),
        phase=Phase.CONTAIN,
        title=title,
        key=found.key,
        expects=found.value,
        leaves=wanted,
        calls=tuple(PlannedCall.of(call) for call in change),
        undo=() if isinstance(back, Unrestorable) else tuple(PlannedCall.of(call) for call in back),
        why=suspect.records,
        source=_SOURCE,
        concerns=suspect.key.resource,
    )


def _calls(key: SettingKey, live: Observed | None, wanted: Value) -> tuple[PlannedCall, ...]:
    change = family_for_kind(key.kind).change(key, live, wanted)
    return () if isinstance(change, Unrestorable) else tuple(PlannedCall.of(call) for call in change)


def _named(suspect: Suspect) -> str:
    return f"instance {suspect.key.resource} ({suspect.key.region})"


def _unread(suspect: Suspect, reason: str) -> Unplanned:
    return Unplanned(
        status="unread",
        what=f"isolate {_named(suspect)}: {suspect.why}",
        why=f"not all that it is used for could be read: {reason}",
        advice="Isolate it by hand or restore access and plan again.",
        records=suspect.records,
        key=suspect.key,
    )


# --- the proof ----------------------------------------------------------------------------------------------------------------


def still_connected(wanted: Iterable[Suspect], around: Around, freed: Collection[SettingKey] = ()) -> list[str]:
    """The instances that a read does not show as isolated or gone, less the interfaces that a responder wants released."""
    return [suspect.key.resource for suspect in wanted if _is_connected(suspect, around, freed)]


def _is_connected(suspect: Suspect, around: Around, freed: Collection[SettingKey]) -> bool:
    found = around.get(suspect.key, Unread("it was not read"))
    if found is None:
        return False
    if isinstance(found, Unread):
        return True
    return found.state in _RUNNING and any(
        not (interface.vpc in found.networks and _is_closed(interface, found.networks[interface.vpc]))
        for interface in _without(found, freed).interfaces
    )
