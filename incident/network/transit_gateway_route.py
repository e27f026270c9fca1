"""Transit gateway route tables: static routes, which table each attachment uses, and which attachments each table learns from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope
from incident.network.kinds import Event, Kind, Resource, call, family, listing, seen
from incident.network.values import cidr, flag, structures, text, texts
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

TABLE = "transit-gateway-route-table"
ROUTE = "transit-gateway-route"
ASSOCIATION = "transit-gateway-association"
PROPAGATION = "transit-gateway-propagation"

_BLACKHOLE: dict[str, Any] = {"Blackhole": True}
_LEARNS: dict[str, Any] = {}

_TABLES = Resource(
    kind=TABLE,
    noun="TransitGatewayRouteTable",
    listed="TransitGatewayRouteTables",
    rank=59,
    value=lambda told: texts(told, ("TransitGatewayId",)),
    parts=(ROUTE, PROPAGATION),
    loses="the id: it comes back under a new one, and attachments must be associated again",
)


# --- records ------------------------------------------------------------------------------------------------------------------


def _create_route(event: Event) -> Iterator[Write]:
    yield Write(_route_key(event), _asked_target(event), before=None)


def _replace_route(event: Event) -> Iterator[Write]:
    yield Write(_route_key(event), _asked_target(event))


def _delete_route(event: Event) -> Iterator[Write]:
    yield Write(_route_key(event), None)


def _route_key(event: Event) -> SettingKey:
    return event.key(ROUTE, event.requested("TransitGatewayRouteTableId"), cidr(event.requested("DestinationCidrBlock")))


def _asked_target(event: Event) -> dict[str, Any]:
    if flag(event.request.get("Blackhole")):
        return _BLACKHOLE
    return {"TransitGatewayAttachmentId": event.requested("TransitGatewayAttachmentId")}


def _associate(event: Event) -> Iterator[Write]:
    yield Write(_association_key(event), _table(event), before=None)


def _disassociate(event: Event) -> Iterator[Write]:
    yield Write(_association_key(event), None, before=_table(event))


def _association_key(event: Event) -> SettingKey:
    return event.key(ASSOCIATION, event.requested("TransitGatewayAttachmentId"))


def _table(event: Event) -> dict[str, str]:
    return {"TransitGatewayRouteTableId": event.requested("TransitGatewayRouteTableId")}


def _enable(event: Event) -> Iterator[Write]:
    yield Write(_propagation_key(event), _LEARNS, before=None)


def _disable(event: Event) -> Iterator[Write]:
    yield Write(_propagation_key(event), None, before=_LEARNS)


def _propagation_key(event: Event) -> SettingKey:
    table = event.requested("TransitGatewayRouteTableId")
    return event.key(PROPAGATION, table, event.requested("TransitGatewayAttachmentId"))


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe_routes(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for route in structures(answer.get("Routes")):
        if text(route.get("Type")) != "static" or text(route.get("State")) in ("deleting", "deleted"):
            continue
        attachments = structures(route.get("TransitGatewayAttachments"))
        target = (
            {"TransitGatewayAttachmentId": text(attachments[0].get("TransitGatewayAttachmentId"))} if attachments else _BLACKHOLE
        )
        name = cidr(route.get("DestinationCidrBlock"))
        if name:
            yield seen(scope, ROUTE, read.parameters.get("TransitGatewayRouteTableId"), target, name)


def _observe_associations(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for attachment in structures(answer.get("TransitGatewayAttachments")):
        association = attachment.get("Association")
        for one in structures(association):
            state = text(one.get("State"))
            table = texts(one, ("TransitGatewayRouteTableId",))
            if table and state != "disassociated":
                resource = attachment.get("TransitGatewayAttachmentId")
                yield seen(scope, ASSOCIATION, resource, table, settled=not state.endswith("ing"))


def _observe_propagations(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for one in structures(answer.get("TransitGatewayRouteTablePropagations")):
        state = text(one.get("State"))
        if state != "disabled":
            table, name = read.parameters.get("TransitGatewayRouteTableId"), text(one.get("TransitGatewayAttachmentId"))
            yield seen(scope, PROPAGATION, table, _LEARNS, name, settled=not state.endswith("ing"))


def _read_routes(key: SettingKey) -> Read:
    static = [{"Name": "type", "Values": ["static"]}]
    return listing("SearchTransitGatewayRoutes", TransitGatewayRouteTableId=key.resource, Filters=static)


def _read_association(key: SettingKey) -> Read:
    chosen = [{"Name": "transit-gateway-attachment-id", "Values": [key.resource]}]
    return listing("DescribeTransitGatewayAttachments", Filters=chosen)


def _read_propagations(key: SettingKey) -> Read:
    return listing("GetTransitGatewayRouteTablePropagations", TransitGatewayRouteTableId=key.resource)


def _details(key: SettingKey) -> Iterable[Read]:
    return [_read_routes(key), _read_propagations(key)]


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change_route(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    where = {"TransitGatewayRouteTableId": key.resource, "DestinationCidrBlock": key.name}
    if wanted is None:
        return call("DeleteTransitGatewayRoute", where)
    return call("CreateTransitGatewayRoute" if live is None else "ReplaceTransitGatewayRoute", {**where, **wanted})


def _change_association(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    attachment = {"TransitGatewayAttachmentId": key.resource}
    leave = call("DisassociateTransitGatewayRouteTable", {**attachment, **live.value}) if live else ()
    join = call("AssociateTransitGatewayRouteTable", {**attachment, **wanted}) if wanted else ()
    return (*leave, *join)


def _change_propagation(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    verb = "Disable" if wanted is None else "Enable"
    asked = {"TransitGatewayRouteTableId": key.resource, "TransitGatewayAttachmentId": key.name}
    return call(f"{verb}TransitGatewayRouteTablePropagation", asked)


TRANSIT_GATEWAY_ROUTES = family(
    _TABLES.as_kind(details=_details),
    Kind(ROUTE, 15, _read_routes, _change_route, part_of=TABLE, opens=lambda key, value: value != _BLACKHOLE),
    Kind(ASSOCIATION, 57, _read_association, _change_association),
    Kind(PROPAGATION, 15, _read_propagations, _change_propagation, part_of=TABLE, opens=lambda key, value: True),
    readers={
        **_TABLES.readers(),
        "CreateTransitGatewayRoute": _create_route,
        "ReplaceTransitGatewayRoute": _replace_route,
        "DeleteTransitGatewayRoute": _delete_route,
        "AssociateTransitGatewayRouteTable": _associate,
        "DisassociateTransitGatewayRouteTable": _disassociate,
        "EnableTransitGatewayRouteTablePropagation": _enable,
        "DisableTransitGatewayRouteTablePropagation": _disable,
    },
    observers={
        "DescribeTransitGatewayRouteTables": _TABLES.observe,
        "SearchTransitGatewayRoutes": _observe_routes,
        "DescribeTransitGatewayAttachments": _observe_associations,
        "GetTransitGatewayRouteTablePropagations": _observe_propagations,
    },
    inventory=("DescribeTransitGatewayRouteTables", "DescribeTransitGatewayAttachments"),
    absent_codes=("InvalidRouteTableID.NotFound", "InvalidRoute.NotFound", "InvalidTransitGatewayAttachmentID.NotFound"),
    acts={
        ROUTE: Acts(
            sets=(
                "ec2:CreateTransitGatewayRoute",
                "ec2:ReplaceTransitGatewayRoute",
            ),
            removes=("ec2:DeleteTransitGatewayRoute",),
        ),
        ASSOCIATION: Acts(
            sets=(
                "ec2:AssociateTransitGatewayRouteTable",
                "ec2:DisassociateTransitGatewayRouteTable",
            ),
            removes=("ec2:DisassociateTransitGatewayRouteTable",),
        ),
        PROPAGATION: Acts(
            sets=("ec2:EnableTransitGatewayRouteTablePropagation",), removes=("ec2:DisableTransitGatewayRouteTablePropagation",)
        ),
    },
)
