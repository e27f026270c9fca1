"""What is known of an operation that no family understands: what it changes, and what a person can do about it.

`recognized_ec2` and its siblings list every known operation, in the form of `recognized_group`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from incident.network.recognized_a_to_l import SERVICES_A_TO_L
from incident.network.recognized_ec2 import EC2
from incident.network.recognized_m_to_z import SERVICES_M_TO_Z


class Undo(StrEnum):
    """How an operation can be taken back."""

    PAIR = "pairs"
    OVERWRITE = "overwrites"
    LOST = "lost"
    WATCHED = "watched"


@dataclass(frozen=True, slots=True)
class Recognized:
    """An operation that is known to change a network, but whose settings are not read."""

    operation: str
    thing: str
    undo: Undo
    opposite: str = ""

    @property
    def what(self) -> str:
        return f"{self.operation.partition(':')[2]} changes {self.thing}"

    @property
    def advice(self) -> str:
        """What a person can do, in one or two sentences."""
        match self.undo:
            case Undo.PAIR if self.opposite:
                return f"By hand: call {self.opposite} for what this record made or joined."
            case Undo.PAIR:
                return "By hand: remove what this record made; its id is in the record."
            case Undo.OVERWRITE:
                return "By hand: find the value from before, in an earlier record, AWS Config or a backup, and set that again."
            case Undo.LOST:
                return "By hand: make it again from an earlier record or a backup, and point to it what used the old one."
            case Undo.WATCHED:
                return "It changed no setting: look at what was read, tested or exported, and who has it now."


_VERBS = (
    ("Create", "Delete"),
    ("Attach", "Detach"),
    ("Associate", "Disassociate"),
    ("Enable", "Disable"),
    ("Authorize", "Revoke"),
    ("Register", "Deregister"),
    ("Add", "Remove"),
    ("Allocate", "Release"),
    ("Assign", "Unassign"),
    ("Accept", "Reject"),
    ("Start", "Stop"),
    ("Put", "Delete"),
    ("Provision", "Deprovision"),
    ("Advertise", "Withdraw"),
    ("Activate", "Deactivate"),
)

_IRREGULAR = {
    "ec2:AcceptTransitGatewayClientVpnAttachment": "DeleteTransitGatewayClientVpnAttachment",
    "ec2:AcceptTransitGatewayMulticastDomainAssociations": "DisassociateTransitGatewayMulticastDomain",
    "ec2:AllocateIpamPoolCidr": "ReleaseIpamPoolAllocation",
    "ec2:CreateNetworkingFlexCostAllocationPolicy": "DeleteNetworkingFlexCostAllocationPolicies",
    "ec2:RequestSpotFleet": "CancelSpotFleetRequests",
    "ec2:RequestSpotInstances": "CancelSpotInstanceRequests",
}
"""Opposites that the verbs do not tell: what was accepted cannot be rejected any more, and some names change their number."""

_VERSION = re.compile(r"\d{8}(v\d+)?$")
"""Lambda's event names end in the version of its API."""


@cache
def _known() -> dict[str, Recognized]:
    groups = (*EC2, *SERVICES_A_TO_L, *SERVICES_M_TO_Z)
    found: dict[str, tuple[str, Undo]] = {}
    for group in groups:
        for undo in Undo:
            names: str = getattr(group, undo.value)
            found |= {f"{group.service}:{name}": (group.thing, undo) for name in names.split()}
    return {name: Recognized(name, thing, undo, _opposite(name, found)) for name, (thing, undo) in found.items()}


def _opposite(operation: str, known: dict[str, tuple[str, Undo]]) -> str:
    """The operation of the same service that takes back what this one does, by the verbs that AWS pairs."""
    if operation in _IRREGULAR:
        return _IRREGULAR[operation]
    service, _, name = operation.partition(":")
    for there, back in _VERBS:
        for verb, other in ((there, back), (back, there)):
            if name.startswith(verb):
                opposite = other + name.removeprefix(verb)
                for candidate in (opposite, f"{opposite}s"):
                    if f"{service}:{candidate}" in known:
                        return candidate
    return ""


def recognized(operation: str) -> Recognized | None:
    """What is known of `service:EventName`, `None` for an operation that is not known to change a network."""
    return _known().get(_VERSION.sub("", operation))


def recognized_operations() -> frozenset[str]:
    """Every operation that is known to change a network, understood or not."""
    return frozenset(_known())
