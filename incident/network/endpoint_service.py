"""Endpoint services, by which others reach a network: who may connect, and which connections were let in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, Resource, call, family, listing, seen
from incident.network.values import flag, identifiers, present, structures, text
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

SERVICE = "vpc-endpoint-service"
PERMISSION = "vpc-endpoint-service-permission"
CONNECTION = "vpc-endpoint-connection"

_BALANCERS = ("NetworkLoadBalancerArns", "GatewayLoadBalancerArns")
_ALLOWED: dict[str, Any] = {}
_STATES = {"available": "accepted", "pending": "accepted", "rejected": "rejected", "pendingacceptance": "pending"}


def _value(told: JsonObject) -> dict[str, Any]:
    return present(
        {
            **{name: sorted(identifiers(told.get(name))) for name in _BALANCERS},
            "AcceptanceRequired": flag(told.get("AcceptanceRequired", True)),
            "PrivateDnsName": text(told.get("PrivateDnsName")),
        }
    )


_SERVICES = Resource(
    kind=SERVICE,
    noun="VpcEndpointServiceConfiguration",
    listed="ServiceConfigurations",
    rank=32,
    value=_value,
    identifier="ServiceId",
    describe="DescribeVpcEndpointServiceConfigurations",
    made="ServiceConfiguration",
    parts=(PERMISSION, CONNECTION),
    loses="the id and the service name: it comes back under new ones, and every consumer must connect again",
)


# --- records ------------------------------------------------------------------------------------------------------------------


def _modify(event: Event) -> Iterator[Write]:
    key = event.key(SERVICE, event.requested("ServiceId"))
    known = event.value(key)
    if known is None or isinstance(known, Unknown):
        yield Write(key, UNKNOWN)
        return
    changed = dict(known)
    for name in _BALANCERS:
        added, removed = identifiers(event.request.get(f"Add{name}")), identifiers(event.request.get(f"Remove{name}"))
        changed[name] = sorted({*changed.get(name, ()), *added} - set(removed))
    changed |= {name: value for name, value in _value(event.request).items() if name in event.request}
    if flag(event.request.get("RemovePrivateDnsName")):
        changed.pop("PrivateDnsName", None)
    yield Write(key, present(changed))


def _delete(event: Event) -> Iterator[Write]:
    kept = {text(one.get("ResourceId")) for one in structures(event.response.get("Unsuccessful"))}
    for service in identifiers(event.request.get("ServiceIds")):
        if service not in kept:
            yield from event.deleted(SERVICE, service, *_SERVICES.parts)


def _permit(event: Event) -> Iterator[Write]:
    service = event.requested("ServiceId")
    for principal in identifiers(event.request.get("AddAllowedPrincipals")):
        yield Write(event.key(PERMISSION, service, principal), _ALLOWED)
    for principal in identifiers(event.request.get("RemoveAllowedPrincipals")):
        yield Write(event.key(PERMISSION, service, principal), None)


def _accept(event: Event) -> Iterator[Write]:
    yield from _connected(event, "accepted")


def _reject(event: Event) -> Iterator[Write]:
    yield from _connected(event, "rejected")


def _connected(event: Event, state: str) -> Iterator[Write]:
    kept = {text(one.get("ResourceId")) for one in structures(event.response.get("Unsuccessful"))}
    for endpoint in identifiers(event.request.get("VpcEndpointIds")):
        if endpoint not in kept:
            yield Write(event.key(CONNECTION, event.requested("ServiceId"), endpoint), {"State": state})


# --- reads and changes --------------------------------------------------------------------------------------------------------


def _observe_permissions(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for permission in structures(answer.get("AllowedPrincipals")):
        service = permission.get("ServiceId") or read.parameters.get("ServiceId")
        yield seen(scope, PERMISSION, service, _ALLOWED, text(permission.get("Principal")))


def _observe_connections(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for connection in structures(answer.get("VpcEndpointConnections")):
        state = _STATES.get(text(connection.get("VpcEndpointState")).lower())
        if state:
            name = text(connection.get("VpcEndpointId"))
            yield seen(scope, CONNECTION, connection.get("ServiceId"), {"State": state}, name)


def _read_permissions(key: SettingKey) -> Read:
    return listing("DescribeVpcEndpointServicePermissions", ServiceId=key.resource)


def _read_connections(key: SettingKey) -> Read:
    chosen = [{"Name": "service-id", "Values": [key.resource]}]
    return listing("DescribeVpcEndpointConnections", Filters=chosen)


def _change_service(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return call("DeleteVpcEndpointServiceConfigurations", {"ServiceIds": [key.resource]}, loses=_SERVICES.loses)
    if live is None:
        return _SERVICES.change(key, live, wanted)
    asked: dict[str, Any] = {}
    for name in _BALANCERS:
        there, here = set(wanted.get(name, ())), set(live.value.get(name, ()))
        asked |= present({f"Add{name}": sorted(there - here), f"Remove{name}": sorted(here - there)})
    if wanted["AcceptanceRequired"] != live.value["AcceptanceRequired"]:
        asked["AcceptanceRequired"] = wanted["AcceptanceRequired"]
    if wanted.get("PrivateDnsName") != live.value.get("PrivateDnsName"):
        name = wanted.get("PrivateDnsName")
        asked |= {"PrivateDnsName": name} if name else {"RemovePrivateDnsName": True}
    return call("ModifyVpcEndpointServiceConfiguration", {"ServiceId": key.resource, **asked})


def _change_permission(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    verb = "Remove" if wanted is None else "Add"
    asked = {"ServiceId": key.resource, f"{verb}AllowedPrincipals": [key.name]}
    return call("ModifyVpcEndpointServicePermissions", asked)


def _change_connection(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    verbs = {"accepted": "Accept", "rejected": "Reject"}
    verb = verbs.get(text(wanted.get("State"))) if wanted else None
    if verb is None:
        return Unrestorable("a connection cannot go back to pending", "Reject it, and let the consumer ask again.")
    return call(f"{verb}VpcEndpointConnections", {"ServiceId": key.resource, "VpcEndpointIds": [key.name]})


def _details(key: SettingKey) -> Iterable[Read]:
    return [_read_permissions(key)]


ENDPOINT_SERVICES = family(
    _SERVICES.as_kind(change=_change_service, details=_details),
    Kind(
        PERMISSION,
        20,
        _read_permissions,
        _change_permission,
        part_of=SERVICE,
        opens=lambda key, value: key.name.endswith((":root", "*")),
    ),
    Kind(
        CONNECTION,
        20,
        _read_connections,
        _change_connection,
        part_of=SERVICE,
        opens=lambda key, value: value["State"] == "accepted",
    ),
    readers={
        "CreateVpcEndpointServiceConfiguration": _SERVICES.read_created,
        "ModifyVpcEndpointServiceConfiguration": _modify,
        "DeleteVpcEndpointServiceConfigurations": _delete,
        "ModifyVpcEndpointServicePermissions": _permit,
        "AcceptVpcEndpointConnections": _accept,
        "RejectVpcEndpointConnections": _reject,
    },
    observers={
        "DescribeVpcEndpointServiceConfigurations": _SERVICES.observe,
        "DescribeVpcEndpointServicePermissions": _observe_permissions,
        "DescribeVpcEndpointConnections": _observe_connections,
    },
    inventory=("DescribeVpcEndpointServiceConfigurations", "DescribeVpcEndpointConnections"),
    absent_codes=("InvalidVpcEndpointServiceId.NotFound", "InvalidVpcEndpointService.NotFound"),
    acts={
        SERVICE: Acts(
            sets=(
                "ec2:CreateVpcEndpointServiceConfiguration",
                "ec2:ModifyVpcEndpointServiceConfiguration",
            ),
            removes=("ec2:DeleteVpcEndpointServiceConfigurations",),
        ),
        PERMISSION: Acts(sets=("ec2:ModifyVpcEndpointServicePermissions",), removes=("ec2:ModifyVpcEndpointServicePermissions",)),
        CONNECTION: Acts(
            sets=(
                "ec2:AcceptVpcEndpointConnections",
                "ec2:RejectVpcEndpointConnections",
            )
        ),
    },
)
