"""A configuration item tells of a resource what the describe call would have shown at its moment."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from examples import ACCOUNT, REGION, setting

from incident.config_items import Question, captured_at, prior_values, question_about, told
from incident.config_types import ITEM_TYPES
from incident.families import FAMILIES, family_for_kind
from incident.family import Read, Scope
from incident.settings import Source, canonical

CORPUS = Path(os.environ.get("COUNTERMAND_CORPUS") or Path(__file__).parents[3] / "shared" / "data") / "config"
REAL = pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no configuration items at {CORPUS}: set COUNTERMAND_CORPUS")
AT = datetime(2026, 3, 1, 11, 0, tzinfo=UTC)


def item(kind: str, resource: str, configuration: Any, **more: Any) -> dict[str, Any]:
    return {
        "version": "1.3",
        "accountId": ACCOUNT,
        "awsRegion": REGION,
        "configurationItemCaptureTime": AT,
        "configurationItemStatus": "OK",
        "resourceType": f"AWS::EC2::{kind}",
        "resourceId": resource,
        "configuration": configuration if isinstance(configuration, str) else json.dumps(configuration),
        **more,
    }


def told_by(one: dict[str, Any]) -> dict[str, Any]:
    return {str(key).split("/", 2)[2]: prior.value for key, prior in prior_values(one)}


GROUP = {
    "groupId": "sg-1",
    "groupName": "web",
    "description": "the web",
    "ownerId": ACCOUNT,
    "vpcId": "vpc-1",
    "ipPermissions": [
        {
            "ipProtocol": "tcp",
            "fromPort": 22,
            "toPort": 22,
            "ipRanges": ["10.0.0.0/8"],
            "ipv4Ranges": [{"cidrIp": "10.0.0.0/8", "description": "office"}],
            "ipv6Ranges": [{"cidrIpv6": "2001:db8::/32"}],
            "prefixListIds": [{"prefixListId": "pl-1", "description": "list"}],
            "userIdGroupPairs": [{"groupId": "sg-2", "userId": ACCOUNT, "vpcId": None}],
        }
    ],
    "ipPermissionsEgress": [{"ipProtocol": "-1", "fromPort": None, "ipRanges": ["0.0.0.0/0"], "ipv6Ranges": []}],
}


def test_a_group_shows_itself_and_every_rule():
    assert told_by(item("SecurityGroup", "sg-1", GROUP)) == {
        "security-group/sg-1": {"GroupName": "web", "Description": "the web", "VpcId": "vpc-1"},
        "security-group-rule/sg-1/ingress tcp 22-22 10.0.0.0/8": {"description": "office"},
        "security-group-rule/sg-1/ingress tcp 22-22 2001:db8::/32": {"description": ""},
        "security-group-rule/sg-1/ingress tcp 22-22 pl-1": {"description": "list"},
        "security-group-rule/sg-1/ingress tcp 22-22 sg-2": {"description": ""},
        "security-group-rule/sg-1/egress all all 0.0.0.0/0": {"description": ""},
    }


STACK_ITEMS = [
    (
        "TransitGateway",
        "tgw-1",
        {
            "Id": "tgw-1",
            "Description": "core",
            "AmazonSideAsn": 64512,
            "AutoAcceptSharedAttachments": "disable",
            "DnsSupport": "enable",
            "AssociationDefaultRouteTableId": "tgw-rtb-1",
        },
        {
            "transit-gateway/tgw-1": {
                "Description": "core",
                "Options": {"AutoAcceptSharedAttachments": "disable", "DnsSupport": "enable", "AmazonSideAsn": 64512},
            }
        },
    ),
    (
        "TransitGatewayRouteTable",
        "tgw-rtb-1",
        {"Id": "tgw-rtb-1", "TransitGatewayId": "tgw-1"},
        {"transit-gateway-route-table/tgw-rtb-1": {"TransitGatewayId": "tgw-1"}},
    ),
    (
        "PrefixList",
        "pl-1",
        {
            "PrefixListId": "pl-1",
            "PrefixListName": "offices",
            "AddressFamily": "IPv4",
            "MaxEntries": 5,
            "OwnerId": ACCOUNT,
            "Entries": [{"Cidr": "192.0.2.0/24", "Description": "Berlin"}, {"Cidr": "198.51.100.0/24"}],
        },
        {
            "prefix-list/pl-1": {"PrefixListName": "offices", "AddressFamily": "IPv4", "MaxEntries": 5},
            "prefix-list-entry/pl-1/192.0.2.0/24": {"Description": "Berlin"},
            "prefix-list-entry/pl-1/198.51.100.0/24": {"Description": ""},
        },
    ),
    (
        "DHCPOptions",
        "dopt-1",
        {"DhcpOptionsId": "dopt-1", "DomainName": "corp.example", "DomainNameServers": ["10.0.0.2"], "NetbiosNodeType": 2},
        {
            "dhcp-options/dopt-1": {
                "domain-name": ["corp.example"],
                "domain-name-servers": ["10.0.0.2"],
                "netbios-node-type": ["2"],
            }
        },
    ),
    (
        "TrafficMirrorFilter",
        "tmf-1",
        {"Id": "tmf-1", "Description": "all", "NetworkServices": ["amazon-dns"]},
        {"traffic-mirror-filter/tmf-1": {"Description": "all"}, "traffic-mirror-filter-service/tmf-1/amazon-dns": {}},
    ),
    (
        "TrafficMirrorTarget",
        "tmt-1",
        {"Id": "tmt-1", "NetworkInterfaceId": "eni-1"},
        {"traffic-mirror-target/tmt-1": {"NetworkInterfaceId": "eni-1"}},
    ),
    (
        "TrafficMirrorSession",
        "tms-1",
        {
            "Id": "tms-1",
            "NetworkInterfaceId": "eni-1",
            "TrafficMirrorTargetId": "tmt-1",
            "TrafficMirrorFilterId": "tmf-1",
            "SessionNumber": 1,
            "VirtualNetworkId": 7,
        },
        {
            "traffic-mirror-session/tms-1": {
                "NetworkInterfaceId": "eni-1",
                "TrafficMirrorTargetId": "tmt-1",
                "TrafficMirrorFilterId": "tmf-1",
                "SessionNumber": 1,
                "VirtualNetworkId": 7,
            }
        },
    ),
]


@pytest.mark.parametrize(("kind", "resource", "configuration", "shown"), STACK_ITEMS, ids=[one[0] for one in STACK_ITEMS])
def test_an_item_in_the_shape_of_a_stack_tells_what_the_describe_call_tells(
    kind: str, resource: str, configuration: dict[str, Any], shown: dict[str, Any]
):
    one = item(kind, resource, configuration)
    assert told_by(one) == shown
    ((key, _), *_) = prior_values(one)
    assert question_about(key) == Question(Scope(ACCOUNT, REGION), f"AWS::EC2::{kind}", resource)


def test_a_firewalls_policy_is_told_whatever_config_calls_it_and_people_s_names_stay():
    arn = f"arn:aws:network-firewall:{REGION}:{ACCOUNT}:firewall-policy/strict"
    configuration = {
        "firewallPolicy": {
            "statelessDefaultActions": ["aws:drop"],
            "policyVariables": {"ruleVariables": {"home_net": {"definition": ["10.0.0.0/16"]}}},
        },
        "firewallPolicyResponse": {
            "firewallPolicyName": "strict",
            "firewallPolicyArn": arn,
            "firewallPolicyStatus": "ACTIVE",
            "encryptionConfiguration": {"keyId": "AWS_OWNED_KMS_KEY", "type": "AWS_OWNED_KMS_KEY"},
        },
    }
    one = {**item("", "0a1b2c", configuration), "resourceType": "AWS::NetworkFirewall::FirewallPolicy"}
    assert told_by(one) == {
        f"firewall-policy/{arn}": {
            "FirewallPolicyName": "strict",
            "FirewallPolicy": {
                "StatelessDefaultActions": ["aws:drop"],
                "PolicyVariables": {"RuleVariables": {"home_net": {"Definition": ["10.0.0.0/16"]}}},
            },
        }
    }
    asked = question_about(setting("firewall-policy", arn))
    assert asked == Question(Scope(ACCOUNT, REGION), "AWS::NetworkFirewall::FirewallPolicy")


def test_a_firewall_is_told_with_its_subnets_and_protections():
    arn = f"arn:aws:network-firewall:{REGION}:{ACCOUNT}:firewall/edge"
    firewall = {
        "firewallName": "edge",
        "firewallArn": arn,
        "firewallPolicyArn": "arn:policy",
        "vpcId": "vpc-1",
        "subnetMappings": [{"subnetId": "subnet-1", "iPAddressType": "IPV4"}],
        "deleteProtection": True,
        "subnetChangeProtection": False,
        "firewallPolicyChangeProtection": False,
    }
    one = {**item("", "0a1b2c", {"firewall": firewall}), "resourceType": "AWS::NetworkFirewall::Firewall"}
    assert told_by(one) == {
        f"firewall/{arn}": {
            "FirewallName": "edge",
            "FirewallPolicyArn": "arn:policy",
            "VpcId": "vpc-1",
            "SubnetMappings": [{"SubnetId": "subnet-1"}],
            "DeleteProtection": True,
            "SubnetChangeProtection": False,
            "FirewallPolicyChangeProtection": False,
        }
    }


def test_a_value_has_config_as_its_source_and_the_moment_of_the_item():
    ((_, prior), *_) = prior_values(item("SecurityGroup", "sg-1", GROUP))
    assert (prior.source, prior.at) == (Source.CONFIG, AT)


def test_a_table_shows_its_routes_and_who_uses_it_under_the_ids_that_records_name():
    table = {
        "routeTableId": "rtb-1",
        "vpcId": "vpc-1",
        "routes": [{"destinationCidrBlock": "0.0.0.0/0", "gatewayId": "igw-1", "state": "active", "origin": "CreateRoute"}],
        "associations": [
            {"routeTableAssociationId": "rtbassoc-1", "routeTableId": "rtb-1", "subnetId": "subnet-1", "main": False},
            {"routeTableAssociationId": "rtbassoc-2", "routeTableId": "rtb-1", "main": True},
        ],
        "propagatingVgws": [{"gatewayId": "vgw-1"}],
    }
    shown = dict(prior_values(item("RouteTable", "rtb-1", table, tags={"Name": "public"})))
    assert {str(key).split("/", 2)[2]: prior.value for key, prior in shown.items()} == {
        "route-table/rtb-1": {"VpcId": "vpc-1"},
        "route/rtb-1/0.0.0.0/0": {"GatewayId": "igw-1"},
        "route-propagation/rtb-1/vgw-1": {"Enabled": True},
        "route-table-association/subnet-1": {"RouteTableId": "rtb-1"},
        "main-route-table/vpc-1": {"RouteTableId": "rtb-1"},
        "tag/rtb-1/Name": "public",
    }
    assert shown[setting("route-table-association", "subnet-1")].aliases == ("rtbassoc-1",)


def test_an_instance_shows_its_first_interfaces_groups_under_its_own_id():
    interface = {"networkInterfaceId": "eni-1", "groups": [{"groupId": "sg-1"}], "sourceDestCheck": True}
    second = {"networkInterfaceId": "eni-2", "groups": [{"groupId": "sg-2"}], "attachment": {"deviceIndex": 1}}
    shown = {
        key: prior.value
        for key, prior in prior_values(
            item("Instance", "i-1", {"networkInterfaces": [{**interface, "attachment": {"deviceIndex": 0}}, second]})
        )
    }
    assert shown[setting("network-interface-attribute", "i-1", "Groups")] == ["sg-1"]


def test_what_an_item_would_show_was_absent():
    wanted = [
        setting("security-group-rule", "sg-1", "ingress tcp 80-80 0.0.0.0/0"),
        setting("tag", "sg-1", "Name"),
        setting("security-group-rule", "sg-9", "ingress tcp 80-80 0.0.0.0/0"),
        setting("network-interface-attribute", "sg-1", "Groups"),
    ]
    found = dict(told([item("SecurityGroup", "sg-1", GROUP)], wanted))
    assert [found[key].value if key in found else "not told" for key in wanted] == [None, None, "not told", "not told"]


def test_a_deleted_resource_is_absent_with_all_its_settings():
    gone = item("Subnet", "subnet-1", None, configurationItemStatus="ResourceDeleted")
    attribute = setting("subnet-attribute", "subnet-1", "MapPublicIpOnLaunch")
    found = {key: prior.value for key, prior in told([{**gone, "configuration": None}], [attribute])}
    assert found == {setting("subnet", "subnet-1"): None, attribute: None}


@pytest.mark.parametrize("status", ["ResourceNotRecorded", ""])
def test_an_item_that_was_not_recorded_tells_nothing(status: str):
    one = item("SecurityGroup", "sg-1", GROUP, configurationItemStatus=status)
    assert told([one], [setting("tag", "sg-1", "Name")]) == []


def test_a_type_that_is_no_networks_tells_nothing():
    assert prior_values({**item("Volume", "vol-1", {}), "resourceType": "AWS::EC2::Volume"}) == []


@pytest.mark.parametrize(
    "moment",
    [
        AT,
        AT.replace(tzinfo=None),
        "2026-03-01T11:00:00.000Z",
        AT.timestamp(),
        {"__class__": "datetime", "year": 2026, "month": 3, "day": 1, "hour": 11, "minute": 0, "second": 0, "microsecond": 0},
    ],
)
def test_the_moment_is_read_in_every_form(moment: Any):
    assert captured_at({"configurationItemCaptureTime": moment}) == AT


def test_an_item_without_a_region_is_where_its_arn_or_its_reader_is():
    gateway = {"customerGatewayId": "cgw-1", "state": "available", "type": "ipsec.1", "ipAddress": "192.0.2.1", "bgpAsn": "65000"}
    one = item("CustomerGateway", "cgw-1", gateway, awsRegion="Not Applicable")
    ((key, _),) = prior_values({**one, "arn": f"arn:aws:ec2:eu-west-1:{ACCOUNT}:customer-gateway/cgw-1"})
    assert key.region == "eu-west-1"
    ((key, _),) = prior_values(one, Scope(ACCOUNT, "eu-west-2"))
    assert key.region == "eu-west-2"
    with pytest.raises(ValueError, match="no account, region or resource"):
        prior_values(one)


def test_a_configuration_that_is_cut_off_is_named():
    with pytest.raises(ValueError, match="sg-1: its configuration is no JSON"):
        prior_values(item("SecurityGroup", "sg-1", '{"groupId":'))


def test_whose_history_tells_a_setting():
    here = Scope(ACCOUNT, REGION)
    assert question_about(setting("route", "rtb-1", "0.0.0.0/0")) == Question(here, "AWS::EC2::RouteTable", "rtb-1")
    assert question_about(setting("tag", "sg-1", "Name")) == Question(here, "AWS::EC2::SecurityGroup", "sg-1")
    assert question_about(setting("route-table-association", "rtbassoc-1")) == Question(here, "AWS::EC2::RouteTable")
    assert question_about(setting("network-interface-attribute", "i-1", "Groups")) == Question(here, "AWS::EC2::Instance", "i-1")
    assert question_about(setting("vpc-block-public-access", ACCOUNT)) is None
    balancer = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/web/0a1b"
    asked = Question(here, "AWS::ElasticLoadBalancingV2::LoadBalancer", balancer)
    assert question_about(setting("load-balancer-attribute", balancer, "SecurityGroups")) == asked
    assert question_about(setting("function-attribute", "pay", "VpcConfig")) == Question(here, "AWS::Lambda::Function", "pay")
    assert question_about(setting("database-attribute", "shop", "PubliclyAccessible")) == Question(here, "AWS::RDS::DBInstance")
    assert question_about(setting("tag", "fn", "Name")) is None


def test_every_kind_that_an_item_tells_is_a_familys():
    known = {kind for family in FAMILIES for kind in family.kinds}
    for kind in ITEM_TYPES.values():
        assert {*kind.whole, *kind.partly, *kind.of_others} <= known, kind.name


def test_a_database_is_told_under_the_name_that_records_have_for_it():
    told_of = {"dBInstanceIdentifier": "shop", "publiclyAccessible": False, "vpcSecurityGroups": [{"vpcSecurityGroupId": "sg-1"}]}
    one = {**item("", "db-ABC", told_of, tags={"Name": "shop"}), "resourceType": "AWS::RDS::DBInstance"}
    shown = {key: prior.value for key, prior in prior_values(one)}
    assert shown[setting("database-attribute", "shop", "PubliclyAccessible")] is False
    assert shown[setting("database-attribute", "shop", "VpcSecurityGroupIds")] == ["sg-1"]
    assert {key.resource for key in shown} == {"shop"}


def test_a_function_is_told_with_its_vpc():
    told_of = {"functionName": "pay", "vpcConfig": {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}}
    one = {**item("", "pay", told_of), "resourceType": "AWS::Lambda::Function"}
    shown = {key: prior.value for key, prior in prior_values(one)}
    assert shown[setting("function-attribute", "pay", "VpcConfig")] == {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}


# --- real items ---------------------------------------------------------------------------------------------------------------


def real() -> list[dict[str, Any]]:
    return [json.loads(line) for file in sorted(CORPUS.glob("*.jsonl")) for line in file.read_text().splitlines()]


@REAL
def test_every_real_item_is_read():
    found = Counter(one["resourceType"] for one in real() if prior_values(one, Scope(ACCOUNT, REGION)))
    expected = {one["resourceType"] for one in real()} & ITEM_TYPES.keys()
    assert expected == set(found)
    assert {"AWS::EC2::SecurityGroup", "AWS::EC2::RouteTable", "AWS::EC2::NetworkAcl", "AWS::EC2::NatGateway"} <= expected


@REAL
def test_a_real_item_tells_what_the_describe_call_would_have_shown():
    """The families' own reading of the same resource, given as boto3 would give it."""
    for one in real():
        kind = ITEM_TYPES.get(one["resourceType"])
        if kind is None or len(kind.shown) != 1 or kind.name == "AWS::EC2::Instance" or kind.called:
            continue
        configuration = one["configuration"]
        configuration = json.loads(configuration) if isinstance(configuration, str) else configuration
        listed = kind.shown[0].listed
        answer = {listed: [as_boto3(configuration)]} if listed else as_boto3(configuration)
        scope = Scope(*prior_values(one)[0][0][:2])
        family = family_for_kind(kind.shown[0].kind)
        shown = {seen.key: seen.value for seen in family.observe(scope, Read("ec2", kind.shown[0].operation), answer)}
        found = {key: prior.value for key, prior in prior_values(one) if key.kind != "tag"}
        assert canonical({str(key): value for key, value in found.items()}) == canonical(
            {str(key): value for key, value in shown.items()}
        )


