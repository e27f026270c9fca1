"""Site-to-site VPN: customer gateways, virtual private gateways, connections and their static routes.

The secrets of a tunnel are in no record, so a deleted connection needs its other side to be set up again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope
from incident.network.internet_gateway import Attachment
from incident.network.kinds import Event, Kind, Resource, call, family, immutable, seen
from incident.network.values import cidr, flag, mapping, present, structures, text, texts
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

CONNECTION = "vpn-connection"
ROUTE = "vpn-connection-route"

_TARGETS = ("VpnGatewayId", "TransitGatewayId")


def _asn(value: Any) -> int | None:
    return int(text(value)) if text(value).isdigit() else None


_CUSTOMER = Resource(
    kind="customer-gateway",
    noun="CustomerGateway",
    listed="CustomerGateways",
    rank=56,
    value=lambda told: present(
        {
            "Type": text(told.get("Type")),
            "BgpAsn": _asn(told.get("BgpAsn")),
            "IpAddress": text(told.get("IpAddress") or told.get("PublicIp")),
            **texts(told, ("CertificateArn", "DeviceName")),
        }
    ),
)

_PRIVATE = Resource(
    kind="vpn-gateway",
    noun="VpnGateway",
    listed="VpnGateways",
    rank=82,
    value=lambda told: present({"Type": text(told.get("Type")), "AmazonSideAsn": _asn(told.get("AmazonSideAsn"))}),
    loses="the id: it comes back under a new one, and routes and connections must be pointed to it",
)
_ATTACHMENT = Attachment("vpn-gateway-attachment", _PRIVATE, "VpcAttachments")


def _connection(told: JsonObject) -> dict[str, Any]:
    options = mapping(told.get("Options"))
    return present(
        {
            **texts(told, ("Type", "CustomerGatewayId", *_TARGETS)),
            "Options": {"StaticRoutesOnly": flag(options.get("StaticRoutesOnly"))},
        }
    )


_CONNECTIONS = Resource(
    kind=CONNECTION,
    noun="VpnConnection",
    listed="VpnConnections",
    rank=54,
    value=_connection,
    parts=(ROUTE,),
    loses="the id, the outside addresses and the keys: the other side must be set up again",
)


def _create_route(event: Event) -> Iterator[Write]:
    yield Write(_route_key(event), {})


def _delete_route(event: Event) -> Iterator[Write]:
    yield Write(_route_key(event), None, before={})


def _route_key(event: Event) -> SettingKey:
    return event.key(ROUTE, event.requested("VpnConnectionId"), cidr(event.requested("DestinationCidrBlock")))


def _observe_gateways(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for gateway in structures(answer.get("VpnGateways")):
        yield from _PRIVATE.observed(scope, gateway)
        if not _PRIVATE.is_gone(gateway):
            yield from _ATTACHMENT.observed(scope, gateway)


def _observe_connections(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for connection in structures(answer.get("VpnConnections")):
        yield from _CONNECTIONS.observed(scope, connection)
        if _CONNECTIONS.is_gone(connection):
            continue
        for route in structures(connection.get("Routes")):
            if text(route.get("State")) not in ("deleted", "deleting"):
                yield seen(scope, ROUTE, connection.get("VpnConnectionId"), {}, cidr(route.get("DestinationCidrBlock")))


def _change_connection(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is None or wanted is None:
        return _CONNECTIONS.change(key, live, wanted)
    different = {name: value for name, value in wanted.items() if live.value.get(name) != value}
    if not different.keys() <= {"CustomerGatewayId", *_TARGETS}:
        return immutable(key.resource)
    return call("ModifyVpnConnection", {"VpnConnectionId": key.resource, **different})


def _change_route(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    verb = "Delete" if wanted is None else "Create"
    return call(f"{verb}VpnConnectionRoute", {"VpnConnectionId": key.resource, "DestinationCidrBlock": key.name})


VPNS = family(
    _CUSTOMER.as_kind(),
    _PRIVATE.as_kind(),
    _ATTACHMENT.as_kind(),
    _CONNECTIONS.as_kind(change=_change_connection, opens=lambda key, value: True),
    Kind(ROUTE, 15, _CONNECTIONS.read, _change_route, part_of=CONNECTION, opens=lambda key, value: True),
    readers={
        **_CUSTOMER.readers(),
        **_PRIVATE.readers(),
        **_CONNECTIONS.readers(),
        "AttachVpnGateway": _ATTACHMENT.attach,
        "DetachVpnGateway": _ATTACHMENT.detach,
        "ModifyVpnConnection": _CONNECTIONS.read_modified,
        "CreateVpnConnectionRoute": _create_route,
        "DeleteVpnConnectionRoute": _delete_route,
    },
    observers={
        "DescribeCustomerGateways": _CUSTOMER.observe,
        "DescribeVpnGateways": _observe_gateways,
        "DescribeVpnConnections": _observe_connections,
    },
    inventory=("DescribeCustomerGateways", "DescribeVpnGateways", "DescribeVpnConnections"),
    absent_codes=(
        "InvalidCustomerGatewayID.NotFound",
        "InvalidVpnGatewayID.NotFound",
        "InvalidVpnConnectionID.NotFound",
        "InvalidVpnGatewayAttachment.NotFound",
    ),
    acts={
        "vpn-gateway-attachment": Acts(
            sets=(
                "ec2:AttachVpnGateway",
                "ec2:DetachVpnGateway",
            ),
            removes=("ec2:DetachVpnGateway",),
        ),
        CONNECTION: Acts(sets=("ec2:CreateVpnConnection", "ec2:ModifyVpnConnection"), removes=("ec2:DeleteVpnConnection",)),
        ROUTE: Acts(sets=("ec2:CreateVpnConnectionRoute",), removes=("ec2:DeleteVpnConnectionRoute",)),
    },
)
