"""The gates between the internet and an interface: routes, public access block, network ACL, security groups.

A gate says which packets it surely lets through (`sure`) and which it may (`may`, which holds the sure ones). What was not read may
let everything through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from incident.exposures.boxes import PORTS, PROTOCOLS, Box, Boxes, Range, Version, common, everything, minus, network, union
from incident.exposures.visible import Visible
from incident.network.rules import Rule
from incident.network.values import mapping, text, whole
from incident.settings import Value

_NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58}
_INSIDE = ("NetworkInterfaceId", "InstanceId", "CarrierGatewayId")
"""Targets behind which an appliance or a carrier decides; no setting tells what they let through."""


@dataclass(frozen=True)
class Gate:
    """One gate; `hops` are the resources that make it with what each does, `unknown` what was not read."""

    sure: Boxes
    may: Boxes
    hops: tuple[tuple[str, str], ...] = ()
    unknown: tuple[str, ...] = ()


def _unread(version: Version, *what: str) -> Gate:
    return Gate([], [everything(version)], (), what)


# --- routes -------------------------------------------------------------------------------------------------------------------


class _Route(NamedTuple):
    destination: str
    target: Mapping[str, Value]


def routes_gate(seen: Visible, subnet: str, version: Version) -> Gate:
    """The senders to whom the subnet's routes lead back through an internet gateway that is attached to its VPC."""
    vpc, table, problem = _table_of(seen, subnet)
    if problem:
        return _unread(version, problem)
    left: Boxes = [everything(version)]
    sure, may = list[Box](), list[Box]()
    hops: list[tuple[str, str]] = []
    unknown: list[str] = []
    for route in _narrowest_first(seen, table, version, unknown):
        found = network(route.destination)
        if found is None or found[0] != version:
            continue
        there = [Box(PROTOCOLS, found[1], PORTS)]
        taken, left = common(left, there), minus(left, there)
        certain, possible, why = _leads_to_internet(seen, vpc, route.target)
        sure += taken if certain else []
        may += taken if possible else []
        if possible and taken:
            target = _target(route.target)
            hops += [(table, f"route table of {subnet} sends {route.destination} to {target}")]
            hops += [(target, f"internet gateway attached to {vpc}")] if target.startswith("igw-") else []
            unknown += [why] if why else []
    if any(problem.startswith("the entries") for problem in unknown):
        may = [everything(version)]
    past = _appliance_before(seen, vpc)
    if past:
        sure, unknown = [], [*unknown, past]
    return Gate(sure, may, tuple(dict.fromkeys(hops)), tuple(dict.fromkeys(unknown)))


def _table_of(seen: Visible, subnet: str) -> tuple[str, str, str]:
    """The VPC and the route table of a subnet, or what of it is not known."""
    vpc = seen.told("subnet", subnet, "VpcId")
    if not subnet or not vpc:
        return "", "", f"the subnet {subnet or 'of the interface'} and its VPC"
    if not all(map(seen.read_all_of, ("route", "route-table-association", "main-route-table"))):
        return vpc, "", f"the routes of {subnet}"
    table = seen.told("route-table-association", subnet, "RouteTableId") or seen.told("main-route-table", vpc, "RouteTableId")
    return vpc, table, "" if table else f"the route table of {subnet}: the subnet may be shared by another account"


def _narrowest_first(seen: Visible, table: str, version: Version, unknown: list[str]) -> list[_Route]:
    """The routes by which a packet is sent, prefix lists written out. The narrowest destination that holds an address wins.

    Where a list and a network are equally narrow the network wins, so it stands first.
    """
    plain: list[_Route] = []
    listed: list[_Route] = []
    for destination, target in seen.named("route", table).items():
        if not destination.startswith("pl-"):
            plain.append(_Route(destination, mapping(target)))
        elif seen.named("prefix-list-entry", destination):
            listed += [_Route(cidr, mapping(target)) for cidr in seen.named("prefix-list-entry", destination)]
        elif not (_target(mapping(target)).startswith("vpce-") or seen.value("prefix-list", destination) is not None):
            # The lists of AWS's own services lead to gateway endpoints; another list may hold any network.
            unknown.append(f"the entries of the prefix list {destination}")
    return sorted([*plain, *listed], key=lambda route: -_length(route.destination))


def _length(cidr: str) -> int:
    found = network(cidr)
    return 0 if found is None else (32 if found[0] == 4 else 128) - (found[1][1] - found[1][0]).bit_length()


def _target(target: Mapping[str, Value]) -> str:
    return text(next(iter(target.values()), ""))


