"""The actor as a picture: the credentials from left to right as each led to the next, and under each what it changed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

import drawsvg as draw

from incident.reports.story import ActorGraph, Edge, Held, Touched
from incident.words import counted
from tasks.pictures.canvas import BLUE, DASHES, GREY, INK, LINE, PAPER, RED, SOFT, WASH, Canvas, fitted, shown, wide, words

_CARD = 300
_GAP = 58
_INSIDE = 12
_HELD_HEIGHT = 106
_TOUCHED_HEIGHT = 66
_INDENT = 24
_APART = 12
_BLOCKS_APART = 26
_LEVEL = 34
"""How far under a card's upper edge the edges between credentials run."""

_MARGIN = 16
_LEAST_WIDTH = 720
_SHOWN_IN_TITLE = 40
_DASHED = {"proved": None, "suspected": DASHES, "excluded": "2 3"}

_KINDS = {"user": "user", "role": "role", "session": "session of user", "federated": "federated user"}


@dataclass(frozen=True, slots=True)
class _Place:
    left: float
    top: float


def actor_graph_svg(graph: ActorGraph) -> str:
    """The picture, as text to stand in a page."""
    if not graph.held:
        canvas = Canvas("who", _LEAST_WIDTH, "Nobody is proved to be the actor")
        canvas.add(words("Nobody is proved to be the actor.", _MARGIN, 32, 13, fill=SOFT))
        return canvas.svg(48)
    places, bottom = _layout(graph)
    right = max(place.left for place in places.values()) + _CARD
    canvas = Canvas("who", max(_LEAST_WIDTH, right + _MARGIN), _about(graph))
    credentials = {node.id for node in graph.held}
    for edge in graph.edges:
        _edge(canvas, edge, places, edge.target in credentials)
    home = next((node.account for node in graph.held if node.seed), graph.held[0].account)
    for node in graph.held:
        _credential(canvas, node, places[node.id], home)
    for node in graph.touched:
        _resources(canvas, node, places[node.id])
    return canvas.svg(_legend(canvas, bottom + 14))


def _about(graph: ActorGraph) -> str:
    count = sum(len(node.keys) for node in graph.held)
    suspected = sum(len(node.keys) for node in graph.held if node.link != "proved")
    changes = sum(node.changes for node in graph.touched)
    return f"Actor graph: {counted(count, 'credential')}, {suspected} of them not proved, and {counted(changes, 'change')} by them"


def _layout(graph: ActorGraph) -> tuple[dict[str, _Place], float]:
    """A place for each node, and how far down they reach.

    What a credential changed hangs under it. It stands level with the first credential that it led to; the others are under that.
    """
    below, changed = _led_to(graph)
    roots = [node.id for node in graph.held if not any(edge.target == node.id for edge in graph.edges)]
    order = _from_the_roots(roots, below)
    room: dict[str, float] = {}
    for id_ in reversed(order):
        own = _HELD_HEIGHT + len(changed[id_]) * (_TOUCHED_HEIGHT + _APART) + _BLOCKS_APART
        room[id_] = max(own, sum(room[child] for child in below[id_]))
    depth = {node.id: node.depth for node in graph.held}
    places: dict[str, _Place] = {}
    bottom = _stack(roots, float(_MARGIN), depth, room, places)
    for id_ in order:
        here = places[id_]
        _stack(below[id_], here.top, depth, room, places)
        for number, item in enumerate(changed[id_]):
            top = here.top + _HELD_HEIGHT + _APART + number * (_TOUCHED_HEIGHT + _APART)
            places[item] = _Place(here.left + _INDENT, top)
    return places, bottom


def _led_to(graph: ActorGraph) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """For each credential the ones that it led to, and what it changed."""
    below, changed = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    credentials = {node.id for node in graph.held}
    for edge in graph.edges:
        (below if edge.target in credentials else changed)[edge.source].append(edge.target)
    return below, changed


def _from_the_roots(roots: list[str], below: dict[str, list[str]]) -> list[str]:
    """Every credential after the one that led to it. No recursion: a chain of roles may be longer than Python allows calls."""
    order = list(roots)
    for id_ in order:
        order.extend(below[id_])
    return order


