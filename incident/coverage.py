"""Which region's history was read, and which could not be: unknown is not clean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from incident.ledger import Kind, Line

KNOWN = ("covered", "not enabled")
"""The statuses of a region that leave nothing open."""


def coverage(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Each region's worst status over everything that was asked of it. Of the same question the newest answer counts.

    A source that is not enabled in a region that another one covers leaves nothing open there.
    """
    newest = {str(line.body["what"]): line for line in lines if line.kind == Kind.COVERAGE}
    worst: dict[tuple[str, str], dict[str, Any]] = {}
    for line in newest.values():
        for row in line.body["regions"]:
            place = (str(row["account"]), str(row["region"]))
            if place not in worst or _concern(row) > _concern(worst[place]):
                worst[place] = dict(row)
    return [worst[place] for place in sorted(worst)]


def _concern(row: dict[str, Any]) -> int:
    return {"not enabled": 0, "covered": 1}.get(str(row["status"]), 2)


def gaps(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """The regions of which something is not known."""
    return [row for row in coverage(lines) if row["status"] not in KNOWN]
