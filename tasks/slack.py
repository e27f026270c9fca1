"""Sending to Slack: a message is never posted twice, whatever was lost on the way.

slack_sdk's default client sends again after a lost reply, which posts twice; here nothing is sent again by itself, and how long
Slack asks to wait is handed to the caller. A message carries its key as metadata, and one whose fate is unknown is looked for
before it is sent again. https://docs.slack.dev/messaging/message-metadata/
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

_EVENT_TYPE = "countermand_message"
_PAGE = 200
_MOST_PAGES = 50
_TIMEOUT_SECONDS = 15
_TROUBLES = (SlackClientError, OSError, HTTPException)
"""What slack_sdk's client lets through: its own errors, and those of the connection and of an answer that broke off."""

_BLOCKS_REFUSED = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"})
_MOST_NAMES = 9
_REFUSED_WITH = 200
_NOT_ABOUT_THE_CALL = frozenset({"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})
Blocks = list[dict[str, Any]]


class SlackUnavailable(Exception):
    """Slack did not take the call, or its answer was lost; the message is one line without secrets.

    Attributes:
        code: Slack's own word where it refused, such as `not_in_channel`; empty where it was not reached, failed, or asked to wait.
        retry_after: how many seconds Slack asked to wait; 0 where it did not.
    """

    def __init__(self, reason: str, code: str = "", retry_after: float = 0.0) -> None:
        super().__init__(reason)
        self.code, self.retry_after = code, retry_after


class SlackChannel:
    """One channel. Safe to use from several threads of one process.

    Args:
        token: the bot's token.
        channel: the channel's id.
        base_url: Slack's Web API, with a slash at its end.
    """

    def __init__(self, token: str, channel: str, base_url: str) -> None:
        self._channel = channel
        # Looking and posting are one act: two threads with the same key must not both find nothing.
        self._posting = threading.Lock()
        self._client = _client(token, base_url)
        self._own_ids: frozenset[str] = frozenset()

    def post(
        self,
        key: str,
        text: str,
        blocks: Blocks,
        thread_ts: str | None = None,
        *,
        look: bool = True,
        oldest: float = 0.0,
        broadcast: bool = False,
    ) -> str:
        """Post once and return the message's timestamp. The same key again returns the message that stands.

        Args:
            look: whether the message may stand already, so that it is looked for first.
            oldest: when it was tried first, as seconds since 1970; 0 looks through everything.
            broadcast: show a reply in the channel as well.

        Raises:
            SlackUnavailable: Slack refused it, or it is not known whether Slack has it; call again with the same key.
        """
        try:
            with self._posting:
                found = self._find(key, thread_ts, oldest) if look else ""
                return found or self._post(key, text, blocks, thread_ts, broadcast and thread_ts is not None)
        except _TROUBLES as error:
            raise _unavailable(error) from None

    def update(self, ts: str, text: str, blocks: Blocks) -> None:
        """Replace a message. Blocks are always sent: without them Slack keeps the old buttons.

        Raises:
            SlackUnavailable: Slack refused it or did not answer.
        """
        try:
            self._client.chat_update(channel=self._channel, ts=ts, text=text, blocks=blocks)
        except _TROUBLES as error:
            if _code(error) not in _BLOCKS_REFUSED:
                raise _unavailable(error) from None
            self._update_plainly(ts, text)

    def pin(self, ts: str) -> None:
        """Pin a message; one that is pinned stays so.

        Raises:
            SlackUnavailable: Slack refused it or did not answer.
        """
        try:
            self._client.pins_add(channel=self._channel, timestamp=ts)
        except _TROUBLES as error:
            if _code(error) != "already_pinned":
                raise _unavailable(error) from None

    def _update_plainly(self, ts: str, text: str) -> None:
        try:
            self._client.chat_update(channel=self._channel, ts=ts, text=text, blocks=[])
        except _TROUBLES as error:
            raise _unavailable(error) from None

    def _post(self, key: str, text: str, blocks: Blocks, thread_ts: str | None, broadcast: bool) -> str:
        """Post with blocks; if Slack refuses those, the text alone, for a message must not be lost over its looks."""
        given: dict[str, Any] = {
            "channel": self._channel,
            "text": text,
            "thread_ts": thread_ts,
            "metadata": {"event_type": _EVENT_TYPE, "event_payload": {"key": key}},
            "unfurl_links": False,
            **({"reply_broadcast": True} if broadcast else {}),
        }
        try:
            answer = self._client.chat_postMessage(**given, blocks=blocks)
        except SlackApiError as refused:
            if _code(refused) not in _BLOCKS_REFUSED:
                raise
            answer = self._client.chat_postMessage(**given)
        return str(answer["ts"])

    def _find(self, key: str, thread_ts: str | None, oldest: float) -> str:
        """The timestamp of our own message with this key, or nothing. Another app's metadata says nothing about ours."""
        ours = self._who_we_are()
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = self._page(thread_ts, cursor, oldest)
            for message in page.get("messages", []):
                if ours & {message.get("user"), message.get("bot_id")} and _key_of(message) == key:
                    return str(message["ts"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return ""
        raise SlackUnavailable(f"more than {_PAGE * _MOST_PAGES} messages came since; whether ours is among them is not known")

    def _who_we_are(self) -> frozenset[str]:
        """The ids under which our messages stand: the bot's user, and the bot."""
        if not self._own_ids:
            self._own_ids = _own_ids(self._client)
        return self._own_ids

    def _page(self, thread_ts: str | None, cursor: str | None, oldest: float) -> dict[str, Any]:
        more: dict[str, Any] = {"include_all_metadata": True, "limit": _PAGE, "cursor": cursor}
        if oldest > 0:
            more["oldest"] = f"{oldest:.6f}"
        if thread_ts:
            answer = self._client.conversations_replies(channel=self._channel, ts=thread_ts, **more)
        else:
            answer = self._client.conversations_history(channel=self._channel, **more)
        return dict(answer.data) if isinstance(answer.data, dict) else {}


class SlackWorkspace:
    """The workspace that the bot's token belongs to: its channels, and new ones.

    Args:
        token: the bot's token.
        base_url: Slack's Web API, with a slash at its end.
    """

    def __init__(self, token: str, base_url: str) -> None:
        self._token, self._base_url = token, base_url
        self._client = _client(token, base_url)
        self._channels: dict[str, SlackChannel] = {}

    def at(self, channel: str) -> SlackChannel:
        """A channel by its id."""
        return self._channels.setdefault(channel, SlackChannel(self._token, channel, self._base_url))

    def open_channel(self, name: str) -> str:
        """A private channel of our own with this name, made now or before; its id.

        Where somebody else has the name, a number is put behind it.

        Raises:
            SlackUnavailable: Slack refused it, or it is not known whether there is one; call again with the same name.
        """
        try:
            for number in range(1, _MOST_NAMES + 1):
                found = self._created(name if number == 1 else f"{name[:78]}-{number}")
                if found:
                    return found
        except _TROUBLES as error:
            raise _unavailable(error) from None
        raise SlackUnavailable(f"the name {name} and those like it are taken", "name_taken")

    def describe(self, channel: str, topic: str) -> None:
        """Set a channel's topic.

        Raises:
            SlackUnavailable: Slack refused it or did not answer.
        """
        try:
            self._client.conversations_setTopic(channel=channel, topic=topic)
        except _TROUBLES as error:
            raise _unavailable(error) from None

    def invite(self, channel: str, people: Iterable[str]) -> list[str]:
        """Invite people by their ids; who could not be invited, each with Slack's word for why.

        Raises:
            SlackUnavailable: Slack did not answer.
        """
        missing: list[str] = []
        for person in people:
            try:
                self._client.conversations_invite(channel=channel, users=person)
            except _TROUBLES as error:
                code = _code(error)
                if not code:
                    raise _unavailable(error) from None
                if code not in ("already_in_channel", "cant_invite_self"):
                    missing.append(f"{person}: {code}")
        return missing

    def _created(self, name: str) -> str:
        """The id of a new channel, or of our own one with this name; empty where it is somebody else's."""
        try:
            return str(self._client.conversations_create(name=name, is_private=True)["channel"]["id"])
        except SlackApiError as refused:
            if _code(refused) != "name_taken":
                raise
        ours, cursor = _own_ids(self._client), None
        while True:
            answer = self._client.users_conversations(types="private_channel", exclude_archived=True, limit=_PAGE, cursor=cursor)
            for channel in answer.get("channels") or []:
                if channel["name"] == name and channel.get("creator") in ours:
                    return str(channel["id"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return ""


def _client(token: str, base_url: str) -> WebClient:
    return WebClient(token=token, base_url=base_url, timeout=_TIMEOUT_SECONDS, retry_handlers=[])


def _own_ids(client: WebClient) -> frozenset[str]:
    answer = client.auth_test()
    return frozenset(str(answer[name]) for name in ("user_id", "bot_id") if answer.get(name))


def _key_of(message: dict[str, Any]) -> str:
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    return str(payload.get("key", "")) if metadata.get("event_type") == _EVENT_TYPE else ""


def _code(error: Exception) -> str:
    """Slack's word for a refusal, which comes with status 200; empty for everything that says nothing about the call itself."""
    if not isinstance(error, SlackApiError) or error.response.status_code != _REFUSED_WITH:
        return ""
    code = str(error.response.get("error") or "")
    return "" if code in _NOT_ABOUT_THE_CALL else code


def _unavailable(error: Exception) -> SlackUnavailable:
    if not isinstance(error, SlackApiError):
        return SlackUnavailable(f"Slack was not reached ({type(error).__name__})")
    status = error.response.status_code
    reason = error.response.get("error") or "without a reason" if status == _REFUSED_WITH else f"status {status}"
    return SlackUnavailable(f"Slack answered {reason}", _code(error), _seconds(error.response.headers.get("Retry-After", "")))


def _seconds(text: object) -> float:
    said = str(text)
    return float(said) if said.isascii() and said.isdecimal() else 0.0
