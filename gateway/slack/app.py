"""Slack's door: a click counts only if Slack signed it, once, from a full member of our own workspace."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import ClientError
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.slack.commands import Reply
from gateway.slack.dialog import (
    CALLBACK,
    CODE_BLOCK,
    REASON_BLOCK,
    AskedBy,
    Described,
    Given,
    Place,
    answers_in,
    asked_by,
    dialog,
    place_in,
    place_of,
    place_of_command,
)
from gateway.slack.guard import Recent, SignatureGuard, bounded_body, with_body

_ANSWER_SECONDS = 2.3
"""Of the three that Slack waits; what takes longer is told in a whisper."""
_CALL_SECONDS = 2
COMMAND = "/incident"
_LONGEST_COMMAND = 1000
_TROUBLES = (SlackClientError, ClientError, OSError)
_log = logging.getLogger("countermand.slack")
Payload = dict[str, Any]
Acknowledge = Callable[..., Awaitable[Any]]


class Commands(Protocol):
    """What `/incident` answers."""

    async def answer(self, *, team: str, user: str, channel: str, text: str) -> Reply:
        """Answer one command."""
        ...


class ApprovalClicks(Protocol):
    """What happens when somebody decides."""

    async def decide(
        self, *, team: str, user: str, approval_id: str, digest: str, decision: str, reason: str, code: str, struck: tuple[str, ...]
    ) -> str:
        """Take a decision; an answer that begins with `error: ` says why it does not count."""
        ...

    async def describe(self, approval_id: str) -> Described:
        """What the dialog shows."""
        ...


def slack_app(
    decisions: ApprovalClicks, commands: Commands | None = None, *, signing_secret: str, bot_token: str, team: str, base_url: str
) -> ASGIApp:
    """The application that answers Slack's requests at `/events`."""
    app = bolt_app(decisions, commands, signing_secret=signing_secret, bot_token=bot_token, team=team, base_url=base_url)
    handler = AsyncSlackRequestHandler(app)
    guard = SignatureGuard(signing_secret)

    async def events(request: Request) -> Response:
        try:
            body = await bounded_body(request)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            return PlainTextResponse("too large", 413)
        refused = guard.refusal(request.headers, body)
        return refused if refused is not None else await handler.handle(with_body(request, body))

    return Starlette(routes=[Route("/events", events, methods=["POST"])])


def bolt_app(
    decisions: ApprovalClicks, commands: Commands | None = None, *, signing_secret: str, bot_token: str, team: str, base_url: str
) -> AsyncApp:
    """The listeners, the same for HTTP and for Socket Mode."""
    client = AsyncWebClient(token=bot_token, base_url=base_url, timeout=_CALL_SECONDS, retry_handlers=[])
    app = AsyncApp(signing_secret=signing_secret, client=client, name="countermand")
    listeners = _Listeners(decisions, client, team)
    app.action(re.compile("countermand_(approve|reject)"))(listeners.clicked)
    app.view(CALLBACK)(listeners.submitted)
    app.error(_troubled)
    if commands is not None:
        app.command(COMMAND)(_Commanded(listeners, commands).commanded)
    return app


async def run_socket_mode(app: AsyncApp, app_token: str) -> None:
    """Serve the listeners over Socket Mode, which needs no door to the outside; runs until cancelled."""
    from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

    # It connects again by itself whenever the connection is lost.
    handler = AsyncSocketModeHandler(app, app_token)
    try:
        await handler.connect_async()
        await asyncio.Event().wait()
    finally:
        await handler.close_async()


