"""What a read shows of an instance and of what it is used for: its interfaces, their networks, its groups and target groups.

Isolation is planned from it, and looks at it again for the proof.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from incident.families import family_for_kind
from incident.family import Read, Scope
from incident.network.classic_balancer import CLASSIC_ELB
from incident.network.classic_balancer import MEMBER as BALANCED
from incident.network.instance import ATTRIBUTE as INSTANCE_ATTRIBUTE
from incident.network.kinds import filtered, listing
from incident.network.network_interface import ATTRIBUTE as INTERFACE_ATTRIBUTE
from incident.network.security_group import QUARANTINE_TAG
from incident.network.target_group import TARGET
from incident.network.values import identifiers, structures, tags, text
from incident.record import JsonObject
from incident.resources.auto_scaling import ATTRIBUTE as SCALING_ATTRIBUTE
from incident.resources.auto_scaling import MEMBER
from incident.resources.block_device import BLOCK_DEVICE
from incident.resources.instance_profile import ASSOCIATION
from incident.resources.quarantine import all_rules, serves
from incident.settings import Observed, SettingKey

_GONE = frozenset({"terminated", "shutting-down"})

Answers = list[tuple[Read, JsonObject]]
"""Every page that was read, with its read."""


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface, with the VPC that it is in."""

    id: str
    vpc: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """A security group as its rules are now; `purpose` is what its tag says that it is for."""

    id: str
    name: str
    purpose: str
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """A VPC with its security groups, and whether it has IPv6."""

    ipv6: bool
    groups: tuple[Group, ...]

    def serving(self, purpose: str) -> list[str]:
        """The ids of the quarantine groups whose rules are what they must be."""
        return [one.id for one in self.groups if one.purpose == purpose and serves(purpose, one.rules, self.ipv6)]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a read showed of an instance and of what it is used for; `unread` says what could not be read, and why."""

    state: str
    spot: bool
    interfaces: tuple[Interface, ...]
    networks: Mapping[str, Network]
    settings: Mapping[SettingKey, Observed]
    unread: tuple[str, ...] = ()

    def of_kind(self, kind: str) -> list[Observed]:
        return [observed for key, observed in self.settings.items() if key.kind == kind]


def reads(instance: SettingKey) -> list[Read]:
    """The first reads on an instance."""
    return [
        listing("DescribeInstances", InstanceIds=[instance.resource]),
        filtered("DescribeNetworkInterfaces", "attachment.instance-id", instance.resource),
        listing("DescribeInstanceAttribute", InstanceId=instance.resource, Attribute="disableApiTermination"),
        filtered("DescribeIamInstanceProfileAssociations", "instance-id", instance.resource),
        Read("autoscaling", "DescribeAutoScalingInstances", {"InstanceIds": [instance.resource]}),
        Read("elbv2", "DescribeTargetGroups"),
        CLASSIC_ELB.read("DescribeLoadBalancers"),
    ]


def further_reads(answers: Answers) -> list[Read]:
    """The reads on what the first showed: the VPCs, the Auto Scaling group, and the targets of each target group there."""
    networks = sorted({one.vpc for one in _interfaces(answers)})
    groups = sorted({text(one.get("AutoScalingGroupName")) for one in _listed(answers, "AutoScalingInstances")})
    targets = [text(one.get("TargetGroupArn")) for one in _listed(answers, "TargetGroups") if text(one.get("VpcId")) in networks]
    found = [filtered(operation, "vpc-id", *networks) for operation in ("DescribeVpcs", "DescribeSecurityGroups") if networks]
    found += [Read("autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroupNames": groups})] if groups else []
    return [*found, *(Read("elbv2", "DescribeTargetHealth", {"TargetGroupArn": arn}) for arn in targets)]


def is_needed(read: Read) -> bool:
    """Whether nothing can be said of an instance without a read; what it is used for may stay unknown, and is said so."""
    return read.operation in ("DescribeInstances", "DescribeNetworkInterfaces", "DescribeVpcs", "DescribeSecurityGroups")


def surroundings(instance: SettingKey, answers: Answers, unread: Iterable[str] = ()) -> Surroundings | None:
    """What the answers show of an instance; nothing where it is gone."""
    described = [one for reservation in _listed(answers, "Reservations") for one in structures(reservation.get("Instances"))]
    if not described or text(described[0]["State"]["Name"]) in _GONE:
        return None
    scope = Scope(instance.account, instance.region)
    seen = [observed for read, answer in answers for observed in _observed(scope, read, answer)]
    names = {instance.resource, *_addresses(answers)}
    return Surroundings(
        state=text(described[0]["State"]["Name"]),
        spot=text(described[0].get("InstanceLifecycle")) == "spot",
        interfaces=tuple(_interfaces(answers)),
        networks={text(vpc.get("VpcId")): _network(vpc, answers, scope.account) for vpc in _listed(answers, "Vpcs")},
        settings={observed.key: observed for observed in seen if _concerns(observed.key, names)},
        unread=tuple(unread),
    )


_KINDS_SHOWN = {
    "DescribeInstances": BLOCK_DEVICE,
    "DescribeInstanceAttribute": INSTANCE_ATTRIBUTE,
    "DescribeNetworkInterfaces": INTERFACE_ATTRIBUTE,
    "DescribeIamInstanceProfileAssociations": ASSOCIATION,
    "DescribeAutoScalingInstances": MEMBER,
    "DescribeAutoScalingGroups": SCALING_ATTRIBUTE,
    "DescribeTargetHealth": TARGET,
    "DescribeLoadBalancers": BALANCED,
}


def _observed(scope: Scope, read: Read, answer: JsonObject) -> Iterable[Observed]:
    kind = _KINDS_SHOWN.get(read.operation)
    return family_for_kind(kind).observe(scope, read, answer) if kind else ()


def _concerns(key: SettingKey, names: Collection[str]) -> bool:
    """Whether a setting is the instance's: a target is it by its id, or by an address of one of its interfaces."""
    return key.kind not in (TARGET, BALANCED) or key.name.partition(" ")[0] in names


def _addresses(answers: Answers) -> Iterator[str]:
    """Every address of the instance's interfaces in its network; target groups of the same network may name them."""
    for one in _listed(answers, "NetworkInterfaces"):
        yield from filter(
            None, (text(one.get("PrivateIpAddress")), *identifiers(one.get("PrivateIpAddresses"), "PrivateIpAddress"))
        )
        yield from filter(None, identifiers(one.get("Ipv6Addresses"), "Ipv6Address"))


def _listed(answers: Answers, member: str) -> Iterator[JsonObject]:
    return (one for _, answer in answers for one in structures(answer.get(member)))


def _interfaces(answers: Answers) -> Iterator[Interface]:
    for one in _listed(answers, "NetworkInterfaces"):
        groups = sorted(text(group.get("GroupId")) for group in structures(one.get("Groups")))
        yield Interface(text(one.get("NetworkInterfaceId")), text(one.get("VpcId")), tuple(groups))


def _network(vpc: JsonObject, answers: Answers, owner: str) -> Network:
    states = [text(one["Ipv6CidrBlockState"]["State"]) for one in structures(vpc.get("Ipv6CidrBlockAssociationSet"))]
    groups = [
        Group(
            id=text(one.get("GroupId")),
            name=text(one.get("GroupName")),
            purpose=tags(one).get(QUARANTINE_TAG, ""),
            rules=tuple(all_rules(one, owner)),
        )
        for one in _listed(answers, "SecurityGroups")
        if one.get("VpcId") == vpc.get("VpcId")
    ]
    return Network(any(state in ("associating", "associated") for state in states), tuple(groups))
