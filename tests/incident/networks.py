"""Small networks as settings, and a walk of single packets through them that shares nothing with the product but the settings."""

from __future__ import annotations

import ipaddress
from typing import Any, NamedTuple

from incident.exposures.visible import Visible
from incident.families import FAMILIES
from incident.family import Scope
from incident.settings import SettingKey

SCOPE = Scope("111122223333", "eu-central-1")
EVERYTHING = frozenset(kind for family in FAMILIES for kind in family.kinds)

Settings = dict[SettingKey, Any]
NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58}


def key(kind: str, resource: str, name: str = "") -> SettingKey:
    return SettingKey(*(SCOPE.account, SCOPE.region), kind, resource, name)


def seen(settings: Settings, covered: frozenset[str] = EVERYTHING) -> Visible:
    return Visible(SCOPE, settings.items(), covered)


def entry(number: str, action: str, cidr: str, ports: tuple[int, int] | None = None) -> dict[str, Any]:
    member = "Ipv6CidrBlock" if ":" in cidr else "CidrBlock"
    made: dict[str, Any] = {"Protocol": number, "RuleAction": action, member: cidr}
    return {**made, "PortRange": {"From": ports[0], "To": ports[1]}} if ports else made


def public_host(rules: tuple[str, ...] = ("ingress tcp 22-22 0.0.0.0/0",)) -> Settings:
    """One instance with a public address in a subnet that leads to the internet."""
    made: Settings = {
        key("vpc", "vpc-1"): {"CidrBlock": "10.0.0.0/16"},
        key("subnet", "subnet-1"): {"VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"},
        key("internet-gateway", "igw-1"): {},
        key("internet-gateway-attachment", "igw-1"): {"VpcId": "vpc-1"},
        key("route-table", "rtb-1"): {"VpcId": "vpc-1"},
        key("main-route-table", "vpc-1"): {"RouteTableId": "rtb-1"},
        key("route", "rtb-1", "10.0.0.0/16"): {"GatewayId": "local"},
        key("route", "rtb-1", "0.0.0.0/0"): {"GatewayId": "igw-1"},
        key("network-acl", "acl-1"): {"VpcId": "vpc-1"},
        key("network-acl-association", "subnet-1"): {"NetworkAclId": "acl-1"},
        key("network-acl-entry", "acl-1", "ingress 100"): entry("-1", "allow", "0.0.0.0/0"),
        key("network-acl-entry", "acl-1", "egress 100"): entry("-1", "allow", "0.0.0.0/0"),
        key("security-group", "sg-1"): {"GroupName": "web", "VpcId": "vpc-1"},
        key("network-interface", "eni-1"): {"SubnetId": "subnet-1", "PrivateIpAddress": "10.0.1.5"},
        key("network-interface-attribute", "eni-1", "Groups"): ["sg-1"],
        key("network-interface-attachment", "eni-1"): {"InstanceId": "i-1", "DeviceIndex": 0},
        key("network-interface-public-address", "eni-1", "10.0.1.5"): {"PublicIp": "52.1.2.3"},
        key("instance", "i-1"): {},
    }
    return made | {key("security-group-rule", "sg-1", rule): {"description": ""} for rule in rules}


class Packet(NamedTuple):
    """What somebody on the internet sends to an interface, from a port of their choice."""

    protocol: int
    sender: str
    port: int


def arrives(settings: Settings, interface: str, packet: Packet) -> bool:
    """Whether a packet and its answer pass, hop by hop, as AWS describes it."""
    there = {one: value for one, value in settings.items() if value is not None}
    sender = ipaddress.ip_address(packet.sender)
    if not _has_address(there, interface, sender.version):
        return False
    subnet = there[key("network-interface", interface)]["SubnetId"]
    if not _comes_back(there, subnet, sender):
        return False
    acl = there[key("network-acl-association", subnet)]["NetworkAclId"]
    if not _list_allows(there, acl, "ingress", packet.protocol, sender, packet.port):
        return False
    ports = {0, 1023, 1024, 40000, 65535, *_edges(there, acl)}
    if not any(_list_allows(there, acl, "egress", packet.protocol, sender, port) for port in ports):
        return False
    groups = there[key("network-interface-attribute", interface, "Groups")]
    return any(
        _rule_allows(one.name, packet, sender) for one in there if one.kind == "security-group-rule" and one.resource in groups
    )


def _has_address(there: Settings, interface: str, version: int) -> bool:
    if version == 6:
        return any(one.kind == "network-interface-address" and one.resource == interface and ":" in one.name for one in there)
    lent = any(one.kind == "network-interface-public-address" and one.resource == interface for one in there)
    return lent or any(
        one.kind == "address-association" and value["NetworkInterfaceId"] == interface for one, value in there.items()
    )


def _comes_back(there: Settings, subnet: str, sender: Any) -> bool:
    vpc = there[key("subnet", subnet)]["VpcId"]
    table = (there.get(key("route-table-association", subnet)) or there[key("main-route-table", vpc)])["RouteTableId"]
    fitting = [
        (ipaddress.ip_network(one.name).prefixlen, target)
        for one, target in there.items()
        if one.kind == "route" and one.resource == table and sender in ipaddress.ip_network(one.name)
    ]
    if not fitting:
        return False
    gateway = max(fitting, key=lambda one: one[0])[1].get("GatewayId", "")
    return gateway.startswith("igw-") and there.get(key("internet-gateway-attachment", gateway)) == {"VpcId": vpc}


def _list_allows(there: Settings, acl: str, direction: str, protocol: int, sender: Any, port: int) -> bool:
    entries = {
        int(one.name.split()[1]): value
        for one, value in there.items()
        if one.kind == "network-acl-entry" and one.resource == acl and one.name.startswith(direction)
    }
    for number in sorted(entries):
        value = entries[number]
        if value["Protocol"] not in ("-1", str(protocol)):
            continue
        if sender not in ipaddress.ip_network(value.get("CidrBlock") or value["Ipv6CidrBlock"]):
            continue
        ranged = value.get("PortRange")
        if ranged and not ranged["From"] <= port <= ranged["To"]:
            continue
        return bool(value["RuleAction"] == "allow")
    return False


def _edges(there: Settings, acl: str) -> set[int]:
    """Every port at which an entry's range begins or ends, and its neighbours: between them nothing changes."""
    ranges = [value["PortRange"] for one, value in there.items() if one.kind == "network-acl-entry" and "PortRange" in value]
    ends = {end for one in ranges for end in (one["From"], one["To"])}
    return {port for end in ends for port in (end - 1, end, end + 1) if 0 <= port <= 65535}


def _rule_allows(name: str, packet: Packet, sender: Any) -> bool:
    direction, protocol, ports, peer = name.split(" ")
    if direction != "ingress" or peer.startswith("sg-") or sender not in ipaddress.ip_network(peer):
        return False
    if protocol == "all":
        return True
    if NUMBERS[protocol] != packet.protocol:
        return False
    if protocol in ("icmp", "icmpv6"):
        return ports in ("all", str(packet.port))
    low, high = map(int, ports.split("-"))
    return low <= packet.port <= high
