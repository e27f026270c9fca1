"""The timeline as a picture: the actor's calls by region over the response's phases, people and steps, on one axis of time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import drawsvg as draw

from incident.reports.story import Calls, Lane, Mark, Timeline
from incident.words import counted
from tasks.pictures.axis import Axis, Stretch, axis
from tasks.pictures.canvas import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LINE,
    PAPER,
    PURPLE,
    RED,
    SOFT,
    WASH,
    Canvas,
    exact,
    fitted,
    shown,
    wide,
    words,
)
from tasks.pictures.labels import ROW, SIZE, WIDEST, Dot, Label, height, labels

WIDTH = 1240
_LEFT = 172
_RIGHT_EDGES = (WIDTH - 24, WIDTH - 90, WIDTH - 160, WIDTH - 220, WIDTH - WIDEST - 10)
"""Where the axis may end: as far right as leaves room for the labels of its last marks."""

_TICKS_APART = 78
_LANE_LEAST = 56
_SHOWN_RECORDS = 30
_READS = ("Describe", "List", "Get", "Lookup", "Search", "Head", "BatchGet", "Select", "Query", "Scan")


@dataclass(frozen=True, slots=True)
class _Row:
    """A lane as it is drawn: its name, what stands under the name, what is faint, what is labelled, and bars."""

    name: str
    notes: tuple[str, ...]
    faint: tuple[Calls, ...] = ()
    dots: tuple[Dot, ...] = ()
    bars: tuple[Mark, ...] = ()


def timeline_svg(story: Timeline) -> str:
    """The picture, as text to stand in a page."""
    canvas = Canvas("when", WIDTH, _about(story))
    moments = [*(call.at for call in story.calls), *(call.until for call in story.calls if call.count > 1)]
    moments += [moment for mark in story.marks for moment in (mark.at, mark.until) if moment is not None]
    if not moments:
        canvas.add(words("Nothing is known of when.", 16, 32, 13, fill=SOFT))
        return canvas.svg(48)
    regions, response = _region_rows(story.calls), _response_rows(story.marks)
    scale = _roomy(moments, [*regions, *response])
    ground = draw.Group()
    canvas.add(ground)
    y = _section(canvas, f"What the actor did: {_numbers(story.calls)}", 26)
    y = _clock(canvas, scale, y)
    top = y
    for row in regions:
        y = _lane(canvas, row, scale, y)
    if not regions:
        canvas.add(words("The ledger keeps no calls of the actor.", _LEFT + 8, y + 30, 12, fill=SOFT))
        y += 50
    y = _section(canvas, "What the response did", y + 34)
    for row in response:
        y = _lane(canvas, row, scale, y)
    _stripes(ground, scale, top, y)
    y = _clock(canvas, scale, y + 4)
    return canvas.svg(_legend(canvas, y + 22))


def _roomy(moments: Sequence[datetime], rows: Iterable[_Row]) -> Axis:
    """The longest axis behind which the last labels still fit."""
    listed = list(rows)
    for edge in _RIGHT_EDGES[:-1]:
        scale = axis(moments, _LEFT, edge)
        if all(label.end <= WIDTH for row in listed for label in labels(row.dots, scale)):
            return scale
    return axis(moments, _LEFT, _RIGHT_EDGES[-1])


def _about(story: Timeline) -> str:
    regions = counted(len({(call.account, call.region) for call in story.calls}), "region")
    return f"Timeline: {_numbers(story.calls)} by the actor in {regions}, and {counted(len(story.marks), 'moment')} of the response"


def _numbers(calls: Iterable[Calls]) -> str:
    listed = list(calls)
    changes = sum(call.count for call in listed if call.changed)
    refused = sum(call.count for call in listed if call.refused)
    return f"{counted(sum(call.count for call in listed), 'call')}, {counted(changes, 'change')}, {refused} refused"


def _section(canvas: Canvas, text: str, y: float) -> float:
    canvas.add(words(shown(text, 120), 12, y, 14, bold=True))
    return y + 14


# The axis


def _clock(canvas: Canvas, scale: Axis, y: float) -> float:
    """The hours over or under the lanes, and how much empty time is cut out between two stretches."""
    for stretch in scale.stretches:
        canvas.add(words(f"{stretch.start:%Y-%m-%d}", stretch.left + 2, y + 12, 10.5, mono=True, bold=True))
        ticks = [tick for tick in stretch.ticks(_TICKS_APART) if stretch.left + 27 <= stretch.x(tick) <= stretch.right - 27]
        for tick in ticks:
            canvas.add(words(_hour(tick, ticks), stretch.x(tick), y + 27, 10, mono=True, fill=SOFT, anchor="middle"))
        if not ticks:
            canvas.add(words(f"{stretch.start:%H:%M:%S}", stretch.left + 2, y + 27, 10, mono=True, fill=SOFT))
    for before, after in zip(scale.stretches, scale.stretches[1:], strict=False):
        group = canvas.titled([f"From {exact(before.end)} to {exact(after.start)} nothing happened"], "break")
        group.append(
            words(
                _span(after.start - before.end), (before.right + after.left) / 2, y + 27, 9, mono=True, fill=SOFT, anchor="middle"
            )
        )
    return y + 34


def _hour(tick: datetime, ticks: Sequence[datetime]) -> str:
    if all(one.hour == 0 and one.minute == 0 for one in ticks) and len(ticks) > 1:
        return f"{tick:%m-%d}"
    return f"{tick:%H:%M:%S}" if any(one.second for one in ticks) else f"{tick:%H:%M}"


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size * 2 or unit == "min":
            return f"{seconds / size:.0f} {unit}"
    return ""


def _stripes(ground: draw.Group, scale: Axis, top: float, bottom: float) -> None:
    """The stretches' ground behind everything, a line for each hour shown, and a zigzag where time is cut out."""
    for stretch in scale.stretches:
        ground.append(draw.Rectangle(stretch.left, top, stretch.right - stretch.left, bottom - top, fill=WASH))
        for tick in stretch.ticks(_TICKS_APART):
            x = round(stretch.x(tick), 1)
            ground.append(draw.Line(x, top, x, bottom, stroke="#e3e8ee", stroke_width=1))
    for before in scale.stretches[:-1]:
        x = before.right + 8
        path = draw.Path(stroke=GREY, fill="none", stroke_width=1.2).M(x, top)
        for number in range(1, int((bottom - top) / 7) + 1):
            path.L(x + (5 if number % 2 else 0), top + number * 7)
        ground.append(path)


