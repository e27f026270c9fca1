"""Labels beside marks on one lane of the timeline: as many as fit, and never one over another.

Marks that are alike and near each other share a label that counts them, `12 × RunInstances`. How near is near grows
until the lane is low enough; nothing is left out of the counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.pictures.axis import Axis
from tasks.pictures.canvas import fitted, wide

SIZE = 10.5
ROW = 14
WIDEST = 276

_REACHES = (5.0, 15.0, 40.0, 90.0, 200.0, float("inf"))
_LOW_ENOUGH = 7
_MOST_IN_A_STRETCH = 14
_APART = 8


@dataclass(frozen=True, slots=True)
class Dot:
    """A mark that wants a label. `alike` is what marks with one label have in common, `what` its words when it stands alone.

    One that counts several has the last of them at `until`.
    """

    at: datetime
    what: str
    alike: str
    colour: str
    title: tuple[str, ...]
    name: str
    count: int = 1
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A text that begins above its first mark, in a row that counts upwards from the marks."""

    text: str
    x: float
    row: int
    colour: str
    dots: tuple[Dot, ...]

    @property
    def end(self) -> float:
        return self.x + wide(self.text, SIZE, mono=True)


def labels(dots: Sequence[Dot], axis: Axis) -> list[Label]:
    """The labels of a lane, every dot counted in exactly one."""
    for reach in _REACHES:
        placed = _placed(_near(dots, axis, reach), axis)
        if height(placed) <= _LOW_ENOUGH:
            return placed
    return _placed([part for group in _by_stretch(dots, axis) for part in _rarest_together(group)], axis)


def height(placed: Iterable[Label]) -> int:
    """How many rows the labels take."""
    return max((label.row + 1 for label in placed), default=0)


def _near(dots: Iterable[Dot], axis: Axis, reach: float) -> list[list[Dot]]:
    """Dots that are alike, in groups no wider than `reach`."""
    groups: list[list[Dot]] = []
    open_: dict[tuple[float, str, str], list[Dot]] = {}
    for dot in sorted(dots, key=lambda dot: dot.at):
        alike = (axis.stretch(dot.at).left, dot.alike, dot.colour)
        group = open_.get(alike)
        if group is None or axis.x(dot.at) - axis.x(group[0].at) > reach:
            group = open_[alike] = []
            groups.append(group)
        group.append(dot)
    return groups


def _by_stretch(dots: Iterable[Dot], axis: Axis) -> list[list[list[Dot]]]:
    stretches: defaultdict[float, list[list[Dot]]] = defaultdict(list)
    for group in _near(dots, axis, float("inf")):
        stretches[axis.stretch(group[0].at).left].append(group)
    return list(stretches.values())


def _rarest_together(groups: list[list[Dot]]) -> list[list[Dot]]:
    """At most so many groups; the smallest ones become one, and of those first what was refused, for it did no harm."""
    if len(groups) <= _MOST_IN_A_STRETCH:
        return groups
    ranked = sorted(groups, key=lambda group: (group[0].name == "refused", -sum(dot.count for dot in group)))
    rest = [dot for group in ranked[_MOST_IN_A_STRETCH - 1 :] for dot in group]
    return [*ranked[: _MOST_IN_A_STRETCH - 1], sorted(rest, key=lambda dot: dot.at)]


def _placed(groups: Iterable[list[Dot]], axis: Axis) -> list[Label]:
    """From right to left, each label over those that begin under it: so the line from a label down to its mark crosses no text."""
    placed: list[Label] = []
    for group in sorted(groups, key=lambda group: group[0].at, reverse=True):
        text, x = fitted(_text(group), WIDEST, SIZE, mono=True), axis.x(group[0].at)
        end = x + wide(text, SIZE, mono=True) + _APART
        row = 1 + max((label.row for label in placed if label.x < end), default=-1)
        placed.append(Label(text, x, row, group[0].colour, tuple(group)))
    return placed


def _text(group: Sequence[Dot]) -> str:
    count = sum(dot.count for dot in group)
    if len(group) == 1 and count == 1:
        return group[0].what
    kinds = len({dot.alike for dot in group})
    refused = " refused" if all(dot.name == "refused" for dot in group) else ""
    return f"{count} × {group[0].alike}" if kinds == 1 else f"{count} × {kinds} other kinds{refused}"
