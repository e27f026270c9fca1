"""What the internet reaches of load balancers, and where they send it.

Only balancers of the second generation are in the baseline. Between a balancer and its targets the groups are judged; network ACLs
between their subnets are not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from incident.exposures.boxes import PORTS, Box, Boxes, Version, common, everything, internet, network, union
from incident.exposures.exposure import Exposure, Hop, Verdict, in_subnets
from incident.exposures.gates import Gate, groups_gate
from incident.exposures.visible import Visible
from incident.network.rules import Rule
from incident.network.values import identifiers, items, mapping, structures, text, whole
from incident.settings import Value

_TCP, _UDP = (6, 6), (17, 17)
_PROTOCOLS = {"UDP": (_UDP,), "TCP_UDP": (_TCP, _UDP), "QUIC": (_UDP,), "TCP_QUIC": (_TCP, _UDP)}


def balancer_exposures(seen: Visible) -> Iterator[Exposure]:
    """Every load balancer of a region, for each IP version that it has."""
    for arn, values in seen.resources("load-balancer").items():
        told = mapping(values.get(""))
        if text(told.get("Scheme")) == "internal":
            hop = Hop(arn, "internal load balancer: it has no public address")
            yield Exposure(seen.scope.account, seen.scope.region, "load balancer", arn, Verdict.CLOSED, path=(hop,))
            continue
        for version in _versions(text(told.get("IpAddressType"))):
            yield _judged(seen, arn, told, version)


def _versions(address_type: str) -> tuple[Version, ...]:
    if address_type == "dualstack-without-public-ipv4":
        return (6,)
    return (4, 6) if address_type == "dualstack" else (4,)


def _judged(seen: Visible, arn: str, told: Mapping[str, Any], version: Version) -> Exposure:
    """The widest of what is reached in its subnets: a client may take the address in any of them."""
    widest = in_subnets(
        seen,
        identifiers(_now(seen, arn, told, "Subnets")) or [""],
        [listener_gate(seen, arn, version), _groups(seen, arn, told, version)],
        what="load balancer",
        resource=arn,
        address=text(told.get("LoadBalancerName")),
        version=version,
        first=Hop(arn, "internet-facing load balancer"),
    )
    return replace(widest, behind=tuple(_behind(seen, arn, told))) if widest.verdict in (Verdict.OPEN, Verdict.UNKNOWN) else widest


def _now(seen: Visible, arn: str, told: Mapping[str, Any], name: str) -> list[Any]:
    """What can change while the balancer stays is a setting of its own; the balancer's value has what it was made with."""
    found = seen.value("load-balancer-attribute", arn, name)
    return items(told.get(name) if found is None else found)


def _groups(seen: Visible, arn: str, told: Mapping[str, Any], version: Version) -> Gate:
    groups = identifiers(_now(seen, arn, told, "SecurityGroups"))
    if groups or text(told.get("Type")) == "application":
        return groups_gate(seen, groups, version)
    every = [everything(version)]
    return Gate(every, every, ((arn, "the load balancer has no security group: it takes every sender"),))


def listener_gate(seen: Visible, arn: str, version: Version) -> Gate:
    """The protocols and ports on which a balancer listens."""
    boxes: Boxes = []
    hops: list[tuple[str, str]] = []
    for listener, value in _listeners(seen, arn):
        protocol, port = text(value.get("Protocol")), whole(value.get("Port"))
        ports = PORTS if port is None else (port, port)
        boxes += [everything(version)._replace(protocols=one, ports=ports) for one in _PROTOCOLS.get(protocol, (_TCP,))]
        hops.append((listener, f"listener {protocol} {port if port is not None else ''}".rstrip()))
    boxes = union(boxes)
    if seen.read_all_of("listener"):
        return Gate(boxes, boxes, tuple(hops))
    return Gate(boxes, [everything(version)], tuple(hops), (f"the listeners of {arn}",))


