"""Transit gateways and what is attached to them: VPCs, and transit gateways of other regions and accounts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, Resource, call, family, immutable, seen
from incident.network.values import identifiers, mapping, present, structures, text, texts
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

GATEWAY = "transit-gateway"
VPC_ATTACHMENT = "transit-gateway-vpc-attachment"
PEERING = "transit-gateway-peering"
ACCEPTANCE = "transit-gateway-acceptance"

_GATEWAY_OPTIONS = (
    "AutoAcceptSharedAttachments",
    "DefaultRouteTableAssociation",
    "DefaultRouteTablePropagation",
    "VpnEcmpSupport",
    "DnsSupport",
    "MulticastSupport",
)
_ATTACHMENT_OPTIONS = ("DnsSupport", "SecurityGroupReferencingSupport", "Ipv6Support", "ApplianceModeSupport")
_ACCEPTED = {"State": "available"}


def _gateway(told: JsonObject) -> dict[str, Any]:
    options = mapping(told.get("Options"))
    asn = text(options.get("AmazonSideAsn"))
    chosen = present({**texts(options, _GATEWAY_OPTIONS), "AmazonSideAsn": int(asn) if asn.isdigit() else None})
    return {"Description": text(told.get("Description")), "Options": chosen}


_GATEWAYS = Resource(
    kind=GATEWAY,
    noun="TransitGateway",
    listed="TransitGateways",
    rank=80,
    value=_gateway,
    loses="the id, the attachments and the route tables: all must be made again",
)


def _attachment(told: JsonObject) -> dict[str, Any]:
    return {
        "TransitGatewayId": text(told.get("TransitGatewayId")),
        "VpcId": text(told.get("VpcId")),
        "SubnetIds": sorted(identifiers(told.get("SubnetIds"), "SubnetId")),
        "Options": texts(mapping(told.get("Options")), _ATTACHMENT_OPTIONS),
    }


_ATTACHMENTS = Resource(
    kind=VPC_ATTACHMENT,
    noun="TransitGatewayVpcAttachment",
    listed="TransitGatewayVpcAttachments",
    rank=58,
    value=_attachment,
    identifier="TransitGatewayAttachmentId",
    parts=(ACCEPTANCE,),
    loses="the id, and the routes and associations that name it",
)


def _peering(told: JsonObject) -> dict[str, str]:
    requester, accepter = mapping(told.get("RequesterTgwInfo")), mapping(told.get("AccepterTgwInfo"))
    return present(
        {
            "TransitGatewayId": text(requester.get("TransitGatewayId") or told.get("TransitGatewayId")),
            "PeerTransitGatewayId": text(accepter.get("TransitGatewayId") or told.get("PeerTransitGatewayId")),
            "PeerAccountId": text(accepter.get("OwnerId") or told.get("PeerAccountId")),
            "PeerRegion": text(accepter.get("Region") or told.get("PeerRegion")),
        }
    )


_PEERINGS = Resource(
    kind=PEERING,
    noun="TransitGatewayPeeringAttachment",
    listed="TransitGatewayPeeringAttachments",
    rank=58,
    value=_peering,
    identifier="TransitGatewayAttachmentId",
    filter_name="transit-gateway-attachment-id",
    parts=(ACCEPTANCE,),
    loses="the id, the routes that name it, and the other side's acceptance",
)


# --- records ------------------------------------------------------------------------------------------------------------------


def _accept(event: Event) -> Iterator[Write]:
    yield Write(event.key(ACCEPTANCE, event.requested("TransitGatewayAttachmentId")), _ACCEPTED, before=None)


# --- reads and changes --------------------------------------------------------------------------------------------------------


def _observe_peerings(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    yield from _PEERINGS.observe(scope, read, answer)
    yield from _observe_acceptance(scope, answer, _PEERINGS)


def _observe_attachments(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    yield from _ATTACHMENTS.observe(scope, read, answer)
    yield from _observe_acceptance(scope, answer, _ATTACHMENTS)


def _observe_acceptance(scope: Scope, answer: JsonObject, resource: Resource) -> Iterator[Observed]:
    for attachment in structures(answer.get(resource.listed)):
        if resource.state(attachment) == "available":
            yield seen(scope, ACCEPTANCE, attachment.get(resource.id), _ACCEPTED)


def _change_gateway(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is None or wanted is None:
        return _GATEWAYS.change(key, live, wanted)
    options = {name: said for name, said in wanted["Options"].items() if live.value["Options"].get(name) != said}
    if "MulticastSupport" in options:
        return immutable(key.resource)
    asked = present({"Options": options or None, "Description": wanted["Description"]})
    return call("ModifyTransitGateway", {"TransitGatewayId": key.resource, **asked})


def _change_attachment(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if live is None or wanted is None:
        return _ATTACHMENTS.change(key, live, wanted)
    if any(live.value[name] != wanted[name] for name in ("TransitGatewayId", "VpcId")):
        return immutable(key.resource)
    here, there = set(live.value["SubnetIds"]), set(wanted["SubnetIds"])
    options = {name: said for name, said in wanted["Options"].items() if live.value["Options"].get(name) != said}
    asked = present({"AddSubnetIds": sorted(there - here), "RemoveSubnetIds": sorted(here - there), "Options": options or None})
    return call("ModifyTransitGatewayVpcAttachment", {"TransitGatewayAttachmentId": key.resource, **asked})


def _change_acceptance(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    advice = "Delete the attachment, and let its owner ask again."
    return Unrestorable("an attachment cannot go back to waiting for its acceptance", advice)


TRANSIT_GATEWAYS = family(
    _GATEWAYS.as_kind(change=_change_gateway),
    _ATTACHMENTS.as_kind(change=_change_attachment, opens=lambda key, value: True),
    _PEERINGS.as_kind(opens=lambda key, value: True),
    Kind(ACCEPTANCE, 57, _PEERINGS.read, _change_acceptance, part_of=PEERING, opens=lambda key, value: True),
    readers={
        **_GATEWAYS.readers(),
        **_ATTACHMENTS.readers(),
        **_PEERINGS.readers(),
        "ModifyTransitGateway": _GATEWAYS.read_modified,
        "ModifyTransitGatewayVpcAttachment": _ATTACHMENTS.read_modified,
        "AcceptTransitGatewayPeeringAttachment": _accept,
        "AcceptTransitGatewayVpcAttachment": _accept,
        "RejectTransitGatewayPeeringAttachment": _PEERINGS.read_deleted,
        "RejectTransitGatewayVpcAttachment": _ATTACHMENTS.read_deleted,
    },
    observers={
        "DescribeTransitGateways": _GATEWAYS.observe,
        "DescribeTransitGatewayVpcAttachments": _observe_attachments,
        "DescribeTransitGatewayPeeringAttachments": _observe_peerings,
    },
    inventory=(
        "DescribeTransitGateways",
        "DescribeTransitGatewayVpcAttachments",
        "DescribeTransitGatewayPeeringAttachments",
    ),
    absent_codes=("InvalidTransitGatewayID.NotFound", "InvalidTransitGatewayAttachmentID.NotFound"),
    acts={
        GATEWAY: Acts(sets=("ec2:CreateTransitGateway", "ec2:ModifyTransitGateway"), removes=("ec2:DeleteTransitGateway",)),
        VPC_ATTACHMENT: Acts(
            sets=("ec2:CreateTransitGatewayVpcAttachment", "ec2:ModifyTransitGatewayVpcAttachment"),
            removes=("ec2:DeleteTransitGatewayVpcAttachment",),
        ),
    },
)
