"""A dump as comparable facts: one value for every setting of every resource.

What AWS makes anew on every change (rule ids, association ids, times, versions, states in transition) is left out, and
so are resources that are gone but still shown. Rules, routes and entries are settings named by their content, so their
order does not matter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from drill.dump import GLOBAL, Dump, Item


class Setting(NamedTuple):
    """What a fact is about."""

    account: str
    region: str
    kind: str
    resource: str
    name: str


Facts = dict[Setting, str]
_Pairs = Iterator[tuple[str, str, Any]]

# Kinds of the network, with the field that identifies a resource and the word people use for it.
NETWORK = {
    "addresses": ("AllocationId", "address"),
    "carrier_gateways": ("CarrierGatewayId", "carrier gateway"),
    "customer_gateways": ("CustomerGatewayId", "customer gateway"),
    "databases": ("DBInstanceIdentifier", "database"),
    "dhcp_options": ("DhcpOptionsId", "DHCP options"),
    "egress_only_internet_gateways": ("EgressOnlyInternetGatewayId", "egress-only gateway"),
    "flow_logs": ("FlowLogId", "flow log"),
    "function_networks": ("FunctionName", "function"),
    "hosted_zones": ("Id", "hosted zone"),
    "internet_gateways": ("InternetGatewayId", "internet gateway"),
    "listeners": ("ListenerArn", "listener"),
    "load_balancers": ("LoadBalancerArn", "load balancer"),
    "managed_prefix_lists": ("PrefixListId", "prefix list"),
    "nat_gateways": ("NatGatewayId", "NAT gateway"),
    "network_acls": ("NetworkAclId", "network ACL"),
    "network_interfaces": ("NetworkInterfaceId", "network interface"),
    "route_tables": ("RouteTableId", "route table"),
    "security_groups": ("GroupId", "security group"),
    "subnets": ("SubnetId", "subnet"),
    "traffic_mirror_filters": ("TrafficMirrorFilterId", "traffic mirror filter"),
    "traffic_mirror_sessions": ("TrafficMirrorSessionId", "traffic mirror session"),
    "traffic_mirror_targets": ("TrafficMirrorTargetId", "traffic mirror target"),
    "transit_gateway_attachments": ("TransitGatewayAttachmentId", "transit gateway attachment"),
    "transit_gateway_route_tables": ("TransitGatewayRouteTableId", "transit gateway route table"),
    "transit_gateways": ("TransitGatewayId", "transit gateway"),
    "vpc_endpoint_services": ("ServiceId", "endpoint service"),
    "vpc_endpoints": ("VpcEndpointId", "VPC endpoint"),
    "vpc_peering_connections": ("VpcPeeringConnectionId", "VPC peering"),
    "vpcs": ("VpcId", "VPC"),
    "vpn_connections": ("VpnConnectionId", "VPN connection"),
    "vpn_gateways": ("VpnGatewayId", "VPN gateway"),
}
# What an attack may leave behind besides the network.
BELONGINGS = {
    "access_keys": ("AccessKeyId", "access key"),
    "functions": ("FunctionName", "function"),
    "images": ("ImageId", "image"),
    "instances": ("InstanceId", "instance"),
    "key_pairs": ("KeyPairId", "key pair"),
    "policies": ("Arn", "policy"),
    "roles": ("RoleName", "role"),
    "snapshots": ("SnapshotId", "snapshot"),
    "users": ("UserName", "user"),
}
PRINCIPALS = ("policies", "roles", "users")
RIGHTS = ("in force", "versions", "attached", "boundary")
"""What says what a principal may do, as names of settings of these."""
WORDS = {kind: word for kind, (_, word) in (NETWORK | BELONGINGS).items()}

_GONE = {"deleted", "deleting", "rejected", "failed", "expired", "terminated", "shutting-down"}
_VOLATILE = {
    "Arn", "AssociationId", "AttachTime", "Attachment", "Attachments", "AvailabilityZoneId", "AvailableIpAddressCount",
    "CreateTime", "CreationDate", "CreationTime", "CreationTimestamp", "DeliverLogsStatus", "DeliverLogsErrorMessage",
    "DnsEntries", "ExpirationTime", "FlowLogStatus", "InternetGatewayArn", "LastUpdatedTimestamp", "OwnerId",
    "PrefixListArn", "ProvisionedBandwidth", "RequesterId", "RequesterManaged", "SecurityGroupArn", "State",
    "StateMessage", "StateReason", "Status", "SubnetArn", "Tags", "TagSet", "TransitGatewayArn", "VgwTelemetry",
    "Version",
}  # fmt: skip


def flatten(dump: Dump) -> Facts:
    """Every fact of a dump."""
    facts: Facts = {}
    for account, places in dump.items():
        for region, kinds in places.items():
            for kind, items in kinds.items():
                for resource, name, value in _facts_of(kind, items, region):
                    owner, ident = _owner(kind, resource)
                    facts[Setting(account, region, owner, ident, name)] = canonical(value)
    return facts


def _owner(kind: str, resource: str) -> tuple[str, str]:
    """A fact read from one resource may be about another, as a table's association is about the subnet."""
    if resource.startswith("@"):
        owner, _, ident = resource[1:].partition("|")
        return owner, ident
    return kind, resource


