"""The form in which operations are listed that are recognized and not understood.

In each group, `pairs` have an operation that takes them back, `overwrites` replace or remove something whose earlier value must be
known, what `lost` ones did does not come back, and `watched` ones change no setting but tell what somebody was after. To add an
operation, write its name where it belongs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """The operations of one service on one kind of thing, as CloudTrail names service and operation."""

    service: str
    thing: str
    pairs: str = ""
    overwrites: str = ""
    lost: str = ""
    watched: str = ""