def _leads_to_internet(seen: Visible, vpc: str, target: Mapping[str, Value]) -> tuple[bool, bool, str]:
    """Whether a target surely, and whether it possibly, is the way to the internet; and what is not known."""
    name = _target(target)
    if name.startswith("igw-"):
        attached = seen.told("internet-gateway-attachment", name, "VpcId")
        if attached:
            return attached == vpc, attached == vpc, ""
        possible = not seen.read_all_of("internet-gateway-attachment")
        return False, possible, f"which VPC {name} is attached to"
    if name.startswith("vpce-") or any(member in target for member in _INSIDE):
        return False, True, f"what {name} lets through"
    return False, False, ""


def _appliance_before(seen: Visible, vpc: str) -> str:
    """A route table of the VPC's internet gateway itself, which sends what comes in through an appliance first."""
    for gateway, values in seen.resources("internet-gateway-attachment").items():
        if mapping(values.get("")).get("VpcId") == vpc:
            table = seen.told("route-table-association", gateway, "RouteTableId")
            targets = [_target(mapping(target)) for target in seen.named("route", table).values()] if table else []
            through = sorted(name for name in targets if name != "local")
            if through:
                return f"what {through[0]} lets through: the route table {table} of {gateway} sends to it what comes in"
    return ""


def leads_out(seen: Visible, subnet: str) -> tuple[tuple[str, str], ...]:
    """The hops by which a subnet reaches out without being reached: a public NAT gateway, or an egress-only gateway for IPv6."""
    _, table, problem = _table_of(seen, subnet)
    if problem:
        return ()
    for destination, value in seen.named("route", table).items():
        target = mapping(value)
        gateway = text(target.get("NatGatewayId"))
        private = seen.told("nat-gateway", gateway, "ConnectivityType") == "private"
        if gateway and not private:
            return (table, f"route table of {subnet} sends {destination} to {gateway}"), (gateway, "NAT gateway: out only")
        only = text(target.get("EgressOnlyInternetGatewayId"))
        if only:
            return (table, f"route table of {subnet} sends {destination} to {only}"), (only, "egress-only gateway: out only")
    return ()


# --- public access block ------------------------------------------------------------------------------------------------------


def block_gate(seen: Visible, subnet: str, version: Version) -> Gate:
    """VPC Block Public Access: it stops what comes in, except in what is excluded.

    https://docs.aws.amazon.com/vpc/latest/userguide/security-vpc-bpa.html
    """
    every = [everything(version)]
    if not seen.read_all_of("vpc-block-public-access"):
        return Gate([], every, (), ("whether VPC Block Public Access is on",))
    mode = text(seen.value("vpc-block-public-access", "options"))
    if mode in ("", "off"):
        return Gate(every, every)
    vpc = seen.told("subnet", subnet, "VpcId")
    excluded = _excluded(seen, vpc, subnet)
    if excluded:
        return Gate(every, every, ((excluded, "excluded from VPC Block Public Access"),))
    may = [] if vpc and seen.read_all_of("vpc-block-public-access-exclusion") else every
    unknown = ("what is excluded from VPC Block Public Access",) if may else ()
    return Gate([], may, (("options", f"VPC Block Public Access: {mode}"),), unknown)


def _excluded(seen: Visible, vpc: str, subnet: str) -> str:
    """The exclusion that lets traffic in to a subnet, if any."""
    for exclusion, values in seen.resources("vpc-block-public-access-exclusion").items():
        told = mapping(values.get(""))
        lets_in = told.get("InternetGatewayExclusionMode") == "allow-bidirectional"
        if lets_in and ((vpc and told.get("VpcId") == vpc) or (subnet and told.get("SubnetId") == subnet)):
            return exclusion
    return ""


# --- network ACL --------------------------------------------------------------------------------------------------------------


def acl_gate(seen: Visible, subnet: str, version: Version) -> Gate:
    """What the subnet's network ACL lets in and whose answer it lets out; it keeps no state."""
    acl = seen.told("network-acl-association", subnet, "NetworkAclId")
    if not acl or not seen.read_all_of("network-acl-entry"):
        return _unread(version, f"the network ACL of {subnet or 'the subnet'}")
    let_in, inward = _allowed(seen, acl, "ingress", version)
    let_out, outward = _allowed(seen, acl, "egress", version)
    # The answer goes to the sender, at a port that the sender chose.
    answered = [box._replace(ports=PORTS) for box in let_out]
    both = common(union(let_in), answered)
    numbers = ", ".join(inward)
    hops = ((acl, f"network ACL lets in by {numbers}, and the answer out by {', '.join(outward)}"),) if both else ()
    return Gate(both, both, hops or ((acl, "network ACL lets nothing through"),))


