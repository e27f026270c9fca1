"""What holds for every family: its calls are valid, they do what they are for, and a setting that is right needs none.

The model that the calls are applied to is the fold itself: each call becomes the CloudTrail record that AWS would write of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from examples import record, setting
from hypothesis import given, settings
from hypothesis import strategies as st

from drill.aws.shapes import request_parameters
from incident.family import Call, Unrestorable
from incident.network.registry import FAMILIES, family_for_event, family_for_kind, part_of, rank
from incident.network.rules import Rule
from incident.settings import Fold, Observed, PriorValue, SettingKey, Source, Value, same

EC2 = botocore.session.get_session().get_service_model("ec2")
BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
FAST = settings(max_examples=60, deadline=None)


@dataclass(frozen=True)
class Case:
    """A kind of setting: where one may be, what it may say, by which id it is called, and what AWS answers a call on it."""

    kind: str
    names: st.SearchStrategy[str]
    values: st.SearchStrategy[Value]
    resource: str
    handles: dict[str, str] = field(default_factory=dict)
    answer: Callable[[SettingKey, Call], dict[str, Any]] = lambda key, call: {"_return": True}


def made(member: str, identifier: str) -> Callable[[SettingKey, Call], dict[str, Any]]:
    """The answer to a create call: an older operation's, for both kinds are read alike."""
    return lambda key, call: {member: {identifier: key.resource}} if member else {identifier: key.resource}


def renewed(member: str, identifier: str) -> Callable[[SettingKey, Call], dict[str, Any]]:
    return lambda key, call: {member: identifier}


def whole_answer(member: str, identifier: str, wanted: dict[str, Any]) -> Callable[[SettingKey, Call], dict[str, Any]]:
    """The answer of operations that tell the whole resource as it is now."""
    return lambda key, call: {member: {identifier: key.resource, **wanted}}


WORD = st.text("abcdefgh -_.", min_size=1, max_size=12).map(str.strip).filter(bool)
NOTHING = st.just("")
ON = st.just({})
V4 = st.ip_addresses(v=4, network="10.0.0.0/8").map(lambda ip: f"{ip}/32")
V6 = st.ip_addresses(v=6, network="2001:db8::/32").map(lambda ip: f"{ip}/128")
NETWORK = st.one_of(V4, V6, st.sampled_from(["0.0.0.0/0", "::/0", "10.0.0.0/8"]))
PORT = st.integers(0, 65535)

PORTS = st.tuples(PORT, PORT).map(lambda pair: f"{min(pair)}-{max(pair)}")
TYPES = st.one_of(
    st.just("all"), st.integers(0, 255).map(str), st.tuples(st.integers(0, 255), st.integers(0, 255)).map("{0[0]}/{0[1]}".format)
)
PEER = st.one_of(NETWORK, st.sampled_from(["pl-1", "sg-2", "444455556666/sg-3"]))
RULE = st.one_of(
    st.builds(Rule, st.sampled_from(["ingress", "egress"]), st.sampled_from(["tcp", "udp"]), PORTS, PEER),
    st.builds(Rule, st.sampled_from(["ingress", "egress"]), st.sampled_from(["icmp", "icmpv6"]), TYPES, PEER),
    st.builds(Rule, st.sampled_from(["ingress", "egress"]), st.sampled_from(["all", "50"]), st.just("all"), PEER),
).map(lambda rule: rule.name)
DESCRIBED = st.one_of(st.just(""), WORD).map(lambda said: {"description": said})

TARGET = st.sampled_from(
    [
        {"GatewayId": "igw-1"},
        {"GatewayId": "vgw-1"},
        {"GatewayId": "vpce-1"},
        {"NatGatewayId": "nat-1"},
        {"NetworkInterfaceId": "eni-1"},
        {"TransitGatewayId": "tgw-1"},
        {"VpcPeeringConnectionId": "pcx-1"},
        {"EgressOnlyInternetGatewayId": "eigw-1"},
        {"CarrierGatewayId": "cagw-1"},
        {"CoreNetworkArn": "arn:aws:networkmanager::1:core-network/x"},
        {"LocalGatewayId": "lgw-1"},
    ]
)