def _listeners(seen: Visible, arn: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for listener, values in seen.resources("listener").items():
        value = mapping(values.get(""))
        if text(value.get("LoadBalancerArn")) == arn:
            yield listener, value


# --- behind it ----------------------------------------------------------------------------------------------------------------


def _behind(seen: Visible, arn: str, told: Mapping[str, Any]) -> Iterator[Hop]:
    groups = identifiers(_now(seen, arn, told, "SecurityGroups"))
    networks = [text(seen.told("subnet", subnet, "CidrBlock")) for subnet in identifiers(_now(seen, arn, told, "Subnets"))]
    client = text(told.get("Type")) == "network"
    for group in _target_groups(seen, arn):
        if not seen.read_all_of("target"):
            yield Hop(group, "not known: the targets were not read")
        for target in seen.named("target", group):
            name, _, port = target.partition(" ")
            yield Hop(name, f"target {name} {port}: {_let_in(seen, name, whole(port), groups, networks, client)}")


def _target_groups(seen: Visible, arn: str) -> list[str]:
    found: list[str] = []
    for listener, value in _listeners(seen, arn):
        rules = [mapping(rule).get("Actions") for rule in seen.named("listener-rule", listener).values()]
        for action in (one for actions in (value.get("DefaultActions"), *rules) for one in structures(actions)):
            shares = structures(mapping(action.get("ForwardConfig")).get("TargetGroups"))
            found += [text(one.get("TargetGroupArn")) for one in (action, *shares) if text(one.get("TargetGroupArn"))]
    return list(dict.fromkeys(found))


def _let_in(seen: Visible, target: str, port: int | None, groups: list[str], networks: list[str], client: bool) -> str:
    """Whether a target's groups let the balancer in; `client`: the sender may be the client itself."""
    interface = _interface_of(seen, target)
    if not interface:
        return "its groups are not known" if not target.startswith("arn:") else "reached"
    value: Value = seen.value("network-interface-attribute", interface, "Groups")
    if value is None or not seen.read_all_of("security-group-rule"):
        return "its groups are not known"
    for group in identifiers(value):
        for name in seen.named("security-group-rule", group):
            if _admits(seen, name, port, groups, networks, client):
                return f"reached: {group} lets in {name.removeprefix('ingress ')}"
    return "its security groups do not let the load balancer in"


def _interface_of(seen: Visible, target: str) -> str:
    if target.startswith("i-"):
        attached = seen.resources("network-interface-attachment").items()
        own = [(whole(mapping(v.get("")).get("DeviceIndex")) or 0, name) for name, v in attached if _is_of(v, target)]
        return min(own, default=(0, ""))[1]
    return next((name for name, values in seen.resources("network-interface-address").items() if target in values), "")


def _is_of(values: Mapping[str, Value], instance: str) -> bool:
    return text(mapping(values.get("")).get("InstanceId")) == instance


def _admits(seen: Visible, name: str, port: int | None, groups: list[str], networks: list[str], client: bool) -> bool:
    try:
        rule = Rule.named(name)
    except ValueError:
        return False
    if rule.direction != "ingress":
        return False
    if rule.protocol in ("tcp", "udp") and port is not None:
        low, _, high = rule.ports.partition("-")
        if not int(low) <= port <= int(high):
            return False
    if rule.peer in groups:
        return True
    peers = list(seen.named("prefix-list-entry", rule.peer)) if rule.peer.startswith("pl-") else [rule.peer]
    return any(_overlap(peer, one) for peer in peers for one in networks) or (client and any(map(_is_public, peers)))


def _overlap(one: str, other: str) -> bool:
    left, right = network(one), network(other)
    if left is None or right is None or left[0] != right[0]:
        return False
    return left[1][0] <= right[1][1] and right[1][0] <= left[1][1]


def _is_public(cidr: str) -> bool:
    found = network(cidr)
    return found is not None and bool(common(internet(found[0]), [Box((0, 255), found[1], PORTS)]))
