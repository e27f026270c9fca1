"""The outbox: what people are to read in Slack, and how far it has come, told from the ledger's lines alone.

A message is written to the ledger before anybody tries to send it (`message:KEY`), and its place in Slack after (`sent:KEY`). So
what is outstanding is known after any crash, and its order is the ledger's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incident.ledger import Kind, Line

ROOT = "opened"
"""The key of the message that shows the status; it is pinned, and everything else follows it."""

_QUESTION, _ANSWER = "question:", "answer:"


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it was written, and when (UTC)."""

    key: str
    text: str
    blocks: list[dict[str, Any]]
    written: datetime

    @property
    def asks(self) -> bool:
        """Whether it puts a question, which the whole channel must see."""
        return self.key.startswith(_QUESTION)


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a message stands in Slack. An empty channel is the one that the configuration names."""

    channel: str
    ts: str


@dataclass(frozen=True, slots=True)
class Closing:
    """A question in Slack that was answered or has expired, and whose buttons must go."""

    question: Message
    sent: Sent
    outcome: str


@dataclass(frozen=True, slots=True)
class Outbox:
    """How far an incident's messages have come.

    Attributes:
        waiting: what has not reached Slack, in its order.
        root: where the status message stands, unless there is none yet or it was deleted.
        roots: how often a status message was posted.
        channel: the incident's own channel, if it has one.
        pinned: whether pinning the present root is done with.
        closings: questions whose buttons must go.
        shown: the digest of the status that the root shows.
        updates: how often it was changed.
    """

    waiting: tuple[Message, ...]
    root: Sent | None
    roots: int
    channel: str
    pinned: bool
    closings: tuple[Closing, ...]
    shown: str
    updates: int

    @property
    def since(self) -> datetime | None:
        """Since when something waits (UTC)."""
        return min((message.written for message in self.waiting), default=None)


def outbox(lines: Iterable[Line]) -> Outbox:
    """Read an incident's outbox from its lines."""
    kept = {line.key: line for line in lines if line.kind == Kind.MESSAGE}
    messages = [_message(line) for key, line in kept.items() if key.startswith("message:")]
    sent = {key.removeprefix("sent:"): _sent(line) for key, line in kept.items() if key.startswith("sent:")}
    roots = [place for key, place in sent.items() if key == ROOT or key.startswith(f"{ROOT}#")]
    root = roots[-1] if roots and f"lost:{roots[-1].ts}" not in kept else None
    shown = [line for key, line in kept.items() if key.startswith("shown:")]
    return Outbox(
        waiting=tuple(message for message in messages if message.key not in sent),
        root=root,
        roots=len(roots),
        channel=str(kept["place"].body["channel"]) if "place" in kept else "",
        pinned=root is not None and f"pinned:{root.ts}" in kept,
        closings=_closings(messages, sent, kept),
        shown=str(shown[-1].body["digest"]) if shown and root is not None else "",
        updates=len(shown),
    )


def outstanding_since(lines: Iterable[Line]) -> datetime | None:
    """Since when (UTC) an incident has a message that Slack has not taken; `None` where all have arrived."""
    return outbox(lines).since


def _closings(messages: Sequence[Message], sent: dict[str, Sent], kept: dict[str, Line]) -> tuple[Closing, ...]:
    answers = {message.key.removeprefix(_ANSWER): message.text for message in messages if message.key.startswith(_ANSWER)}
    return tuple(
        Closing(message, sent[message.key], answers[question])
        for message in messages
        if message.asks
        and message.key in sent
        and (question := message.key.removeprefix(_QUESTION)) in answers
        and f"closed:{message.key}" not in kept
    )


def _message(line: Line) -> Message:
    return Message(str(line.body["key"]), str(line.body["text"]), list(line.body["blocks"]), line.at)


def _sent(line: Line) -> Sent:
    return Sent(str(line.body.get("channel", "")), str(line.body["ts"]))