def canonical(value: Any) -> str:
    """A value as text that is the same for equal values."""
    if isinstance(value, str):
        return value
    return json.dumps(_sorted(value), default=str, sort_keys=True)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _sorted(v) for k, v in value.items() if v not in (None, [], {}, "")}
    if isinstance(value, list):
        return sorted((_sorted(v) for v in value), key=lambda v: json.dumps(v, default=str, sort_keys=True))
    return value


def _state(item: Item) -> str:
    for key in ("State", "Status", "VpcEndpointState", "ServiceState"):
        value = item.get(key)
        if isinstance(value, dict):
            value = value.get("Name") or value.get("Code")
        if isinstance(value, str):
            return value.lower()
    return ""


def _facts_of(kind: str, items: list[Item], region: str) -> _Pairs:
    if kind in BELONGINGS:
        yield from _belongings(kind, items)
    elif kind in NETWORK and region != GLOBAL:
        ident = NETWORK[kind][0]
        special = _SPECIAL.get(kind, _plain)
        for item in items:
            if _state(item) in _GONE or ident not in item:
                continue
            yield item[ident], "exists", "present"
            for tag in item.get("Tags") or item.get("TagSet") or []:
                if not tag["Key"].startswith("aws:"):
                    yield item[ident], f"tag {tag['Key']}", tag.get("Value", "")
            yield from special(item, item[ident])


def _belongings(kind: str, items: list[Item]) -> _Pairs:
    ident = BELONGINGS[kind][0]
    for item in items:
        if kind == "access_keys":
            yield item[ident], "status", item["Status"]
            yield item[ident], "user", item["UserName"]
        elif _state(item) not in _GONE:
            yield item[ident], "exists", "present"
            yield from ((item[ident], f"tag {tag['Key']}", str(tag.get("Value"))) for tag in item.get("Tags", []))
            told = {"in force": item.get("InForce"), "versions": item.get("Versions"), "boundary": item.get("Boundary")}
            told["attached"] = item["Policies"]["Attached"] if "Policies" in item else None
            yield from ((item[ident], name, json.dumps(value)) for name, value in told.items() if value)


# ---- the families -----------------------------------------------------------------------------------------------


# What a nested part has that is made anew on every change.
_NESTED_VOLATILE = {
    "AssociationId", "AttachmentId", "AttachTime", "CidrBlockState", "Ipv6CidrBlockState", "LastStatusChange", "State",
    "Status", "StatusMessage", "TrafficMirrorFilterRuleId",
}  # fmt: skip


def _stable(value: Any) -> Any:
    """A value without its volatile parts, and without CIDR blocks that are no longer associated."""
    if isinstance(value, dict):
        return {k: _stable(v) for k, v in value.items() if k not in _NESTED_VOLATILE}
    if isinstance(value, list):
        return [_stable(v) for v in value if not _disassociated(v)]
    return value


def _disassociated(entry: Any) -> bool:
    if not isinstance(entry, dict):
        return False
    states = (entry.get("CidrBlockState"), entry.get("Ipv6CidrBlockState"))
    return any(str((state or {}).get("State", "")).startswith("disassociat") for state in states)


def _fields(item: Item, ident: str, without: set[str]) -> _Pairs:
    for key, raw in item.items():
        value = _stable(raw)
        if key not in _VOLATILE and key not in without and value != ident and value not in (None, [], {}, ""):
            yield ident, key, value


def _plain(item: Item, ident: str) -> _Pairs:
    yield from _fields(item, ident, set())


def _on(kind: str, resource: str) -> str:
    """A resource of another kind than the one at hand."""
    return f"@{kind}|{resource}"


_PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}


def ports(protocol: str, low: Any, high: Any) -> str:
    """A protocol with its ports as people write it."""
    if protocol == "-1":
        return "all traffic"
    protocol = _PROTOCOLS.get(protocol, protocol)
    if low in (None, -1) and high in (None, -1):
        return protocol
    return f"{protocol} {low}" if low == high else f"{protocol} {low}-{high}"


def _security_group(item: Item, ident: str) -> _Pairs:
    yield from _fields(item, ident, {"IpPermissions", "IpPermissionsEgress"})
    for key, way, word in (("IpPermissions", "ingress", "from"), ("IpPermissionsEgress", "egress", "to")):
        for permission in item.get(key, []):
            what = ports(permission["IpProtocol"], permission.get("FromPort"), permission.get("ToPort"))
            for peer, description in _peers(permission):
                yield ident, f"{way} {what} {word} {peer}", f"present, description {description!r}"


def _peers(permission: Item) -> Iterator[tuple[str, str]]:
    for key, field in (
        ("IpRanges", "CidrIp"),
        ("Ipv6Ranges", "CidrIpv6"),
        ("PrefixListIds", "PrefixListId"),
        ("UserIdGroupPairs", "GroupId"),
    ):
        for peer in permission.get(key, []):
            yield str(peer.get(field) or peer.get("GroupName")), peer.get("Description") or ""


