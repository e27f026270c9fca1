"""Network ACLs: their entries, and which subnet uses which.

An entry is a setting by direction and number. The entry `*` (32767, and 32768 for IPv6) that denies the rest is made with the list
and cannot be changed, so it is none. A subnet always has exactly one list: the association is the subnet's setting, its id is a
handle.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Lookup, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, Resource, always_there, call, family, filtered, seen
from incident.network.values import cidr, flag, is_world, mapping, structures, text, texts, whole
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

ACL = "network-acl"
ENTRY = "network-acl-entry"
ASSOCIATION = "network-acl-association"

_PROTOCOL_NUMBERS = {"icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58", "all": "-1"}
_WITH_PORTS = ("6", "17")
_WITH_TYPES = ("1", "58")
_LAST_NUMBER = 32766

_ACLS = Resource(
    kind=ACL,
    noun="NetworkAcl",
    listed="NetworkAcls",
    rank=75,
    value=lambda told: texts(told, ("VpcId",)),
    parts=(ENTRY,),
    ids="NetworkAclIds",
    loses="the id: it comes back under a new one, and its subnets must be associated again",
)


# --- records ------------------------------------------------------------------------------------------------------------------


def _create_entry(event: Event) -> Iterator[Write]:
    """A number must be free for `CreateNetworkAclEntry` to succeed."""
    yield Write(_requested_key(event), _entry(event.request), before=None)


def _replace_entry(event: Event) -> Iterator[Write]:
    yield Write(_requested_key(event), _entry(event.request))


def _delete_entry(event: Event) -> Iterator[Write]:
    yield Write(_requested_key(event), None)


def _requested_key(event: Event) -> SettingKey:
    return event.key(ENTRY, event.requested("NetworkAclId"), _entry_name(event.request))


def _replace_association(event: Event) -> Iterator[Write]:
    old, new = event.requested("AssociationId"), event.answered("NewAssociationId")
    key = event.known.alias(old) or event.key(ASSOCIATION, old)
    handles = {"AssociationId": new} if new else {}
    yield Write(key, {"NetworkAclId": event.requested("NetworkAclId")}, handles=handles)


# --- what an entry is ---------------------------------------------------------------------------------------------------------


def _entry_name(told: JsonObject) -> str:
    number = whole(told.get("RuleNumber"))
    if number is None:
        raise ValueError("the record shows an entry of a network ACL without a number")
    return f"{'egress' if flag(told.get('Egress')) else 'ingress'} {number}"


def _entry(told: JsonObject) -> dict[str, Any]:
    """An entry in the parameters of the call that makes it, less those that its protocol does not use."""
    protocol = text(told.get("Protocol")).lower() or "-1"
    protocol = _PROTOCOL_NUMBERS.get(protocol, protocol)
    entry: dict[str, Any] = {"Protocol": protocol, "RuleAction": text(told.get("RuleAction")).lower()}
    for member in ("CidrBlock", "Ipv6CidrBlock"):
        if told.get(member):
            entry[member] = cidr(told[member])
    ports, icmp = mapping(told.get("PortRange")), mapping(told.get("IcmpTypeCode") or told.get("Icmp"))
    if protocol in _WITH_PORTS and ports:
        entry["PortRange"] = {"From": whole(ports.get("From")), "To": whole(ports.get("To"))}
    if protocol in _WITH_TYPES:
        entry["IcmpTypeCode"] = {"Type": _or_any(icmp.get("Type")), "Code": _or_any(icmp.get("Code"))}
    return entry


def _or_any(value: Any) -> int:
    number = whole(value)
    return -1 if number is None else number


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for acl in structures(answer.get("NetworkAcls")):
        yield from _ACLS.observed(scope, acl)
        for entry in structures(acl.get("Entries")):
            if (whole(entry.get("RuleNumber")) or 0) <= _LAST_NUMBER:
                yield seen(scope, ENTRY, acl.get("NetworkAclId"), _entry(entry), _entry_name(entry))
        for association in structures(acl.get("Associations")):
            yield seen(
                scope,
                ASSOCIATION,
                association.get("SubnetId"),
                {"NetworkAclId": text(acl.get("NetworkAclId"))},
                handles={"AssociationId": association.get("NetworkAclAssociationId")},
            )


def _read_association(key: SettingKey) -> Read:
    by_id = key.resource.startswith("aclassoc-")
    return filtered("DescribeNetworkAcls", "association.association-id" if by_id else "association.subnet-id", key.resource)


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change_entry(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    direction, number = key.name.split(" ")
    where = {"NetworkAclId": key.resource, "RuleNumber": int(number), "Egress": direction == "egress"}
    if wanted is None:
        return call("DeleteNetworkAclEntry", where)
    return call("CreateNetworkAclEntry" if live is None else "ReplaceNetworkAclEntry", {**where, **wanted})


def _change_association(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if key.resource.startswith("aclassoc-"):
        return Unrestorable("nothing tells which subnet this association was of", "Associate the subnet with its list by hand.")
    if wanted is None:
        return always_there("a subnet's association")
    association = live.handles.get("AssociationId") if live else None
    if association:
        return call("ReplaceNetworkAclAssociation", {"AssociationId": association, **wanted})
    # A subnet that was made again has an association of its own, whose id only a read at that time can tell.
    path = f"NetworkAcls[].Associations[] | [?SubnetId=='{key.resource}'].NetworkAclAssociationId | [0]"
    return call("ReplaceNetworkAclAssociation", wanted, lookups={"AssociationId": Lookup(_read_association(key), path)})


def _opens(key: SettingKey, value: Value) -> bool:
    network = text(value.get("CidrBlock") or value.get("Ipv6CidrBlock"))
    return value.get("RuleAction") == "allow" and is_world(network)


NETWORK_ACLS = family(
    _ACLS.as_kind(),
    Kind(ENTRY, 10, _ACLS.read, _change_entry, part_of=ACL, opens=_opens),
    Kind(ASSOCIATION, 68, _read_association, _change_association, part_of="subnet"),
    readers={
        **_ACLS.readers(),
        "CreateNetworkAclEntry": _create_entry,
        "ReplaceNetworkAclEntry": _replace_entry,
        "DeleteNetworkAclEntry": _delete_entry,
        "ReplaceNetworkAclAssociation": _replace_association,
    },
    observers={"DescribeNetworkAcls": _observe},
    inventory=("DescribeNetworkAcls",),
    absent_codes=(
        "InvalidNetworkAclID.NotFound",
        "InvalidNetworkAclEntry.NotFound",
        "InvalidAssociationID.NotFound",
        "InvalidRouteTableID.NotFound",  # an emulator's word for a list that is not there
    ),
    acts={
        ENTRY: Acts(
            sets=(
                "ec2:CreateNetworkAclEntry",
                "ec2:ReplaceNetworkAclEntry",
            ),
            removes=("ec2:DeleteNetworkAclEntry",),
        ),
        ASSOCIATION: Acts(sets=("ec2:ReplaceNetworkAclAssociation",)),
    },
)
