"""Route tables, their routes, and who uses them.

A subnet or a gateway has at most one table of its own, so the association is a setting of the subnet or gateway, and its id, which
is new each time, is a handle. A VPC's main table is a setting of the VPC.
https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Route_Tables.html
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, Resource, always_there, call, family, filtered, seen
from incident.network.route import (
    ROUTE,
    ROUTE_TABLE,
    ROUTES,
    create_route,
    delete_route,
    observe_routes,
    replace_route,
    routes_made,
)
from incident.network.values import flag, mapping, structures, text, texts
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write, same

ASSOCIATION = "route-table-association"
MAIN = "main-route-table"
PROPAGATION = "route-propagation"

_TABLES = Resource(
    kind=ROUTE_TABLE,
    noun="RouteTable",
    listed="RouteTables",
    rank=75,
    value=lambda told: texts(told, ("VpcId",)),
    parts=(ROUTE, PROPAGATION),
    loses="the id: it comes back under a new one, and its subnets must be associated again",
)


# --- records ------------------------------------------------------------------------------------------------------------------


def _create_table(event: Event) -> Iterator[Write]:
    described = _TABLES.describing(event)
    yield from _TABLES.read_created(event)
    yield from routes_made(event, text(described.get("RouteTableId")), described)


def _associate(event: Event) -> Iterator[Write]:
    key = event.key(ASSOCIATION, event.requested("SubnetId") or event.requested("GatewayId"))
    association = event.answered("AssociationId")
    value = {"RouteTableId": event.requested("RouteTableId")}
    # To associate again what is associated already succeeds, with the id that it had.
    unchanged = event.known.alias(association) == key and same(event.value(key), value)
    yield Write(key, value, before=value if unchanged else None, handles={"AssociationId": association})


def _disassociate(event: Event) -> Iterator[Write]:
    yield Write(_associated(event), None)


def _replace_association(event: Event) -> Iterator[Write]:
    association = event.answered("NewAssociationId")
    handles = {"AssociationId": association} if association else {}
    yield Write(_associated(event), {"RouteTableId": event.requested("RouteTableId")}, handles=handles)


def _associated(event: Event) -> SettingKey:
    """The association's setting; under its own id where nothing tells whose it is."""
    association = event.requested("AssociationId")
    return event.known.alias(association) or event.key(ASSOCIATION, association)


def _enable_propagation(event: Event) -> Iterator[Write]:
    yield Write(_propagation_key(event), {"Enabled": True})


def _disable_propagation(event: Event) -> Iterator[Write]:
    yield Write(_propagation_key(event), None)


def _propagation_key(event: Event) -> SettingKey:
    return event.key(PROPAGATION, event.requested("RouteTableId"), event.requested("GatewayId"))


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for table in structures(answer.get("RouteTables")):
        yield from _TABLES.observed(scope, table)
        yield from observe_routes(scope, table)
        for gateway in structures(table.get("PropagatingVgws")):
            yield seen(scope, PROPAGATION, table.get("RouteTableId"), {"Enabled": True}, text(gateway.get("GatewayId")))
        for association in structures(table.get("Associations")):
            yield _observed_association(scope, table, association)


def _observed_association(scope: Scope, table: JsonObject, association: JsonObject) -> Observed:
    state = text(mapping(association.get("AssociationState")).get("State"))
    kind, resource = ASSOCIATION, association.get("SubnetId") or association.get("GatewayId")
    if flag(association.get("Main")):
        kind, resource = MAIN, table.get("VpcId")
    value = None if state in ("disassociated", "failed") else {"RouteTableId": text(table.get("RouteTableId"))}
    handles = {"AssociationId": association.get("RouteTableAssociationId")}
    return seen(scope, kind, resource, value, handles=handles, settled=not state.endswith("ing"))


def _read_association(key: SettingKey) -> Read:
    if key.resource.startswith("rtbassoc-"):
        return filtered("DescribeRouteTables", "association.route-table-association-id", key.resource)
    member = "association.subnet-id" if key.resource.startswith("subnet-") else "association.gateway-id"
    return filtered("DescribeRouteTables", member, key.resource)


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change_association(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if key.resource.startswith("rtbassoc-"):
        return Unrestorable("nothing tells which subnet or gateway this association was of", "Associate the table by hand.")
    if live is not None:
        association = {"AssociationId": live.handles.get("AssociationId", "")}
        if wanted is None:
            return call("DisassociateRouteTable", association)
        return call("ReplaceRouteTableAssociation", {**association, **wanted})
    member = "SubnetId" if key.resource.startswith("subnet-") else "GatewayId"
    return call("AssociateRouteTable", {**wanted, member: key.resource})


def _change_main(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is None or wanted is None:
        return always_there("a VPC's main route table")
    return call("ReplaceRouteTableAssociation", {"AssociationId": live.handles.get("AssociationId", ""), **wanted})


def _change_propagation(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    verb = "Enable" if wanted else "Disable"
    return call(f"{verb}VgwRoutePropagation", {"RouteTableId": key.resource, "GatewayId": key.name})


ROUTE_TABLES = family(
    _TABLES.as_kind(),
    ROUTES,
    Kind(ASSOCIATION, 69, _read_association, _change_association, part_of="subnet"),
    Kind(
        MAIN,
        69,
        lambda key: filtered("DescribeRouteTables", "vpc-id", key.resource),
        _change_main,
        part_of="vpc",
    ),
    Kind(PROPAGATION, 15, _TABLES.read, _change_propagation, part_of=ROUTE_TABLE, opens=lambda key, value: True),
    readers={
        "CreateRouteTable": _create_table,
        "DeleteRouteTable": _TABLES.read_deleted,
        "CreateRoute": create_route,
        "ReplaceRoute": replace_route,
        "DeleteRoute": delete_route,
        "AssociateRouteTable": _associate,
        "DisassociateRouteTable": _disassociate,
        "ReplaceRouteTableAssociation": _replace_association,
        "EnableVgwRoutePropagation": _enable_propagation,
        "DisableVgwRoutePropagation": _disable_propagation,
    },
    observers={"DescribeRouteTables": _observe},
    inventory=("DescribeRouteTables",),
    absent_codes=("InvalidRouteTableID.NotFound", "InvalidRoute.NotFound", "InvalidAssociationID.NotFound"),
    acts={
        ROUTE: Acts(
            sets=(
                "ec2:CreateRoute",
                "ec2:ReplaceRoute",
            ),
            removes=("ec2:DeleteRoute",),
        ),
        ASSOCIATION: Acts(
            sets=(
                "ec2:AssociateRouteTable",
                "ec2:ReplaceRouteTableAssociation",
            ),
            removes=("ec2:DisassociateRouteTable",),
        ),
        MAIN: Acts(sets=("ec2:ReplaceRouteTableAssociation",)),
        PROPAGATION: Acts(sets=("ec2:EnableVgwRoutePropagation",), removes=("ec2:DisableVgwRoutePropagation",)),
    },
)
