"""Route tables: destinations are taken once, targets must exist and be near, local routes and main tables stay."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidRouteError, ResourceAlreadyAssociatedError, RouteAlreadyExistsError
from moto.ec2.models.route_tables import Route, RouteBackend, RouteTable
from moto.ec2.responses.route_tables import RouteTables

from drill.aws.corrections.base import canonical_cidr, corrects, dependency, refuse


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


def _destination(route: Route) -> str | None:
    return route.destination_cidr_block or route.destination_ipv6_cidr_block or route.destination_prefix_list_id


def _find(table: RouteTable, destination: str | None) -> Route | None:
    return next((r for r in table.routes if _destination(r) == destination), None)


def _state(route: Route) -> str:
    """moto's routes are always active; one whose target is gone is a blackhole."""
    gone = (
        (route.gateway is not None and hasattr(route.gateway, "vpc") and route.gateway.vpc is None)
        or (route.nat_gateway is not None and route.nat_gateway.state != "available")
        or (route.vpc_pcx is not None and route.vpc_pcx._status.code != "active")
        or (route.interface is not None and route.interface.id not in route.interface.ec2_backend.enis)
        or (route.instance is not None and route.instance._state.name == "terminated")
    )
    return "blackhole" if gone else "active"


Route.state = property(_state)  # type: ignore[method-assign,assignment]


def _check_target(backend: Any, table: RouteTable, target: dict[str, Any]) -> None:
    """moto makes routes to nowhere, and to gateways of other networks."""
    known = (
        ("nat_gateway_id", "nat_gateways", "InvalidNatGatewayID.NotFound", "NAT gateway"),
        ("transit_gateway_id", "transit_gateways", "InvalidTransitGatewayID.NotFound", "transit gateway"),
        ("carrier_gateway_id", "carrier_gateways", "InvalidCarrierGatewayID.NotFound", "carrier gateway"),
    )
    for key, store, code, words in known:
        ident = target.get(key)
        if ident and ident not in getattr(backend, store):
            raise refuse(code, f"The {words} ID '{ident}' does not exist")
    gateway = target.get("gateway_id") or ""
    if gateway.startswith("igw-"):
        attached = backend.get_internet_gateway(gateway).vpc
        if attached is None or attached.id != table.vpc_id:
            message = f"route table {table.id} and network gateway {gateway} belong to different networks"
            raise refuse("InvalidParameterValue", message)


@corrects(RouteBackend)
def create_route(
    self: Any,
    route_table_id: str,
    destination_cidr_block: str | None,
    destination_ipv6_cidr_block: str | None = None,
    destination_prefix_list_id: str | None = None,
    local: bool = False,
    **target: Any,
) -> Route:
    """moto checks for a taken destination only with some targets, and keeps CIDRs as given."""
    table = self.get_route_table(route_table_id)
    v4 = canonical_cidr(destination_cidr_block) if destination_cidr_block else None
    v6 = canonical_cidr(destination_ipv6_cidr_block) if destination_ipv6_cidr_block else None
    destination = v4 or v6 or destination_prefix_list_id
    if destination_prefix_list_id and destination_prefix_list_id not in self.managed_prefix_lists:
        message = f"The prefix list ID '{destination_prefix_list_id}' does not exist"
        raise refuse("InvalidPrefixListID.NotFound", message)
    if destination and _find(table, destination):
        raise RouteAlreadyExistsError(destination)
    if not local:
        if not any(target.values()):
            raise refuse("MissingParameter", "The request must contain exactly one of the route's targets")
        _check_target(self, table, target)
    route: Route = create_route.moto(self, route_table_id, v4, v6, destination_prefix_list_id, local, **target)
    return route


@corrects(RouteBackend)
def replace_route(
    self: Any,
    route_table_id: str,
    destination_cidr_block: str | None,
    destination_ipv6_cidr_block: str | None = None,
    destination_prefix_list_id: str | None = None,
    nat_gateway_id: str | None = None,
    egress_only_igw_id: str | None = None,
    transit_gateway_id: str | None = None,
    **target: Any,
) -> Route:
    """moto keeps an old carrier gateway or endpoint beside the new target, and takes targets that do not exist."""
    table = self.get_route_table(route_table_id)
    cidr = destination_cidr_block or destination_ipv6_cidr_block
    destination = canonical_cidr(cidr) if cidr else destination_prefix_list_id
    old = _find(table, destination)
    if old is None:
        message = f"There is no route defined for '{destination}' in the route table. Use CreateRoute instead."
        raise refuse("InvalidParameterValue", message)
    target |= {
        "nat_gateway_id": nat_gateway_id,
        "egress_only_igw_id": egress_only_igw_id,
        "transit_gateway_id": transit_gateway_id,
    }
    _check_target(self, table, target)
    # The new route is made before the old one goes, so that a refused target changes nothing.
    position = list(table._routes).index(old.id)
    rest = {k: r for k, r in table._routes.items() if k != old.id}
    before = dict(table._routes)
    table._routes = rest
    try:
        new: Route = create_route.moto(
            self,
            route_table_id,
            old.destination_cidr_block,
            old.destination_ipv6_cidr_block,
            old.destination_prefix_list_id,
            False,
            **target,
        )
    except Exception:
        table._routes = before
        raise
    entries = list(rest.items())
    entries = [e for e in entries if e[0] != new.id]
    entries.insert(position, (new.id, new))
    table._routes = dict(entries)
    return new


@corrects(RouteTables)
def delete_route(self: Any) -> ActionResult:
    """moto deletes local routes, and looks for CIDRs as given."""
    table = self.ec2_backend.get_route_table(self._get_param("RouteTableId"))
    cidr = self._get_param("DestinationCidrBlock") or self._get_param("DestinationIpv6CidrBlock")
    destination = canonical_cidr(cidr) if cidr else self._get_param("DestinationPrefixListId")
    route = _find(table, destination)
    if route is None:
        raise InvalidRouteError(table.id, destination)
    if route.local:
        raise refuse("InvalidParameterValue", f"cannot remove local route {destination} in route table {table.id}")
    del table._routes[route.id]
    return ActionResult({})


@corrects(RouteBackend)
def associate_route_table(self: Any, route_table_id: str, gateway_id: str | None = None, subnet_id: str | None = None) -> str:
    """moto answers with the old association, even one with another table."""
    target = subnet_id or gateway_id
    if any(target in table._associations.values() for table in self.route_tables.values()):
        raise ResourceAlreadyAssociatedError(str(target))
    association: str = associate_route_table.moto(self, route_table_id, gateway_id, subnet_id)
    return association


@corrects(RouteBackend)
def disassociate_route_table(self: Any, association_id: str) -> str | None:
    """moto does not know a main association."""
    if any(table.main_association_id == association_id for table in self.route_tables.values()):
        message = f"cannot disassociate the main route table association {association_id}"
        raise refuse("InvalidParameterValue", message)
    gone: str | None = disassociate_route_table.moto(self, association_id)
    return gone


@corrects(RouteTables)
def delete_route_table(self: Any) -> ActionResult:
    """moto deletes a network's main table."""
    table = self.ec2_backend.get_route_table(self._get_param("RouteTableId"))
    if table.main_association_id is not None:
        raise dependency(table.id)
    result: ActionResult = delete_route_table.moto(self)
    return result
