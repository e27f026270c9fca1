"""Messages that are pinned to their channel."""

from __future__ import annotations

from drill.slack.errors import SlackError
from drill.slack.methods.registry import TIER_2, Answer, Call, method
from drill.slack.workspace import Channel, Message

_MOST_PINS = 100


@method("pins.add", scope="pins:write", tier=TIER_2)
def add(call: Call) -> Answer:
    """Pin a message to its channel."""
    channel, message = _item(call)
    if message["ts"] in channel.pinned:
        raise SlackError("already_pinned")
    if len(channel.pinned) >= _MOST_PINS:
        raise SlackError("too_many_pins")
    channel.pinned.append(message["ts"])
    message["pinned_to"] = [channel.id]
    call.workspace.touch()
    return {}


@method("pins.remove", scope="pins:write", tier=TIER_2)
def remove(call: Call) -> Answer:
    """Take a pin away; the message stays."""
    channel, message = _item(call)
    if message["ts"] not in channel.pinned:
        raise SlackError("no_pin")
    channel.pinned.remove(message["ts"])
    message.pop("pinned_to", None)
    call.workspace.touch()
    return {}


def _item(call: Call) -> tuple[Channel, Message]:
    channel = call.workspace.writable(call.given.needed("channel"))
    ts = call.given.text("timestamp")
    if not ts:
        raise SlackError("no_item_specified")
    return channel, call.workspace.message(channel.id, ts)
