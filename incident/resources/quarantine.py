"""Quarantine groups: two security groups in a VPC into which an isolated instance's interfaces go, one after the other.

A change of groups does not cut a connection that is tracked. In a group that allows everything connections are not tracked; moved
from there into a group without rules, they are cut. Connections through some services, such as a NAT gateway, are tracked whatever
the groups say: of these only new ones are stopped, and open ones end by themselves or with the instance.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/security-group-connection-tracking.html#untracked-connections
A group is taken for what its rules say, never for its name: whoever could change it may have done so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from incident.family import Acts, Call, Change, Read, Scope
from incident.network.kinds import Kind, call, family, filtered, seen
from incident.network.rules import Rule, permitted
from incident.network.security_group import GROUP
from incident.network.values import structures
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value

RULES = "security-group-rules"
"""All rules of one direction of a group, as one setting."""

OPEN, CLOSED = "open", "closed"

_OUT, _OUT_IPV6 = "egress all all 0.0.0.0/0", "egress all all ::/0"
_DESCRIPTIONS = {
    OPEN: "Countermand: an isolated interface passes through it, so that its connections are not tracked",
    CLOSED: "Countermand: isolated interfaces; no rules, nothing in and nothing out",
}


def serves(purpose: str, rules: Collection[str], ipv6: bool) -> bool:
    """Whether a group with just these rules does what a quarantine group is for; `ipv6` is whether its VPC has IPv6."""
    if purpose == CLOSED:
        return not rules
    found = frozenset(rules)
    return _everything(ipv6) <= found <= _everything(ipv6=True)


def rules_of(purpose: str, direction: str, ipv6: bool) -> list[str]:
    """The rules that a quarantine group has in one direction."""
    return sorted(rule for rule in _everything(ipv6) if rule.startswith(direction)) if purpose == OPEN else []


def _everything(ipv6: bool) -> frozenset[str]:
    return frozenset({"ingress all all 0.0.0.0/0", "ingress all all ::/0", _OUT, *([_OUT_IPV6] if ipv6 else [])})


def rules_at_first(direction: str, ipv6: bool) -> list[str]:
    """The rules with which AWS makes every group: all out, by IPv6 too where the VPC has it.

    See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
    """
    return [] if direction == "ingress" else [_OUT, *([_OUT_IPV6] if ipv6 else [])]


def group_value(purpose: str, vpc: str, taken: Collection[str]) -> dict[str, str]:
    """What a new quarantine group is made of, under the first name that the VPC does not have yet."""
    name, number = f"countermand-quarantine-{purpose}", 1
    while (name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return {"GroupName": name if number == 1 else f"{name}-{number}", "Description": _DESCRIPTIONS[purpose], "VpcId": vpc}


def placeholder(purpose: str, vpc: str) -> str:
    """The id by which a plan names a group that it makes first; the executor puts the new id in its place."""
    return f"quarantine-{purpose}-of-{vpc}"


def all_rules(described: JsonObject, owner: str) -> list[str]:
    """Every rule of a group as `DescribeSecurityGroups` shows it."""
    both = (("IpPermissions", "ingress"), ("IpPermissionsEgress", "egress"))
    return sorted({told.rule.name for member, way in both for told in permitted(described.get(member), owner, way)})


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for group in structures(answer.get("SecurityGroups")):
        rules = all_rules(group, scope.account)
        for direction in ("ingress", "egress"):
            yield seen(scope, RULES, group.get("GroupId"), [rule for rule in rules if rule.startswith(direction)], direction)


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    found, kept = set[str](live.value if live else ()), set[str](wanted or ())
    gone, new = sorted(found - kept), sorted(kept - found)
    side = key.name.capitalize()
    calls: tuple[Call, ...] = ()
    if gone:
        calls += call(f"RevokeSecurityGroup{side}", {"GroupId": key.resource, "IpPermissions": _permissions(gone)})
    if new:
        calls += call(f"AuthorizeSecurityGroup{side}", {"GroupId": key.resource, "IpPermissions": _permissions(new)})
    return calls


def _permissions(rules: list[str]) -> list[dict[str, Any]]:
    return [Rule.named(rule).permission() for rule in rules]


QUARANTINE_RULES = family(
    Kind(RULES, 10, lambda key: filtered("DescribeSecurityGroups", "group-id", key.resource), _change, part_of=GROUP),
    readers={},
    observers={"DescribeSecurityGroups": _observe},
    inventory=(),
    absent_codes=("InvalidGroup.NotFound",),
    acts={
        RULES: Acts(
            sets=(
                "ec2:AuthorizeSecurityGroupEgress",
                "ec2:AuthorizeSecurityGroupIngress",
                "ec2:RevokeSecurityGroupEgress",
                "ec2:RevokeSecurityGroupIngress",
            )
        ),
    },
)
