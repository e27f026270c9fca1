"""Response URLs: what an app may say after a click or a command, five times within half an hour."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from drill.slack.blocks import check_message
from drill.slack.errors import SlackError
from drill.slack.workspace import Channel, Message, Workspace

MOST_USES = 5
VALID_SECONDS = 30 * 60


@dataclass(slots=True)
class _Hook:
    channel: Channel
    user: str
    original: Message | None
    made: float
    uses: int = 0


class Hooks:
    """The response URLs that are out."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._hooks: dict[str, _Hook] = {}

    def mint(self, base_url: str, channel: Channel, user: str, original: Message | None) -> str:
        """A new address, bound to who acted, where, and on which message."""
        secret = secrets.token_urlsafe(18)
        self._hooks[secret] = _Hook(channel, user, original, self._workspace.clock())
        return f"{base_url}/hooks/{self._workspace.team}/{secret}"

    async def handle(self, request: web.Request) -> web.Response:
        """An app's POST to a response URL."""
        hook = self._hooks.get(request.match_info["secret"])
        if hook is None:
            return web.Response(status=404, text="no_service")
        if self._workspace.clock() - hook.made > VALID_SECONDS:
            return web.Response(status=404, text="expired_url")
        if hook.uses >= MOST_USES:
            return web.Response(status=404, text="used_url")
        try:
            body = json.loads(await request.text())
        except ValueError:
            return web.Response(status=400, text="invalid_payload")
        hook.uses += 1
        try:
            self.answer(hook.channel, hook.user, hook.original, body)
        except SlackError as refused:
            return web.Response(status=400, text=refused.code)
        return web.Response(text="ok")

    def answer(self, channel: Channel, user: str, original: Message | None, body: dict[str, Any]) -> None:
        """Carry out an answer: replace or delete the original, or say something to one person or to all.

        Raises:
            SlackError: it has neither text nor blocks, or blocks that Slack refuses.
        """
        if body.get("delete_original") and original is not None:
            self._workspace.remove(channel.id, original)
            return
        content = _content(body)
        if body.get("replace_original") and original is not None:
            self._workspace.edit(original, content)
            return
        thread = str(body.get("thread_ts") or "")
        if body.get("response_type") == "in_channel":
            self._workspace.post(channel, content, thread)
        else:
            self._workspace.whisper(channel, user, content, thread)


def _content(body: dict[str, Any]) -> Message:
    if not body.get("text") and not body.get("blocks"):
        raise SlackError("no_text")
    content: Message = {"text": str(body.get("text") or "")}
    if body.get("blocks"):
        content["blocks"] = check_message(body["blocks"])
    return content