def _allowed(seen: Visible, acl: str, direction: str, version: Version) -> tuple[Boxes, list[str]]:
    """What the entries of one direction allow, in rising order of their numbers; the first that matches decides."""
    left: Boxes = [everything(version)]
    allowed: Boxes = []
    by: list[str] = []
    for number, entry in sorted(_entries(seen, acl, direction)):
        allows = text(entry.get("RuleAction")) == "allow"
        there = _entry_box(entry, version, allows=allows)
        if there is None:
            continue
        taken, left = common(left, [there]), minus(left, [there])
        if taken and allows:
            allowed += taken
            by.append(f"entry {number}")
    return allowed, by


def _entries(seen: Visible, acl: str, direction: str) -> Iterator[tuple[int, Mapping[str, Value]]]:
    for name, entry in seen.named("network-acl-entry", acl).items():
        said, _, number = name.partition(" ")
        if said == direction and whole(number) is not None:
            yield int(number), mapping(entry)


def _entry_box(entry: Mapping[str, Value], version: Version, *, allows: bool) -> Box | None:
    """The packets that an entry is about. One that denies a single ICMP code denies none of the type's others: it is left out."""
    found = network(text(entry.get("CidrBlock") or entry.get("Ipv6CidrBlock")))
    if found is None or found[0] != version:
        return None
    number = whole(entry.get("Protocol"))
    if number is None or number == -1:
        return Box(PROTOCOLS, found[1], PORTS)
    ports: Range = PORTS
    told, icmp = mapping(entry.get("PortRange")), mapping(entry.get("IcmpTypeCode"))
    if number in (6, 17) and told:
        ports = (whole(told.get("From")) or 0, _or(whole(told.get("To")), PORTS[1]))
    if number in (1, 58):
        kind, code = _or(whole(icmp.get("Type")), -1), _or(whole(icmp.get("Code")), -1)
        if code != -1 and not allows:
            return None
        ports = PORTS if kind == -1 else (kind, kind)
    return Box((number, number), found[1], ports)


def _or(value: int | None, other: int) -> int:
    return other if value is None else value


# --- security groups ----------------------------------------------------------------------------------------------------------


def groups_gate(seen: Visible, groups: Iterable[str] | None, version: Version) -> Gate:
    """What any of the groups lets in. They keep state: the answer goes out by itself. `None`: nothing tells which groups."""
    if groups is None:
        return _unread(version, "the security groups of the interface")
    sure: Boxes = []
    unknown: list[str] = []
    hops: list[tuple[str, str]] = []
    for group in groups:
        if not seen.read_all_of("security-group-rule"):
            unknown.append(f"the rules of {group}")
        elif seen.value("security-group", group) is None:
            unknown.append(f"the rules of {group}: it may be another account's")
        for name in seen.named("security-group-rule", group):
            found, problem = _rule_boxes(seen, name, version)
            unknown += [f"{problem} in {group}"] if problem else []
            if found:
                sure += found
                hops.append((group, f"security group lets in {name.removeprefix('ingress ')}"))
    sure = union(sure)
    return Gate(sure, [everything(version)] if unknown else sure, tuple(hops), tuple(unknown))


def _rule_boxes(seen: Visible, name: str, version: Version) -> tuple[Boxes, str]:
    """What one rule lets in from outside, and what of it is not known."""
    try:
        rule = Rule.named(name)
    except ValueError as problem:
        return [], str(problem)
    if rule.direction != "ingress" or "sg-" in rule.peer:
        return [], ""
    networks = [rule.peer]
    if rule.peer.startswith("pl-"):
        networks = list(seen.named("prefix-list-entry", rule.peer))
        if not networks and (seen.value("prefix-list", rule.peer) is None or not seen.read_all_of("prefix-list-entry")):
            return [], f"the entries of the prefix list {rule.peer}"
    found = [there for cidr in networks if (there := network(cidr)) and there[0] == version]
    protocols, ports = _protocols(rule.protocol), _ports(rule)
    return union(Box(protocols, addresses, ports) for _, addresses in found), ""


def _protocols(protocol: str) -> Range:
    number = _NUMBERS.get(protocol, whole(protocol))
    return PROTOCOLS if number is None or number == -1 else (number, number)


def _ports(rule: Rule) -> Range:
    if rule.protocol in ("tcp", "udp"):
        start, _, end = rule.ports.partition("-")
        return int(start), int(end or start)
    kind = rule.ports.partition("/")[0]
    return (int(kind), int(kind)) if rule.protocol in ("icmp", "icmpv6") and kind.isdigit() else PORTS