# Lanes


def _region_rows(calls: Sequence[Calls]) -> list[_Row]:
    """A lane for each region in which the actor tried to change something, first things first, and one for all the others."""
    places: defaultdict[tuple[str, str], list[Calls]] = defaultdict(list)
    for call in calls:
        places[call.account, call.region].append(call)
    loud = {place: own for place, own in places.items() if any(_is_loud(call) for call in own)}
    quiet_places = [place for place in places if place not in loud]
    quiet = [call for place in quiet_places for call in places[place]]
    several = len({account for account, _ in places}) > 1
    order = sorted(loud, key=lambda place: next(call.at for call in loud[place] if _is_loud(call)))
    rows = [_region_row(region, account if several else "", loud[account, region]) for account, region in order]
    if quiet:
        name = counted(len(quiet_places), "region") if not loud else counted(len(quiet_places), "more region")
        reads = counted(sum(call.count for call in quiet), "read")
        rows.append(_Row(name, (reads, "nothing changed"), faint=tuple(quiet)))
    return rows


def _region_row(region: str, account: str, calls: Sequence[Calls]) -> _Row:
    changes = sum(call.count for call in calls if call.changed)
    refused = sum(call.count for call in calls if call.refused)
    others = sum(call.count for call in calls) - changes - refused
    notes = (account, counted(changes, "change"), f"{refused} refused, {counted(others, 'read')}")
    faint = tuple(call for call in calls if not _is_loud(call))
    return _Row(region or "no region", tuple(filter(None, notes)), faint, tuple(_dot(call) for call in calls if _is_loud(call)))


def _is_loud(call: Calls) -> bool:
    return call.changed or call.refused or bool(call.gave)


def _dot(call: Calls) -> Dot:
    if call.refused:
        alike = "reads refused" if call.event.startswith(_READS) else f"{call.event} refused"
        what = f"{call.event} refused"
        return Dot(call.at, what, alike, SOFT, _told(call), "refused", call.count, call.until)
    if call.gave:
        return Dot(call.at, f"{call.event}: new credential", f"{call.event}: new credentials", BLUE, _told(call), "gave")
    return Dot(call.at, call.event, call.event, RED, _told(call), "change", call.count, call.until)


