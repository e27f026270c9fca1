"""VPCs: their networks, attributes, and what AWS associates with them.

A network that Amazon chose (IPv6) is new each time that one is asked for, so losing one cannot be undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from incident.family import Acts, Call, Change, Lookup, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, Resource, always_there, call, family, filtered, immutable, listing, seen
from incident.network.security_group import QUARANTINE_TAG
from incident.network.values import cidr, flag, mapping, present, structures, text
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

VPC = "vpc"
ATTRIBUTE = "vpc-attribute"
NETWORK = "vpc-cidr"
DHCP = "dhcp-options-association"

_ATTRIBUTES = {"EnableDnsSupport": True, "EnableDnsHostnames": False, "EnableNetworkAddressUsageMetrics": False}
"""With the values of a new VPC."""

_GONE = ("disassociating", "disassociated", "failed", "failing")
_BY_ASSOCIATION = ("cidr-block-association.association-id", "ipv6-cidr-block-association.association-id")

_VPCS = Resource(
    kind=VPC,
    noun="Vpc",
    listed="Vpcs",
    rank=90,
    value=lambda told: {
        "CidrBlock": cidr(told.get("CidrBlock")),
        "InstanceTenancy": text(told.get("InstanceTenancy")) or "default",
    },
    parts=(ATTRIBUTE, NETWORK, DHCP),
    loses="the id: it comes back under a new one, and everything in it must be made again",
)


# --- networks -----------------------------------------------------------------------------------------------------------------


def _networks(told: JsonObject) -> Iterator[JsonObject]:
    for name in ("CidrBlockAssociationSet", "Ipv6CidrBlockAssociationSet"):
        for association in structures(told.get(name)):
            state = mapping(association.get("CidrBlockState") or association.get("Ipv6CidrBlockState"))
            if text(state.get("State")) not in _GONE:
                yield association


def _network_name(association: JsonObject) -> str:
    """The network; while Amazon has not yet said which it is, the id of its association."""
    network = association.get("CidrBlock") or association.get("Ipv6CidrBlock")
    return cidr(network) if network else text(association.get("AssociationId"))


def _network_value(association: JsonObject) -> dict[str, str]:
    return present({"Ipv6Pool": text(association.get("Ipv6Pool"))}) if ":" in _network_name(association) else {}


def _network_handles(association: JsonObject) -> dict[str, str]:
    return {"AssociationId": text(association.get("AssociationId"))} if association.get("AssociationId") else {}


# --- records ------------------------------------------------------------------------------------------------------------------


def _create(event: Event) -> Iterator[Write]:
    described = _VPCS.describing(event)
    vpc = text(described.get("VpcId"))
    yield from _VPCS.read_created(event)
    for key, value in _implied(event.key(VPC, vpc), _VPCS.value(described)):
        if key.kind == ATTRIBUTE:
            yield Write(key, value, before=None)
    for one in _networks(described):
        yield Write(event.key(NETWORK, vpc, _network_name(one)), _network_value(one), before=None, handles=_network_handles(one))
    if described.get("DhcpOptionsId"):
        yield Write(event.key(DHCP, vpc), {"DhcpOptionsId": text(described["DhcpOptionsId"])}, before=None)


def _implied(key: SettingKey, value: Value) -> Iterator[tuple[SettingKey, Value]]:
    for name, default in _ATTRIBUTES.items():
        yield key._replace(kind=ATTRIBUTE, name=name), default
    yield key._replace(kind=NETWORK, name=value["CidrBlock"]), {}


def _modify(event: Event) -> Iterator[Write]:
    for name in _ATTRIBUTES:
        if name in event.request:
            yield Write(event.key(ATTRIBUTE, event.requested("VpcId"), name), flag(event.request[name]))


def _modify_tenancy(event: Event) -> Iterator[Write]:
    key = event.key(VPC, event.requested("VpcId"))
    known = event.value(key)
    changed = {"InstanceTenancy": event.requested("InstanceTenancy")}
    yield Write(key, UNKNOWN if known is None or isinstance(known, Unknown) else {**known, **changed})


def _associate(event: Event) -> Iterator[Write]:
    answered = event.response.get("Ipv6CidrBlockAssociation") or event.response.get("CidrBlockAssociation")
    one = {**event.request, **mapping(answered)}
    key = event.key(NETWORK, event.requested("VpcId"), _network_name(one))
    yield Write(key, _network_value(one), before=None, handles=_network_handles(one))


def _disassociate(event: Event) -> Iterator[Write]:
    association = event.requested("AssociationId")
    answered = event.response.get("Ipv6CidrBlockAssociation") or event.response.get("CidrBlockAssociation")
    named = event.key(NETWORK, event.answered("VpcId") or association, _network_name(mapping(answered)))
    known = event.known.alias(association) or named
    if known.name and known.name != association and ":" not in known.name:
        yield Write(known, None, before={})
    else:
        yield Write(known, None)


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    by_association = any(asked.get("Name") in _BY_ASSOCIATION for asked in structures(read.parameters.get("Filters")))
    for vpc in structures(answer.get("Vpcs")):
        resource = vpc.get("VpcId")
        yield from _VPCS.observed(scope, vpc)
        for one in _networks(vpc):
            handles, value = _network_handles(one), _network_value(one)
            yield seen(scope, NETWORK, resource, value, _network_name(one), handles)
            if by_association:
                yield seen(scope, NETWORK, resource, value, handles.get("AssociationId", ""), handles)


def _observe_attribute(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for name in _ATTRIBUTES:
        if name in answer:
            yield seen(scope, ATTRIBUTE, answer.get("VpcId"), flag(answer[name]), name)


def _read_attribute(key: SettingKey) -> Read:
    return listing("DescribeVpcAttribute", VpcId=key.resource, Attribute=key.name[:1].lower() + key.name[1:])


def _read_network(key: SettingKey) -> Read:
    if key.name.startswith("vpc-cidr-assoc-"):
        return filtered("DescribeVpcs", _BY_ASSOCIATION[1], key.name)
    return _VPCS.read(key)


def _details(key: SettingKey) -> Iterable[Read]:
    return [_read_attribute(key._replace(kind=ATTRIBUTE, name=name)) for name in _ATTRIBUTES]


# --- changes ------------------------------------------------------------------------------------------------------------------


def _quarantine_ends(key: SettingKey) -> tuple[Call]:
    """The quarantine groups that we made in a VPC would keep it from being deleted."""
    groups = {"Filters": [{"Name": "vpc-id", "Values": [key.resource]}, {"Name": "tag-key", "Values": [QUARANTINE_TAG]}]}
    ours = Lookup(listing("DescribeSecurityGroups", **groups), "SecurityGroups[].GroupId", each=True)
    return call("DeleteSecurityGroup", {}, lookups={"GroupId": ours})


def _change_vpc(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return (*_quarantine_ends(key), *call("DeleteVpc", {"VpcId": key.resource}, loses=_VPCS.loses))
    if live is None:
        return _VPCS.change(key, live, wanted)
    if {**live.value, "InstanceTenancy": "default"} == wanted:
        return call("ModifyVpcTenancy", {"VpcId": key.resource, "InstanceTenancy": "default"})
    return immutable(key.resource)


def _change_attribute(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return always_there(key.name)
    return call("ModifyVpcAttribute", {"VpcId": key.resource, key.name: {"Value": wanted}})


def _change_network(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        loses = "the network itself, where Amazon chose it" if ":" in key.name or "/" not in key.name else ""
        return call(
            "DisassociateVpcCidrBlock", {"AssociationId": live.handles.get("AssociationId", "") if live else ""}, loses=loses
        )
    pool = text(wanted.get("Ipv6Pool"))
    if ":" not in key.name and "/" in key.name:
        return call("AssociateVpcCidrBlock", {"VpcId": key.resource, "CidrBlock": key.name})
    if pool in ("", "Amazon") or "/" not in key.name:
        return Unrestorable("Amazon chose this IPv6 network and gives another one", "Ask for a new one, and renumber what used it.")
    return call("AssociateVpcCidrBlock", {"VpcId": key.resource, "Ipv6CidrBlock": key.name, "Ipv6Pool": pool})


VPCS = family(
    _VPCS.as_kind(change=_change_vpc, implies=_implied, details=_details),
    Kind(ATTRIBUTE, 10, _read_attribute, _change_attribute, part_of=VPC),
    Kind(NETWORK, 83, _read_network, _change_network, part_of=VPC),
    readers={
        **_VPCS.readers(),
        "CreateDefaultVpc": _create,
        "CreateVpc": _create,
        "ModifyVpcAttribute": _modify,
        "ModifyVpcTenancy": _modify_tenancy,
        "AssociateVpcCidrBlock": _associate,
        "DisassociateVpcCidrBlock": _disassociate,
    },
    observers={"DescribeVpcs": _observe, "DescribeVpcAttribute": _observe_attribute},
    inventory=("DescribeVpcs",),
    absent_codes=("InvalidVpcID.NotFound",),
    acts={
        VPC: Acts(sets=("ec2:CreateVpc", "ec2:ModifyVpcTenancy"), removes=("ec2:DeleteSecurityGroup", "ec2:DeleteVpc")),
        ATTRIBUTE: Acts(sets=("ec2:ModifyVpcAttribute",)),
        NETWORK: Acts(sets=("ec2:AssociateVpcCidrBlock",), removes=("ec2:DisassociateVpcCidrBlock",)),
    },
    looks=("ec2:DescribeSecurityGroups",),
)
