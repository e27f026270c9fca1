"""The guard at Slack's door: lets through what Slack signed, just now, and only once.

Bolt checks signatures too, but answers 500 to a timestamp that is no number and to a signature that is not ASCII, and runs an
exact replay again. https://docs.slack.dev/authentication/verifying-requests-from-slack/
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable, Hashable, Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

OLDEST_SECONDS = 300
LARGEST_BODY = 512 * 1024
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
Clock = Callable[[], float]


class Recent:
    """Remembers what was seen, for as long as Slack's signature on it could be valid."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[Hashable, float] = {}

    def again(self, what: Hashable) -> bool:
        """Whether this was seen before; from now on it was."""
        now = self._clock()
        self._seen = {known: at for known, at in self._seen.items() if now - at <= 2 * OLDEST_SECONDS}
        known = what in self._seen
        self._seen.setdefault(what, now)
        return known


class SignatureGuard:
    """Refuses what Slack did not sign, what is old, and what was seen before."""

    def __init__(self, signing_secret: str, clock: Clock = time.time) -> None:
        self._secret, self._clock, self._recent = signing_secret.encode(), clock, Recent(clock)

    def refusal(self, headers: Mapping[str, str], body: bytes) -> Response | None:
        """The answer to a request that goes no further, or nothing."""
        stamp = headers.get("x-slack-request-timestamp", "")
        if not _TIMESTAMP.fullmatch(stamp) or abs(self._clock() - int(stamp)) > OLDEST_SECONDS:
            return PlainTextResponse("the timestamp is missing or old", 401)
        signature = headers.get("x-slack-signature", "").encode("latin-1", "replace")
        expected = b"v0=" + hmac.new(self._secret, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest().encode()
        if not hmac.compare_digest(expected, signature):
            return PlainTextResponse("the signature is wrong", 401)
        # The first answer may have been lost, so Slack gets the same: taken, and nothing more happens.
        return Response(status_code=200) if self._recent.again(expected) else None


async def bounded_body(request: Request) -> bytes | None:
    """The body, or nothing when it is larger than anything that Slack sends; no more than that is ever held.

    Raises:
        ClientDisconnect: the sender left before its end.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            return None
    return bytes(body)


def with_body(request: Request, body: bytes) -> Request:
    """The same request, with a body that can be read again."""

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)
