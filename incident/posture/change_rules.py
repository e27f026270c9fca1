"""EventBridge's rules for changes of the network: every operation that the registry understands, as its families list them.

A pattern may have 2,048 characters, so that there are several rules.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from incident.network import registry
from incident.network.values import items, mapping, text

SOURCE, DETAIL_TYPE, EVENT_SOURCE = "aws.ec2", "AWS API Call via CloudTrail", "ec2.amazonaws.com"
FIRST = (
    "AuthorizeSecurityGroupIngress",
    "RevokeSecurityGroupIngress",
    "AuthorizeSecurityGroupEgress",
    "RevokeSecurityGroupEgress",
)
"""The playbook's four."""
LONGEST_PATTERN = 2048


def operations() -> tuple[str, ...]:
    """The operations of EC2 that change a network: the playbook's four first, then the others by name."""
    known = {event.partition(":")[2] for family in registry.FAMILIES for event in family.events if event.startswith("ec2:")}
    return (*FIRST, *sorted(known - set(FIRST)))


def pattern(names: Iterable[str]) -> dict[str, Any]:
    """What matches a call of one of these operations that CloudTrail has recorded."""
    detail = {"eventSource": [EVENT_SOURCE], "eventName": list(names)}
    return {"source": [SOURCE], "detail-type": [DETAIL_TYPE], "detail": detail}


def patterns() -> tuple[dict[str, Any], ...]:
    """As few patterns as the limit allows; together they match each operation once."""
    parts: list[list[str]] = [[]]
    for name in operations():
        if _length(pattern([*parts[-1], name])) > LONGEST_PATTERN:
            parts.append([])
        parts[-1].append(name)
    return tuple(pattern(part) for part in parts)


def _length(told: Mapping[str, Any]) -> int:
    return len(json.dumps(told, sort_keys=True, separators=(",", ":")))


def matched(told: Any) -> frozenset[str] | None:
    """The operations that a rule's pattern matches, `None` for every one. What it narrows otherwise matches nothing for sure."""
    whole = mapping(told)
    alternatives = items(whole.get("$or"))
    if alternatives and len(whole) == 1:
        found = [matched(one) for one in alternatives]
        return None if None in found else frozenset[str]().union(*(one for one in found if one is not None))
    if not whole or not _allows(whole, "source", SOURCE) or not _allows(whole, "detail-type", DETAIL_TYPE):
        return frozenset()
    detail = mapping(whole.get("detail"))
    if set(whole) - {"source", "detail-type", "detail"} or set(detail) - {"eventSource", "eventName"}:
        return frozenset()
    if not _allows(detail, "eventSource", EVENT_SOURCE):
        return frozenset()
    return _named(items(detail["eventName"])) if "eventName" in detail else None


def _allows(told: Mapping[str, Any], name: str, value: str) -> bool:
    return name not in told or value in items(told[name])


def _named(wanted: list[Any]) -> frozenset[str]:
    """The operations that a list of names and prefixes matches."""
    names = {one for one in wanted if isinstance(one, str)}
    prefixes = tuple(prefix for one in wanted if (prefix := text(mapping(one).get("prefix"))))
    return frozenset(one for one in operations() if one in names or (prefixes and one.startswith(prefixes)))