def as_boto3(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[0].upper() + name[1:]: as_boto3(inner) for name, inner in value.items() if inner is not None}
    return [as_boto3(inner) for inner in value] if isinstance(value, list) else value


@REAL
def test_real_deleted_items_are_absent_where_they_are_of_the_network():
    assert [told([one], ()) for one in real() if one.get("configurationItemStatus") == "ResourceDeleted"] == [[], []]


@REAL
def test_real_items_of_iam_tell_policies_whichever_form_they_have():
    """As text, as a structure, or as a list of one."""
    told_of: dict[str, set[str]] = {}
    for one in real():
        if one["resourceType"].startswith("AWS::IAM::"):
            for key, prior in prior_values(one, Scope(ACCOUNT, "global")):
                told_of.setdefault(key.kind, set()).add(key.resource)
                documented = key.kind in ("user-policy", "managed-policy-version", "role-trust")
                assert not documented or json.loads(prior.value)["Version"] == "2012-10-17"
    assert "johndoe" in told_of["user-policy"] & told_of["group-membership"]
    assert "arn:aws:iam::264683526309:policy/ELB-policy" in told_of["managed-policy-default"]
    assert "config-role-ezcrc2" in told_of["role-trust"]


# --- IAM ----------------------------------------------------------------------------------------------------------------------