def _told(call: Calls) -> tuple[str, ...]:
    many = f"{call.count} calls until {exact(call.until)}, the first:" if call.count > 1 else ""
    outcome = "refused by AWS" if call.refused else "changed something" if call.changed else "changed nothing"
    return tuple(
        filter(
            None,
            (
                f"{call.event}: {outcome}",
                exact(call.at),
                many,
                f"record {call.record}",
                f"with {call.key} from {call.address}",
                f"gave {call.gave}" if call.gave else "",
                f"in {call.account} {call.region}",
            ),
        )
    )


def _response_rows(marks: Sequence[Mark]) -> list[_Row]:
    phases = tuple(mark for mark in marks if mark.lane is Lane.PHASES)
    people = [mark for mark in marks if mark.lane is Lane.PEOPLE]
    steps = [mark for mark in marks if mark.lane is Lane.STEPS]
    well = sum(mark.well for mark in steps)
    return [
        _Row("phases", ("of the response",), dots=tuple(_moment(mark, SOFT, "phase") for mark in phases), bars=phases),
        _Row("people", ("asked and decided",), dots=tuple(_moment(mark, PURPLE, "person") for mark in people)),
        _Row("steps", (f"{well} of {len(steps)} ended well",), dots=tuple(_moment(mark, GREEN, "step") for mark in steps)),
    ]


def _moment(mark: Mark, colour: str, name: str) -> Dot:
    end = [f"until {exact(mark.until)}"] if mark.until and mark.until != mark.at else [] if mark.until else ["not ended"]
    title = (mark.what, exact(mark.at), *end, f"ledger line {mark.line}")
    return Dot(mark.at, mark.what, mark.alike, colour if mark.well else RED, title, name if mark.well else f"{name}-not-well")


def _lane(canvas: Canvas, row: _Row, scale: Axis, y: float) -> float:
    """One lane under `y`; the answer is where the next one begins."""
    placed = labels(row.dots, scale)
    room = max(_LANE_LEAST, height(placed) * ROW + 34)
    base, right = y + room - 16, scale.stretches[-1].right
    canvas.add(draw.Line(12, y + room, right, y + room, stroke=LINE, stroke_width=1))
    canvas.add(words(fitted(row.name, _LEFT - 20, 12.5, mono=False), 12, base - 22, 12.5, bold=True))
    for place, note in enumerate(row.notes):
        canvas.add(words(fitted(note, _LEFT - 18, 9.5), 12, base - 9 + place * 12, 9.5, fill=SOFT))
    canvas.add(draw.Line(_LEFT, base, right, base, stroke=LINE, stroke_width=1))
    for call in row.faint:
        _tick(canvas, call, scale, base)
    for bar in row.bars:
        _bar(canvas, bar, scale, base)
    for label in placed:
        _label(canvas, label, base)
    for dot in row.dots:
        if dot.until and dot.count > 1:
            end = round(scale.x(dot.until), 1)
            canvas.add(draw.Line(round(scale.x(dot.at), 1), base, end, base, stroke=dot.colour, stroke_width=3, opacity=0.35))
    for dot in sorted(row.dots, key=lambda dot: dot.name.endswith("not-well")):
        if dot.name != "phase":
            _SHAPES[dot.name](canvas.titled(dot.title, dot.name), round(scale.x(dot.at), 1), base, dot.colour)
    return y + room


def _label(canvas: Canvas, label: Label, base: float) -> None:
    y = base - 13 - label.row * ROW
    canvas.add(draw.Line(round(label.x, 1), y + 2, round(label.x, 1), base - 5, stroke=label.colour, stroke_width=0.7, opacity=0.6))
    told = [
        f"{exact(dot.at)}  {next((line for line in dot.title if line.startswith(('record', 'ledger'))), '')}" for dot in label.dots
    ]
    more = [f"and {len(told) - _SHOWN_RECORDS} more"] if len(told) > _SHOWN_RECORDS else []
    group = canvas.titled([label.text, *told[:_SHOWN_RECORDS], *more], "label")
    group.append(words(label.text, label.x, y, SIZE, mono=True, fill=label.colour, halo=True))


def _tick(canvas: Canvas, call: Calls, scale: Axis, base: float) -> None:
    group = canvas.titled(_told(call), "read")
    x = round(scale.x(call.at), 1)
    if call.count > 1:
        end = round(max(x + 3, scale.x(call.until)), 1)
        group.append(draw.Rectangle(x, base + 3, end - x, 5, fill=GREY, opacity=0.45))
    group.append(draw.Line(x, base + 2, x, base + 9, stroke=GREY, stroke_width=1.2, opacity=0.8))