_ROUTE_TARGETS = (
    "GatewayId", "NatGatewayId", "TransitGatewayId", "VpcPeeringConnectionId", "NetworkInterfaceId", "InstanceId",
    "EgressOnlyInternetGatewayId", "LocalGatewayId", "CarrierGatewayId", "CoreNetworkArn",
)  # fmt: skip


def _route_table(item: Item, ident: str) -> _Pairs:
    yield from _fields(item, ident, {"Routes", "Associations", "PropagatingVgws"})
    for route in item.get("Routes", []):
        where = next(
            route[k] for k in ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId") if route.get(k)
        )
        target = next((route[k] for k in _ROUTE_TARGETS if route.get(k)), "nothing")
        yield ident, f"route to {where}", target
    for propagated in item.get("PropagatingVgws", []):
        yield ident, f"routes propagated from {propagated['GatewayId']}", "on"
    for association in item.get("Associations", []):
        if association.get("Main"):
            yield _on("vpcs", item["VpcId"]), "main route table", ident
        elif association.get("SubnetId"):
            yield _on("subnets", association["SubnetId"]), "route table", ident
        elif association.get("GatewayId"):
            yield _on("internet_gateways", association["GatewayId"]), "route table", ident


def _network_acl(item: Item, ident: str) -> _Pairs:
    yield from _fields(item, ident, {"Entries", "Associations"})
    for entry in item.get("Entries", []):
        way = "egress" if entry["Egress"] else "ingress"
        between = entry.get("PortRange", {})
        icmp = entry.get("IcmpTypeCode")
        what = ports(entry["Protocol"], between.get("From"), between.get("To"))
        if icmp:
            what += f" type {icmp.get('Type')} code {icmp.get('Code')}"
        cidr = entry.get("CidrBlock") or entry.get("Ipv6CidrBlock")
        yield ident, f"{way} entry {entry['RuleNumber']}", f"{entry['RuleAction']} {what} {cidr}"
    for association in item.get("Associations", []):
        yield _on("subnets", association["SubnetId"]), "network ACL", ident


def _internet_gateway(item: Item, ident: str) -> _Pairs:
    for attachment in item.get("Attachments") or item.get("VpcAttachments") or []:
        if attachment.get("State") not in ("detached", "detaching"):
            yield ident, f"attached to {attachment['VpcId']}", "yes"
    yield from _fields(item, ident, {"VpcAttachments"})


def _interface(item: Item, ident: str) -> _Pairs:
    yield ident, "groups", sorted(g["GroupId"] for g in item.get("Groups", []))
    attachment = item.get("Attachment") or {}
    yield ident, "attached to", attachment.get("InstanceId") or ""
    for key in ("SourceDestCheck", "Description", "SubnetId", "InterfaceType"):
        yield ident, key, item.get(key)
    yield ident, "addresses", sorted(a["PrivateIpAddress"] for a in item.get("PrivateIpAddresses", []))


def _address(item: Item, ident: str) -> _Pairs:
    yield ident, "PublicIp", item.get("PublicIp")
    yield ident, "held by", item.get("NetworkInterfaceId") or item.get("InstanceId") or ""


def _peering(item: Item, ident: str) -> _Pairs:
    for side in ("RequesterVpcInfo", "AccepterVpcInfo"):
        info = item.get(side, {})
        yield ident, side, {k: info.get(k) for k in ("OwnerId", "Region", "VpcId", "CidrBlock", "PeeringOptions")}
    yield ident, "status", "pending" if _state(item) in ("pending-acceptance", "initiating-request") else "active"


def _prefix_list(item: Item, ident: str) -> _Pairs:
    yield from _fields(item, ident, {"Entries"})
    for entry in item.get("Entries", []):
        yield ident, f"entry {entry['Cidr']}", f"present, description {entry.get('Description') or ''!r}"


def _endpoint(item: Item, ident: str) -> _Pairs:
    policy = item.get("PolicyDocument")
    if policy:
        try:
            yield ident, "PolicyDocument", json.loads(policy)
        except ValueError:
            yield ident, "PolicyDocument", policy
    yield from _fields(item, ident, {"PolicyDocument", "NetworkInterfaceIds"})


def _nat_gateway(item: Item, ident: str) -> _Pairs:
    addresses = item.get("NatGatewayAddresses", [])
    yield ident, "addresses", sorted(a.get("AllocationId") or a.get("PrivateIp") or "" for a in addresses)
    yield from _fields(item, ident, {"NatGatewayAddresses"})


_SPECIAL: dict[str, Callable[[Item, str], _Pairs]] = {
    "addresses": _address,
    "egress_only_internet_gateways": _internet_gateway,
    "internet_gateways": _internet_gateway,
    "managed_prefix_lists": _prefix_list,
    "nat_gateways": _nat_gateway,
    "network_acls": _network_acl,
    "network_interfaces": _interface,
    "route_tables": _route_table,
    "security_groups": _security_group,
    "vpc_endpoints": _endpoint,
    "vpc_peering_connections": _peering,
    "vpn_gateways": _internet_gateway,
}
