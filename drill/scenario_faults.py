"""The trouble that a scenario makes for the responder: faults, throttles, stale reads, and snapshots that fail."""

from __future__ import annotations

from typing import Any

from drill.aws.faults import Fault, Throttle
from drill.aws.staleness import Stale
from drill.scenario_yaml import Source

RESPONDER = "*CountermandResponder*"
"""Whom the faults of a scenario meet if it does not say."""


def check_faults(source: Source) -> tuple[dict[str, Any], ...]:
    """The rules of `faults`, each as the range's control endpoint takes it."""
    raw = source.data.get("faults", [])
    if not isinstance(raw, list):
        raise source.error(("faults",), f"faults is {type(raw).__name__}", "write a list, as in [{percent: 30}]")
    return tuple(_checked(source, number, rule) for number, rule in enumerate(raw))


def check_count(source: Source, key: str) -> int:
    """A whole number from 0."""
    value = source.data.get(key, 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise source.error((key,), f"{key} is {value!r}", "write a whole number, as in 1")
    return value


def _checked(source: Source, number: int, rule: Any) -> dict[str, Any]:
    if not isinstance(rule, dict):
        raise source.error(("faults", number), f"the fault is {rule!r}", "write a mapping, as in {percent: 30, drop: true}")
    try:
        if "stale_reads" in rule:
            Stale.parse(rule)
            return rule
        if "rate" in rule:
            Throttle(**{"service": "*", "operation": "*", "burst": 1.0, **rule})
            return rule
        Fault.parse(rule)
    except (TypeError, ValueError) as e:
        raise source.error(("faults", number), str(e), "see the section on faults in drill/scenarios/README.md") from e
    return {"principal": RESPONDER, **rule}
