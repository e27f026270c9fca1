"""The time axis of the timeline: one scale over stretches of time, with the empty time between them cut out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

_MOST_BREAKS = 4
_SHARE_THAT_IS_EMPTY = 0.3
_SHORTEST_BREAK = timedelta(minutes=2)
_BREAK_WIDTH = 46
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of the axis, from `start` at `left` to `end` at `right`."""

    start: datetime
    end: datetime
    left: float
    right: float

    def x(self, at: datetime) -> float:
        whole = (self.end - self.start).total_seconds()
        share = (at - self.start).total_seconds() / whole if whole else 0.5
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)

    def ticks(self, spacing: float) -> list[datetime]:
        """Round moments that stand at least `spacing` apart."""
        seconds = (self.end - self.start).total_seconds()
        room = max(1.0, (self.right - self.left) / spacing)
        step = next((step for step in _STEPS if seconds / step <= room), _STEPS[-1])
        first = -(-self.start.timestamp() // step) * step
        count = int((self.end.timestamp() - first) // step) + 1 if self.end.timestamp() >= first else 0
        return [datetime.fromtimestamp(first + number * step, UTC) for number in range(count)]


@dataclass(frozen=True, slots=True)
class Axis:
    """The stretches from left to right. Time that is cut out lies between them."""

    stretches: tuple[Stretch, ...]

    def stretch(self, at: datetime) -> Stretch:
        """The stretch that a moment lies in, or the first one after it."""
        return next((stretch for stretch in self.stretches if at <= stretch.end), self.stretches[-1])

    def x(self, at: datetime) -> float:
        return self.stretch(at).x(at)


def axis(moments: Sequence[datetime], left: float, right: float) -> Axis:
    """An axis for these moments, of which there is at least one.

    A stretch is as wide as what it has to show: half of the width is dealt out evenly, half by the number of moments.
    """
    groups = _without_empty_time(sorted(moments))
    room = right - left - _BREAK_WIDTH * (len(groups) - 1)
    stretches: list[Stretch] = []
    at = left
    for group in groups:
        width = room * (0.5 / len(groups) + 0.5 * len(group) / len(moments))
        start, end = _padded(group[0], group[-1])
        stretches.append(Stretch(start, end, at, at + width))
        at += width + _BREAK_WIDTH
    return Axis(tuple(stretches))


def _without_empty_time(moments: list[datetime]) -> list[list[datetime]]:
    """The moments in groups, cut where nothing happens for a large part of what is left of the time."""
    gaps = sorted(range(1, len(moments)), key=lambda place: moments[place] - moments[place - 1], reverse=True)
    rest, cuts = moments[-1] - moments[0], list[int]()
    for place in gaps[:_MOST_BREAKS]:
        gap = moments[place] - moments[place - 1]
        if gap < _SHORTEST_BREAK or gap < rest * _SHARE_THAT_IS_EMPTY:
            break
        cuts.append(place)
        rest -= gap
    edges = [0, *sorted(cuts), len(moments)]
    return [moments[start:end] for start, end in pairwise(edges)]


def _padded(first: datetime, last: datetime) -> tuple[datetime, datetime]:
    """Room before the first mark and behind the last, and never a stretch of no length."""
    room = max((last - first) * 0.03, timedelta(seconds=0.5))
    return first - room, last + room
