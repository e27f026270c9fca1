"""What readiness says of one part in one place, and the score of all: `denied` and `unknown` are not clean."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

FLOW_LOGS, NAT_ALARMS, TRAIL, GUARDDUTY = "flow logs", "NAT gateway alarms", "trail", "GuardDuty"
RECORDER, HUB, CHANGES, PORTS = "Config recorder", "Security Hub", "change rule", "open ports"
PARTS = (FLOW_LOGS, NAT_ALARMS, TRAIL, GUARDDUTY, RECORDER, HUB, CHANGES, PORTS)
"""What each region is to have; the trail counts once an account."""


class State(StrEnum):
    OK = "ok"
    MISSING = "missing"
    DENIED = "denied"
    UNKNOWN = "unknown"
    NOT_ENABLED = "not enabled"


@dataclass(frozen=True)
class Check:
    """One part in one place.

    Attributes:
        account, region: where; empty for what stands once for all.
        lacking: ids of what lacks it.
        next: what to do.
        elsewhere: somebody else takes care of it, as the settings say.
    """

    account: str
    region: str
    part: str
    state: State
    detail: str
    lacking: tuple[str, ...] = ()
    next: str = ""
    elsewhere: bool = False


RULE = "one point for each line that is ok; missing, denied and unknown lines get none; regions that are not enabled do not count"


def score(checks: Iterable[Check]) -> tuple[int, int]:
    """The points, and how many there could be."""
    counted = [one for one in checks if one.state is not State.NOT_ENABLED]
    return sum(one.state is State.OK for one in counted), len(counted)
