"""Reading a channel back: its history and its threads, in pages."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from drill.slack.arguments import Arguments
from drill.slack.errors import SlackError
from drill.slack.methods.registry import TIER_3, Answer, Call, method
from drill.slack.workspace import Message

_MOST_IN_PAGE = 999


@method("conversations.history", scope="{kind}:history", tier=TIER_3)
def history(call: Call) -> Answer:
    """What stands outside threads, newest first."""
    channel = call.workspace.joined(call.given.needed("channel"))
    messages = [m for m in call.workspace.roots(channel.id) if _is_between(m, call.given)]
    answer = _page(messages, call.given, default=100)
    return {**answer, "pin_count": len(channel.pinned)}


@method("conversations.replies", scope="{kind}:history", tier=TIER_3)
def replies(call: Call) -> Answer:
    """A thread, its first message included, oldest first."""
    channel = call.workspace.joined(call.given.needed("channel"))
    thread = call.workspace.thread(channel.id, call.given.needed("ts"))
    messages = [m for m in thread if m is thread[0] or _is_between(m, call.given)]
    return _page(messages, call.given, default=1000)


def _is_between(message: Message, given: Arguments) -> bool:
    """Whether a message lies between `oldest` and `latest`; at one of them only when `inclusive` is set."""
    ts, inclusive = float(message["ts"]), given.flag("inclusive")
    try:
        oldest, latest = float(given.text("oldest", "0")), float(given.text("latest", "inf"))
    except ValueError:
        raise SlackError("invalid_ts_oldest") from None
    return oldest < ts < latest or (inclusive and ts in (oldest, latest))


def page_of(rows: Sequence[Any], given: Arguments, default: int) -> tuple[Sequence[Any], Answer]:
    """The rows of the page that a call asks for, and what its answer says about the next one."""
    start = _start(given.text("cursor"))
    size = given.number("limit", default, _MOST_IN_PAGE)
    has_more = start + size < len(rows)
    cursor = base64.b64encode(f"next:{start + size}".encode()).decode() if has_more else ""
    return rows[start : start + size], {"response_metadata": {"next_cursor": cursor}} if has_more else {}


def _page(messages: Sequence[Message], given: Arguments, default: int) -> Answer:
    shown, more = page_of(messages, given, default)
    seen = [_seen(message, whole=given.flag("include_all_metadata")) for message in shown]
    return {"messages": seen, "has_more": bool(more), **more}


def _start(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        word, _, number = base64.b64decode(cursor, validate=True).decode().partition(":")
    except ValueError:
        raise SlackError("invalid_cursor") from None
    if word != "next" or not number.isdecimal():
        raise SlackError("invalid_cursor")
    return int(number)


def _seen(message: Message, *, whole: bool) -> Message:
    """A message as a reader gets it: metadata without its payload unless all of it is asked for."""
    if whole or "metadata" not in message:
        return message
    return {**message, "metadata": {"event_type": message["metadata"].get("event_type", "")}}
