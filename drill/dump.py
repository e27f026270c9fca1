"""Everything that exists in a range, as describe calls show it: {account: {"global": {kind: […]}, region: {kind: […]}}}.

The calls are made as each account's root, which leaves no record and meets no throttle. Lists come in a fixed order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from botocore.exceptions import ClientError

from drill.aws.config import HOME_REGION, bootstrap_keys
from drill.client import boto_client

Item = dict[str, Any]
Dump = dict[str, dict[str, dict[str, list[Item]]]]

GLOBAL = "global"
_WORKERS = 4


@dataclass(frozen=True)
class Kind:
    """One describe call: the kind's name in the dump, boto3's method, and where the answer has the list."""

    name: str
    method: str
    key: str
    own: str = ""

    def params(self) -> dict[str, Any]:
        return {self.own: ["self"]} if self.own else {}


NETWORK_KINDS = (
    Kind("vpcs", "describe_vpcs", "Vpcs"),
    Kind("subnets", "describe_subnets", "Subnets"),
    Kind("security_groups", "describe_security_groups", "SecurityGroups"),
    Kind("security_group_rules", "describe_security_group_rules", "SecurityGroupRules"),
    Kind("network_acls", "describe_network_acls", "NetworkAcls"),
    Kind("route_tables", "describe_route_tables", "RouteTables"),
    Kind("internet_gateways", "describe_internet_gateways", "InternetGateways"),
    Kind("egress_only_internet_gateways", "describe_egress_only_internet_gateways", "EgressOnlyInternetGateways"),
    Kind("carrier_gateways", "describe_carrier_gateways", "CarrierGateways"),
    Kind("nat_gateways", "describe_nat_gateways", "NatGateways"),
    Kind("addresses", "describe_addresses", "Addresses"),
    Kind("network_interfaces", "describe_network_interfaces", "NetworkInterfaces"),
    Kind("vpc_peering_connections", "describe_vpc_peering_connections", "VpcPeeringConnections"),
    Kind("vpc_endpoints", "describe_vpc_endpoints", "VpcEndpoints"),
    Kind("vpc_endpoint_services", "describe_vpc_endpoint_service_configurations", "ServiceConfigurations"),
    Kind("flow_logs", "describe_flow_logs", "FlowLogs"),
    Kind("dhcp_options", "describe_dhcp_options", "DhcpOptions"),
    Kind("managed_prefix_lists", "describe_managed_prefix_lists", "PrefixLists"),
    Kind("customer_gateways", "describe_customer_gateways", "CustomerGateways"),
    Kind("vpn_gateways", "describe_vpn_gateways", "VpnGateways"),
    Kind("vpn_connections", "describe_vpn_connections", "VpnConnections"),
    Kind("transit_gateways", "describe_transit_gateways", "TransitGateways"),
    Kind("transit_gateway_attachments", "describe_transit_gateway_attachments", "TransitGatewayAttachments"),
    Kind("transit_gateway_route_tables", "describe_transit_gateway_route_tables", "TransitGatewayRouteTables"),
    Kind("traffic_mirror_filters", "describe_traffic_mirror_filters", "TrafficMirrorFilters"),
    Kind("traffic_mirror_sessions", "describe_traffic_mirror_sessions", "TrafficMirrorSessions"),
    Kind("traffic_mirror_targets", "describe_traffic_mirror_targets", "TrafficMirrorTargets"),
)
COMPUTE_KINDS = (
    Kind("instances", "describe_instances", "Reservations"),
    Kind("volumes", "describe_volumes", "Volumes"),
    Kind("snapshots", "describe_snapshots", "Snapshots", own="OwnerIds"),
    Kind("images", "describe_images", "Images", own="Owners"),
    Kind("key_pairs", "describe_key_pairs", "KeyPairs"),
    Kind("launch_templates", "describe_launch_templates", "LaunchTemplates"),
)
_VPC_ATTRIBUTES = ("enableDnsSupport", "enableDnsHostnames")


def dump(url: str, accounts: Iterable[str], regions: Iterable[str], with_global: bool = True) -> Dump:
    """Describe everything. `regions` are the enabled ones; `with_global` adds IAM."""
    accounts, regions = list(accounts), list(regions)
    places = [(account, region) for account in accounts for region in regions]
    with ThreadPoolExecutor(_WORKERS) as pool:
        parts = list(pool.map(lambda place: _region(url, *place), places))
        roots = list(pool.map(lambda account: _iam(url, account), accounts)) if with_global else []
    out: Dump = {account: {} for account in accounts}
    for account, root in zip(accounts, roots, strict=False):
        out[account][GLOBAL] = root
    for (account, region), part in zip(places, parts, strict=True):
        out[account][region] = part
    return out


@lru_cache(maxsize=512)
def _client(url: str, service: str, account: str, region: str) -> Any:
    return boto_client(url, service, region, bootstrap_keys(account), attempts=3)


def in_order(items: Iterable[Item]) -> list[Item]:
    """A list in an order that depends on its content only."""
    return sorted(items, key=lambda item: json.dumps(item, default=str, sort_keys=True))


def _all(client: Any, method: str, key: str, **params: Any) -> list[Item]:
    """Every page of a list; nothing where the range does not emulate the operation."""
    try:
        if client.can_paginate(method):
            pages = client.get_paginator(method).paginate(**params)
            return [item for page in pages for item in page.get(key, [])]
        items: list[Item] = getattr(client, method)(**params).get(key, [])
        return items
    except ClientError as e:
        if e.response["Error"]["Code"] in ("InvalidAction", "UnknownOperationException", "OptInRequired"):
            return []
        raise


# ---- one region -------------------------------------------------------------------------------------------------


def _region(url: str, account: str, region: str) -> dict[str, list[Item]]:
    ec2 = _client(url, "ec2", account, region)
    out = {kind.name: in_order(_all(ec2, kind.method, kind.key, **kind.params())) for kind in (*NETWORK_KINDS, *COMPUTE_KINDS)}
    out["instances"] = in_order(i for reservation in out["instances"] for i in reservation["Instances"])
    for vpc in out["vpcs"]:
        vpc["Attributes"] = {a: _vpc_attribute(ec2, vpc["VpcId"], a) for a in _VPC_ATTRIBUTES}
    for prefix_list in out["managed_prefix_lists"]:
        if prefix_list.get("OwnerId") == account:
            ident = prefix_list["PrefixListId"]
            entries = _all(ec2, "get_managed_prefix_list_entries", "Entries", PrefixListId=ident)
            prefix_list["Entries"] = in_order(entries)
    for service in out["vpc_endpoint_services"]:
        allowed = _all(ec2, "describe_vpc_endpoint_service_permissions", "AllowedPrincipals", ServiceId=service["ServiceId"])
        service["AllowedPrincipals"] = in_order(allowed)
    for table in out["transit_gateway_route_tables"]:
        ident = table["TransitGatewayRouteTableId"]
        everything = [{"Name": "state", "Values": ["active", "blackhole"]}]
        routes = _all(ec2, "search_transit_gateway_routes", "Routes", TransitGatewayRouteTableId=ident, Filters=everything)
        table["Routes"] = in_order(routes)
    out["functions"] = in_order(_all(_client(url, "lambda", account, region), "list_functions", "Functions"))
    out["function_networks"] = [
        {"FunctionName": function["FunctionName"], **_chosen(function.get("VpcConfig") or {}, "SubnetIds", "SecurityGroupIds")}
        for function in out["functions"]
    ]
    databases = _all(_client(url, "rds", account, region), "describe_db_instances", "DBInstances")
    out["databases"] = in_order(_database(database) for database in databases)
    elb = _client(url, "elbv2", account, region)
    out["load_balancers"] = in_order(_all(elb, "describe_load_balancers", "LoadBalancers"))
    out["listeners"] = in_order(listener for balancer in out["load_balancers"] for listener in _listeners(elb, balancer))
    # Route 53 is in no region; what is there is shown where its calls are recorded.
    out["hosted_zones"] = _zones(_client(url, "route53", account, region)) if region == HOME_REGION else []
    return out


def _chosen(item: Item, *names: str) -> Item:
    return {name: item[name] for name in names if name in item}


def _database(item: Item) -> Item:
    groups = sorted(group["VpcSecurityGroupId"] for group in item.get("VpcSecurityGroups", []))
    return {**_chosen(item, "DBInstanceIdentifier", "PubliclyAccessible"), "VpcSecurityGroupIds": groups}


def _listeners(elb: Any, balancer: Item) -> list[Item]:
    listeners = _all(elb, "describe_listeners", "Listeners", LoadBalancerArn=balancer["LoadBalancerArn"])
    for listener in listeners:
        rules = _all(elb, "describe_rules", "Rules", ListenerArn=listener["ListenerArn"])
        listener["Rules"] = in_order(_chosen(rule, "Priority", "Conditions", "Actions") for rule in rules)
    return listeners


def _zones(dns: Any) -> list[Item]:
    zones = _all(dns, "list_hosted_zones", "HostedZones")
    for zone in zones:
        zone["Records"] = in_order(_all(dns, "list_resource_record_sets", "ResourceRecordSets", HostedZoneId=zone["Id"]))
    return in_order(_chosen(zone, "Id", "Name", "Records") for zone in zones)


def _vpc_attribute(ec2: Any, vpc: str, attribute: str) -> bool:
    answer = ec2.describe_vpc_attribute(VpcId=vpc, Attribute=attribute)
    return bool(answer[attribute[:1].upper() + attribute[1:]]["Value"])


# ---- IAM --------------------------------------------------------------------------------------------------------


_OWN = ["LocalManagedPolicy"]


def _iam(url: str, account: str) -> dict[str, list[Item]]:
    iam = _client(url, "iam", account, HOME_REGION)
    users, roles = _all(iam, "list_users", "Users"), _all(iam, "list_roles", "Roles")
    for user in users:
        user["Policies"] = _policies(iam, "user", UserName=user["UserName"])
        user["Boundary"] = iam.get_user(UserName=user["UserName"])["User"].get("PermissionsBoundary")
        user["Groups"] = sorted(g["GroupName"] for g in _all(iam, "list_groups_for_user", "Groups", UserName=user["UserName"]))
    for role in roles:
        role["Policies"] = _policies(iam, "role", RoleName=role["RoleName"])
        role["Boundary"] = iam.get_role(RoleName=role["RoleName"])["Role"].get("PermissionsBoundary")
    keys = [
        {field: key.get(field) for field in ("UserName", "AccessKeyId", "Status", "CreateDate")}
        for user in users
        for key in _all(iam, "list_access_keys", "AccessKeyMetadata", UserName=user["UserName"])
    ]
    own = _all(iam, "list_policies", "Policies", Scope="Local")
    told = {one["Arn"]: one["PolicyVersionList"] for one in _all(iam, "get_account_authorization_details", "Policies", Filter=_OWN)}
    for policy in own:
        versions = told[policy["Arn"]]
        policy["InForce"] = next((one["Document"] for one in versions if one["IsDefaultVersion"]), None)
        policy["Versions"] = sorted(json.dumps(one["Document"], sort_keys=True) for one in versions)
    return {
        "access_keys": in_order(keys),
        "groups": in_order(_all(iam, "list_groups", "Groups")),
        "instance_profiles": in_order(_all(iam, "list_instance_profiles", "InstanceProfiles")),
        "policies": in_order(own),
        "roles": in_order(roles),
        "users": in_order(users),
    }


def _policies(iam: Any, entity: str, **who: str) -> dict[str, Any]:
    inline: Callable[..., Any] = getattr(iam, f"get_{entity}_policy")
    names = _all(iam, f"list_{entity}_policies", "PolicyNames", **who)
    attached = _all(iam, f"list_attached_{entity}_policies", "AttachedPolicies", **who)
    return {
        "Inline": {str(name): inline(PolicyName=name, **who)["PolicyDocument"] for name in names},
        "Attached": sorted(a["PolicyArn"] for a in attached),
    }
