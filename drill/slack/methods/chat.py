"""Messages: post, update, whisper."""

from __future__ import annotations

import json
from typing import Any

from drill.slack.arguments import Arguments
from drill.slack.blocks import check_message
from drill.slack.errors import SlackError
from drill.slack.methods.registry import TIER_3, TIER_4, Answer, Call, method
from drill.slack.workspace import BOT_USER, Message

_LONGEST_POST = 40_000
_LONGEST_UPDATE = 4_000
_LARGEST_METADATA = 8_000
"""Characters as JSON. Slack does not document where `metadata_too_large` begins; this is on the careful side."""


@method("chat.postMessage", scope="chat:write", per_channel=True)
def post_message(call: Call) -> Answer:
    """Post; a text over 40,000 characters is cut, as Slack does."""
    channel = call.workspace.writable(call.given.needed("channel"))
    content = _content(call.given)
    content["text"] = content["text"][:_LONGEST_POST]
    if "metadata" in call.given:
        content["metadata"] = _metadata(call.given)
    thread, sent_id = call.given.text("thread_ts"), call.given.text("client_msg_id")
    message = call.workspace.post(channel, content, thread, sent_id, broadcast=call.given.flag("reply_broadcast"))
    return {"channel": channel.id, "ts": message["ts"], "message": message}


@method("chat.update", scope="chat:write", tier=TIER_3)
def update(call: Call) -> Answer:
    """Replace a message of the bot's. Without `blocks` it keeps those that it has; an empty list removes them."""
    channel = call.workspace.writable(call.given.needed("channel"))
    message = call.workspace.message(channel.id, call.given.needed("ts"))
    if message["user"] != BOT_USER:
        raise SlackError("cant_update_message")
    content = _content(call.given)
    if len(content["text"]) > _LONGEST_UPDATE:
        raise SlackError("msg_too_long")
    if "metadata" in call.given:
        content["metadata"] = _metadata(call.given)
    call.workspace.edit(message, content)
    return {"channel": channel.id, "ts": message["ts"], "text": message["text"], "message": message}


@method("chat.postEphemeral", scope="chat:write", tier=TIER_4)
def post_ephemeral(call: Call) -> Answer:
    """Whisper to one person."""
    channel = call.workspace.writable(call.given.needed("channel"))
    user = call.given.needed("user")
    if user not in call.workspace.people or not channel.holds(user):
        raise SlackError("user_not_in_channel")
    message = call.workspace.whisper(channel, user, _content(call.given), call.given.text("thread_ts"))
    return {"message_ts": message["ts"]}


def _content(given: Arguments) -> Message:
    """The text and blocks that a call carries; one of them must be there."""
    content: Message = {"text": given.text("text")}
    blocks = given.structure("blocks", "invalid_blocks_format")
    if blocks is not None:
        content["blocks"] = check_message(blocks)
    if not content["text"] and not content.get("blocks"):
        raise SlackError("no_text")
    return content


def _metadata(given: Arguments) -> dict[str, Any]:
    metadata = given.structure("metadata", "invalid_metadata_format")
    if metadata == {}:
        return {}
    if not isinstance(metadata, dict) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")
    if set(metadata) - {"event_type", "event_payload", "entities"} or not isinstance(metadata.get("event_type"), str):
        raise SlackError("invalid_metadata_schema")
    if len(json.dumps(metadata)) > _LARGEST_METADATA:
        raise SlackError("metadata_too_large")
    return metadata
