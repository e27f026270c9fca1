"""Spot requests, Spot Fleets and EC2 Fleets: orders for instances that AWS goes on filling until they are cancelled.

What an order launched has no record of the orderer's. AWS says it of each instance: by the request's id, or by a tag that only AWS
can set. So the instances of an actor's orders are asked for, and are the actor's like those that they ran themselves.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CancelSpotInstanceRequests.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteFleets.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, call, family, listing, observer, seen
from incident.network.values import identifiers, mapping, structures, text
from incident.record import JsonObject
from incident.resources.compute import INSTANCE, SPOT_REQUEST
from incident.settings import UNKNOWN, Observed, Reversal, SettingKey, Source, Value, Write

REQUEST = SPOT_REQUEST
SPOT_FLEET = "spot-fleet"
FLEET = "ec2-fleet"
ORDERS = frozenset({REQUEST, SPOT_FLEET, FLEET})
TAKES_INSTANCES = frozenset({SPOT_FLEET, FLEET})
"""Cancelling these ends the instances that they launched."""

_REQUEST, _SPOT_FLEET, _FLEET = "SpotInstanceRequestId", "SpotFleetRequestId", "FleetId"
_REQUEST_GONE = frozenset({"closed", "cancelled", "failed"})
_FLEET_GONE = frozenset({"cancelled", "deleted", "failed"})
_ENDING = frozenset({"cancelled_terminating", "deleted_terminating", "cancelled_running", "deleted_running"})
_GOES = "its instances are terminated with it; the evidence taken before is what remains"
_LAUNCHED_BY = {REQUEST: "spot-instance-request-id", SPOT_FLEET: "tag:aws:ec2spot:fleet-request-id", FLEET: "tag:aws:ec2:fleet-id"}


# --- records ------------------------------------------------------------------------------------------------------------------


def _request(event: Event) -> Iterator[Write]:
    made = structures(event.response.get("SpotInstanceRequests"))
    if not made:
        raise ValueError("the record shows no request that it made")
    for one in made:
        yield Write(event.key(REQUEST, text(one.get(_REQUEST))), {}, before=None)


def _cancel(event: Event) -> Iterator[Write]:
    told = [value for name, value in event.request.items() if name.startswith(_REQUEST)]
    for one in (one for value in told for one in identifiers(value, _REQUEST)):
        yield Write(event.key(REQUEST, one), None, before={})


def _request_fleet(event: Event) -> Iterator[Write]:
    yield Write(event.key(SPOT_FLEET, event.answered(_SPOT_FLEET)), {}, before=None)


def _cancel_fleets(event: Event) -> Iterator[Write]:
    for one in structures(event.response.get("SuccessfulFleetRequests")):
        yield Write(event.key(SPOT_FLEET, text(one.get(_SPOT_FLEET))), None, before={})


def _create_fleet(event: Event) -> Iterator[Write]:
    """The instances of an instant fleet stand in the answer; AWS tags them with the fleet as well."""
    yield Write(event.key(FLEET, event.answered(_FLEET)), {}, before=None)


def _delete_fleets(event: Event) -> Iterator[Write]:
    for one in structures(event.response.get("SuccessfulFleetDeletions")):
        yield Write(event.key(FLEET, text(one.get(_FLEET))), None, before={})


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe_request(scope: Scope, told: JsonObject) -> Iterator[Observed]:
    gone = text(told.get("State")) in _REQUEST_GONE
    yield seen(scope, REQUEST, told.get(_REQUEST), None if gone else {})


def _shown_fleet(scope: Scope, kind: str, resource: Any, state: str) -> Iterator[Observed]:
    gone = state in _FLEET_GONE or state in _ENDING
    yield seen(scope, kind, resource, None if gone else {}, settled=state != "modifying")


def _observe_spot_fleet(scope: Scope, told: JsonObject) -> Iterator[Observed]:
    yield from _shown_fleet(scope, SPOT_FLEET, told.get(_SPOT_FLEET), text(told.get("SpotFleetRequestState")))


def _observe_fleet(scope: Scope, told: JsonObject) -> Iterator[Observed]:
    yield from _shown_fleet(scope, FLEET, told.get(_FLEET), text(told.get("FleetState")))


def instances_of(order: SettingKey) -> Read:
    """The read that shows which instances an order has launched."""
    return Read("ec2", "DescribeInstances", {"Filters": [{"Name": _LAUNCHED_BY[order.kind], "Values": [order.resource]}]})


def launched(order: Reversal, instances: Iterable[Mapping[str, Any]]) -> Iterator[Reversal]:
    """The instances of an order that is to be undone, as what the actor made with it."""
    for instance in instances:
        if mapping(instance.get("State")).get("Name") == "terminated":
            continue
        key = order.key._replace(kind=INSTANCE, resource=text(instance.get("InstanceId")))
        yield replace(order, key=key, target=None, source=Source.RECORD, written=UNKNOWN, since=(), relying=())


# --- changes ------------------------------------------------------------------------------------------------------------------


def _not_again(what: str) -> Unrestorable:
    return Unrestorable(f"a cancelled {what} cannot be taken up again", "Make a new one from where what it asked for is kept.")


def _change_request(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is not None:
        return _not_again("spot request")
    return call("CancelSpotInstanceRequests", {f"{_REQUEST}s": [key.resource]}, irreversible="a request cannot be taken up again")


def _change_spot_fleet(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is not None:
        return _not_again("spot fleet")
    return call("CancelSpotFleetRequests", {f"{_SPOT_FLEET}s": [key.resource], "TerminateInstances": True}, irreversible=_GOES)


def _change_fleet(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is not None:
        return _not_again("fleet")
    return call("DeleteFleets", {f"{_FLEET}s": [key.resource], "TerminateInstances": True}, irreversible=_GOES)


# An order goes before its instances do, for it would launch others.
SPOT = family(
    Kind(REQUEST, 4, lambda key: listing("DescribeSpotInstanceRequests", SpotInstanceRequestIds=[key.resource]), _change_request),
    Kind(SPOT_FLEET, 5, lambda key: listing("DescribeSpotFleetRequests", SpotFleetRequestIds=[key.resource]), _change_spot_fleet),
    Kind(FLEET, 5, lambda key: listing("DescribeFleets", FleetIds=[key.resource]), _change_fleet),
    readers={
        "RequestSpotInstances": _request,
        "CancelSpotInstanceRequests": _cancel,
        "RequestSpotFleet": _request_fleet,
        "CancelSpotFleetRequests": _cancel_fleets,
        "CreateFleet": _create_fleet,
        "DeleteFleets": _delete_fleets,
    },
    observers={
        "DescribeSpotInstanceRequests": observer("SpotInstanceRequests", _observe_request),
        "DescribeSpotFleetRequests": observer("SpotFleetRequestConfigs", _observe_spot_fleet),
        "DescribeFleets": observer("Fleets", _observe_fleet),
    },
    inventory=(),
    absent_codes=(
        "InvalidSpotInstanceRequestID.NotFound",
        "InvalidSpotFleetRequestId.NotFound",
        "InvalidFleetId.NotFound",
    ),
    acts={
        REQUEST: Acts(removes=("ec2:CancelSpotInstanceRequests",)),
        SPOT_FLEET: Acts(removes=("ec2:CancelSpotFleetRequests", "ec2:TerminateInstances")),
        FLEET: Acts(removes=("ec2:DeleteFleets", "ec2:TerminateInstances")),
    },
)