ACTION = st.sampled_from(["allow", "deny"])
CIDR_MEMBER = NETWORK.map(lambda network: {"Ipv6CidrBlock" if ":" in network else "CidrBlock": network})
ENTRY = st.one_of(
    st.tuples(ACTION, CIDR_MEMBER).map(lambda one: {"Protocol": "-1", "RuleAction": one[0], **one[1]}),
    st.tuples(ACTION, CIDR_MEMBER, PORT, PORT).map(
        lambda one: {"Protocol": "6", "RuleAction": one[0], **one[1], "PortRange": {"From": one[2], "To": one[3]}}
    ),
    st.tuples(ACTION, CIDR_MEMBER, st.integers(-1, 40), st.integers(-1, 15)).map(
        lambda one: {"Protocol": "1", "RuleAction": one[0], **one[1], "IcmpTypeCode": {"Type": one[2], "Code": one[3]}}
    ),
)
NUMBERED = st.tuples(st.sampled_from(["ingress", "egress"]), st.integers(1, 32766)).map("{0[0]} {0[1]}".format)

CASES = [
    Case(
        "security-group",
        NOTHING,
        st.just({"GroupName": "web", "Description": "d", "VpcId": "vpc-1"}),
        "sg-1",
        answer=made("", "groupId"),
    ),
    Case("security-group-rule", RULE, DESCRIBED, "sg-1", {"SecurityGroupRuleId": "sgr-1"}),
    Case("security-group-rule", RULE, DESCRIBED, "sg-1"),
    Case("route-table", NOTHING, st.just({"VpcId": "vpc-1"}), "rtb-1", answer=made("routeTable", "routeTableId")),
    Case("route", st.one_of(NETWORK, st.just("pl-1")), TARGET, "rtb-1"),
    Case(
        "route-table-association",
        NOTHING,
        st.sampled_from([{"RouteTableId": "rtb-1"}, {"RouteTableId": "rtb-2"}]),
        "subnet-1",
        {"AssociationId": "rtbassoc-1"},
        lambda key, call: {"associationId" if call.operation.startswith("Associate") else "newAssociationId": "rtbassoc-9"},
    ),
    Case("route-propagation", st.just("vgw-1"), st.just({"Enabled": True}), "rtb-1"),
    Case("network-acl", NOTHING, st.just({"VpcId": "vpc-1"}), "acl-1", answer=made("networkAcl", "networkAclId")),
    Case("network-acl-entry", NUMBERED, ENTRY, "acl-1"),
    Case(
        "vpc-peering",
        NOTHING,
        st.just({"VpcId": "vpc-1", "PeerVpcId": "vpc-2", "PeerOwnerId": "444455556666", "PeerRegion": "eu-west-1"}),
        "pcx-1",
        answer=made("vpcPeeringConnection", "vpcPeeringConnectionId"),
    ),
    Case("internet-gateway", NOTHING, ON, "igw-1", answer=made("internetGateway", "internetGatewayId")),
    Case("internet-gateway-attachment", NOTHING, st.sampled_from([{"VpcId": "vpc-1"}, {"VpcId": "vpc-2"}]), "igw-1"),
    Case(
        "egress-only-internet-gateway",
        NOTHING,
        st.just({"VpcId": "vpc-1"}),
        "eigw-1",
        answer=made("egressOnlyInternetGateway", "egressOnlyInternetGatewayId"),
    ),
    Case("carrier-gateway", NOTHING, st.just({"VpcId": "vpc-1"}), "cagw-1", answer=made("carrierGateway", "carrierGatewayId")),
    Case(
        "nat-gateway",
        NOTHING,
        st.just({"SubnetId": "subnet-1", "ConnectivityType": "public", "AllocationId": "eipalloc-1"}),
        "nat-1",
        answer=made("natGateway", "natGatewayId"),
    ),
    Case(
        "address",
        NOTHING,
        st.just({"PublicIp": "203.0.113.9", "Domain": "vpc"}),
        "eipalloc-1",
        answer=lambda key, call: {"allocationId": key.resource, "publicIp": "203.0.113.9", "domain": "vpc"},
    ),
    Case(
        "address-association",
        NOTHING,
        st.sampled_from([{"NetworkInterfaceId": "eni-1", "PrivateIpAddress": "10.0.0.4"}, {"InstanceId": "i-1"}]),
        "eipalloc-1",
        {"AssociationId": "eipassoc-1"},
        renewed("associationId", "eipassoc-9"),
    ),
    Case(
        "network-interface",
        NOTHING,
        st.just({"SubnetId": "subnet-1", "PrivateIpAddress": "10.0.0.4"}),
        "eni-1",
        answer=made("networkInterface", "networkInterfaceId"),
    ),
    Case(
        "network-interface-address",
        st.one_of(V4, V6).map(lambda network: network.partition("/")[0]),
        st.just({"Primary": False}),
        "eni-1",
    ),
    Case(
        "network-interface-attachment",
        NOTHING,
        st.builds(
            lambda i, d: {"InstanceId": i, "DeviceIndex": d, "DeleteOnTermination": False},
            st.sampled_from(["i-1", "i-2"]),
            st.integers(0, 3),
        ),
        "eni-1",
        {"AttachmentId": "eni-attach-1"},
        renewed("attachmentId", "eni-attach-9"),
    ),
    Case(
        "subnet",
        NOTHING,
        st.just({"VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1a"}),
        "subnet-1",
        answer=made("subnet", "subnetId"),
    ),
    Case("subnet-cidr", st.just("2001:db8::/64"), ON, "subnet-1", {"AssociationId": "subnet-cidr-assoc-1"}),
    Case("vpc", NOTHING, st.just({"CidrBlock": "10.0.0.0/16", "InstanceTenancy": "default"}), "vpc-1", answer=made("vpc", "vpcId")),
    Case("vpc-cidr", V4, ON, "vpc-1", {"AssociationId": "vpc-cidr-assoc-1"}),
    Case(
        "dhcp-options",
        NOTHING,
        st.just({"domain-name": ["a"], "domain-name-servers": ["10.0.0.2", "10.0.0.3"]}),
        "dopt-1",
        answer=made("dhcpOptions", "dhcpOptionsId"),
    ),
    Case("vpc-endpoint-route-table", st.just("rtb-1"), ON, "vpce-1"),
    Case("vpc-endpoint-subnet", st.just("subnet-1"), ON, "vpce-1"),
    Case("vpc-endpoint-security-group", st.just("sg-1"), ON, "vpce-1"),
    Case(
        "vpc-endpoint",
        NOTHING,
        st.just({"VpcId": "vpc-1", "ServiceName": "com.amazonaws.us-east-1.s3", "VpcEndpointType": "Gateway"}),
        "vpce-1",
        answer=made("vpcEndpoint", "vpcEndpointId"),
    ),
    Case(
        "vpc-endpoint-service",
        NOTHING,
        st.builds(
            lambda arns, required: {"NetworkLoadBalancerArns": sorted(arns), "AcceptanceRequired": required},
            st.sets(st.sampled_from(["arn:aws:elb:1", "arn:aws:elb:2"]), min_size=1),
            st.booleans(),
        ),
        "vpce-svc-1",
        answer=made("serviceConfiguration", "serviceId"),
    ),
    Case("vpc-endpoint-service-permission", st.just("arn:aws:iam::444455556666:root"), ON, "vpce-svc-1"),
    Case(
        "prefix-list",
        NOTHING,
        st.builds(
            lambda name, size: {"PrefixListName": name, "AddressFamily": "IPv4", "MaxEntries": size}, WORD, st.integers(1, 9)
        ),
        "pl-1",
        answer=made("prefixList", "prefixListId"),
    ),
    Case("prefix-list-entry", NETWORK, st.one_of(st.just(""), WORD).map(lambda said: {"Description": said}), "pl-1"),
    Case(
        "flow-log",
        NOTHING,
        st.just(
            {
                "ResourceId": "vpc-1",
                "TrafficType": "ALL",
                "LogDestinationType": "s3",
                "LogDestination": "arn:aws:s3:::logs",
                "LogFormat": "${version} ${action}",
                "MaxAggregationInterval": 60,
            }
        ),
        "fl-1",
        answer=lambda key, call: {"flowLogIdSet": {"items": [key.resource]}},
    ),
    Case(
        "customer-gateway",
        NOTHING,
        st.just({"Type": "ipsec.1", "BgpAsn": 65000, "IpAddress": "203.0.113.9"}),
        "cgw-1",
        answer=made("customerGateway", "customerGatewayId"),
    ),
    Case(
        "vpn-gateway",
        NOTHING,
        st.just({"Type": "ipsec.1", "AmazonSideAsn": 64512}),
        "vgw-1",
        answer=made("vpnGateway", "vpnGatewayId"),
    ),
    Case("vpn-gateway-attachment", NOTHING, st.sampled_from([{"VpcId": "vpc-1"}, {"VpcId": "vpc-2"}]), "vgw-1"),
    Case(
        "vpn-connection",
        NOTHING,
        st.just({"Type": "ipsec.1", "CustomerGatewayId": "cgw-1", "VpnGatewayId": "vgw-1", "Options": {"StaticRoutesOnly": True}}),
        "vpn-1",
        answer=made("vpnConnection", "vpnConnectionId"),
    ),
    Case("vpn-connection-route", V4, ON, "vpn-1"),
    Case(
        "transit-gateway",
        NOTHING,
        st.just({"Description": "hub", "Options": {"DnsSupport": "enable", "AmazonSideAsn": 64512}}),
        "tgw-1",
        answer=made("transitGateway", "transitGatewayId"),
    ),
    Case(
        "transit-gateway-vpc-attachment",
        NOTHING,
        st.just({"TransitGatewayId": "tgw-1", "VpcId": "vpc-1", "SubnetIds": ["subnet-1"], "Options": {"DnsSupport": "enable"}}),
        "tgw-attach-1",
        answer=made("transitGatewayVpcAttachment", "transitGatewayAttachmentId"),
    ),
    Case(
        "transit-gateway-route-table",
        NOTHING,
        st.just({"TransitGatewayId": "tgw-1"}),
        "tgw-rtb-1",
        answer=made("transitGatewayRouteTable", "transitGatewayRouteTableId"),
    ),
    Case(
        "transit-gateway-route",
        V4,
        st.sampled_from(
            [{"Blackhole": True}, {"TransitGatewayAttachmentId": "tgw-attach-1"}, {"TransitGatewayAttachmentId": "tgw-attach-2"}]
        ),
        "tgw-rtb-1",
    ),
    Case(
        "transit-gateway-association",
        NOTHING,
        st.sampled_from([{"TransitGatewayRouteTableId": "tgw-rtb-1"}, {"TransitGatewayRouteTableId": "tgw-rtb-2"}]),
        "tgw-attach-1",
    ),
    Case("transit-gateway-propagation", st.just("tgw-attach-1"), ON, "tgw-rtb-1"),
    Case(
        "traffic-mirror-filter",
        NOTHING,
        st.just({"Description": "all"}),
        "tmf-1",
        answer=made("trafficMirrorFilter", "trafficMirrorFilterId"),
    ),
    Case("traffic-mirror-filter-service", st.just("amazon-dns"), ON, "tmf-1"),
    Case(
        "traffic-mirror-target",
        NOTHING,
        st.just({"NetworkInterfaceId": "eni-1"}),
        "tmt-1",
        answer=made("trafficMirrorTarget", "trafficMirrorTargetId"),
    ),
    Case(
        "traffic-mirror-session",
        NOTHING,
        st.just(
            {
                "NetworkInterfaceId": "eni-1",
                "TrafficMirrorTargetId": "tmt-1",
                "TrafficMirrorFilterId": "tmf-1",
                "SessionNumber": 1,
                "VirtualNetworkId": 7,
            }
        ),
        "tms-1",
        answer=made("trafficMirrorSession", "trafficMirrorSessionId"),
    ),
    Case(
        "vpc-block-public-access-exclusion",
        NOTHING,
        st.just({"VpcId": "vpc-1", "InternetGatewayExclusionMode": "allow-egress"}),
        "vpcbpa-exclude-1",
        answer=made("vpcBlockPublicAccessExclusion", "exclusionId"),
    ),
    Case("tag", WORD, WORD, "sg-1"),
]

