"""AWS Config's configuration items as prior state: what one of them tells of a resource, setting by setting.

An item holds a resource as its describe call showed it at one moment, with every name in lowerCamel. Turned back, it is read by the
same `observe` that reads the live network, so that a value from Config equals one from AWS. Newer types have the shape of their
CloudFormation resource instead, flat and with an `Id`, which `reshaped` turns into the describe call's.
https://docs.aws.amazon.com/config/latest/APIReference/API_ConfigurationItem.html
https://github.com/awslabs/aws-config-resource-schema
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from incident.family import Read, Scope
from incident.network.registry import family_for_kind
from incident.network.values import items, mapping, structures, text
from incident.record import JsonObject, RecordError, parse_time
from incident.settings import Observed, PriorValue, Reversal, SettingKey, Source, Unknown

TAG = "tag"
Prior = tuple[SettingKey, PriorValue]

_DELETED = frozenset({"ResourceDeleted", "ResourceDeletedNotRecorded"})
_RECORDED = frozenset({"OK", "ResourceDiscovered"})
_NO_REGION = frozenset({"", "Not Applicable", "Regional", "Multiple Availability Zones"})


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
    """

    name: str
    shown: tuple[Shown, ...]
    whole: tuple[str, ...]
    partly: tuple[str, ...] = ()
    of_others: tuple[str, ...] = ()
    prefix: str = ""
    reshaped: Callable[[JsonObject], JsonObject] = dict

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

ITEM_TYPES: Mapping[str, ItemType] = {kind.name: kind for kind in _TYPES}


@dataclass(frozen=True, slots=True)
class Question:
    """Whose history tells a setting; without a `resource` it is one of all resources of the type."""

    scope: Scope
    type: str
    resource: str = ""


def question_about(key: SettingKey) -> Question | None:
    """Which items can tell a setting, `None` where Config keeps nothing of it."""
    scope = Scope(key.account, key.region)
    for kind in _TYPES:
        if key.kind in kind.of_others:
            return Question(scope, kind.name)
        owns = key.kind in (*kind.whole, *kind.partly) or (key.kind == TAG and kind.tagged)
        if owns and key.resource.startswith(kind.prefix):
            return Question(scope, kind.name, key.resource)
    return None


def open_questions(found: Iterable[Reversal]) -> dict[Question, datetime]:
    """What to ask Config for the settings whose prior value nothing told, and before which moment: the actor's first write."""
    asked: dict[Question, datetime] = {}
    for reversal in unanswered(found):
        question, first = question_about(reversal.key), reversal.by_actor[0].time
        if question is not None:
            asked[question] = min(first, asked.get(question, first))
    return asked


def unanswered(found: Iterable[Reversal]) -> list[Reversal]:
    """The reversals whose prior value nothing told."""
    return [reversal for reversal in found if isinstance(reversal.target, Unknown)]


def told(taken: Iterable[JsonObject], wanted: Iterable[SettingKey], scope: Scope | None = None) -> list[Prior]:
    """What items tell: all that they show, and of the wanted settings those that they show to be absent.

    Args:
        taken: configuration items in any of the forms that Config has for them.
        wanted: the settings whose prior value is asked for.
        scope: where the items were read, for those that do not say it themselves.
    """
    asked = list(wanted)
    found: list[Prior] = []
    for item in taken:
        shown = prior_values(item, scope)
        found += shown
        found += _absent(item, {key for key, _ in shown}, asked, scope)
    return found


def prior_values(item: JsonObject, scope: Scope | None = None) -> list[Prior]:
    """Each setting that an item shows; that a deleted resource is absent; nothing for a type or a status that tells nothing.

    Raises:
        ValueError: the item says neither when nor of what it is.
    """
    kind, status = ITEM_TYPES.get(text(item.get("resourceType"))), _status(item)
    if kind is None or status not in _DELETED | _RECORDED:
        return []
    place, at = _scope(item, scope), captured_at(item)
    if status in _DELETED:
        gone = [Observed(SettingKey(*_of(place), name, _resource(item)), None) for name in kind.whole[:1]]
        return [(one.key, PriorValue(None, at, Source.CONFIG)) for one in gone]
    tags = _tags(place, item) if kind.tagged else ()
    shown = {one.key: one for one in (*_observed(kind, place, item), *tags)}
    return [(key, PriorValue(one.value, at, Source.CONFIG, one.aliases)) for key, one in shown.items()]


def captured_at(item: JsonObject) -> datetime:
    """When an item was taken.

    Raises:
        ValueError: it does not say it in any form that is known.
    """
    value = item.get("configurationItemCaptureTime")
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    if isinstance(value, Mapping):
        parts = cast(Mapping[str, Any], value)
        names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return datetime(*(int(parts.get(name, 0)) for name in names), tzinfo=UTC)
    try:
        return parse_time(value)
    except RecordError:
        raise ValueError(f"configuration item of {_resource(item)}: no configurationItemCaptureTime") from None


