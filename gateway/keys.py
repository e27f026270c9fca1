"""Who may deliver: the webhook's shared key, in whichever header the sender can set."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence

from starlette.datastructures import Headers

_NAMES = ("current", "next")


def matching_key(headers: Headers, keys: Sequence[bytes]) -> str | None:
    """Which key a request carries: `current`, `next`, …; none where it carries no right one.

    Compares with every key, always all of them, as bytes: `compare_digest` raises on text that is not ASCII.
    """
    given = _given(headers)
    matches = [hmac.compare_digest(given, key) for key in keys]
    if not given or True not in matches:
        return None
    place = matches.index(True)
    return _NAMES[place] if place < len(_NAMES) else f"key {place + 1}"


def _given(headers: Headers) -> bytes:
    """The key as the sender's bytes: Starlette reads headers as Latin-1, which gives every byte back."""
    if header := headers.get("x-countermand-key", ""):
        return header.encode("latin-1")
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode("latin-1")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip().encode("latin-1"), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""