def test_config_is_asked_about_iam_by_name():
    here = Scope(ACCOUNT, "global")
    role = setting("role-policy", "orders", "all")._replace(region="global")
    assert question_about(role) == Question(here, "AWS::IAM::Role", name="orders")
    arn = f"arn:aws:iam::{ACCOUNT}:policy/shop/orders@team"
    version = setting("managed-policy-version", arn, "0123")._replace(region="global")
    assert question_about(version) == Question(here, "AWS::IAM::Policy", name="orders@team")


def iam_item(told_of: dict[str, Any], status: str = "OK") -> dict[str, Any]:
    named = {"resourceName": "orders", "awsRegion": "global", "arn": f"arn:aws:iam::{ACCOUNT}:role/orders"}
    return {**item("", "AROAEXAMPLE", told_of), "resourceType": "AWS::IAM::Role", **named, "configurationItemStatus": status}


def test_a_policys_own_names_stay_as_its_author_wrote_them():
    said = {"Statement": [{"Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.1"}}}]}
    told_of = {"roleName": "orders", "path": "/", "rolePolicyList": [{"policyName": "all", "policyDocument": said}]}
    shown = {key: prior.value for key, prior in prior_values(iam_item(told_of))}
    key = setting("role-policy", "orders", "all")._replace(region="global")
    assert json.loads(shown[key]) == said


def test_what_an_item_of_iam_does_not_show_was_absent_then():
    wanted = setting("role-policy", "orders", "all")._replace(region="global")
    elsewhere = wanted._replace(resource="others")
    found = dict(told([iam_item({"roleName": "orders", "path": "/"})], [wanted, elsewhere]))
    assert found[wanted].value is None
    assert elsewhere not in found
    gone = dict(told([iam_item({}, "ResourceDeleted")], [wanted]))
    assert gone[wanted].value is None
    assert gone[wanted._replace(kind="role", name="")].value is None