ALWAYS_THERE = [
    Case(
        "main-route-table",
        NOTHING,
        st.sampled_from([{"RouteTableId": "rtb-1"}, {"RouteTableId": "rtb-2"}]),
        "vpc-1",
        {"AssociationId": "rtbassoc-1"},
        renewed("newAssociationId", "rtbassoc-9"),
    ),
    Case(
        "network-acl-association",
        NOTHING,
        st.sampled_from([{"NetworkAclId": "acl-1"}, {"NetworkAclId": "acl-2"}]),
        "subnet-1",
        {"AssociationId": "aclassoc-1"},
        renewed("newAssociationId", "aclassoc-9"),
    ),
    Case(
        "vpc-peering-option",
        st.sampled_from(["requester AllowDnsResolutionFromRemoteVpc", "accepter AllowDnsResolutionFromRemoteVpc"]),
        st.booleans(),
        "pcx-1",
    ),
    Case(
        "dhcp-options-association", NOTHING, st.sampled_from([{"DhcpOptionsId": "dopt-1"}, {"DhcpOptionsId": "default"}]), "vpc-1"
    ),
    Case(
        "network-interface-attribute",
        st.just("Groups"),
        st.sets(st.sampled_from(["sg-1", "sg-2", "sg-3"]), min_size=1).map(sorted),
        "eni-1",
    ),
    Case("network-interface-attribute", st.just("SourceDestCheck"), st.booleans(), "eni-1"),
    Case("network-interface-attribute", st.just("SourceDestCheck"), st.booleans(), "i-1"),
    Case("network-interface-attribute", st.just("Description"), st.one_of(st.just(""), WORD), "eni-1"),
    Case("instance-attribute", st.just("instanceType"), st.sampled_from(["t3.micro", "t3.large"]), "i-1"),
    Case(
        "subnet-attribute",
        st.sampled_from(["MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation", "EnableDns64"]),
        st.booleans(),
        "subnet-1",
    ),
    Case("subnet-attribute", st.just("PrivateDnsHostnameTypeOnLaunch"), st.sampled_from(["ip-name", "resource-name"]), "subnet-1"),
    Case("vpc-attribute", st.sampled_from(["EnableDnsSupport", "EnableDnsHostnames"]), st.booleans(), "vpc-1"),
    Case(
        "vpc-endpoint-attribute",
        st.just("PolicyDocument"),
        st.sampled_from([{"Version": "2012-10-17", "Statement": []}, {"Statement": [{"Effect": "Deny"}]}]),
        "vpce-1",
    ),
    Case("vpc-endpoint-attribute", st.just("PrivateDnsEnabled"), st.booleans(), "vpce-1"),
    Case(
        "vpc-endpoint-connection", st.just("vpce-1"), st.sampled_from([{"State": "accepted"}, {"State": "rejected"}]), "vpce-svc-1"
    ),
    Case("vpc-block-public-access", NOTHING, st.sampled_from(["off", "block-bidirectional", "block-ingress"]), "options"),
]

