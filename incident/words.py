"""Small words for people."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta


def counted(number: int, noun: str) -> str:
    """`1 region`, `3 regions`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def span_in_words(span: timedelta | None) -> str:
    """A duration as people say it: `45.0 s`, `12 min 5 s`, `3.5 h`; `not reached` where there is none."""
    if span is None:
        return "not reached"
    seconds = span.total_seconds()
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def moment(at: object) -> str:
    """A time as people read it, whether it comes as one or as the ledger writes it; anything else as it is."""
    with suppress(ValueError):
        at = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if isinstance(at, datetime) and at.tzinfo else str(at)
