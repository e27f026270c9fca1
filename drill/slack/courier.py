"""How a click reaches the app: a signed POST to the request URL, or an envelope over Socket Mode; and forgeries of the former.

https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

from aiohttp import ClientError, ClientSession, ClientTimeout

from drill.slack.sockets import Sockets, envelope
from drill.slack.workspace import Clock

ANSWER_SECONDS = 3.0
_STALE_SECONDS = 600
_MOST_KEPT = 200

Envelope = Literal["interactive", "slash_commands"]
Headers = dict[str, str]


@dataclass(frozen=True, slots=True)
class Sent:
    """What went out, byte for byte: a request's body and headers, or an envelope's text and id."""

    via: Literal["http", "socket"]
    content: bytes
    headers: Headers = field(default_factory=dict)
    envelope_id: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What Slack saw of the app's answer. `error` is empty when it came in time."""

    status: int | None
    body: str
    seconds: float
    via: str
    error: str = ""

    @property
    def accepted(self) -> bool:
        return self.status == 200

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Courier:
    """Carries payloads to the app and remembers what it carried."""

    def __init__(self, signing_secret: str, request_url: str, sockets: Sockets, clock: Clock) -> None:
        self.request_url = request_url
        self._secret, self._sockets, self._clock = signing_secret, sockets, clock
        self.sent: list[Sent] = []

    async def deliver(self, kind: Envelope, payload: dict[str, Any]) -> Receipt:
        """Carry a payload over a socket when an app is connected, else to the request URL."""
        if self._sockets.connected:
            text, envelope_id = envelope(kind, payload)
            return await self._carry(Sent("socket", text.encode(), envelope_id=envelope_id))
        return await self._carry(self._signed(_form(kind, payload)))

    async def forge(self, how: str, kind: Envelope, payload: dict[str, Any]) -> Receipt:
        """POST a payload with something wrong about it.

        Raises:
            ValueError: no such forgery is known.
        """
        if how not in FORGERIES:
            raise ValueError(f"how must be replay or one of {', '.join(sorted(FORGERIES))}")
        true = self._signed(_form(kind, payload))
        return await self._carry(FORGERIES[how](true, self._sign))

    async def replay(self, number: int = -1) -> Receipt:
        """Send exact bytes again, by default the last ones.

        Raises:
            ValueError: nothing with that number was sent.
        """
        try:
            return await self._carry(self.sent[number])
        except IndexError:
            raise ValueError("nothing with that number was sent") from None

    def _signed(self, body: bytes) -> Sent:
        stamp = str(int(self._clock()))
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": self._sign(stamp, body),
        }
        return Sent("http", body, headers)

    def _sign(self, stamp: str, body: bytes) -> str:
        base = b":".join((b"v0", stamp.encode(), body))
        return "v0=" + hmac.new(self._secret.encode(), base, hashlib.sha256).hexdigest()

    async def _carry(self, sent: Sent) -> Receipt:
        self.sent = [*self.sent, sent][-_MOST_KEPT:]
        began = time.monotonic()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status, body = await (self._over_socket(sent) if sent.via == "socket" else self._over_http(sent))
            return Receipt(status, body, time.monotonic() - began, sent.via)
        except TimeoutError:
            return Receipt(None, "", time.monotonic() - began, sent.via, "operation_timeout")
        except (ClientError, OSError) as error:
            return Receipt(None, "", time.monotonic() - began, sent.via, f"not reached: {type(error).__name__}")

    async def _over_http(self, sent: Sent) -> tuple[int, str]:
        if not self.request_url:
            raise ConnectionError("the app has no request URL and no socket")
        async with (
            ClientSession(timeout=ClientTimeout(total=None)) as session,
            session.post(self.request_url, data=sent.content, headers=sent.headers, allow_redirects=False) as answer,
        ):
            return answer.status, await answer.text()

    async def _over_socket(self, sent: Sent) -> tuple[int, str]:
        if not self._sockets.connected:
            raise ConnectionError("no app is connected")
        payload = await self._sockets.send(sent.content.decode(), sent.envelope_id)
        return 200, json.dumps(payload) if payload else ""


def _form(kind: Envelope, payload: dict[str, Any]) -> bytes:
    fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(fields).encode()


Signer = Callable[[str, bytes], str]


def _with(sent: Sent, **headers: str | None) -> Sent:
    """The same request with headers replaced, or left out where the value is none; `signature` and `timestamp` name them."""
    names = {"signature": "X-Slack-Signature", "timestamp": "X-Slack-Request-Timestamp"}
    changed = {**sent.headers, **{names[name]: value for name, value in headers.items()}}
    return Sent(sent.via, sent.content, {name: value for name, value in changed.items() if value is not None})


def _stale(sent: Sent, sign: Signer) -> Sent:
    stamp = str(int(sent.headers["X-Slack-Request-Timestamp"]) - _STALE_SECONDS)
    return _with(sent, timestamp=stamp, signature=sign(stamp, sent.content))


def _not_a_number(sent: Sent, sign: Signer) -> Sent:
    return _with(sent, timestamp="yesterday", signature=sign("yesterday", sent.content))


def _altered(sent: Sent, sign: Signer) -> Sent:
    return Sent(sent.via, sent.content + b"&extra=1", sent.headers)


FORGERIES: dict[str, Callable[[Sent, Signer], Sent]] = {
    "bad_signature": lambda sent, sign: _with(sent, signature="v0=" + "0" * 64),
    "no_signature": lambda sent, sign: _with(sent, signature=None),
    "non_ascii_signature": lambda sent, sign: _with(sent, signature="v0=ünterschrift"),
    "no_timestamp": lambda sent, sign: _with(sent, timestamp=None),
    "non_numeric_timestamp": _not_a_number,
    "stale_timestamp": _stale,
    "altered_body": _altered,
}
