"""Elastic IPs, and which interface each is associated with.

A released address can be had back for a while by asking for it by number; its allocation id is new.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AllocateAddress.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, call, family, filtered, seen
from incident.network.network_interface import ADDRESS as INTERFACE_ADDRESS
from incident.network.values import flag, present, structures, text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Unknown, Value, Write

ADDRESS = "address"
ASSOCIATION = "address-association"


# --- records ------------------------------------------------------------------------------------------------------------------


def _allocate(event: Event) -> Iterator[Write]:
    allocation = event.answered("AllocationId")
    yield from event.created(ADDRESS, allocation, _value(event.response), {}, {"PublicIp": event.answered("PublicIp")})
    yield Write(event.key(ASSOCIATION, allocation), None, before=None)


def _release(event: Event) -> Iterator[Write]:
    yield from event.deleted(ADDRESS, _allocation(event, event.requested("AllocationId")), ASSOCIATION)


def _associate(event: Event) -> Iterator[Write]:
    key = event.key(ASSOCIATION, _allocation(event, event.requested("AllocationId")))
    handles = {"AssociationId": event.answered("AssociationId")} if event.answered("AssociationId") else {}
    # Unless told not to, the call moves an address that is in use already.
    must_be_free = "AllowReassociation" in event.request and not flag(event.request["AllowReassociation"])
    if must_be_free:
        yield Write(key, _requested_target(event), before=None, handles=handles)
    else:
        yield Write(key, _requested_target(event), handles=handles)


def _disassociate(event: Event) -> Iterator[Write]:
    association = event.requested("AssociationId")
    known = event.known.alias(association) if association else None
    yield Write(known or event.key(ASSOCIATION, _allocation(event, association)), None)


def _allocation(event: Event, named: str) -> str:
    """The allocation that the record is about; old calls name the address itself."""
    public = event.requested("PublicIp")
    known = event.known.alias(public) if public and not named else None
    return known.resource if known else named or public


def _requested_target(event: Event) -> dict[str, str]:
    interface, private = event.requested("NetworkInterfaceId"), event.requested("PrivateIpAddress")
    instance = event.requested("InstanceId")
    if not interface and instance:
        attached = event.known.alias(instance)
        interface = attached.resource if attached else ""
    if interface and not private:
        private = _primary_address(event, interface)
    return _target({"NetworkInterfaceId": interface, "InstanceId": instance, "PrivateIpAddress": private})


def _primary_address(event: Event, interface: str) -> str:
    """The address that an association without one is with, if anything tells."""
    for key in event.known.keys_of(INTERFACE_ADDRESS, interface):
        value = event.value(key)
        if value is not None and not isinstance(value, Unknown) and value.get("Primary"):
            return key.name
    return ""


# --- what they are ------------------------------------------------------------------------------------------------------------


def _value(told: JsonObject) -> dict[str, Any]:
    pool = text(told.get("PublicIpv4Pool"))
    return present(
        {
            "PublicIp": text(told.get("PublicIp")),
            "Domain": text(told.get("Domain")) or "vpc",
            "PublicIpv4Pool": "" if pool == "amazon" else pool,
        }
    )


def _target(told: JsonObject) -> dict[str, str]:
    """An interface and the private address on it; the instance only where no interface is known, for AWS shows both."""
    interface = text(told.get("NetworkInterfaceId"))
    where = {"NetworkInterfaceId": interface} if interface else {"InstanceId": text(told.get("InstanceId"))}
    return present({**where, "PrivateIpAddress": text(told.get("PrivateIpAddress"))})


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for address in structures(answer.get("Addresses")):
        allocation = address.get("AllocationId") or address.get("PublicIp")
        yield seen(scope, ADDRESS, allocation, _value(address), handles={"PublicIp": address.get("PublicIp")})
        if address.get("AssociationId") or address.get("InstanceId"):
            handles = {"AssociationId": address.get("AssociationId")}
            yield seen(scope, ASSOCIATION, allocation, _target(address), handles=handles)


def _read(key: SettingKey) -> Read:
    return filtered("DescribeAddresses", "allocation-id" if key.resource.startswith("eipalloc-") else "public-ip", key.resource)


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change_address(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        loses = "the allocation id; and the address itself, once AWS gives it to somebody else"
        return call("ReleaseAddress", {"AllocationId": key.resource}, loses=loses)
    if live is not None:
        return Unrestorable("an allocation keeps its address", "Look at the address: it may be another one.")
    asked = {"Domain": wanted["Domain"], "Address": wanted["PublicIp"]}
    pool = present({"PublicIpv4Pool": wanted.get("PublicIpv4Pool")})
    return call("AllocateAddress", {**asked, **pool}, creates="AllocationId", loses="the allocation id: it is new")


def _change_association(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if key.resource.startswith("eipassoc-"):
        return Unrestorable("nothing tells which address this association was of", "Associate the address by hand.")
    if wanted is None:
        association = live.handles.get("AssociationId") if live else ""
        named = {"AssociationId": association} if association else {"AllocationId": key.resource}
        return call("DisassociateAddress", named)
    return call("AssociateAddress", {"AllocationId": key.resource, **wanted, "AllowReassociation": True})


ADDRESSES = family(
    Kind(ADDRESS, 50, _read, _change_address),
    Kind(ASSOCIATION, 48, _read, _change_association, part_of=ADDRESS, opens=lambda key, value: True),
    readers={
        "AllocateAddress": _allocate,
        "ReleaseAddress": _release,
        "AssociateAddress": _associate,
        "DisassociateAddress": _disassociate,
    },
    observers={"DescribeAddresses": _observe},
    inventory=("DescribeAddresses",),
    absent_codes=("InvalidAllocationID.NotFound", "InvalidAddress.NotFound", "InvalidAssociationID.NotFound"),
    acts={
        ADDRESS: Acts(sets=("ec2:AllocateAddress",), removes=("ec2:ReleaseAddress",)),
        ASSOCIATION: Acts(sets=("ec2:AssociateAddress",), removes=("ec2:DisassociateAddress",)),
    },
)
