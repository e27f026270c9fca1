"""The range's clock: real time plus an offset, so that a drill can begin in the past and wait without waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """Real time moved by an offset. Safe to share between threads.

    Args:
        source: What counts as real time, in seconds since the epoch.
        offset: How far ahead of it this clock starts; negative is the past.
    """

    def __init__(self, source: Callable[[], float] = time.time, offset: float = 0.0) -> None:
        self._source = source
        self._offset = offset
        self._lock = threading.Lock()

    def now(self) -> float:
        """Seconds since the epoch, as the range tells it."""
        return self._source() + self._offset

    def moment(self) -> datetime:
        """The same as an aware UTC datetime."""
        return datetime.fromtimestamp(self.now(), UTC)

    def advance(self, seconds: float) -> float:
        """Move on by `seconds` (backward if negative) and tell the new time."""
        with self._lock:
            self._offset += seconds
        return self.now()

    @property
    def offset(self) -> float:
        return self._offset


def iso(seconds: float) -> str:
    """A time as CloudTrail writes it, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_millis(seconds: float) -> str:
    """A time as GuardDuty writes it, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