def _absent(item: JsonObject, shown: set[SettingKey], wanted: Iterable[SettingKey], scope: Scope | None) -> Iterator[Prior]:
    """The wanted settings of an item's own resource that it would show if they had been there."""
    kind, status = ITEM_TYPES.get(text(item.get("resourceType"))), _status(item)
    if kind is None or status not in _DELETED | _RECORDED:
        return
    place, at = _scope(item, scope), captured_at(item)
    tags = (TAG,) if kind.tagged else ()
    complete = {*kind.whole, *tags, *(kind.partly if status in _DELETED else ())}
    for key in wanted:
        if key[:2] == _of(place) and key.resource == _resource(item) and key.kind in complete and key not in shown:
            yield key, PriorValue(None, at, Source.CONFIG)


def _observed(kind: ItemType, scope: Scope, item: JsonObject) -> Iterator[Observed]:
    described = _described(kind, item)
    for shown in kind.shown:
        family = family_for_kind(shown.kind)
        parameters: dict[str, Any] = {}
        listed = [described]
        if shown.listed == "SecurityGroupRules":
            listed = _rules(described)
        if kind.name == "AWS::EC2::Instance":
            listed = [one for one in structures(described.get("NetworkInterfaces")) if _is_first(one)]
            parameters = {"Filters": [{"Name": "attachment.instance-id", "Values": [_resource(item)]}]}
        if shown.listed == "Entries":
            listed = structures(described.get("Entries"))
            parameters = {"PrefixListId": _resource(item)}
        if not shown.listed:
            yield from family.observe(scope, Read("", shown.operation, parameters), described)
        elif listed and any(listed):
            yield from family.observe(scope, Read("ec2", shown.operation, parameters), {shown.listed: listed})


def _is_first(interface: JsonObject) -> bool:
    return text(mapping(interface.get("Attachment")).get("DeviceIndex")) in ("", "0")


def _rules(group: JsonObject) -> list[JsonObject]:
    """A group's permissions as `DescribeSecurityGroupRules` lists them; Config keeps no rule ids."""
    return [
        {"GroupId": group.get("GroupId"), "IsEgress": listed == "IpPermissionsEgress", **_ports(permission), **peer}
        for listed in ("IpPermissions", "IpPermissionsEgress")
        for permission in structures(group.get(listed))
        for peer in _peers(permission)
    ]


def _ports(permission: JsonObject) -> JsonObject:
    return {name: permission[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in permission}


def _peers(permission: JsonObject) -> Iterator[JsonObject]:
    # Older items list networks as plain texts; newer ones have both, and descriptions only in the structures.
    networks = structures(permission.get("Ipv4Ranges")) or [
        mapping(one) or {"CidrIp": one} for one in items(permission.get("IpRanges"))
    ]
    for network in networks:
        yield {"CidrIpv4": network.get("CidrIp"), "Description": network.get("Description")}
    for network in structures(permission.get("Ipv6Ranges")):
        yield {"CidrIpv6": network.get("CidrIpv6"), "Description": network.get("Description")}
    for one in items(permission.get("PrefixListIds")):
        prefix = mapping(one) or {"PrefixListId": one}
        yield {"PrefixListId": prefix.get("PrefixListId"), "Description": prefix.get("Description")}
    for group in structures(permission.get("UserIdGroupPairs")):
        yield {"ReferencedGroupInfo": group, "Description": group.get("Description")}


def _tags(scope: Scope, item: JsonObject) -> Iterator[Observed]:
    for name, value in mapping(item.get("tags")).items():
        yield Observed(SettingKey(*_of(scope), TAG, _resource(item), name), text(value))


def _described(kind: ItemType, item: JsonObject) -> JsonObject:
    configuration = item.get("configuration")
    if isinstance(configuration, str):
        try:
            configuration = json.loads(configuration)
        except ValueError:
            raise ValueError(f"configuration item of {_resource(item)}: its configuration is no JSON") from None
    if any(not shown.listed for shown in kind.shown):
        # The family turns the names inside by itself, for some of them are names that people gave.
        return {name[:1].upper() + name[1:]: inner for name, inner in mapping(configuration).items()}
    return kind.reshaped(mapping(_as_described(configuration)))


def _as_described(value: Any) -> Any:
    """A configuration under the names of the describe call; what is null there is left out here."""
    if isinstance(value, Mapping):
        pairs = cast(JsonObject, value).items()
        return {name[:1].upper() + name[1:]: _as_described(inner) for name, inner in pairs if inner is not None}
    if isinstance(value, list):
        return [_as_described(inner) for inner in cast(list[Any], value)]
    return value


def _status(item: JsonObject) -> str:
    return text(item.get("configurationItemStatus"))


def _resource(item: JsonObject) -> str:
    return text(item.get("resourceId"))


def _of(scope: Scope) -> tuple[str, str]:
    return scope.account, scope.region


def _scope(item: JsonObject, scope: Scope | None) -> Scope:
    """Where an item's resource is, by the item itself or its ARN; items of some types name no region."""
    arn = (text(item.get("arn") or item.get("ARN")).split(":") + [""] * 5)[:5]
    account = text(item.get("accountId") or item.get("awsAccountId")) or arn[4] or (scope.account if scope else "")
    region = text(item.get("awsRegion"))
    if region in _NO_REGION:
        region = arn[3] or (scope.region if scope else "")
    if not account or not region or not _resource(item):
        raise ValueError(f"configuration item of {_resource(item) or 'nothing'}: it names no account, region or resource")
    return Scope(account, region)
