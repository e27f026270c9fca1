"""Slack's door: a click counts only if Slack signed it, once, from a full member of our own workspace.

https://docs.slack.dev/authentication/verifying-requests-from-slack/
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.slack_dialog import CALLBACK, CODE_BLOCK, answers_in, asked_by, dialog
from tasks.slack import SlackUnavailable

OLDEST_SECONDS = 300
_LARGEST_BODY = 512 * 1024
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_log = logging.getLogger("countermand.slack")
Payload = dict[str, Any]


class ApprovalClicks(Protocol):
    """What happens when somebody decides."""

    async def decide(
        self, *, team: str, user: str, surface: str, approval_id: str, digest: str, decision: str, reason: str, code: str
    ) -> str:
        """Take a decision; an answer that begins with `error: ` says why it does not count."""
        ...

    async def describe(self, approval_id: str) -> str:
        """What the dialog says above its fields, as mrkdwn."""
        ...


def slack_app(decisions: ApprovalClicks, *, signing_secret: str, bot_token: str, team: str, base_url: str) -> ASGIApp:
    """The application that answers Slack's requests at `/events`."""
    app = bolt_app(decisions, signing_secret=signing_secret, bot_token=bot_token, team=team, base_url=base_url)
    handler = AsyncSlackRequestHandler(app)
    guard = SignatureGuard(signing_secret)

    async def events(request: Request) -> Response:
        refused = await guard.refusal(request)
        return refused if refused is not None else await handler.handle(request)

    return Starlette(routes=[Route("/events", events, methods=["POST"])])


def bolt_app(decisions: ApprovalClicks, *, signing_secret: str, bot_token: str, team: str, base_url: str) -> AsyncApp:
    """The listeners, the same for HTTP and for Socket Mode."""
    client = AsyncWebClient(token=bot_token, base_url=base_url, retry_handlers=[])
    app = AsyncApp(signing_secret=signing_secret, client=client, name="countermand")
    listeners = _Listeners(decisions, client, team)
    app.action(re.compile("countermand_(approve|reject)"))(listeners.clicked)
    app.view(CALLBACK)(listeners.submitted)
    return app


async def run_socket_mode(app: AsyncApp, app_token: str) -> None:
    """Serve the listeners over Socket Mode, which needs no door to the outside; runs until cancelled."""
    from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

    await AsyncSocketModeHandler(app, app_token).start_async()


class SignatureGuard:
    """Refuses what Slack did not sign, what is old, and what was seen before, ahead of bolt.

    Bolt answers 500 to a timestamp that is no number and to a signature that is not ASCII, and runs a replay again.
    """

    def __init__(self, signing_secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret, self._clock = signing_secret.encode(), clock
        self._seen: dict[bytes, float] = {}

    async def refusal(self, request: Request) -> Response | None:
        """The answer to a request that goes no further, or nothing."""
        if int(request.headers.get("content-length") or 0) > _LARGEST_BODY:
            return PlainTextResponse("too large", 413)
        body = await request.body()
        stamp = request.headers.get("x-slack-request-timestamp", "")
        signature = request.headers.get("x-slack-signature", "").encode("latin-1", "replace")
        now = self._clock()
        if not _TIMESTAMP.fullmatch(stamp) or abs(now - int(stamp)) > OLDEST_SECONDS:
            return PlainTextResponse("the timestamp is missing or old", 401)
        expected = b"v0=" + hmac.new(self._secret, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest().encode()
        if not hmac.compare_digest(expected, signature):
            return PlainTextResponse("the signature is wrong", 401)
        # The first answer may have been lost, so Slack gets the same: taken, and nothing more happens.
        return Response(status_code=200) if self._was_seen(expected, now) else None

    def _was_seen(self, signature: bytes, now: float) -> bool:
        self._seen = {known: at for known, at in self._seen.items() if now - at <= 2 * OLDEST_SECONDS}
        if signature in self._seen:
            return True
        self._seen[signature] = now
        return False


class _Listeners:
    def __init__(self, decisions: ApprovalClicks, client: AsyncWebClient, team: str) -> None:
        self._decisions, self._client, self._team = decisions, client, team

    async def clicked(self, ack: Callable[..., Awaitable[Any]], body: Payload) -> None:
        """A button: open the dialog that repeats the facts and asks for the code."""
        await ack()
        asked = asked_by(body)
        if asked is None:
            await self._whisper(body, "This button carries nothing that Countermand knows; open the newest message.")
            return
        refused = await self._stranger(body)
        if refused:
            await self._whisper(body, refused)
            return
        facts = await self._decisions.describe(asked.approval)
        try:
            await self._client.views_open(trigger_id=str(body.get("trigger_id", "")), view=dialog(asked, facts))
        except (SlackClientError, OSError) as error:
            _log.warning("the dialog did not open: %s", type(error).__name__)
            await self._whisper(body, "The dialog did not open; press the button again.")

    async def submitted(self, ack: Callable[..., Awaitable[Any]], body: Payload, view: Payload) -> None:
        """The dialog: take the decision, or say beside the field why it does not count."""
        asked, given = answers_in(view)
        problem = await self._stranger(body)
        if not problem:
            said = await self._decisions.decide(
                team=_id(body, "team"),
                user=_id(body, "user"),
                surface="slack",
                approval_id=asked.approval,
                digest=asked.digest,
                decision=asked.decision,
                reason=given.reason,
                code=given.code,
            )
            problem = said.removeprefix("error: ") if said.startswith("error: ") else ""
        if problem:
            await ack(response_action="errors", errors={CODE_BLOCK: problem[:150]})
        else:
            await ack()

    async def _stranger(self, body: Payload) -> str:
        """Why this person may not decide, whatever the roster says: another workspace, a guest, somebody who left."""
        user = body.get("user") or {}
        if _id(body, "team") != self._team or str(user.get("team_id") or self._team) != self._team:
            return "Only members of this workspace decide here."
        try:
            info = (await self._client.users_info(user=_id(body, "user")))["user"]
        except (SlackClientError, OSError, SlackUnavailable):
            return "Slack does not say who you are just now; try again, or answer in Prefect."
        barred = ("is_restricted", "is_ultra_restricted", "is_stranger", "deleted", "is_bot")
        if any(info.get(name) for name in barred) or str(info.get("team_id") or "") != self._team:
            return "Guests and people of other workspaces do not decide here."
        return ""

    async def _whisper(self, body: Payload, text: str) -> None:
        channel = str((body.get("channel") or {}).get("id") or "")
        try:
            await self._client.chat_postEphemeral(channel=channel, user=_id(body, "user"), text=text)
        except (SlackClientError, OSError) as error:
            _log.warning("nobody could be told that %s (%s)", text, type(error).__name__)


def _id(body: Payload, what: str) -> str:
    return str((body.get(what) or {}).get("id") or "")[:64]
