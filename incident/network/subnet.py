"""Subnets: their attributes and their IPv6 networks."""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, Resource, always_there, call, family, filtered, seen
from incident.network.values import cidr, flag, mapping, present, structures, text, whole
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

SUBNET = "subnet"
ATTRIBUTE = "subnet-attribute"
NETWORK = "subnet-cidr"

_FLAGS = (
    "MapPublicIpOnLaunch",
    "AssignIpv6AddressOnCreation",
    "EnableDns64",
    "MapCustomerOwnedIpOnLaunch",
    "EnableResourceNameDnsARecordOnLaunch",
    "EnableResourceNameDnsAAAARecordOnLaunch",
)
_GONE = ("disassociating", "disassociated", "failed", "failing")

_SUBNETS = Resource(
    kind=SUBNET,
    noun="Subnet",
    listed="Subnets",
    rank=72,
    value=lambda told: present(
        {
            "VpcId": text(told.get("VpcId")),
            "CidrBlock": cidr(told.get("CidrBlock")),
            "AvailabilityZone": text(told.get("AvailabilityZone")),
            "OutpostArn": text(told.get("OutpostArn")),
        }
    ),
    parts=(ATTRIBUTE, NETWORK, "network-acl-association", "route-table-association"),
    loses="the id: it comes back under a new one, and what was in it must be made again",
)


# --- what a subnet has --------------------------------------------------------------------------------------------------------


def _attributes(told: JsonObject) -> dict[str, Value]:
    """The attributes that are told, under the names by which `ModifySubnetAttribute` takes them."""
    options = mapping(told.get("PrivateDnsNameOptionsOnLaunch"))
    told = {**{f"{name}OnLaunch": value for name, value in options.items()}, **told}
    found: dict[str, Value] = {name: flag(told[name]) for name in _FLAGS if name in told}
    hostnames = told.get("PrivateDnsHostnameTypeOnLaunch") or told.get("HostnameTypeOnLaunch")
    if hostnames:
        found["PrivateDnsHostnameTypeOnLaunch"] = text(hostnames)
    device = told.get("EnableLniAtDeviceIndex")
    if device is not None:
        found["EnableLniAtDeviceIndex"] = whole(mapping(device).get("Value", device))
    return found


def _networks(told: JsonObject) -> Iterator[tuple[str, dict[str, str]]]:
    """The IPv6 networks and the ids of their associations."""
    for association in structures(told.get("Ipv6CidrBlockAssociationSet")):
        if text(mapping(association.get("Ipv6CidrBlockState")).get("State")) not in _GONE:
            yield _network(association)


def _network(association: JsonObject) -> tuple[str, dict[str, str]]:
    identifier = text(association.get("AssociationId"))
    handles = {"AssociationId": identifier} if identifier else {}
    return cidr(association.get("Ipv6CidrBlock")) or identifier, handles


# --- records ------------------------------------------------------------------------------------------------------------------


def _create(event: Event) -> Iterator[Write]:
    described = _SUBNETS.describing(event)
    subnet = text(described.get("SubnetId"))
    yield from _SUBNETS.read_created(event)
    for name, value in _attributes(described).items():
        yield Write(event.key(ATTRIBUTE, subnet, name), value, before=None)
    for name, handles in _networks(described):
        yield Write(event.key(NETWORK, subnet, name), {}, before=None, handles=handles)


def _modify(event: Event) -> Iterator[Write]:
    for name, value in _attributes(event.request).items():
        yield Write(event.key(ATTRIBUTE, event.requested("SubnetId"), name), value)


def _associate(event: Event) -> Iterator[Write]:
    name, handles = _network({**event.request, **mapping(event.response.get("Ipv6CidrBlockAssociation"))})
    yield Write(event.key(NETWORK, event.requested("SubnetId"), name), {}, before=None, handles=handles)


def _disassociate(event: Event) -> Iterator[Write]:
    association, subnet = event.requested("AssociationId"), event.answered("SubnetId")
    name, _ = _network(mapping(event.response.get("Ipv6CidrBlockAssociation")))
    known = event.known.alias(association)
    if known or (subnet and name):
        yield Write(known or event.key(NETWORK, subnet, name), None, before={})
    else:
        yield Write(event.key(NETWORK, association), None)


# --- reads and changes --------------------------------------------------------------------------------------------------------


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for subnet in structures(answer.get("Subnets")):
        yield from _SUBNETS.observed(scope, subnet)
        for name, value in _attributes(subnet).items():
            yield seen(scope, ATTRIBUTE, subnet.get("SubnetId"), value, name)
        for name, handles in _networks(subnet):
            yield seen(scope, NETWORK, subnet.get("SubnetId"), {}, name, handles)


def _read(key: SettingKey) -> Read:
    if key.resource.startswith("subnet-cidr-assoc-"):
        return filtered("DescribeSubnets", "ipv6-cidr-block-association.association-id", key.resource)
    return filtered("DescribeSubnets", "subnet-id", key.resource)


def _change_attribute(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there(key.name)
    value = {"Value": wanted} if isinstance(wanted, bool) else wanted
    return call("ModifySubnetAttribute", {"SubnetId": key.resource, key.name: value})


def _change_network(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if not key.name:
        return Unrestorable("nothing tells which network this association was of", "Compare the subnet with its VPC by hand.")
    if wanted is None:
        return call("DisassociateSubnetCidrBlock", {"AssociationId": live.handles.get("AssociationId", "") if live else ""})
    return call("AssociateSubnetCidrBlock", {"SubnetId": key.resource, "Ipv6CidrBlock": key.name})


SUBNETS = family(
    _SUBNETS.as_kind(),
    Kind(
        ATTRIBUTE,
        10,
        _read,
        _change_attribute,
        part_of=SUBNET,
        opens=lambda key, value: key.name == "MapPublicIpOnLaunch" and value is True,
    ),
    Kind(NETWORK, 70, _read, _change_network, part_of=SUBNET),
    readers={
        **_SUBNETS.readers(),
        "CreateSubnet": _create,
        "CreateDefaultSubnet": _create,
        "ModifySubnetAttribute": _modify,
        "AssociateSubnetCidrBlock": _associate,
        "DisassociateSubnetCidrBlock": _disassociate,
    },
    observers={"DescribeSubnets": _observe},
    inventory=("DescribeSubnets",),
    absent_codes=("InvalidSubnetID.NotFound", "InvalidSubnetId.NotFound"),
    acts={
        ATTRIBUTE: Acts(sets=("ec2:ModifySubnetAttribute",)),
        NETWORK: Acts(sets=("ec2:AssociateSubnetCidrBlock",), removes=("ec2:DisassociateSubnetCidrBlock",)),
    },
)
