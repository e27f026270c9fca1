"""Operations that moto lacks and that attacks on networks, or their undoing, need."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.route_tables import RouteTable
from moto.ec2.models.traffic_mirrors import TrafficMirrorFilter
from moto.ec2.models.vpn_connections import VPNConnection
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.ec2.responses.general import General
from moto.ec2.responses.route_tables import RouteTables
from moto.ec2.responses.traffic_mirrors import TrafficMirrors
from moto.ec2.responses.vpcs import VPCs
from moto.ec2.responses.vpn_connections import VPNConnections
from moto.ec2.utils import random_id

from drill.aws.corrections.base import corrects, refuse


def correct() -> None:
    """The additions of this module are in place once it is imported."""


# ---- traffic mirroring ------------------------------------------------------------------------------------------


def _filter(backend: Any, ident: str) -> TrafficMirrorFilter:
    found: TrafficMirrorFilter | None = backend.traffic_mirror_filters.get(ident)
    if found is None:
        raise refuse("InvalidTrafficMirrorFilterId.NotFound", f"The traffic mirror filter '{ident}' does not exist")
    return found


def _rules(mirror_filter: Any) -> dict[str, dict[str, Any]]:
    if not hasattr(mirror_filter, "rules"):
        mirror_filter.rules = {}
    rules: dict[str, dict[str, Any]] = mirror_filter.rules
    return rules


def _in_direction(mirror_filter: Any, direction: str) -> list[dict[str, Any]]:
    return [rule for rule in _rules(mirror_filter).values() if rule["TrafficDirection"] == direction]


TrafficMirrorFilter.ingress_filter_rules = property(lambda f: _in_direction(f, "ingress"))  # type: ignore[attr-defined]
TrafficMirrorFilter.egress_filter_rules = property(lambda f: _in_direction(f, "egress"))  # type: ignore[attr-defined]


@corrects(TrafficMirrors)
def create_traffic_mirror_filter_rule(self: Any) -> ActionResult:
    owner = _filter(self.ec2_backend, self._get_param("TrafficMirrorFilterId"))
    keys = (
        "TrafficMirrorFilterId", "TrafficDirection", "RuleNumber", "RuleAction", "Protocol", "DestinationPortRange",
        "SourcePortRange", "DestinationCidrBlock", "SourceCidrBlock", "Description",
    )  # fmt: skip
    given = {key: self._get_param(key) for key in keys}
    rule = {key: value for key, value in given.items() if value is not None}
    if any(r["RuleNumber"] == rule["RuleNumber"] for r in _in_direction(owner, rule["TrafficDirection"])):
        raise refuse("TrafficMirrorFilterRuleAlreadyExists", f"Rule number {rule['RuleNumber']} is taken")
    rule["TrafficMirrorFilterRuleId"] = random_id("tmfr")
    _rules(owner)[rule["TrafficMirrorFilterRuleId"]] = rule
    return ActionResult({"TrafficMirrorFilterRule": rule, "ClientToken": self._get_param("ClientToken")})


@corrects(TrafficMirrors)
def delete_traffic_mirror_filter_rule(self: Any) -> ActionResult:
    ident = self._get_param("TrafficMirrorFilterRuleId")
    for mirror_filter in self.ec2_backend.traffic_mirror_filters.values():
        if _rules(mirror_filter).pop(ident, None):
            return ActionResult({"TrafficMirrorFilterRuleId": ident})
    raise refuse("InvalidTrafficMirrorFilterRuleId.NotFound", f"The traffic mirror filter rule '{ident}' does not exist")


@corrects(TrafficMirrors)
def delete_traffic_mirror_filter(self: Any) -> ActionResult:
    ident = _filter(self.ec2_backend, self._get_param("TrafficMirrorFilterId")).id
    if any(s.traffic_mirror_filter_id == ident for s in self.ec2_backend.traffic_mirror_sessions.values()):
        raise refuse("TrafficMirrorFilterInUse", f"The traffic mirror filter {ident} is in use")
    del self.ec2_backend.traffic_mirror_filters[ident]
    return ActionResult({"TrafficMirrorFilterId": ident})


@corrects(TrafficMirrors)
def delete_traffic_mirror_target(self: Any) -> ActionResult:
    ident = self._get_param("TrafficMirrorTargetId")
    if ident not in self.ec2_backend.traffic_mirror_targets:
        raise refuse("InvalidTrafficMirrorTargetId.NotFound", f"The traffic mirror target '{ident}' does not exist")
    if any(s.traffic_mirror_target_id == ident for s in self.ec2_backend.traffic_mirror_sessions.values()):
        raise refuse("TrafficMirrorTargetInUse", f"The traffic mirror target {ident} is in use")
    del self.ec2_backend.traffic_mirror_targets[ident]
    return ActionResult({"TrafficMirrorTargetId": ident})


@corrects(TrafficMirrors)
def delete_traffic_mirror_session(self: Any) -> ActionResult:
    """moto says yes to sessions that do not exist."""
    ident = self._get_param("TrafficMirrorSessionId")
    if ident not in self.ec2_backend.traffic_mirror_sessions:
        raise refuse("InvalidTrafficMirrorSessionId.NotFound", f"The traffic mirror session '{ident}' does not exist")
    result: ActionResult = delete_traffic_mirror_session.moto(self)
    return result


# ---- screens ----------------------------------------------------------------------------------------------------

_BLACK_PIXEL = (
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////"
    "wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAA//EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AN//Z"
)


@corrects(General)
def get_console_screenshot(self: Any) -> ActionResult:
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    if instance._state.name != "running":
        raise refuse("IncorrectState", f"The instance '{instance.id}' is not in the 'running' state")
    return ActionResult({"InstanceId": instance.id, "ImageData": _BLACK_PIXEL})


# ---- locks on snapshots -----------------------------------------------------------------------------------------


def _locks(backend: Any) -> dict[str, dict[str, Any]]:
    if not hasattr(backend, "snapshot_locks"):
        backend.snapshot_locks = {}
    locks: dict[str, dict[str, Any]] = backend.snapshot_locks
    return locks


@corrects(ElasticBlockStore)
def lock_snapshot(self: Any) -> ActionResult:
    """Only locks for a number of days, which may be made longer in either mode and shorter in governance mode."""
    snapshot = self.ec2_backend.get_snapshot(self._get_param("SnapshotId"))
    mode, days = self._get_param("LockMode"), int(self._get_param("LockDuration"))
    held = _locks(self.ec2_backend).get(snapshot.id)
    if held and held["LockState"] == "compliance" and days < held["LockDuration"]:
        raise refuse("InvalidParameterValue", "A lock in compliance mode cannot be made shorter")
    lock = {"OwnerId": snapshot.owner_id, "SnapshotId": snapshot.id, "LockState": mode, "LockDuration": days}
    _locks(self.ec2_backend)[snapshot.id] = lock
    return ActionResult(lock)


@corrects(ElasticBlockStore)
def unlock_snapshot(self: Any) -> ActionResult:
    ident = self._get_param("SnapshotId")
    held = _locks(self.ec2_backend).get(ident)
    if held is None or held["LockState"] == "compliance":
        raise refuse("SnapshotLock.NotUnlockable", f"The snapshot '{ident}' is not locked in governance mode")
    del _locks(self.ec2_backend)[ident]
    return ActionResult({"SnapshotId": ident})


@corrects(ElasticBlockStore)
def describe_locked_snapshots(self: Any) -> ActionResult:
    wanted = self._get_param("SnapshotIds", [])
    held = [lock for ident, lock in _locks(self.ec2_backend).items() if not wanted or ident in wanted]
    return ActionResult({"Snapshots": held})


@corrects(ElasticBlockStore)
def delete_snapshot(self: Any) -> Any:
    ident = self._get_param("SnapshotId")
    if ident in _locks(self.ec2_backend):
        raise refuse("SnapshotLocked", f"The snapshot '{ident}' is locked")
    return delete_snapshot.moto(self)  # type: ignore[attr-defined]


@corrects(ElasticBlockStore)
def modify_snapshot_attribute(self: Any) -> Any:
    """moto shares what the default AWS key encrypts."""
    snapshot = self.ec2_backend.get_snapshot(self._get_param("SnapshotId"))
    adds = self._get_param("OperationType") == "add"
    if adds and snapshot.encrypted and not _has_a_key_of_its_own(snapshot):
        raise refuse("InvalidParameterValue", "EBS snapshots encrypted with the default AWS key cannot be shared")
    return modify_snapshot_attribute.moto(self)  # type: ignore[attr-defined]


def _has_a_key_of_its_own(snapshot: Any) -> bool:
    return bool(snapshot.kms_key_id) and "alias/aws/" not in snapshot.kms_key_id


# ---- propagation and VPN routes ---------------------------------------------------------------------------------


def _propagating(table: Any) -> list[str]:
    if not hasattr(table, "propagating_gateways"):
        table.propagating_gateways = []
    gateways: list[str] = table.propagating_gateways
    return gateways


RouteTable.propagating_vgws = property(lambda table: [{"GatewayId": g} for g in _propagating(table)])  # type: ignore[attr-defined]


@corrects(RouteTables)
def enable_vgw_route_propagation(self: Any) -> ActionResult:
    table = self.ec2_backend.get_route_table(self._get_param("RouteTableId"))
    gateway = self.ec2_backend.get_vpn_gateway(self._get_param("GatewayId"))
    if table.vpc_id not in gateway.attachments:
        raise refuse("Gateway.NotAttached", f"resource {gateway.id} is not attached to network {table.vpc_id}")
    if gateway.id not in _propagating(table):
        _propagating(table).append(gateway.id)
    return ActionResult({})


@corrects(RouteTables)
def disable_vgw_route_propagation(self: Any) -> ActionResult:
    table = self.ec2_backend.get_route_table(self._get_param("RouteTableId"))
    gateway = self._get_param("GatewayId")
    if gateway in _propagating(table):
        _propagating(table).remove(gateway)
    return ActionResult({})


def _connection(backend: Any, ident: str) -> VPNConnection:
    found: VPNConnection | None = backend.vpn_connections.get(ident)
    if found is None or found.state == "deleted":
        raise refuse("InvalidVpnConnectionID.NotFound", f"The vpnConnection ID '{ident}' does not exist")
    return found


def _static_routes(connection: Any) -> list[dict[str, str]]:
    if not hasattr(connection, "vpn_routes"):
        connection.vpn_routes = []
    routes: list[dict[str, str]] = connection.vpn_routes
    return routes


VPNConnection.routes = property(_static_routes)  # type: ignore[attr-defined]


@corrects(VPNConnections)
def create_vpn_connection_route(self: Any) -> ActionResult:
    connection = _connection(self.ec2_backend, self._get_param("VpnConnectionId"))
    cidr = self._get_param("DestinationCidrBlock")
    if all(route["DestinationCidrBlock"] != cidr for route in _static_routes(connection)):
        _static_routes(connection).append({"DestinationCidrBlock": cidr, "Source": "Static", "State": "available"})
    return ActionResult({})


@corrects(VPNConnections)
def delete_vpn_connection_route(self: Any) -> ActionResult:
    connection = _connection(self.ec2_backend, self._get_param("VpnConnectionId"))
    cidr = self._get_param("DestinationCidrBlock")
    routes = _static_routes(connection)
    if all(route["DestinationCidrBlock"] != cidr for route in routes):
        raise refuse("InvalidRoute.NotFound", f"The VPN connection has no route to {cidr}")
    routes[:] = [route for route in routes if route["DestinationCidrBlock"] != cidr]
    return ActionResult({})


# ---- prefix lists -----------------------------------------------------------------------------------------------


@corrects(VPCs)
def restore_managed_prefix_list_version(self: Any) -> ActionResult:
    found = self.ec2_backend.get_managed_prefix_list_entries(self._get_param("PrefixListId"))
    current, previous = int(self._get_param("CurrentVersion")), int(self._get_param("PreviousVersion"))
    if current != found.version:
        raise refuse("PrefixListVersionMismatch", "The prefix list has the incorrect version number")
    if previous not in found.entries:
        raise refuse("PrefixListVersionNotFound", f"The prefix list has no version {previous}")
    found.version += 1
    found.entries[found.version] = list(found.entries[previous])
    return ActionResult({"PrefixList": found})