def _stack(nodes: list[str], top: float, depth: dict[str, int], room: dict[str, float], places: dict[str, _Place]) -> float:
    for id_ in nodes:
        places[id_] = _Place(_MARGIN + depth[id_] * (_CARD + _GAP), top)
        top += room[id_]
    return top


def _edge(canvas: Canvas, edge: Edge, places: dict[str, _Place], to_credential: bool) -> None:
    start, end = places[edge.source], places[edge.target]
    group = canvas.titled([f"{edge.link} by record {edge.record}"], f"edge {edge.link}")
    colour = (INK if edge.link == "proved" else SOFT) if to_credential else GREY
    path = draw.Path(fill="none", stroke=colour, stroke_width=1.8 if to_credential else 1.1, stroke_dasharray=_DASHED[edge.link])
    if to_credential:
        x, y, level = start.left + _CARD, start.top + _LEVEL, end.top + _LEVEL
        path.M(x, y).L(x + _GAP / 2, y).L(x + _GAP / 2, level).L(end.left - 7, level)
    else:
        x, level = start.left + _INDENT / 2, end.top + _TOUCHED_HEIGHT / 2
        path.M(x, start.top + _HELD_HEIGHT).L(x, level).L(end.left - 5, level)
    group.append(path)
    group.append(draw.Lines(end.left - 7, level - 4, end.left, level, end.left - 7, level + 4, close=True, fill=colour))


def _credential(canvas: Canvas, node: Held, place: _Place, home: str) -> None:
    group = canvas.titled(_told(node), f"credential {node.link}")
    colour = RED if node.seed else BLUE if node.made else INK
    fill = "#fdf3f0" if node.seed else "#f1f6fc" if node.made else PAPER
    _box(group, place, _HELD_HEIGHT, fill, colour if node.link == "proved" else SOFT, _DASHED[node.link])
    x, y, room = place.left + _INSIDE, place.top, _CARD - 2 * _INSIDE
    badge = "the finding's" if node.seed else "made by the actor" if node.made else ""
    aside = wide(badge, 9.5) + 8 if badge else 0
    group.append(words(fitted(_owner(node, home), room - aside, 13), x, y + 20, 13, bold=True))
    if badge:
        group.append(words(badge, place.left + _CARD - _INSIDE, y + 19, 9.5, fill=colour, anchor="end"))
    group.append(words(fitted(_keys(node), room, 12, mono=True), x, y + 37, 12, mono=True))
    group.append(words(fitted(_link(node), room, 10.5), x, y + 53, 10.5, fill=SOFT if node.link == "proved" else RED))
    more = f" +{len(node.keys) - 1}" if len(node.keys) > 1 else ""
    record = f"record {node.record}{more}" if node.record else "known from the finding itself"
    group.append(words(fitted(record, room, 9.5, mono=True), x, y + 67, 9.5, mono=True, fill=SOFT))
    group.append(words(fitted(_use(node), room, 10.5), x, y + 83, 10.5))
    group.append(words(fitted(_source(node), room, 9.5, mono=True), x, y + 97, 9.5, mono=True))


def _told(node: Held) -> list[str]:
    lines = [f"{node.link}: {node.how}", f"record {node.record or 'none, the finding names it'}", f"account {node.account}"]
    lines += [f"issued {_moment(node.issued)}"] if node.issued else []
    lines += _listed("credential", node.keys)
    lines += [_use(node), *_listed("from", node.addresses)]
    return [f"{_KINDS.get(node.kind, node.kind)} {node.owner}", *lines]


def _listed(what: str, items: tuple[str, ...]) -> list[str]:
    rest = len(items) - _SHOWN_IN_TITLE
    return [*(f"{what} {item}" for item in items[:_SHOWN_IN_TITLE]), *([f"and {rest} more"] if rest > 0 else [])]


