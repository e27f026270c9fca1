"""What the pictures share: words made safe and measured, and the few shapes that they are drawn with.

drawsvg escapes what stands between tags, not what stands in attributes. So whatever an attacker named goes through `words` or
a title, and attributes hold numbers and the constants of this folder alone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import datetime
from html import escape

import drawsvg as draw

from incident.people.messages import plain

INK, SOFT, LINE, PAPER, WASH = "#1c2430", "#4f5b69", "#c9d1da", "#ffffff", "#f5f7f9"
RED, GREEN, BLUE, PURPLE, GREY = "#a8321f", "#12734a", "#1f5fa8", "#6b3fa0", "#7b8794"

SANS = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, 'DejaVu Sans Mono', monospace"
DASHES = "6 4"

_SMALLEST = 0.8
"""A page narrower than this part of a picture scrolls it, so that its words stay readable."""

_WIDEST_MONO = 0.61
_WIDEST_SANS = 0.66
"""In parts of the font's size: a little more than the widest of the fonts above takes for a usual character, in bold too."""

_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Mn", "Me", "Zl", "Zp"})


def shown(text: object, limit: int) -> str:
    """One line of at most `limit` characters that XML can hold, without direction controls and marks that stack over others."""
    composed = unicodedata.normalize("NFC", plain(text, 10_000))
    line = " ".join("".join(" " if unicodedata.category(sign) in _UNSHOWN else sign for sign in composed).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def wide(text: str, size: float, *, mono: bool = False) -> float:
    """How wide a text is at most; signs of East Asian scripts take two places."""
    places = sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
    return places * size * (_WIDEST_MONO if mono else _WIDEST_SANS)


def fitted(text: object, width: float, size: float, *, mono: bool = False) -> str:
    """As much of a text as a width holds."""
    line = shown(text, max(2, int(width / size * 2)))
    while len(line) > 1 and wide(line, size, mono=mono) > width:
        line = line[:-2] + "…"
    return line


def exact(at: datetime) -> str:
    """A moment to the second, or as exactly as it is known."""
    return f"{at:%Y-%m-%d %H:%M:%S}{f'.{at.microsecond:06d}'.rstrip('0') if at.microsecond else ''} UTC"


class Canvas:
    """One picture in the making. Things are appended to it, or to groups that carry a title."""

    def __init__(self, name: str, width: float, about: str) -> None:
        self._name, self._width, self._about = name, width, about
        self._things: list[draw.DrawingElement] = []

    def titled(self, lines: Iterable[object], kind: str) -> draw.Group:
        """A new group with a title: what a pointer that rests on it shows, and what a screen reader reads."""
        group = draw.Group(class_=kind)
        group.append_title("\n".join(shown(line, 600) for line in lines))
        self._things.append(group)
        return group

    def add(self, thing: draw.DrawingElement) -> None:
        self._things.append(thing)

    def svg(self, height: float) -> str:
        """The picture as text, to stand in a page."""
        drawing = draw.Drawing(
            self._width,
            height,
            id_prefix=self._name,
            role="img",
            aria_label=escape(shown(self._about, 600)),
            style=f"max-width:100%;min-width:{self._width * _SMALLEST:.0f}px;height:auto",
        )
        drawing.append(draw.Rectangle(0, 0, self._width, height, fill=PAPER))
        drawing.extend(self._things)
        return drawing.as_svg(header="")


def words(
    text: str,
    x: float,
    y: float,
    size: float,
    *,
    mono: bool = False,
    bold: bool = False,
    fill: str = INK,
    anchor: str = "start",
    halo: bool = False,
) -> draw.Text:
    """A line of text on its baseline. The text must be `shown` or `fitted` before; a halo parts it from lines that it lies over."""
    around = {"stroke": PAPER, "stroke_width": 3, "paint_order": "stroke"} if halo else {}
    return draw.Text(
        text,
        size,
        round(x, 1),
        round(y, 1),
        fill=fill,
        text_anchor=anchor,
        font_family=MONO if mono else SANS,
        font_weight="600" if bold else None,
        **around,
    )