NO_WAY_BACK = {"vpc-peering-acceptance", "transit-gateway-acceptance", "network-interface-public-address"}
ANSWERED_WHOLE = {"transit-gateway-peering", "traffic-mirror-filter-rule", "nat-gateway-address"}
"""Kinds whose calls are checked by examples in the tests of their families."""
OTHER_SERVICES = {"elasticloadbalancing", "network-firewall", "rds", "lambda", "route53"}
"""Services whose families have tests of their own."""


def calls_for(key: SettingKey, live: Value, wanted: Value, handles: dict[str, str]) -> tuple[Call, ...]:
    observed = None if live is None else Observed(key, live, handles)
    answer = family_for_kind(key.kind).change(key, observed, wanted)
    assert not isinstance(answer, Unrestorable), answer
    return answer


def valid(call: Call) -> None:
    """Whether boto3 would send a call, with what is looked up in it."""
    shape = EC2.operation_model(call.operation).input_shape
    looked_up = {name: 7 if name == "CurrentVersion" else "looked-up" for name in call.lookups}
    report = ParamValidator().validate({**call.parameters, **looked_up}, shape)
    assert not report.has_errors(), report.generate_report()
    assert call.permissions[0] == f"ec2:{call.operation}"


def outcome(case: Case, key: SettingKey, live: Value, calls: tuple[Call, ...]) -> Value:
    """What the records of the calls tell of the setting."""
    fold = Fold([(key, PriorValue(live, BEFORE, Source.BASELINE, tuple(case.handles.values())))])
    for at, call in enumerate(calls):
        valid(call)
        if any(lookup.each for lookup in call.lookups.values()):
            # Made once for each of what is found, and here there is nothing.
            continue
        asked = request_parameters("ec2", call.operation, dict(call.parameters))
        told = record(call.operation, at=at, request=asked, response=case.answer(key, call))
        family = family_for_event(told.operation)
        assert family is not None, f"{call.operation} is called and not understood"
        fold.read(told, family.writes)
    return fold.histories[key].entries[-1].after if calls else live


