"""What the internet reaches, against a walk of single packets and case by case."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.exposures.boxes import Boxes, minus
from incident.exposures.exposure import Exposure, Verdict, newly_open
from incident.exposures.reachability import exposures
from tests.incident.networks import EVERYTHING, NUMBERS, Packet, Settings, arrives, entry, key, public_host, seen

NETWORKS = ("0.0.0.0/0", "0.0.0.0/1", "52.0.0.0/8", "52.9.0.0/16", "203.0.113.0/24", "10.0.0.0/8", "10.0.0.0/16")
NETWORKS6 = ("::/0", "2001:db8::/32", "2a05:d014::/36", "fd00::/8")
SENDERS = ("52.9.0.1", "52.200.0.1", "203.0.113.9", "203.0.114.1", "198.51.100.7", "2001:db8::1", "2a05:d014::5", "2600::1")
PORTS = (0, 22, 80, 443, 1023, 1024, 8080, 40000, 65535)
TARGETS = (
    {"GatewayId": "igw-1"},
    {"GatewayId": "igw-2"},
    {"GatewayId": "local"},
    {"NatGatewayId": "nat-1"},
    {"TransitGatewayId": "tgw-1"},
    {"GatewayId": "vgw-1"},
    {"EgressOnlyInternetGatewayId": "eigw-1"},
)

ports = st.tuples(st.sampled_from(PORTS), st.sampled_from(PORTS)).map(lambda pair: (min(pair), max(pair)))
cidrs = st.sampled_from((*NETWORKS, *NETWORKS6))
tables = st.dictionaries(cidrs, st.sampled_from(TARGETS), max_size=5)
acl_entries = st.builds(
    lambda number, action, cidr, ranged: entry(number, action, cidr, ranged if number in ("6", "17") else None),
    st.sampled_from(("-1", "6", "17", "50")),
    st.sampled_from(("allow", "allow", "deny")),
    cidrs,
    st.none() | ports,
)


@st.composite
def rules(draw: st.DrawFn) -> str:
    direction = draw(st.sampled_from(("ingress", "ingress", "ingress", "egress")))
    protocol = draw(st.sampled_from(("tcp", "udp", "all", "icmp")))
    low, high = draw(ports)
    said = {"tcp": f"{low}-{high}", "udp": f"{low}-{high}", "all": "all", "icmp": draw(st.sampled_from(("all", "8")))}[protocol]
    return f"{direction} {protocol} {said} {draw(st.one_of(cidrs, st.just('sg-2')))}"


@st.composite
def networks(draw: st.DrawFn) -> Settings:
    made = {one: value for one, value in public_host(()).items() if one.kind not in ("route", "network-acl-entry")}
    for table in ("rtb-1", "rtb-2"):
        made |= {key("route", table, cidr): target for cidr, target in draw(tables).items()}
        made[key("route", table, "0.0.0.0/0")] = draw(st.sampled_from(TARGETS[:4]))
    for direction in ("ingress", "egress"):
        found = draw(st.dictionaries(st.integers(1, 20), acl_entries, max_size=4))
        made |= {key("network-acl-entry", "acl-1", f"{direction} {number}"): value for number, value in found.items()}
        made[key("network-acl-entry", "acl-1", f"{direction} 90")] = entry("-1", "allow", draw(st.sampled_from(NETWORKS[:3])))
        made[key("network-acl-entry", "acl-1", f"{direction} 91")] = entry("-1", "allow", draw(st.sampled_from(NETWORKS6[:3])))
    for group in ("sg-1", "sg-3"):
        made[key("security-group", group)] = {"GroupName": group}
        made |= {key("security-group-rule", group, rule): {"description": ""} for rule in draw(st.lists(rules(), max_size=4))}
    made[key("network-interface-attribute", "eni-1", "Groups")] = draw(st.sampled_from((["sg-1"], ["sg-1", "sg-3"], [])))
    made[key("internet-gateway-attachment", "igw-2")] = draw(st.sampled_from(({"VpcId": "vpc-1"}, {"VpcId": "vpc-9"}, None)))
    made[key("route-table-association", "subnet-1")] = draw(st.sampled_from((None, {"RouteTableId": "rtb-2"})))
    if draw(st.booleans()):
        made[key("network-interface-address", "eni-1", "2a05:d014::99")] = {"Primary": False}
    if draw(st.booleans()):
        del made[key("network-interface-public-address", "eni-1", "10.0.1.5")]
    return made


packets = st.builds(
    Packet, st.sampled_from((*NUMBERS.values(), 50)), st.sampled_from(SENDERS), st.sampled_from((*PORTS, 8, 21, 79, 81, 30000))
)


def holds(found: list[Exposure], packet: Packet) -> bool:
    sender = ipaddress.ip_address(packet.sender)
    boxes = [box for one in found if one.resource == "eni-1" and one.version == sender.version for box in one.boxes]
    return any(
        low <= number <= high
        for box in boxes
        if box.protocols[0] <= packet.protocol <= box.protocols[1] and box.addresses[0] <= int(sender) <= box.addresses[1]
        for (low, high), number in [(box.ports, packet.port)]
    )


def reached(network: Settings) -> Boxes:
    return [box for one in exposures(seen(network)) for box in one.boxes]


@settings(max_examples=150)
@given(networks(), st.lists(packets, min_size=20, max_size=20))
def test_a_packet_is_said_to_arrive_exactly_when_a_walk_hop_by_hop_lets_it_and_its_answer_through(
    network: Settings, sent: list[Packet]
) -> None:
    found = exposures(seen(network))
    assert all(one.verdict != Verdict.UNKNOWN for one in found)
    for packet in sent:
        assert holds(found, packet) == arrives(network, "eni-1", packet), packet


PERMITTING = ("security-group-rule", "internet-gateway-attachment", "network-interface-public-address")


@settings(max_examples=100)
@given(networks(), st.data())
def test_to_remove_what_permits_opens_nothing(network: Settings, data: st.DataObject) -> None:
    permits = [
        one
        for one, value in network.items()
        if one.kind in PERMITTING or (one.kind == "network-acl-entry" and value["RuleAction"] == "allow")
    ]
    gone = data.draw(st.sampled_from(permits)) if permits else None
    less = {one: value for one, value in network.items() if one != gone}
    by_version = [([b for e in exposures(seen(n)) if e.version == v for b in e.boxes]) for v in (4, 6) for n in (network, less)]
    assert minus(by_version[1], by_version[0]) == []
    assert minus(by_version[3], by_version[2]) == []


NEEDED = (
    "network-interface",
    "network-interface-public-address",
    "address-association",
    "route",
    "route-table-association",
    "main-route-table",
    "network-acl-entry",
    "security-group-rule",
    "vpc-block-public-access",
)


@settings(max_examples=100)
@given(networks(), st.sampled_from(NEEDED))
def test_what_could_not_be_read_is_unknown_and_never_closed(network: Settings, denied: str) -> None:
    truth = exposures(seen(network))
    blind = {one: value for one, value in network.items() if one.kind != denied}
    told = exposures(seen(blind, EVERYTHING - {denied}))
    was_open = {one.version for one in truth if one.verdict == Verdict.OPEN}
    for version in was_open:
        verdicts = {one.verdict for one in told if one.version == version or one.what == "interfaces" or not one.path}
        assert verdicts & {Verdict.UNKNOWN, Verdict.OPEN}, (denied, told)


def of(found: list[Exposure], resource: str = "eni-1") -> Exposure:
    return next(one for one in found if one.resource == resource)


def test_the_path_names_every_hop() -> None:
    found = of(exposures(seen(public_host())))
    assert found.verdict == Verdict.OPEN
    assert [str(way) for way in found.reached] == ["tcp 22 from anywhere (IPv4)"]
    assert [hop.resource for hop in found.path] == ["eni-1", "rtb-1", "igw-1", "acl-1", "sg-1"]
    assert "internet gateway attached to vpc-1" in found.in_words()
    assert found.instance == "i-1"


def test_an_elastic_address_counts_and_its_allocation_is_the_first_hop() -> None:
    network = public_host()
    del network[key("network-interface-public-address", "eni-1", "10.0.1.5")]
    network[key("address", "eipalloc-1")] = {"PublicIp": "52.7.7.7"}
    network[key("address-association", "eipalloc-1")] = {"NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.0.1.5"}
    found = of(exposures(seen(network)))
    assert (found.verdict, found.address, found.path[0].resource) == (Verdict.OPEN, "52.7.7.7", "eipalloc-1")


def test_behind_a_nat_gateway_it_is_out_only() -> None:
    network = public_host()
    del network[key("network-interface-public-address", "eni-1", "10.0.1.5")]
    network[key("route", "rtb-1", "0.0.0.0/0")] = {"NatGatewayId": "nat-1"}
    network[key("nat-gateway", "nat-1")] = {"ConnectivityType": "public", "SubnetId": "subnet-1"}
    found = of(exposures(seen(network)))
    assert found.verdict == Verdict.OUT_ONLY
    assert [hop.resource for hop in found.path] == ["rtb-1", "nat-1"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({key("route", "rtb-1", "0.0.0.0/0"): {"GatewayId": "vpce-1"}}, "vpce-1"),
        ({key("route-table-association", "subnet-1"): None, key("main-route-table", "vpc-1"): None}, "shared"),
        ({key("security-group", "sg-1"): None, key("security-group-rule", "sg-1", "ingress tcp 22-22 0.0.0.0/0"): None}, "another"),
        ({key("network-acl-association", "subnet-1"): None}, "network ACL"),
        ({key("security-group-rule", "sg-1", "sgr-1"): {"description": ""}}, "sgr-1"),
        (
            {
                key("route-table-association", "igw-1"): {"RouteTableId": "rtb-8"},
                key("route", "rtb-8", "10.0.1.0/24"): {"GatewayId": "vpce-2"},
            },
            "vpce-2",
        ),
    ],
)
def test_what_no_setting_tells_is_named(change: dict[Any, Any], word: str) -> None:
    found = of(exposures(seen(public_host() | change)))
    assert found.verdict in (Verdict.UNKNOWN, Verdict.OPEN)
    assert any(word in line for line in found.unknown)


def test_a_public_access_block_closes_and_its_exclusion_opens_again() -> None:
    network = public_host() | {key("vpc-block-public-access", "options"): "block-ingress"}
    assert of(exposures(seen(network))).verdict == Verdict.CLOSED
    exclusion = {"SubnetId": "subnet-1", "InternetGatewayExclusionMode": "allow-bidirectional"}
    network[key("vpc-block-public-access-exclusion", "vpcbpa-1")] = exclusion
    assert of(exposures(seen(network))).verdict == Verdict.OPEN


def test_a_prefix_list_is_written_out() -> None:
    network = public_host(("ingress tcp 443-443 pl-1",))
    assert of(exposures(seen(network))).verdict == Verdict.UNKNOWN
    network |= {key("prefix-list", "pl-1"): {}, key("prefix-list-entry", "pl-1", "198.51.100.0/24"): {}}
    assert [str(way) for way in of(exposures(seen(network))).reached] == ["tcp 443 from 198.51.100.0/24"]


def balanced(scheme: str = "internet-facing") -> Settings:
    lb, group, listener = "arn:lb/app/a/1", "arn:tg/1", "arn:listener/1"
    network = public_host(("ingress tcp 8080-8080 sg-lb",))
    del network[key("network-interface-public-address", "eni-1", "10.0.1.5")]
    return network | {
        key("load-balancer", lb): {"LoadBalancerName": "a", "Type": "application", "Scheme": scheme, "IpAddressType": "ipv4"},
        key("load-balancer-attribute", lb, "Subnets"): ["subnet-1"],
        key("load-balancer-attribute", lb, "SecurityGroups"): ["sg-lb"],
        key("security-group", "sg-lb"): {"GroupName": "lb"},
        key("security-group-rule", "sg-lb", "ingress tcp 0-65535 0.0.0.0/0"): {"description": ""},
        key("listener", listener): {
            "LoadBalancerArn": lb,
            "Protocol": "HTTPS",
            "Port": 443,
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}],
        },
        key("target-group", group): {"Port": 8080},
        key("target", group, "i-1 8080"): {},
    }


def test_a_load_balancer_is_reached_on_its_listeners_and_leads_to_its_targets() -> None:
    found = of(exposures(seen(balanced())), "arn:lb/app/a/1")
    assert [str(way) for way in found.reached] == ["tcp 443 from anywhere (IPv4)"]
    assert [str(hop) for hop in found.behind] == ["target i-1 8080: reached: sg-1 lets in tcp 8080-8080 sg-lb [i-1]"]


def test_an_internal_load_balancer_and_one_without_a_listener_are_closed() -> None:
    assert of(exposures(seen(balanced("internal"))), "arn:lb/app/a/1").verdict == Verdict.CLOSED
    silent = {one: value for one, value in balanced().items() if one.kind != "listener"}
    assert of(exposures(seen(silent)), "arn:lb/app/a/1").verdict == Verdict.CLOSED


def test_only_what_is_new_is_newly_open() -> None:
    before = exposures(seen(public_host(("ingress tcp 443-443 0.0.0.0/0",))))
    after = exposures(seen(public_host(("ingress tcp 443-443 0.0.0.0/0", "ingress tcp 22-22 0.0.0.0/0"))))
    assert [str(way) for one in newly_open(before, after) for way in one.reached] == ["tcp 22 from anywhere (IPv4)"]
    assert newly_open(after, before) == []