def _owner(node: Held, home: str) -> str:
    if len(node.keys) > 1:
        return f"{len(node.keys)} more keys"
    elsewhere = f" in {node.account}" if node.account != home else ""
    return f"{_KINDS.get(node.kind, node.kind)} {node.owner.rpartition('/')[2] or node.owner}{elsewhere}"


def _keys(node: Held) -> str:
    if len(node.keys) == 1:
        return node.keys[0]
    return f"of {', '.join(owner.rpartition('/')[2] for owner in node.owner.split(', '))}"


def _link(node: Held) -> str:
    if node.link == "excluded":
        return "excluded by a responder"
    if len(node.keys) > 1:
        return f"{node.link}, each as the table below says"
    at = f", {_moment(node.issued)[5:19]}" if node.issued else ""
    if node.link == "suspected":
        return f"suspected: nobody acts on it{at}"
    return f"proved: {'named by the finding' if node.seed else node.event or 'see its record'}{at}"


def _moment(issued: str) -> str:
    """A moment from the ledger as people read it, or as it stands there if it is none."""
    try:
        return f"{datetime.fromisoformat(issued):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return issued


def _use(node: Held) -> str:
    if not node.calls:
        return "no call of it counts as the actor's"
    return f"{counted(node.calls, 'call')}, {counted(node.changes, 'change')}"


def _source(node: Held) -> str:
    return f"from {_some(node.addresses)}" if node.addresses else ""


def _resources(canvas: Canvas, node: Touched, place: _Place) -> None:
    told = [f"{node.kind}: {counted(node.changes, 'change')}", f"in {', '.join(node.regions)}"]
    told += [*_listed("resource", node.names), *_listed("record", node.records)]
    group = canvas.titled(told, "resources")
    width = _CARD - _INDENT
    _box(group, place, _TOUCHED_HEIGHT, WASH, LINE, None, width)
    x, y, room = place.left + _INSIDE, place.top, width - 2 * _INSIDE
    count = counted(node.changes, "change")
    kind = fitted(node.kind, room - wide(count, 11) - 8, 11.5)
    group.append(words(kind, x, y + 18, 11.5, bold=True))
    group.append(words(count, place.left + width - _INSIDE, y + 18, 11, anchor="end", fill=RED))
    names = fitted(_some(node.names), room, 10, mono=True) if node.names else "no plan names the resources"
    group.append(words(names, x, y + 33, 10, mono=bool(node.names), fill=INK if node.names else SOFT))
    group.append(words(fitted(_some(node.regions), room, 10), x, y + 46, 10, fill=SOFT))
    more = f" +{len(node.records) - 1}" if len(node.records) > 1 else ""
    record = fitted(node.records[0], room - wide(more, 9, mono=True), 9, mono=True)
    group.append(words(record + more, x, y + 59, 9, mono=True, fill=SOFT))


def _some(names: tuple[str, ...]) -> str:
    """The first names, and how many more there are: names that attackers choose may not push the number out of sight."""
    first = [shown(name, 30) for name in names[:2]]
    return ", ".join(first) + (f" +{len(names) - 2}" if len(names) > 2 else "")


def _box(group: draw.Group, place: _Place, height: float, fill: str, stroke: str, dashes: str | None, width: float = _CARD) -> None:
    group.append(
        draw.Rectangle(
            place.left, place.top, width, height, rx=7, fill=fill, stroke=stroke, stroke_width=1.5, stroke_dasharray=dashes
        )
    )


_LEGEND = (
    ("proved by a record", {"stroke": INK, "stroke_width": 1.8}),
    ("suspected: nobody acts on it", {"stroke": SOFT, "stroke_width": 1.8, "stroke_dasharray": DASHES}),
    ("what it changed", {"stroke": GREY, "stroke_width": 1.1}),
)


def _legend(canvas: Canvas, y: float) -> float:
    """What the lines mean; the answer is where the picture ends."""
    x = float(_MARGIN)
    for meaning, stroke in _LEGEND:
        canvas.add(draw.Line(x, y, x + 34, y, **stroke))
        canvas.add(words(meaning, x + 41, y + 4, 11))
        x += 41 + wide(meaning, 11) + 18
    return y + 18