class _Listeners:
    def __init__(self, decisions: ApprovalClicks, client: AsyncWebClient, team: str) -> None:
        self._decisions, self._client, self._team = decisions, client, team
        self._recent = Recent()
        self._under_way: set[asyncio.Task[str]] = set()

    async def clicked(self, ack: Acknowledge, body: Payload) -> None:
        """A button: open the dialog that repeats the facts and asks for the code."""
        await ack()
        if self.again(body):
            return
        asked, place = asked_by(body), place_of(body)
        if asked is None:
            await self._whisper(body, place, "This button carries nothing that Countermand knows; open the newest message.")
            return
        problem = await self._stranger(body) or await self.opened(body, asked, place)
        if problem:
            await self._whisper(body, place, problem)

    async def submitted(self, ack: Acknowledge, body: Payload, view: Payload) -> None:
        """The dialog: take the decision, or say beside the field why it does not count.

        A decision that takes longer than Slack waits goes on: the dialog closes, and its outcome is whispered.
        """
        if self.again(body):
            await ack()
            return
        asked, given = answers_in(view)
        if asked.decision == "reject" and not given.reason:
            await ack(response_action="errors", errors={REASON_BLOCK: "Say why; it stands in the report."})
            return
        work = asyncio.create_task(self._decided(body, asked, given))
        self._under_way.add(work)
        work.add_done_callback(self._under_way.discard)
        await asyncio.wait({work}, timeout=_ANSWER_SECONDS)
        if work.done() and work.result().startswith("error: "):
            await ack(response_action="errors", errors={_beside(view): _shown(work.result())[:150]})
            return
        await ack()
        await self._whisper(body, place_in(view), _shown(await work))

    def again(self, body: Payload) -> bool:
        """Whether Slack delivered this very act before, which may happen over a socket; a trigger id names one act."""
        trigger = str(body.get("trigger_id") or "")
        return bool(trigger) and self._recent.again(trigger)

    async def opened(self, body: Payload, asked: AskedBy, place: Place) -> str:
        """Why the dialog did not open, or nothing."""
        try:
            shown = await self._decisions.describe(asked.approval)
            await self._client.views_open(trigger_id=str(body.get("trigger_id", "")), view=dialog(asked, shown, place))
        except Exception as error:
            # Whatever it was, the person who clicked must not be left waiting for a dialog.
            _log.warning("the dialog did not open: %s", type(error).__name__)
            return "The dialog did not open; try again."
        return ""

    async def _decided(self, body: Payload, asked: AskedBy, given: Given) -> str:
        """What came of a decision; begins with `error: ` where it does not count."""
        stranger = await self._stranger(body)
        if stranger:
            return f"error: {stranger}"
        try:
            return await self._decisions.decide(
                team=_id(body, "team"),
                user=_id(body, "user"),
                approval_id=asked.approval,
                digest=asked.digest,
                decision=asked.decision,
                reason=given.reason,
                code=given.code,
                struck=given.struck,
            )
        except Exception:
            # Silence would look like consent to whoever answered.
            _log.exception("a decision could not be taken")
            return "error: Your answer could not be recorded; try again, or answer in Prefect."

    async def _stranger(self, body: Payload) -> str:
        """Why whoever acted may not, whatever the roster says."""
        user = body.get("user") or {}
        return await self.stranger(_id(body, "team"), _id(body, "user"), str(user.get("team_id") or self._team))

    async def stranger(self, team: str, user: str, home: str) -> str:
        """Why a person may neither decide nor ask, whatever the roster says: another workspace, a guest, somebody who left.

        Args:
            home: the workspace that the person belongs to, as far as Slack said it.
        """
        if team != self._team or home != self._team:
            return "Only members of this workspace decide here."
        try:
            info = (await self._client.users_info(user=user))["user"]
        except _TROUBLES:
            return "Slack does not say who you are just now; try again, or answer in Prefect."
        barred = ("is_restricted", "is_ultra_restricted", "is_stranger", "deleted", "is_bot")
        if any(info.get(name) for name in barred) or str(info.get("team_id") or "") != self._team:
            return "Guests and people of other workspaces do not decide here."
        return ""

    async def _whisper(self, body: Payload, place: Place, text: str) -> None:
        """Tell whoever acted, and nobody else, where they acted; after a command by its response URL, for the channel may not
        have the bot in it.
        """
        try:
            if place.answer:
                await AsyncWebhookClient(place.answer, timeout=_CALL_SECONDS).send(text=text, response_type="ephemeral")
                return
            await self._client.chat_postEphemeral(
                channel=place.channel, user=_id(body, "user"), text=text, thread_ts=place.thread or None
            )
        except _TROUBLES as error:
            _log.warning("nobody could be told that %s (%s)", text, type(error).__name__)


class _Commanded:
    """The listener of `/incident`."""

    def __init__(self, listeners: _Listeners, commands: Commands) -> None:
        self._listeners, self._commands = listeners, commands
        self._under_way: set[asyncio.Task[Reply]] = set()

    async def commanded(self, ack: Acknowledge, respond: Acknowledge, body: Payload) -> None:
        """Answer in the acknowledgement, which cannot be lost apart from it; what takes longer follows by the response URL."""
        if self._listeners.again(body):
            await ack()
            return
        work = asyncio.create_task(self._reply(body))
        self._under_way.add(work)
        work.add_done_callback(self._under_way.discard)
        await asyncio.wait({work}, timeout=_ANSWER_SECONDS)
        if work.done() and not work.result().opens:
            await ack(**_ephemeral(work.result()))
            return
        await ack()
        reply = await work
        if reply.opens is not None:
            problem = await self._listeners.opened(body, reply.opens, place_of_command(body))
            reply = Reply(problem)
        if reply.text:
            await self._respond(respond, reply)

    async def _reply(self, body: Payload) -> Reply:
        team, user, channel, text = (str(body.get(name) or "") for name in ("team_id", "user_id", "channel_id", "text"))
        try:
            stranger = await self._listeners.stranger(team[:64], user[:64], team[:64])
            if stranger:
                return Reply(stranger)
            return await self._commands.answer(team=team[:64], user=user[:64], channel=channel[:64], text=text[:_LONGEST_COMMAND])
        except Exception:
            # Whatever it was, whoever asked at night must not be left without an answer.
            _log.exception("a command could not be answered")
            return Reply("That could not be done just now; try again, or use `countermand` on the command line.")

    async def _respond(self, respond: Acknowledge, reply: Reply) -> None:
        try:
            await respond(**_ephemeral(reply))
        except _TROUBLES as error:
            _log.warning("nobody could be told that %s (%s)", reply.text, type(error).__name__)


async def _troubled(error: Exception) -> BoltResponse:
    """Slack itself is away: it is told to come again. Anything else is a fault of ours, of which the log must tell all."""
    if isinstance(error, _TROUBLES):
        _log.warning("Slack's request cannot be answered now: %s", type(error).__name__)
        return BoltResponse(status=503, body="Slack is not reached; try again", headers={"Retry-After": "5"})
    _log.error("Slack's request could not be answered", exc_info=error)
    return BoltResponse(status=500, body="")


def _ephemeral(reply: Reply) -> dict[str, Any]:
    return {"text": reply.text, "blocks": reply.blocks or None, "response_type": "ephemeral"}


def _shown(said: str) -> str:
    return said.removeprefix("error: ")


def _beside(view: Payload) -> str:
    """The field beside which a trouble is told: the code's, where the dialog asks for one."""
    asked = {block.get("block_id") for block in view.get("blocks") or [] if isinstance(block, dict)}
    return CODE_BLOCK if CODE_BLOCK in asked else REASON_BLOCK


def _id(body: Payload, what: str) -> str:
    return str((body.get(what) or {}).get("id") or "")[:64]
