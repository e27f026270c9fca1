"""Which family understands a record, which owns a setting, and what is known of the operations that none understands."""

from __future__ import annotations

import re
from enum import StrEnum

from incident.family import Family
from incident.network.address import ADDRESSES
from incident.network.block_public_access import BLOCK_PUBLIC_ACCESS
from incident.network.classic_balancer import CLASSIC_BALANCERS
from incident.network.cluster import CLUSTERS
from incident.network.database import DATABASES
from incident.network.dhcp_options import DHCP_OPTIONS
from incident.network.dns_record import DNS_RECORDS
from incident.network.endpoint_service import ENDPOINT_SERVICES
from incident.network.firewall import FIREWALLS
from incident.network.flow_log import FLOW_LOGS
from incident.network.function import FUNCTIONS
from incident.network.instance import INSTANCES
from incident.network.internet_gateway import INTERNET_GATEWAYS
from incident.network.load_balancer import LOAD_BALANCERS
from incident.network.nat_gateway import NAT_GATEWAYS
from incident.network.network_acl import NETWORK_ACLS
from incident.network.network_interface import NETWORK_INTERFACES
from incident.network.not_network import NOT_NETWORK
from incident.network.peering import PEERINGS
from incident.network.prefix_list import PREFIX_LISTS
from incident.network.recognized import Recognized, recognized
from incident.network.route_table import ROUTE_TABLES
from incident.network.security_group import SECURITY_GROUPS
from incident.network.subnet import SUBNETS
from incident.network.tag import TAGS
from incident.network.target_group import TARGET_GROUPS
from incident.network.traffic_mirror import TRAFFIC_MIRRORS
from incident.network.transit_gateway import TRANSIT_GATEWAYS
from incident.network.transit_gateway_route import TRANSIT_GATEWAY_ROUTES
from incident.network.vpc import VPCS
from incident.network.vpc_endpoint import VPC_ENDPOINTS
from incident.network.vpn import VPNS
from incident.record import Record

FAMILIES: tuple[Family, ...] = (
    SECURITY_GROUPS,
    ROUTE_TABLES,
    NETWORK_ACLS,
    PEERINGS,
    INTERNET_GATEWAYS,
    NAT_GATEWAYS,
    ADDRESSES,
    NETWORK_INTERFACES,
    INSTANCES,
    SUBNETS,
    VPCS,
    DHCP_OPTIONS,
    VPC_ENDPOINTS,
    ENDPOINT_SERVICES,
    PREFIX_LISTS,
    FLOW_LOGS,
    VPNS,
    TRANSIT_GATEWAYS,
    TRANSIT_GATEWAY_ROUTES,
    TRAFFIC_MIRRORS,
    BLOCK_PUBLIC_ACCESS,
    LOAD_BALANCERS,
    TARGET_GROUPS,
    CLASSIC_BALANCERS,
    DATABASES,
    FIREWALLS,
    FUNCTIONS,
    CLUSTERS,
    DNS_RECORDS,
    TAGS,
)

_BY_EVENT = {event: family for family in FAMILIES for event in family.events}
_BY_KIND = {kind: family for family in FAMILIES for kind in family.kinds}

_READS = re.compile(r"(Describe|Get|List|Search|Lookup|Head|BatchGet)[A-Z]")
_NETWORK_WORDS = re.compile(
    r"Vpc|Vpn|Vgw|Subnet|Route|SecurityGroup|Network|Gateway|Address|Peering|Cidr|PrefixList|FlowLog|Traffic|Dhcp|Ipv?[46]|Ipam"
)


class Standing(StrEnum):
    """What Countermand knows of an operation."""

    UNDERSTOOD = "understood"
    RECOGNIZED = "recognized"
    UNKNOWN = "unknown"
    ELSEWHERE = "not network"


def family_for_event(operation: str) -> Family | None:
    """The family that understands `service:EventName`, as in `ec2:AuthorizeSecurityGroupIngress`."""
    return _BY_EVENT.get(operation)


def family_for_kind(kind: str) -> Family:
    """The family that owns a kind of setting.

    Raises:
        KeyError: no family has this kind.
    """
    return _BY_KIND[kind]


def standing(record: Record) -> Standing:
    """Whether a record changes the network, and whether its settings can be read.

    An EC2 operation that is on no list but sounds like the network's is `UNKNOWN`: newer than this program, and to be shown.
    """
    if record.operation in _BY_EVENT:
        return Standing.UNDERSTOOD
    if record.read_only or _READS.match(record.event_name) or record.operation in NOT_NETWORK:
        return Standing.ELSEWHERE
    if recognized(record.operation) is not None:
        return Standing.RECOGNIZED
    is_ec2 = record.service == "ec2" and _NETWORK_WORDS.search(record.event_name)
    return Standing.UNKNOWN if is_ec2 else Standing.ELSEWHERE


def recognize(record: Record) -> Recognized | None:
    """What is known of a record's operation, whether or not a family understands it."""
    return recognized(record.operation)


def part_of(kind: str) -> str:
    """The kind that a kind's settings vanish with; empty for one that stands by itself."""
    return _BY_KIND[kind].part_of.get(kind, "")


def rank(kind: str) -> int:
    """A kind's place in a teardown."""
    return _BY_KIND[kind].rank[kind]
