"""Anchors: the ends of all chains at one moment, to be kept where nobody who owns the ledger's database can change them.

Whoever owns the database can rewrite a chain together with its head; a copy of an earlier end that they cannot reach shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from incident.ledger import Broken, Line


class AnchorsError(ValueError):
    """What was given are no anchors; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The end of one chain: its last position and that line's hash in hex."""

    chain: str
    position: int
    hash: str


def as_json(anchors: Iterable[Anchor], taken_at: datetime) -> dict[str, Any]:
    """The form in which anchors are kept: `{"taken_at": …, "anchors": [{"chain", "position", "hash"}]}`."""
    rows = [{"chain": one.chain, "position": one.position, "hash": one.hash} for one in anchors]
    return {"taken_at": taken_at.isoformat(), "anchors": rows}


def parse(given: object) -> list[Anchor]:
    """Anchors as they were kept.

    Raises:
        AnchorsError: the text has another form.
    """
    rows = _fields(given).get("anchors")
    if not isinstance(rows, list):
        raise AnchorsError("it has no list `anchors`; give what `countermand ledger anchors` printed")
    return [_anchor(row) for row in cast("list[object]", rows)]


def _anchor(row: object) -> Anchor:
    told = _fields(row)
    chain, position, digest = told.get("chain"), told.get("position"), told.get("hash")
    if isinstance(chain, str) and isinstance(position, int) and isinstance(digest, str) and position >= 1:
        return Anchor(chain, position, digest)
    raise AnchorsError("an anchor has a chain, a position from 1 and a hash; give what `countermand ledger anchors` printed")


def _fields(given: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", given) if isinstance(given, Mapping) else {}


def broken_since(lines: Iterable[Line], anchor: Anchor) -> Broken | None:
    """Where a chain no longer holds the end that it had when the anchor was taken."""
    line = next((line for line in lines if line.position == anchor.position), None)
    if line is None:
        return Broken(anchor.position, "the anchor knows this line, and the chain ends before it")
    if line.hash != anchor.hash:
        return Broken(anchor.position, "the anchor knows another hash: this line or one before it was written anew")
    return None
