"""What arrives at a door: a GuardDuty finding, Security Hub findings, or a CloudTrail record, in whatever they are wrapped.

EventBridge puts an event around them, SNS a notification around that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from incident.findings.asff import is_asff, parse_asff
from incident.findings.finding import Finding, parse_finding
from incident.findings.trail_event import parse_event
from incident.values import FindingError, from_json, lowered, mapping

SECURITY_HUB_EVENT = "Security Hub Findings - Imported"
CLOUDTRAIL_EVENT = "AWS API Call via CloudTrail"
_MOST_ENVELOPES = 4
_MOST_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Arrival:
    """One finding, and what of the delivery is kept for it."""

    finding: Finding
    content: Any


def arrivals(raw: object) -> tuple[Arrival, ...]:
    """Everything that one delivery holds: one, or as many as a Security Hub event has.

    Raises:
        FindingError: it holds nothing that can start an incident; the message says what to give.
    """
    event = mapping(_inside(raw))
    if event.get("detail-type") == SECURITY_HUB_EVENT:
        return tuple(Arrival(parse_asff(one), one) for one in _findings(event.get("detail")))
    if event.get("detail-type") == CLOUDTRAIL_EVENT:
        return (Arrival(parse_event(event.get("detail")), event.get("detail")),)
    return (Arrival(parse_arrival(raw), raw),)


def parse_arrival(raw: object) -> Finding:
    """Read one finding of any of the three kinds.

    Raises:
        FindingError: it is none.
    """
    body = mapping(_inside(raw))
    if "eventSource" in body and "eventName" in body:
        return parse_event(body)
    if body.get("ProductArn") and is_asff(lowered(body)):
        return parse_asff(body)
    return parse_finding(raw)


def _inside(raw: object) -> object:
    """What the notifications of SNS hold."""
    value = raw
    for _ in range(_MOST_ENVELOPES):
        body = mapping(value)
        message = body.get("Message")
        if body.get("Type") != "Notification" or not isinstance(message, str):
            break
        value = from_json(message)
    return value


def _findings(detail: object) -> list[object]:
    given = mapping(detail).get("findings")
    found = cast(list[object], given) if isinstance(given, list) else []
    if not 1 <= len(found) <= _MOST_FINDINGS:
        raise FindingError(f"this event holds {len(found)} Security Hub findings; give 1 to {_MOST_FINDINGS}")
    return found
