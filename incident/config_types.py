"""The types of AWS Config's items that tell settings: which describe call's answer each stands for, and in which shape.

Newer types have the shape of their CloudFormation resource, flat and with an `Id`, which `reshaped` turns into the describe call's.
https://github.com/awslabs/aws-config-resource-schema
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from incident.network.values import items
from incident.record import JsonObject


@dataclass(frozen=True, slots=True)
class Shown:
    """One describe call whose answer an item stands for: a kind of the family that reads it, the call, and its list.

    Without a list, the item is the answer itself.
    """

    kind: str
    operation: str
    listed: str


@dataclass(frozen=True, slots=True)
class ItemType:
    """What items of one type tell.

    Attributes:
        name: Config's resource type.
        shown: the calls whose answers an item stands for.
        whole: the kinds of which an item shows every setting of its resource, so that what it does not show was absent.
        partly: further kinds of its own resource.
        of_others: kinds of settings that it shows of other resources, such as the subnets that use a table.
        prefix: how ids of the resource begin.
        reshaped: the configuration as the describe call shows it, where Config has another shape.
        called: the member by which settings call the resource, where Config has an id of its own: `resourceName` or `ARN`.
    """

    name: str
    shown: tuple[Shown, ...]
    whole: tuple[str, ...]
    partly: tuple[str, ...] = ()
    of_others: tuple[str, ...] = ()
    prefix: str = ""
    reshaped: Callable[[JsonObject], JsonObject] = dict
    called: str = ""

    @property
    def tagged(self) -> bool:
        """Whether the resource's tags are settings: those of EC2 are."""
        return self.name.startswith("AWS::EC2::")


def _plain(
    name: str,
    operation: str,
    prefix: str,
    *whole: str,
    partly: tuple[str, ...] = (),
    of_others: tuple[str, ...] = (),
) -> ItemType:
    """A type that one describe call of EC2 shows; `operation` is what it lists."""
    return ItemType(name, (Shown(whole[0], f"Describe{operation}", operation),), whole, partly, of_others, prefix)


def _answer(name: str, operation: str, kind: str) -> ItemType:
    """A type whose items are the answer of a describe call for one resource, which the answer names."""
    return ItemType(name, (Shown(kind, operation, ""),), (), of_others=(kind,))


def _of_stack(
    name: str,
    operation: str,
    prefix: str,
    *whole: str,
    listed: str = "",
    reshaped: Callable[[JsonObject], JsonObject],
) -> ItemType:
    """A type whose items have the shape of a CloudFormation resource."""
    shown = (Shown(whole[0], f"Describe{operation}", listed or operation),)
    return ItemType(name, shown, whole, prefix=prefix, reshaped=reshaped)


def _with_id(identifier: str) -> Callable[[JsonObject], JsonObject]:
    return lambda told: {**told, identifier: told.get("Id")}


_GATEWAY_OPTIONS = (
    "AmazonSideAsn",
    "AutoAcceptSharedAttachments",
    "DefaultRouteTableAssociation",
    "DefaultRouteTablePropagation",
    "DnsSupport",
    "MulticastSupport",
    "VpnEcmpSupport",
)


def _transit_gateway(told: JsonObject) -> JsonObject:
    options = {name: told[name] for name in _GATEWAY_OPTIONS if name in told}
    return {"TransitGatewayId": told.get("Id"), "Description": told.get("Description"), "Options": options}


_DHCP_NAMES = {
    "DomainName": "domain-name",
    "DomainNameServers": "domain-name-servers",
    "NtpServers": "ntp-servers",
    "NetbiosNameServers": "netbios-name-servers",
    "NetbiosNodeType": "netbios-node-type",
}


def _dhcp_options(told: JsonObject) -> JsonObject:
    chosen = [{"Key": key, "Values": items(told[name])} for name, key in _DHCP_NAMES.items() if items(told.get(name))]
    return {"DhcpOptionsId": told.get("DhcpOptionsId"), "DhcpConfigurations": chosen}


_ENDPOINT_PARTS = ("vpc-endpoint-route-table", "vpc-endpoint-subnet", "vpc-endpoint-security-group")
_INTERFACE_PARTS = ("network-interface-address", "network-interface-attachment")

_EVERYTHING = "GetAccountAuthorizationDetails"

