"""Internet gateways, egress-only and carrier gateways, and the one VPC that each is attached to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from incident.family import Acts, Change, Read, Scope
from incident.network.kinds import Event, Kind, Resource, call, family, seen
from incident.network.values import structures, text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write


@dataclass(frozen=True)
class Attachment:
    """Which VPC a gateway is attached to: a setting of the gateway, for it has at most one."""

    kind: str
    gateway: Resource
    listed: str

    def attach(self, event: Event) -> Iterator[Write]:
        """A gateway must be free to be attached."""
        yield Write(self._key(event), self._vpc(event.requested("VpcId")), before=None)

    def detach(self, event: Event) -> Iterator[Write]:
        yield Write(self._key(event), None, before=self._vpc(event.requested("VpcId")))

    def observed(self, scope: Scope, gateway: JsonObject) -> Iterator[Observed]:
        for attachment in structures(gateway.get(self.listed)):
            state = text(attachment.get("State"))
            if state != "detached":
                vpc, settled = self._vpc(text(attachment.get("VpcId"))), not state.endswith("ing")
                yield seen(scope, self.kind, gateway.get(self.gateway.id), vpc, settled=settled)

    def change(self, key: SettingKey, live: Observed | None, wanted: Value) -> Change:
        gateway = {self.gateway.id: key.resource}
        detach = call(f"Detach{self.gateway.noun}", {**gateway, **live.value}) if live else ()
        attach = call(f"Attach{self.gateway.noun}", {**gateway, **wanted}) if wanted else ()
        return (*detach, *attach)

    def as_kind(self) -> Kind:
        return Kind(self.kind, 78, self.gateway.read, self.change, opens=lambda key, value: True)

    def _key(self, event: Event) -> SettingKey:
        return event.key(self.kind, event.requested(self.gateway.id))

    def _vpc(self, vpc: str) -> dict[str, str]:
        if not vpc:
            raise ValueError(f"the record names no VPC for the {self.gateway.kind}")
        return {"VpcId": vpc}


_INTERNET = Resource(
    kind="internet-gateway",
    noun="InternetGateway",
    listed="InternetGateways",
    rank=82,
    value=lambda told: {},
    parameters=lambda value: {},
)
_ATTACHMENT = Attachment("internet-gateway-attachment", _INTERNET, "Attachments")


def _observe_internet(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for gateway in structures(answer.get("InternetGateways")):
        yield from _INTERNET.observed(scope, gateway)
        yield from _ATTACHMENT.observed(scope, gateway)


def _egress_only_value(told: JsonObject) -> dict[str, Any]:
    attached = [text(attachment.get("VpcId")) for attachment in structures(told.get("Attachments"))]
    return {"VpcId": next(iter(attached), text(told.get("VpcId")))}


_EGRESS_ONLY = Resource(
    kind="egress-only-internet-gateway",
    noun="EgressOnlyInternetGateway",
    listed="EgressOnlyInternetGateways",
    rank=82,
    value=_egress_only_value,
    ids="EgressOnlyInternetGatewayIds",
    loses="the id: it comes back under a new one, and routes must be pointed to it",
)

_CARRIER = Resource(
    kind="carrier-gateway",
    noun="CarrierGateway",
    listed="CarrierGateways",
    rank=82,
    value=lambda told: {"VpcId": text(told.get("VpcId"))},
    loses="the id: it comes back under a new one, and routes must be pointed to it",
)

INTERNET_GATEWAYS = family(
    _INTERNET.as_kind(),
    _ATTACHMENT.as_kind(),
    _EGRESS_ONLY.as_kind(opens=lambda key, value: True),
    _CARRIER.as_kind(opens=lambda key, value: True),
    readers={
        **_INTERNET.readers(),
        **_EGRESS_ONLY.readers(),
        **_CARRIER.readers(),
        "AttachInternetGateway": _ATTACHMENT.attach,
        "DetachInternetGateway": _ATTACHMENT.detach,
    },
    observers={
        "DescribeInternetGateways": _observe_internet,
        "DescribeEgressOnlyInternetGateways": _EGRESS_ONLY.observe,
        "DescribeCarrierGateways": _CARRIER.observe,
    },
    inventory=("DescribeInternetGateways", "DescribeEgressOnlyInternetGateways", "DescribeCarrierGateways"),
    absent_codes=(
        "InvalidInternetGatewayID.NotFound",
        "InvalidEgressOnlyInternetGatewayId.NotFound",
        "InvalidGatewayID.NotFound",
        "InvalidCarrierGatewayID.NotFound",
        "Gateway.NotAttached",
    ),
    acts={
        "internet-gateway-attachment": Acts(
            sets=(
                "ec2:AttachInternetGateway",
                "ec2:DetachInternetGateway",
            ),
            removes=("ec2:DetachInternetGateway",),
        ),
    },
)
