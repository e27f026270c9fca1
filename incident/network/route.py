"""Routes: one setting for each destination of a route table, whose value names the target.

Routes that a virtual private gateway propagates come and go by themselves and are no settings. The local route is one, because
`ReplaceRoute` can point it elsewhere; no call makes or deletes it.
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, call, filtered, seen
from incident.network.values import cidr, flag, is_world, structures, text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

ROUTE = "route"
ROUTE_TABLE = "route-table"

_DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
_TARGETS = (
    "NatGatewayId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
    "EgressOnlyInternetGatewayId",
    "LocalGatewayId",
    "CarrierGatewayId",
    "CoreNetworkArn",
    "OdbNetworkArn",
    "NetworkInterfaceId",
    "InstanceId",
)
_LOCAL = {"GatewayId": "local"}
_INSIDE = ("InstanceId", "NetworkInterfaceId", "VpcEndpointId")


def create_route(event: Event) -> Iterator[Write]:
    """A destination must be free for `CreateRoute` to succeed."""
    yield Write(_key(event), _requested_target(event), before=None)


def replace_route(event: Event) -> Iterator[Write]:
    yield Write(_key(event), _requested_target(event))


def delete_route(event: Event) -> Iterator[Write]:
    yield Write(_key(event), None)


def routes_made(event: Event, table: str, described: JsonObject) -> Iterator[Write]:
    """The routes that a new table has from its first moment: the local ones."""
    for route in structures(described.get("Routes")):
        yield Write(event.key(ROUTE, table, _destination(route)), target(route), before=None)


def _key(event: Event) -> SettingKey:
    return event.key(ROUTE, event.requested("RouteTableId"), _destination(event.request))


def _requested_target(event: Event) -> dict[str, str]:
    if flag(event.request.get("LocalTarget")):
        return _LOCAL
    asked = target(event.request)
    interface = event.known.alias(asked["InstanceId"]) if "InstanceId" in asked else None
    return {"NetworkInterfaceId": interface.resource} if interface else asked


def _destination(told: JsonObject) -> str:
    """The destination as AWS keeps it: a network without host bits, or a prefix list's id."""
    for name in _DESTINATIONS:
        if told.get(name):
            return cidr(told[name])
    raise ValueError("the record shows a route without a destination")


def target(told: JsonObject) -> dict[str, str]:
    """The one target of a route. An instance's route is its interface's: AWS shows both, and the interface is what it follows.

    Raises:
        ValueError: no target of a kind that is known.
    """
    gateway = text(told.get("GatewayId")) or text(told.get("VpcEndpointId"))
    if gateway:
        return {"GatewayId": gateway}
    for name in _TARGETS:
        if told.get(name):
            return {name: text(told[name])}
    raise ValueError("the record shows a route whose target is of no known kind")


def observe_routes(scope: Scope, table: JsonObject) -> Iterator[Observed]:
    """The routes of one described table that somebody made, blackholes among them: they keep their target."""
    for route in structures(table.get("Routes")):
        if text(route.get("Origin")) != "EnableVgwRoutePropagation":
            yield seen(scope, ROUTE, table.get("RouteTableId"), _shown_target(route), _destination(route))


def _shown_target(route: JsonObject) -> dict[str, str]:
    try:
        return target(route)
    except ValueError:
        return {"State": text(route.get("State"))}


def _read(key: SettingKey) -> Read:
    return filtered("DescribeRouteTables", "route-table-id", key.resource)


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    where = {"RouteTableId": key.resource, _destination_member(key.name): key.name}
    if wanted is None:
        if live is not None and live.value == _LOCAL:
            return Unrestorable("AWS keeps a local route as long as its network exists", "Nothing to do by hand.")
        return call("DeleteRoute", where)
    if wanted == _LOCAL:
        # A table that lacks its local route is not there yet, and gets the route with its creation.
        return call("ReplaceRoute", {**where, "LocalTarget": True}) if live is not None else ()
    if "State" in wanted:
        return Unrestorable("the route had lost its target already", "Nothing passes such a route: leave it out.")
    return call("CreateRoute" if live is None else "ReplaceRoute", {**where, **_parameters(wanted)})


def _parameters(wanted: Value) -> dict[str, str]:
    """A described target as the calls take it: an endpoint is a gateway to those who look, and an endpoint to those who route."""
    gateway = text(wanted.get("GatewayId"))
    return {"VpcEndpointId": gateway} if gateway.startswith("vpce-") else dict(wanted)


def _destination_member(destination: str) -> str:
    if destination.startswith("pl-"):
        return "DestinationPrefixListId"
    return "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"


def _opens(key: SettingKey, value: Value) -> bool:
    """A way out of the network: any gateway, and whatever takes the traffic to the whole world."""
    if value == _LOCAL:
        return False
    inside = text(value.get("GatewayId")).startswith("vpce-") or any(name in value for name in _INSIDE)
    return is_world(key.name) or not inside


ROUTES = Kind(ROUTE, 15, _read, _change, part_of=ROUTE_TABLE, opens=_opens)