def identified(case: Case) -> str:
    return f"{case.kind} {case.resource}"


@pytest.mark.parametrize("case", CASES, ids=identified)
@FAST
@given(data=st.data())
def test_calls_bring_what_may_be_absent_from_any_value_to_any_other(case: Case, data: st.DataObject):
    key = setting(case.kind, case.resource, data.draw(case.names))
    live, wanted = data.draw(st.none() | case.values), data.draw(st.none() | case.values)

    calls = calls_for(key, live, wanted, case.handles)

    assert bool(calls) == (not same(live, wanted))
    assert same(outcome(case, key, live, calls), wanted)


@pytest.mark.parametrize("case", ALWAYS_THERE, ids=identified)
@FAST
@given(data=st.data())
def test_calls_bring_what_is_always_there_to_any_value(case: Case, data: st.DataObject):
    key = setting(case.kind, case.resource, data.draw(case.names))
    live, wanted = data.draw(case.values), data.draw(case.values)

    calls = calls_for(key, live, wanted, case.handles)

    assert bool(calls) == (not same(live, wanted))
    assert same(outcome(case, key, live, calls), wanted)


def test_every_kind_is_tried():
    tried = {case.kind for case in (*CASES, *ALWAYS_THERE)} | NO_WAY_BACK | ANSWERED_WHOLE
    elsewhere = [family for family in FAMILIES if {event.partition(":")[0] for event in family.events} <= OTHER_SERVICES]
    assert tried == {kind for family in FAMILIES if family not in elsewhere for kind in family.kinds}


def test_what_lives_in_something_goes_before_it():
    for family in FAMILIES:
        for kind in family.kinds:
            parent = part_of(kind)
            assert parent in ("", "*") or rank(kind) < rank(parent)


@given(RULE)
def test_a_rules_name_says_all_of_it(name: str):
    assert Rule.named(name).name == name
