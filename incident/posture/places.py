"""What is read of a place to judge how ready it is, and what it told: a read that failed is a gap, never an empty list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from incident.family import Read
from incident.network.values import document, mapping, text
from incident.posture import change_rules

PORTS_RULE = "VPC_SG_OPEN_ONLY_TO_AUTHORIZED_PORTS"
"""https://docs.aws.amazon.com/config/latest/developerguide/vpc-sg-open-only-to-authorized-ports.html"""


@dataclass(frozen=True)
class Gap:
    """A read that told nothing: `denied` or not, and why."""

    denied: bool
    why: str


Told = tuple[Mapping[str, Any], ...] | Gap


@dataclass(frozen=True)
class Place:
    """What was read of an account in a region: by the name of the read, what it listed, or why that is not known."""

    account: str
    region: str
    home: bool
    told: Mapping[str, Told]

    def listed(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """What a read listed.

        Raises:
            NotKnown: it told nothing.
        """
        found = self.told.get(name, Gap(False, f"{name} were not read"))
        if isinstance(found, Gap):
            raise NotKnown(found)
        return found


class NotKnown(Exception):
    """What a judgement needs was not told."""

    def __init__(self, gap: Gap) -> None:
        super().__init__(gap.why)
        self.gap = gap


@dataclass(frozen=True)
class Listing:
    """A read of a region: the member of its answer that lists things, and whether it is made in the home region only.

    `off` are the codes by which a service says that it is not switched on: then there is nothing to list.
    """

    read: Read
    member: str
    home_only: bool = False
    off: frozenset[str] = frozenset()


_HUB_OFF = frozenset({"InvalidAccessException", "ResourceNotFoundException"})
LISTINGS: dict[str, Listing] = {
    "VPCs": Listing(Read("ec2", "DescribeVpcs"), "Vpcs"),
    "subnets": Listing(Read("ec2", "DescribeSubnets"), "Subnets"),
    "interfaces": Listing(Read("ec2", "DescribeNetworkInterfaces"), "NetworkInterfaces"),
    "flow logs": Listing(Read("ec2", "DescribeFlowLogs"), "FlowLogs"),
    "NAT gateways": Listing(Read("ec2", "DescribeNatGateways"), "NatGateways"),
    "alarms": Listing(Read("cloudwatch", "DescribeAlarms", {"AlarmTypes": ["MetricAlarm"]}), "MetricAlarms"),
    "trails": Listing(Read("cloudtrail", "DescribeTrails"), "trailList", home_only=True),
    "detectors": Listing(Read("guardduty", "ListDetectors"), "DetectorIds"),
    "recorders": Listing(Read("config", "DescribeConfigurationRecorders"), "ConfigurationRecorders"),
    "recorder status": Listing(Read("config", "DescribeConfigurationRecorderStatus"), "ConfigurationRecordersStatus"),
    "delivery channels": Listing(Read("config", "DescribeDeliveryChannels"), "DeliveryChannels"),
    "hub": Listing(Read("securityhub", "DescribeHub"), "", off=_HUB_OFF),
    "standards": Listing(Read("securityhub", "GetEnabledStandards"), "StandardsSubscriptions", off=_HUB_OFF),
    "event rules": Listing(Read("events", "ListRules"), "Rules"),
    "Config rules": Listing(Read("config", "DescribeConfigRules"), "ConfigRules"),
}
"""What is read of every region. An empty member: the answer itself is the one thing."""


def details_of(name: str, told: Mapping[str, Any]) -> Listing | None:
    """The further read that one listed thing needs, if it needs one: its answer is put beside what the listing said."""
    match name:
        case "trails":
            return Listing(Read("cloudtrail", "GetTrailStatus", {"Name": text(told.get("TrailARN"))}), "")
        case "detectors":
            return Listing(Read("guardduty", "GetDetector", {"DetectorId": text(told.get("id"))}), "")
        case "event rules" if may_match(told):
            return Listing(Read("events", "ListTargetsByRule", {"Rule": text(told.get("Name"))}), "")
        case "Config rules" if mapping(told.get("Source")).get("SourceIdentifier") == PORTS_RULE:
            asked = {"ConfigRuleNames": [text(told.get("ConfigRuleName"))]}
            return Listing(Read("config", "DescribeRemediationConfigurations", asked), "")
        case _:
            return None


def may_match(rule: Mapping[str, Any]) -> bool:
    """Whether an event rule is on and matches any change of a network."""
    return text(rule.get("State")).startswith("ENABLED") and change_rules.matched(document(rule.get("EventPattern"))) != frozenset()