def _bar(canvas: Canvas, mark: Mark, scale: Axis, base: float) -> None:
    """A phase from its beginning to its end, in pieces where empty time is cut out; without an end, to the end of the axis."""
    group = canvas.titled(_moment(mark, SOFT, "phase").title, "phase")
    end = mark.until or scale.stretches[-1].end
    for stretch in scale.stretches:
        if stretch.start <= end and mark.at <= stretch.end:
            group.append(_piece(stretch, mark, end, base))


def _piece(stretch: Stretch, mark: Mark, end: datetime, base: float) -> draw.Rectangle:
    left, right = stretch.x(max(mark.at, stretch.start)), stretch.x(min(end, stretch.end))
    open_ = {} if mark.until else {"stroke": RED, "stroke_dasharray": "3 2"}
    return draw.Rectangle(
        round(left, 1), base - 4, round(max(2.0, right - left - 0.8), 1), 8, fill="#8ea2b8" if mark.until else "none", **open_
    )


# Shapes: each kind of mark has its own, so that none is told by its colour alone


def _diamond(group: draw.Group, x: float, y: float, colour: str) -> None:
    group.append(draw.Lines(x, y - 5.5, x + 5, y, x, y + 5.5, x - 5, y, close=True, fill=colour, stroke=PAPER, stroke_width=0.6))


def _crossed_circle(group: draw.Group, x: float, y: float, colour: str) -> None:
    group.append(draw.Circle(x, y, 4.6, fill=PAPER, stroke=colour, stroke_width=1.3))
    group.append(draw.Line(x - 2.6, y - 2.6, x + 2.6, y + 2.6, stroke=colour, stroke_width=1.3))


def _triangle(group: draw.Group, x: float, y: float, colour: str) -> None:
    group.append(draw.Lines(x, y - 6.5, x + 6, y + 4.5, x - 6, y + 4.5, close=True, fill=colour, stroke=PAPER, stroke_width=0.6))


def _square(group: draw.Group, x: float, y: float, colour: str) -> None:
    group.append(draw.Rectangle(x - 4, y - 4, 8, 8, fill=colour))


def _circle(group: draw.Group, x: float, y: float, colour: str) -> None:
    group.append(draw.Circle(x, y, 4.8, fill=colour, stroke=PAPER, stroke_width=0.6))


def _cross(group: draw.Group, x: float, y: float, colour: str) -> None:
    group.append(draw.Rectangle(x - 4.5, y - 4.5, 9, 9, fill=PAPER, stroke=colour, stroke_width=1.3))
    group.append(draw.Line(x - 4.5, y - 4.5, x + 4.5, y + 4.5, stroke=colour, stroke_width=1.3))
    group.append(draw.Line(x - 4.5, y + 4.5, x + 4.5, y - 4.5, stroke=colour, stroke_width=1.3))


def _read(group: draw.Group, x: float, y: float, colour: str) -> None:
    group.append(draw.Line(x, y - 4, x, y + 4, stroke=colour, stroke_width=1.4))


_SHAPES: dict[str, Callable[[draw.Group, float, float, str], None]] = {
    "change": _diamond,
    "refused": _crossed_circle,
    "gave": _triangle,
    "person": _circle,
    "person-not-well": _cross,
    "step": _square,
    "step-not-well": _cross,
    "phase-not-well": _cross,
    "read": _read,
}

_LEGEND = (
    ("change", RED, "changed something"),
    ("gave", BLUE, "handed out a credential"),
    ("refused", SOFT, "refused by AWS"),
    ("read", GREY, "changed nothing"),
    ("person", PURPLE, "people"),
    ("step", GREEN, "step done"),
    ("step-not-well", RED, "did not end well"),
)


def _legend(canvas: Canvas, y: float) -> float:
    """What the shapes mean; the answer is where the picture ends."""
    x = 18.0
    for name, colour, meaning in _LEGEND:
        group = draw.Group()
        _SHAPES[name](group, x, y - 4, colour)
        canvas.add(group)
        canvas.add(words(meaning, x + 11, y, 11, fill=INK))
        x += 11 + wide(meaning, 11) + 18
    canvas.add(words("Times are UTC. “3 ×” counts calls that are alike.", 12, y + 20, 11, fill=SOFT))
    return y + 32
