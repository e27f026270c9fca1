"""NAT gateways and the addresses that were added to them.

A deleted gateway stays listed for an hour as `deleted`. Its first public address is its own; further ones are settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope
from incident.network.kinds import Event, Kind, Resource, call, family, seen
from incident.network.values import flag, identifiers, present, structures, text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

NAT_GATEWAY = "nat-gateway"
ADDRESS = "nat-gateway-address"

_SECONDARY = {"Primary": False}


def _value(told: JsonObject) -> dict[str, Any]:
    addresses = structures(told.get("NatGatewayAddresses"))
    own = [text(address.get("AllocationId")) for address in addresses if not _is_secondary(address)]
    return present(
        {
            "SubnetId": text(told.get("SubnetId")),
            "ConnectivityType": text(told.get("ConnectivityType")) or "public",
            "AllocationId": text(told.get("AllocationId")) or next(iter(own), ""),
        }
    )


def _is_secondary(address: JsonObject) -> bool:
    return "IsPrimary" in address and not flag(address["IsPrimary"])


_GATEWAYS = Resource(
    kind=NAT_GATEWAY,
    noun="NatGateway",
    listed="NatGateways",
    rank=45,
    value=_value,
    ids="NatGatewayIds",
    parts=(ADDRESS,),
    loses="the id: it comes back under a new one, and routes must be pointed to it",
)


# --- records ------------------------------------------------------------------------------------------------------------------


def _create(event: Event) -> Iterator[Write]:
    described = _GATEWAYS.describing(event)
    if _GATEWAYS.is_gone(described):
        return
    yield from _GATEWAYS.read_created(event)
    for address in structures(described.get("NatGatewayAddresses")):
        if _is_secondary(address):
            yield _added(event, text(described.get("NatGatewayId")), address)


def _add(event: Event) -> Iterator[Write]:
    for address in structures(event.response.get("NatGatewayAddresses")):
        yield _added(event, event.requested("NatGatewayId"), address)


def _added(event: Event, gateway: str, address: JsonObject) -> Write:
    return Write(event.key(ADDRESS, gateway, _address_name(address)), _SECONDARY, before=None, handles=_handles(address))


def _remove(event: Event) -> Iterator[Write]:
    gateway = event.requested("NatGatewayId")
    answered = structures(event.response.get("NatGatewayAddresses"))
    names = {_address_name(address) for address in answered} or {
        known.name if (known := event.known.alias(association)) else association
        for association in identifiers(event.request.get("AssociationIds"), "AssociationId")
    }
    for name in sorted(names | set(identifiers(event.request.get("PrivateIpAddresses"), "PrivateIpAddress"))):
        yield Write(event.key(ADDRESS, gateway, name), None, before=_SECONDARY)


def _address_name(address: JsonObject) -> str:
    """An Elastic IP by its allocation, a private address by itself."""
    return text(address.get("AllocationId")) or text(address.get("PrivateIp"))


def _handles(address: JsonObject) -> dict[str, str]:
    association = text(address.get("AssociationId"))
    return {"AssociationId": association} if association else {}


# --- reads and changes --------------------------------------------------------------------------------------------------------


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for gateway in structures(answer.get("NatGateways")):
        yield from _GATEWAYS.observed(scope, gateway)
        if _GATEWAYS.is_gone(gateway):
            continue
        for address in structures(gateway.get("NatGatewayAddresses")):
            if _is_secondary(address):
                name, handles = _address_name(address), _handles(address)
                yield seen(scope, ADDRESS, gateway.get("NatGatewayId"), _SECONDARY, name, handles)


def _change_address(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    gateway = {"NatGatewayId": key.resource}
    is_private = not key.name.startswith("eipalloc-")
    if wanted is None:
        if is_private:
            return call("UnassignPrivateNatGatewayAddress", {**gateway, "PrivateIpAddresses": [key.name]})
        association = live.handles.get("AssociationId", "") if live else ""
        return call("DisassociateNatGatewayAddress", {**gateway, "AssociationIds": [association]})
    if is_private:
        return call("AssignPrivateNatGatewayAddress", {**gateway, "PrivateIpAddresses": [key.name]})
    return call("AssociateNatGatewayAddress", {**gateway, "AllocationIds": [key.name]})


NAT_GATEWAYS = family(
    _GATEWAYS.as_kind(opens=lambda key, value: value.get("ConnectivityType") == "public"),
    Kind(ADDRESS, 44, _GATEWAYS.read, _change_address, part_of=NAT_GATEWAY),
    readers={
        "CreateNatGateway": _create,
        "DeleteNatGateway": _GATEWAYS.read_deleted,
        "AssociateNatGatewayAddress": _add,
        "AssignPrivateNatGatewayAddress": _add,
        "DisassociateNatGatewayAddress": _remove,
        "UnassignPrivateNatGatewayAddress": _remove,
    },
    observers={"DescribeNatGateways": _observe},
    inventory=("DescribeNatGateways",),
    absent_codes=("NatGatewayNotFound",),
    acts={
        ADDRESS: Acts(
            sets=("ec2:AssignPrivateNatGatewayAddress", "ec2:AssociateNatGatewayAddress"),
            removes=("ec2:DisassociateNatGatewayAddress", "ec2:UnassignPrivateNatGatewayAddress"),
        )
    },
)
