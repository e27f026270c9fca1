"""A security group's rules: what makes two of them the same rule, in every form in which AWS writes one.

A rule is known by its direction, protocol, ports and peer, as in `ingress tcp 22-22 0.0.0.0/0`; AWS allows it once in a group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from incident.network.values import cidr, mapping, structures, text, whole
from incident.record import JsonObject

_PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "-1": "all", "all": "all"}
_WITH_PORTS = ("tcp", "udp")
_WITH_TYPES = ("icmp", "icmpv6")
_ALL = "all"
_RULE_NAME = re.compile(r"(ingress|egress) \S+ \S+ \S+")

_RANGES = (
    ("IpRanges", "CidrIp"),
    ("Ipv6Ranges", "CidrIpv6"),
    ("PrefixListIds", "PrefixListId"),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; `peer` is a network, a prefix list, a group, or `account/group` for another account's group."""

    direction: str
    protocol: str
    ports: str
    peer: str

    @property
    def name(self) -> str:
        return f"{self.direction} {self.protocol} {self.ports} {self.peer}"

    @classmethod
    def named(cls, name: str) -> Rule:
        """The rule of a setting's name.

        Raises:
            ValueError: the name is no rule's; it is the id of a rule that nothing describes.
        """
        if not _RULE_NAME.fullmatch(name):
            raise ValueError(f"nothing tells what rule {name} says")
        return cls(*name.split(" "))

    @property
    def side(self) -> str:
        """As operations spell the direction: `AuthorizeSecurityGroup<side>`."""
        return self.direction.capitalize()

    def permission(self, description: str = "") -> dict[str, Any]:
        """The rule as an element of `IpPermissions`."""
        peer: dict[str, str] = {self._peer_member: self.peer}
        if self._peer_member == "GroupId" and "/" in self.peer:
            peer["UserId"], peer["GroupId"] = self.peer.split("/")
        if description:
            peer["Description"] = description
        protocol = "-1" if self.protocol == _ALL else self.protocol
        return {"IpProtocol": protocol, **self._port_range, self._peer_list: [peer]}

    @property
    def _peer_member(self) -> str:
        if self.peer.startswith("pl-"):
            return "PrefixListId"
        if "sg-" in self.peer:
            return "GroupId"
        return "CidrIpv6" if ":" in self.peer else "CidrIp"

    @property
    def _peer_list(self) -> str:
        lists = {member: name for name, member in _RANGES}
        return lists.get(self._peer_member, "UserIdGroupPairs")

    @property
    def _port_range(self) -> dict[str, int]:
        if self.protocol in _WITH_PORTS:
            start, end = self.ports.split("-")
            return {"FromPort": int(start), "ToPort": int(end)}
        if self.protocol in _WITH_TYPES:
            kind, _, code = self.ports.partition("/")
            return {"FromPort": -1 if kind == _ALL else int(kind), "ToPort": int(code or -1)}
        return {}


@dataclass(frozen=True, slots=True)
class Told:
    """A rule as some record or read tells it."""

    rule: Rule
    description: str = ""
    rule_id: str = ""

    @property
    def value(self) -> dict[str, str]:
        return {"description": self.description}

    @property
    def handles(self) -> dict[str, str]:
        return {"SecurityGroupRuleId": self.rule_id} if self.rule_id else {}


def described(item: JsonObject, owner: str, direction: str = "") -> Told:
    """A rule from `SecurityGroupRules`, as described or answered, or as `ModifySecurityGroupRules` asks for it."""
    direction = direction or ("egress" if text(item.get("IsEgress")).lower() == "true" else "ingress")
    reference = mapping(item.get("ReferencedGroupInfo"))
    peer = (
        cidr(item.get("CidrIpv4") or item.get("CidrIpv6"))
        or text(item.get("PrefixListId"))
        or _group(reference or {"GroupId": item.get("ReferencedGroupId")}, owner)
    )
    return Told(_rule(direction, item, peer), text(item.get("Description")), text(item.get("SecurityGroupRuleId")))


def permitted(permissions: Any, owner: str, direction: str) -> Iterator[Told]:
    """The rules of `IpPermissions`: one for each peer of each element."""
    for permission in structures(permissions):
        for name, member in _RANGES:
            for peer in structures(permission.get(name)):
                rule = _rule(direction, permission, cidr(peer.get(member)))
                yield Told(rule, text(peer.get("Description")))
        for peer in structures(permission.get("UserIdGroupPairs")):
            yield Told(_rule(direction, permission, _group(peer, owner)), text(peer.get("Description")))


def requested(request: JsonObject, owner: str, direction: str) -> list[Told]:
    """The rules of a request, as `IpPermissions` or flat at its top."""
    told = list(permitted(request.get("IpPermissions"), owner, direction))
    if told or not request.get("IpProtocol"):
        return told
    if request.get("CidrIp"):
        return [Told(_rule(direction, request, cidr(request["CidrIp"])))]
    raise ValueError("the record names the peer group by name only; its id must be looked up")


def _rule(direction: str, told: JsonObject, peer: str) -> Rule:
    if not peer:
        raise ValueError("the record shows a rule without a peer")
    protocol = text(told.get("IpProtocol")).lower() or "-1"
    protocol = _PROTOCOLS.get(protocol, protocol)
    return Rule(direction, protocol, _ports(protocol, whole(told.get("FromPort")), whole(told.get("ToPort"))), peer)


def _ports(protocol: str, start: int | None, end: int | None) -> str:
    """Ports of tcp and udp, type and code of ICMP; any other protocol has none, whatever the record says."""
    if protocol in _WITH_PORTS:
        if start is None or start == -1:
            return "0-65535"
        return f"{start}-{start if end is None else end}"
    if protocol in _WITH_TYPES and start is not None and start != -1:
        return f"{start}" if end is None or end == -1 else f"{start}/{end}"
    return _ALL


def _group(peer: JsonObject, owner: str) -> str:
    """A peer group by its id, with its account where that is another one."""
    group, account = text(peer.get("GroupId")), text(peer.get("UserId"))
    if not group:
        if peer.get("GroupName"):
            raise ValueError("the record names the peer group by name only; its id must be looked up")
        return ""
    return group if account in ("", owner) else f"{account}/{group}"
