"""The network before, attacked and after as three columns: each changed setting is a row, so that the eye compares sideways."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import drawsvg as draw

from incident.reports.before_after import ABSENT, NOT_KNOWN, After, Changed
from tasks.pictures.canvas import BLUE, DASHES, GREEN, GREY, INK, LINE, PAPER, PURPLE, RED, SOFT, WASH, Canvas, fitted, words

MOST_ROWS = 60
"""So many settings are drawn, those that expose and those that are not back first; the table beneath has all of them."""

_WIDTH = 1240.0
_LEFT = 270.0
_GAP = 14.0
_COLUMN = (_WIDTH - _LEFT - 3 * _GAP) / 3
_ROW, _HEAD, _TOP = 34.0, 30.0, 46.0
_SIZE = 11.0
_COLUMNS = ("before", "attacked", "after")


def network_svg(rows: Sequence[Changed]) -> str:
    """The picture; one that says so where no setting of the network was changed."""
    shown = _chosen(rows)
    canvas = Canvas("n", _WIDTH, f"The network before, attacked and after: {len(rows)} settings")
    for number, name in enumerate(_COLUMNS):
        canvas.add(words(name, _x(number), 26, 14, bold=True))
    y = _TOP
    for (place, resource), group in groupby(shown, key=lambda row: (row.place, row.key.resource)):
        y = _resource(canvas, place, resource, list(group), y)
    if not rows:
        canvas.add(words("No plan changes a setting of the network.", 16, y + 20, 13, fill=SOFT))
        y += 34
    if len(rows) > len(shown):
        canvas.add(words(f"{len(rows) - len(shown)} more settings stand in the table", 16, y + 18, 12, fill=SOFT))
        y += 28
    return canvas.svg(_legend(canvas, y + 8))


def _chosen(rows: Sequence[Changed]) -> list[Changed]:
    urgent = sorted(rows, key=lambda row: (row.state is After.AS_BEFORE, not row.exposes))[:MOST_ROWS]
    kept = {id(row) for row in urgent}
    return [row for row in rows if id(row) in kept]


def _x(column: int) -> float:
    return _LEFT + column * (_COLUMN + _GAP)


def _resource(canvas: Canvas, place: str, resource: str, rows: Sequence[Changed], y: float) -> float:
    """One resource's frame with a row for each of its settings; answers where the next one begins."""
    height = _HEAD + len(rows) * _ROW
    canvas.add(draw.Rectangle(6, y, _WIDTH - 12, height, fill=WASH, stroke=LINE, rx=6))
    canvas.add(words(fitted(resource or "the region", 380, 12, mono=True), 16, y + 20, 12, mono=True, bold=True))
    kinds = ", ".join(dict.fromkeys(row.what for row in rows))
    canvas.add(words(fitted(kinds, 340, _SIZE), 16 + _LEFT + 130, y + 20, _SIZE, fill=SOFT))
    canvas.add(words(fitted(place, 300, _SIZE), _WIDTH - 16, y + 20, _SIZE, fill=SOFT, anchor="end"))
    for number, row in enumerate(rows):
        _setting(canvas, row, y + _HEAD + number * _ROW)
    return y + height + 10


def _setting(canvas: Canvas, row: Changed, y: float) -> None:
    name = row.key.name or row.what
    records = ", ".join(row.records[:4]) or "no record"
    group = canvas.titled(
        [f"{row.key}", f"before: {row.before}", f"attacked: {row.attacked}", f"after: {row.after}", records], "setting"
    )
    group.append(words(fitted(name, _LEFT - 34, _SIZE, mono=True), 20, y + 17, _SIZE, mono=True))
    _cell(group, 0, row.before, y, GREY if row.before == NOT_KNOWN else BLUE)
    _cell(group, 1, row.attacked, y, RED if row.exposes else PURPLE, thick=row.exposes)
    _cell(group, 2, row.after, y, _colour(row.state))
    for column in (1, 2):
        end = _x(column) - 3
        group.append(draw.Line(_x(column) - _GAP + 2, y + 13, end, y + 13, stroke=SOFT))
        group.append(draw.Lines(end - 4, y + 10, end, y + 13, end - 4, y + 16, fill="none", stroke=SOFT))


def _colour(state: After) -> str:
    return {After.AS_BEFORE: GREEN, After.NOT_BACK: RED, After.LEFT: GREY}[state]


def _cell(group: draw.Group, column: int, value: str, y: float, colour: str, *, thick: bool = False) -> None:
    """A value in its box; what is absent or not known has a dashed one, so that no colour alone says it."""
    dashed = {"stroke_dasharray": DASHES} if value in (ABSENT, NOT_KNOWN) else {}
    stroke = {"stroke": colour, "stroke_width": 2 if thick else 1.2}
    group.append(draw.Rectangle(_x(column), y, _COLUMN, 26, fill=PAPER, rx=4, **stroke, **dashed))
    line = fitted(f"⚠ {value}" if thick else value, _COLUMN - 14, _SIZE, mono=True)
    group.append(words(line, _x(column) + 7, y + 17, _SIZE, mono=True, fill=SOFT if dashed else INK))


def _legend(canvas: Canvas, y: float) -> float:
    signs = (
        (BLUE, "as it was"),
        (PURPLE, "changed by the actor"),
        (RED, "⚠ opens a way in or out, or not put back"),
        (GREEN, "as before"),
        (GREY, "dashed: absent; grey: not known, or left to people"),
    )
    x = 16.0
    for colour, text in signs:
        canvas.add(draw.Rectangle(x, y, 14, 12, fill=PAPER, stroke=colour, stroke_width=2))
        canvas.add(words(text, x + 20, y + 10, _SIZE, fill=SOFT))
        x += 20 + len(text) * _SIZE * 0.62 + 18
    return y + 24
