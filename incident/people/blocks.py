"""Slack's limits on what a message may hold, met before Slack refuses it. https://docs.slack.dev/reference/block-kit/blocks"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

MOST_BLOCKS = 50
LARGEST = 12_000
"""Characters of all blocks as JSON; a little below where Slack answers `msg_blocks_too_long`, which it does not document."""

LONGEST_TEXT = 3900
"""Characters of a message's text; `chat.update` takes no more than 4,000."""

LONGEST_CHANNEL = 80
_LIMITS = {"header": 150, "section": 3000, "context": 3000}
_FIELD, _FIELDS = 2000, 10
_MORE = "… more in the report and in the plan"
_NOT_IN_CHANNEL_NAMES = re.compile(r"[^a-z0-9]+")
Block = dict[str, Any]


def fitted(text: str, blocks: Iterable[Mapping[str, Any]]) -> tuple[str, list[Block]]:
    """A message within Slack's limits: texts are cut, and blocks that do not fit are left out with a word on it.

    The last block stays where it holds buttons, for without them a question cannot be answered.
    """
    kept = [_block(block) for block in blocks]
    kept = [block for block in kept if block is not None]
    if len(kept) > MOST_BLOCKS or _size(kept) > LARGEST:
        kept = _shortened(kept)
    return cut(text, LONGEST_TEXT) or "Countermand", kept


def cut(text: str, limit: int) -> str:
    """Text of at most `limit` characters that ends outside of an entity such as `&amp;`."""
    if len(text) <= limit:
        return text
    short = text[: limit - 1]
    start = short.rfind("&")
    return (short[:start] if start > short.rfind(";") else short) + "…"


def channel_name(incident: str, about: str) -> str:
    """A name for an incident's own channel: lower-case letters, digits and hyphens, at most 80 of them.

    What an attacker may name is no part of it, only the incident's id and the finding's type.
    """
    words = _NOT_IN_CHANNEL_NAMES.sub("-", f"{incident} {about}".lower()).strip("-")
    return words[:LONGEST_CHANNEL].rstrip("-")


def _block(block: Mapping[str, Any]) -> Block | None:
    kind, done = str(block.get("type")), dict(block)
    if isinstance(done.get("text"), dict):
        done["text"] = _text(done["text"], _LIMITS.get(kind, 3000))
    if "fields" in done:
        done["fields"] = [_text(field, _FIELD) for field in done["fields"][:_FIELDS] if field["text"]]
    if kind == "context":
        done["elements"] = [_text(one, _LIMITS[kind]) if "text" in one else one for one in done["elements"][:10]]
    text: Mapping[str, Any] = done.get("text") or {}
    empty = kind in ("section", "header") and not text.get("text") and not done.get("fields")
    return None if empty else done


def _text(text: Mapping[str, Any], limit: int) -> Block:
    return {**text, "text": cut(str(text["text"]), limit)}


def _shortened(blocks: list[Block]) -> list[Block]:
    more = {"type": "context", "elements": [{"type": "mrkdwn", "text": _MORE}]}
    last = [blocks[-1]] if blocks[-1].get("type") == "actions" else []
    kept: list[Block] = []
    for block in blocks[: len(blocks) - len(last)]:
        if len(kept) + len(last) + 2 > MOST_BLOCKS or _size([*kept, block, more, *last]) > LARGEST:
            break
        kept.append(block)
    return [*kept, more, *last]


def _size(blocks: list[Block]) -> int:
    return len(json.dumps(blocks, ensure_ascii=False))