_TYPES = (
    ItemType(
        "AWS::EC2::SecurityGroup",
        (
            Shown("security-group", "DescribeSecurityGroups", "SecurityGroups"),
            Shown("security-group-rule", "DescribeSecurityGroupRules", "SecurityGroupRules"),
        ),
        ("security-group", "security-group-rule"),
        prefix="sg-",
    ),
    _plain(
        "AWS::EC2::RouteTable",
        "RouteTables",
        "rtb-",
        "route-table",
        "route",
        "route-propagation",
        of_others=("route-table-association", "main-route-table"),
    ),
    _plain(
        "AWS::EC2::NetworkAcl", "NetworkAcls", "acl-", "network-acl", "network-acl-entry", of_others=("network-acl-association",)
    ),
    _plain(
        "AWS::EC2::VPCPeeringConnection",
        "VpcPeeringConnections",
        "pcx-",
        "vpc-peering",
        "vpc-peering-acceptance",
        partly=("vpc-peering-option",),
    ),
    _plain("AWS::EC2::InternetGateway", "InternetGateways", "igw-", "internet-gateway", "internet-gateway-attachment"),
    _plain("AWS::EC2::EgressOnlyInternetGateway", "EgressOnlyInternetGateways", "eigw-", "egress-only-internet-gateway"),
    _plain("AWS::EC2::NatGateway", "NatGateways", "nat-", "nat-gateway", "nat-gateway-address"),
    _plain("AWS::EC2::EIP", "Addresses", "eipalloc-", "address", "address-association"),
    _plain(
        "AWS::EC2::NetworkInterface",
        "NetworkInterfaces",
        "eni-",
        "network-interface",
        *_INTERFACE_PARTS,
        partly=("network-interface-attribute",),
    ),
    ItemType(
        "AWS::EC2::Instance",
        (Shown("network-interface-attribute", "DescribeNetworkInterfaces", "NetworkInterfaces"),),
        (),
        partly=("network-interface-attribute",),
        prefix="i-",
    ),
    _plain("AWS::EC2::Subnet", "Subnets", "subnet-", "subnet", "subnet-cidr", partly=("subnet-attribute",)),
    ItemType(
        "AWS::EC2::VPC",
        (Shown("vpc", "DescribeVpcs", "Vpcs"), Shown("dhcp-options-association", "DescribeVpcs", "Vpcs")),
        ("vpc", "vpc-cidr"),
        partly=("dhcp-options-association",),
        prefix="vpc-",
    ),
    _plain("AWS::EC2::VPCEndpoint", "VpcEndpoints", "vpce-", "vpc-endpoint", *_ENDPOINT_PARTS, partly=("vpc-endpoint-attribute",)),
    _plain("AWS::EC2::FlowLog", "FlowLogs", "fl-", "flow-log"),
    _of_stack(
        "AWS::EC2::TransitGatewayRouteTable",
        "TransitGatewayRouteTables",
        "tgw-rtb-",
        "transit-gateway-route-table",
        reshaped=_with_id("TransitGatewayRouteTableId"),
    ),
    # After the type of the longer prefix.
    _of_stack("AWS::EC2::TransitGateway", "TransitGateways", "tgw-", "transit-gateway", reshaped=_transit_gateway),
    ItemType(
        "AWS::EC2::PrefixList",
        (
            Shown("prefix-list", "DescribeManagedPrefixLists", "PrefixLists"),
            Shown("prefix-list-entry", "GetManagedPrefixListEntries", "Entries"),
        ),
        ("prefix-list", "prefix-list-entry"),
        prefix="pl-",
    ),
    _of_stack("AWS::EC2::DHCPOptions", "DhcpOptions", "dopt-", "dhcp-options", reshaped=_dhcp_options),
    _of_stack(
        "AWS::EC2::TrafficMirrorFilter",
        "TrafficMirrorFilters",
        "tmf-",
        "traffic-mirror-filter",
        "traffic-mirror-filter-service",
        reshaped=_with_id("TrafficMirrorFilterId"),
    ),
    _of_stack(
        "AWS::EC2::TrafficMirrorTarget",
        "TrafficMirrorTargets",
        "tmt-",
        "traffic-mirror-target",
        reshaped=_with_id("TrafficMirrorTargetId"),
    ),
    _of_stack(
        "AWS::EC2::TrafficMirrorSession",
        "TrafficMirrorSessions",
        "tms-",
        "traffic-mirror-session",
        reshaped=_with_id("TrafficMirrorSessionId"),
    ),
    _plain("AWS::EC2::CustomerGateway", "CustomerGateways", "cgw-", "customer-gateway"),
    _plain("AWS::EC2::VPNGateway", "VpnGateways", "vgw-", "vpn-gateway", "vpn-gateway-attachment"),
    _plain("AWS::EC2::VPNConnection", "VpnConnections", "vpn-", "vpn-connection", "vpn-connection-route"),
    _plain(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        "LoadBalancers",
        "arn:",
        "load-balancer",
        partly=("load-balancer-attribute",),
    ),
    _plain("AWS::ElasticLoadBalancingV2::Listener", "Listeners", "arn:", "listener"),
    # Config calls a firewall, a policy and a rule group by ids that no record names; each item is a describe call's whole answer.
    _answer("AWS::NetworkFirewall::Firewall", "DescribeFirewall", "firewall"),
    _answer("AWS::NetworkFirewall::FirewallPolicy", "DescribeFirewallPolicy", "firewall-policy"),
    _answer("AWS::NetworkFirewall::RuleGroup", "DescribeRuleGroup", "firewall-rule-group"),
    # Config calls a database by an id that no record names.
    ItemType(
        "AWS::RDS::DBInstance",
        (Shown("database", "DescribeDBInstances", "DBInstances"),),
        (),
        of_others=("database", "database-attribute"),
    ),
    ItemType(
        "AWS::Lambda::Function",
        (Shown("function", "ListFunctions", "Functions"),),
        ("function",),
        partly=("function-attribute",),
    ),
)

# An item of IAM's is what the read of everything lists. Config calls it by an id that no call takes, and finds it by its name.
_IAM_TYPES = tuple(
    ItemType(
        f"AWS::IAM::{noun}",
        (Shown(noun.lower(), _EVERYTHING, f"{noun}DetailList"),),
        (noun.lower(), f"{noun.lower()}-policy", f"attached-{noun.lower()}-policy", *more),
        partly=partly,
        called="resourceName",
    )
    for noun, more, partly in (
        ("User", ("user-boundary", "group-membership"), ()),
        ("Role", ("role-boundary",), ("role-trust",)),
        ("Group", (), ()),
    )
)
_MANAGED_POLICY = ItemType(
    "AWS::IAM::Policy",
    (Shown("managed-policy", _EVERYTHING, "Policies"),),
    ("managed-policy", "managed-policy-version"),
    partly=("managed-policy-default",),
    called="ARN",
)

ITEM_TYPES: Mapping[str, ItemType] = {kind.name: kind for kind in (*_TYPES, *_IAM_TYPES, _MANAGED_POLICY)}
