"""Sending to Slack: a message is never posted twice, whatever was lost on the way.

slack_sdk's default client sends again after a lost reply, which posts twice; only rate limits are waited out here. A message
carries its key as metadata, and one whose fate is unknown is looked for before it is sent again.
https://docs.slack.dev/messaging/message-metadata/
"""

from __future__ import annotations

import threading
from http.client import HTTPException
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

_EVENT_TYPE = "countermand_message"
_PAGE = 200
_MOST_PAGES = 5
_TIMEOUT_SECONDS = 15
_TROUBLES = (SlackClientError, OSError, HTTPException)
"""What slack_sdk's client lets through: its own errors, and those of the connection and of an answer that broke off."""


class SlackUnavailable(Exception):
    """Slack did not take the message, or its answer was lost; the message is one line without secrets."""


class SlackChannel:
    """One channel. Safe to use from several threads.

    Args:
        token: the bot's token.
        channel: the channel's id.
        base_url: Slack's Web API, with a slash at its end.
    """

    def __init__(self, token: str, channel: str, base_url: str) -> None:
        self._channel = channel
        self._own_ids: set[str] = set()
        # Looking and posting are one act: two threads with the same key must not both find nothing.
        self._posting = threading.Lock()
        self._client = WebClient(
            token=token, base_url=base_url, timeout=_TIMEOUT_SECONDS, retry_handlers=[RateLimitErrorRetryHandler(max_retry_count=3)]
        )

    def post(self, key: str, text: str, blocks: list[dict[str, Any]], thread_ts: str | None = None) -> str:
        """Post once and return the message's timestamp. The same key again returns the message that stands.

        Raises:
            SlackUnavailable: Slack refused it, or it is not known whether Slack has it; call again with the same key.
        """
        try:
            with self._posting:
                return self._find(key, thread_ts) or self._post(key, text, blocks, thread_ts)
        except _TROUBLES as error:
            raise SlackUnavailable(_reason(error)) from None

    def update(self, ts: str, text: str, blocks: list[dict[str, Any]]) -> None:
        """Replace a message. Blocks are always sent: without them Slack keeps the old buttons.

        Raises:
            SlackUnavailable: Slack refused it or did not answer.
        """
        try:
            self._client.chat_update(channel=self._channel, ts=ts, text=text, blocks=blocks)
        except _TROUBLES as error:
            raise SlackUnavailable(_reason(error)) from None

    def _post(self, key: str, text: str, blocks: list[dict[str, Any]], thread_ts: str | None) -> str:
        metadata = {"event_type": _EVENT_TYPE, "event_payload": {"key": key}}
        answer = self._client.chat_postMessage(
            channel=self._channel, text=text, blocks=blocks, thread_ts=thread_ts, metadata=metadata, unfurl_links=False
        )
        return str(answer["ts"])

    def _find(self, key: str, thread_ts: str | None) -> str:
        """The timestamp of our own message with this key, or nothing. Another app's metadata says nothing about ours."""
        ours = self._who_we_are()
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = self._page(thread_ts, cursor)
            for message in page.get("messages", []):
                if ours & {message.get("user"), message.get("bot_id")} and _key_of(message) == key:
                    return str(message["ts"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return ""

    def _who_we_are(self) -> set[str]:
        """The ids under which our messages stand: the bot's user, and the bot."""
        if not self._own_ids:
            answer = self._client.auth_test()
            self._own_ids = {str(answer[name]) for name in ("user_id", "bot_id") if answer.get(name)}
        return self._own_ids

    def _page(self, thread_ts: str | None, cursor: str | None) -> dict[str, Any]:
        if thread_ts:
            answer = self._client.conversations_replies(
                channel=self._channel, ts=thread_ts, include_all_metadata=True, limit=_PAGE, cursor=cursor
            )
        else:
            answer = self._client.conversations_history(
                channel=self._channel, include_all_metadata=True, limit=_PAGE, cursor=cursor
            )
        return dict(answer.data) if isinstance(answer.data, dict) else {}


def _key_of(message: dict[str, Any]) -> str:
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    return str(payload.get("key", "")) if metadata.get("event_type") == _EVENT_TYPE else ""


def _reason(error: Exception) -> str:
    if isinstance(error, SlackApiError):
        return f"Slack answered {error.response.get('error', 'without a reason')}"
    return f"Slack was not reached ({type(error).__name__})"
