"""VPC peering connections: the request, its acceptance, and what each side lets the other resolve.

An acceptance cannot be taken back to "pending": the connection is deleted, and a new one needs both sides again.
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, Resource, call, family, seen
from incident.network.values import flag, mapping, structures, text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

PEERING = "vpc-peering"
ACCEPTANCE = "vpc-peering-acceptance"
OPTION = "vpc-peering-option"

_SIDES = {
    "requester": ("RequesterPeeringConnectionOptions", "RequesterVpcInfo"),
    "accepter": ("AccepterPeeringConnectionOptions", "AccepterVpcInfo"),
}
"""For each side, where its options are in the call and in what describes the connection."""
_ACCEPTED = {"Status": "active"}


def _value(told: JsonObject) -> dict[str, str]:
    requester, accepter = mapping(told.get("RequesterVpcInfo")), mapping(told.get("AccepterVpcInfo"))
    value = {
        "VpcId": text(requester.get("VpcId") or told.get("VpcId")),
        "OwnerId": text(requester.get("OwnerId")),
        "PeerVpcId": text(accepter.get("VpcId") or told.get("PeerVpcId")),
        "PeerOwnerId": text(accepter.get("OwnerId") or told.get("PeerOwnerId")),
        "PeerRegion": text(accepter.get("Region") or told.get("PeerRegion")),
    }
    return {name: said for name, said in value.items() if said}


_PEERINGS = Resource(
    kind=PEERING,
    noun="VpcPeeringConnection",
    listed="VpcPeeringConnections",
    rank=40,
    value=_value,
    parts=(ACCEPTANCE, OPTION),
    loses="the id, the routes that name it, and the other side's acceptance",
)


# --- records ------------------------------------------------------------------------------------------------------------------


def _accept(event: Event) -> Iterator[Write]:
    yield Write(event.key(ACCEPTANCE, event.requested("VpcPeeringConnectionId")), _ACCEPTED, before=None)


def _modify_options(event: Event) -> Iterator[Write]:
    connection = event.requested("VpcPeeringConnectionId")
    for side, (asked, _) in _SIDES.items():
        for option, value in mapping(event.request.get(asked)).items():
            yield Write(event.key(OPTION, connection, f"{side} {option}"), flag(value))


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for connection in structures(answer.get("VpcPeeringConnections")):
        yield from _PEERINGS.observed(scope, connection)
        if _PEERINGS.state(connection) != "active":
            continue
        peering = connection.get("VpcPeeringConnectionId")
        yield seen(scope, ACCEPTANCE, peering, _ACCEPTED)
        for side, (_, shown) in _SIDES.items():
            options = mapping(mapping(connection.get(shown)).get("PeeringOptions"))
            for option, value in options.items():
                yield seen(scope, OPTION, peering, flag(value), f"{side} {option}")


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change_peering(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is not None or wanted is None:
        return _PEERINGS.change(key, live, wanted)
    if wanted.get("OwnerId", key.account) != key.account:
        return Unrestorable("only the side that asked can ask again", f"Have account {wanted['OwnerId']} request the peering.")
    asked = {name: said for name, said in wanted.items() if name != "OwnerId"}
    path = "VpcPeeringConnection.VpcPeeringConnectionId"
    return call("CreateVpcPeeringConnection", asked, creates=path, loses=_PEERINGS.loses)


def _change_acceptance(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    connection = {"VpcPeeringConnectionId": key.resource}
    if wanted is None:
        loses = "the connection itself: an acceptance cannot go back to pending"
        return call("DeleteVpcPeeringConnection", connection, loses=loses)
    return call("AcceptVpcPeeringConnection", connection)


def _change_option(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    side, option = key.name.split(" ")
    return call(
        "ModifyVpcPeeringConnectionOptions",
        {"VpcPeeringConnectionId": key.resource, _SIDES[side][0]: {option: bool(wanted)}},
    )


PEERINGS = family(
    _PEERINGS.as_kind(change=_change_peering, opens=lambda key, value: True),
    Kind(ACCEPTANCE, 38, _PEERINGS.read, _change_acceptance, part_of=PEERING, opens=lambda key, value: True),
    Kind(OPTION, 36, _PEERINGS.read, _change_option, part_of=PEERING),
    readers={
        **_PEERINGS.readers(),
        "AcceptVpcPeeringConnection": _accept,
        "RejectVpcPeeringConnection": _PEERINGS.read_deleted,
        "ModifyVpcPeeringConnectionOptions": _modify_options,
    },
    observers={"DescribeVpcPeeringConnections": _observe},
    inventory=("DescribeVpcPeeringConnections",),
    absent_codes=("InvalidVpcPeeringConnectionID.NotFound",),
    acts={
        PEERING: Acts(sets=("ec2:CreateVpcPeeringConnection",), removes=("ec2:DeleteVpcPeeringConnection",)),
        OPTION: Acts(sets=("ec2:ModifyVpcPeeringConnectionOptions",)),
        ACCEPTANCE: Acts(sets=("ec2:AcceptVpcPeeringConnection",), removes=("ec2:DeleteVpcPeeringConnection",)),
    },
)
