"""Draws docs/pictures/architecture.svg, the one picture of docs/architecture.md: `make pictures`, or this file alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import drawsvg as draw

from tasks.pictures.canvas import BLUE, GREEN, GREY, INK, LINE, MONO, PAPER, PURPLE, RED, SANS, SOFT, WASH

_HERE = Path(__file__).parent
WIDTH, HEIGHT = 1120, 640


@dataclass(frozen=True)
class Box:
    """A part: where it stands, what it is called, what it does, a line each."""

    x: float
    y: float
    width: float
    height: float
    name: str
    does: tuple[str, ...]
    colour: str = INK

    @property
    def left(self) -> tuple[float, float]:
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> tuple[float, float]:
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y

    @property
    def bottom(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height


GUARDDUTY = Box(30, 84, 200, 92, "GuardDuty, Sec. Hub", ("findings by EventBridge,", "SNS or SQS; read back"), RED)
PEOPLE = Box(30, 250, 200, 92, "Responders", ("Slack, Prefect's form,", "or the command line"), PURPLE)
ACCOUNTS = Box(
    30,
    436,
    200,
    150,
    "AWS accounts",
    ("CloudTrail and Config:", "what happened; reads:", "what is; writes: what is", "put back. One role in each"),
    RED,
)
GATEWAY = Box(
    330,
    84,
    250,
    168,
    "gateway",
    (
        "doors: in the ledger, then answered",
        "sorter: opens, joins, suppresses",
        "dispatcher: one run an incident",
        "reviver: no run stands still",
        "Slack sender, escalation",
    ),
    BLUE,
)
PREFECT = Box(680, 84, 190, 92, "Prefect server", ("runs, schedules,", "forms; no fact of its own"), GREY)
WORKER = Box(920, 84, 170, 92, "worker", ("a process for", "each run"), GREY)
LEDGER = Box(
    330, 318, 250, 118, "ledger", ("append-only, chained by hash;", "SQLite or PostgreSQL", "queue, journal, outbox, audit"), GREEN
)
FLOWS = Box(
    680,
    250,
    410,
    150,
    "flows: respond, sweep, escalate",
    (
        "detect · identify · scope · keep facts",
        "plan · ask · contain · evidence · restore",
        "look again · prove · report",
        "incident/: pure rules without I/O decide",
    ),
    BLUE,
)
EXECUTOR = Box(
    680,
    470,
    250,
    116,
    "executor",
    ("one step at a time, by approval:", "intent, read, call, read, outcome", "stops where a setting has moved"),
    BLUE,
)
EVIDENCE = Box(960, 470, 130, 116, "evidence", ("bucket with", "Object Lock,", "or a folder"), GREEN)
BOXES = (GUARDDUTY, PEOPLE, ACCOUNTS, GATEWAY, PREFECT, WORKER, LEDGER, FLOWS, EXECUTOR, EVIDENCE)

_HEAD = 11.2
_ARROW = draw.Marker(-1, -4, 8, 4, scale=1.0, orient="auto")
_ARROW.append(draw.Lines(-1, -3.5, 7, 0, -1, 3.5, fill=SOFT, close=True))


def main() -> None:
    """Draw the picture."""
    drawing = draw.Drawing(WIDTH, HEIGHT)
    drawing.append(draw.Rectangle(0, 0, WIDTH, HEIGHT, fill=PAPER))
    _around(drawing, 300, 40, 810, 580, "Countermand: one host, or many on one PostgreSQL")
    _around(drawing, 12, 40, 236, 580, "outside")
    for box in BOXES:
        _box(drawing, box)
    for course, said, at in (
        ((GUARDDUTY.right, (GATEWAY.x, 130)), "a pointer", (280, 120)),
        ((PEOPLE.right, (265, 296), (265, 225), (GATEWAY.x, 225)), "decisions", (290, 216)),
        ((GATEWAY.bottom, LEDGER.top), "every fact first", (400, 290)),
        (((GATEWAY.x + GATEWAY.width, 130), PREFECT.left), "starts, wakes", (630, 120)),
        ((PREFECT.right, WORKER.left), "", (0, 0)),
        ((WORKER.bottom, (1005, FLOWS.y)), "", (0, 0)),
        (((FLOWS.x, 340), (LEDGER.x + LEDGER.width, 340)), "lines", (632, 331)),
        (((805, FLOWS.y + FLOWS.height), EXECUTOR.top), "plans", (828, 440)),
        (((1025, FLOWS.y + FLOWS.height), EVIDENCE.top), "items", (1047, 440)),
        (((EXECUTOR.x, 550), (ACCOUNTS.x + ACCOUNTS.width, 550)), "approved steps, as CountermandResponder", (455, 541)),
        (((EXECUTOR.x, 500), (400, 500), (400, LEDGER.y + LEDGER.height)), "locks, approvals, journal", (500, 491)),
        (((ACCOUNTS.x + ACCOUNTS.width, 460), (642, 460), (642, 380), (FLOWS.x, 380)), "records, live settings", (310, 451)),
    ):
        _arrow(drawing, course)
        drawing.append(draw.Text(said, 12, *at, fill=SOFT, font_family=SANS, text_anchor="middle"))
    drawing.save_svg(str(_HERE / "architecture.svg"))


def _arrow(drawing: draw.Drawing, course: tuple[tuple[float, float], ...]) -> None:
    """A course of straight pieces; the last is shorter by the arrow's head, which ends at its end."""
    (x0, y0), (x1, y1) = course[-2:]
    long = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    end = (x1 - (x1 - x0) * _HEAD / long, y1 - (y1 - y0) * _HEAD / long)
    points = [number for point in (*course[:-1], end) for number in point]
    drawing.append(draw.Lines(*points, fill="none", stroke=SOFT, stroke_width=1.6, marker_end=_ARROW))


def _around(drawing: draw.Drawing, x: float, y: float, width: float, height: float, name: str) -> None:
    drawing.append(draw.Rectangle(x, y, width, height, rx=10, fill=WASH, stroke=LINE, stroke_dasharray="6 4"))
    drawing.append(draw.Text(name, 13, x + 14, y + 24, fill=SOFT, font_family=SANS))


def _box(drawing: draw.Drawing, box: Box) -> None:
    drawing.append(draw.Rectangle(box.x, box.y, box.width, box.height, rx=7, fill=PAPER, stroke=box.colour, stroke_width=1.8))
    own = MONO if box.name in ("gateway", "ledger", "executor", "worker", "evidence") else SANS
    drawing.append(draw.Text(box.name, 15, box.x + 12, box.y + 25, fill=box.colour, font_family=own, font_weight="bold"))
    for number, line in enumerate(box.does):
        drawing.append(draw.Text(line, 12.5, box.x + 12, box.y + 48 + 21 * number, fill=INK, font_family=SANS))


if __name__ == "__main__":
    main()
