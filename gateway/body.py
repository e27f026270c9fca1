"""Reading a request's body: never more of it in memory than a finding can have, as sent and unpacked."""

from __future__ import annotations

import zlib

from starlette.requests import Request

LARGEST_BODY = 256 * 1024
"""Bytes, as sent and unpacked; EventBridge's own limit for one event."""

_GZIP = 16 + zlib.MAX_WBITS


class TooLarge(Exception):
    """More bytes than a finding can have."""


async def read_body(request: Request) -> bytes:
    """The body, unpacked where it is packed with gzip. What does not unpack is returned as it came, for a person to see.

    Raises:
        TooLarge: it has more than `LARGEST_BODY` bytes, as sent or unpacked.
    """
    if _announced(request) > LARGEST_BODY:
        raise TooLarge
    sent = bytearray()
    async for chunk in request.stream():
        sent += chunk
        if len(sent) > LARGEST_BODY:
            raise TooLarge
    packed = request.headers.get("content-encoding", "").strip().lower() in ("gzip", "x-gzip")
    return unpacked(bytes(sent)) if packed else bytes(sent)


def unpacked(packed: bytes) -> bytes:
    """What gzip packed, or `packed` itself where it is not whole gzip.

    Raises:
        TooLarge: it unpacks to more than `LARGEST_BODY` bytes; no more than that is ever unpacked.
    """
    whole, rest = b"", packed
    while rest:
        member = zlib.decompressobj(_GZIP)
        try:
            whole += member.decompress(rest, LARGEST_BODY + 1 - len(whole))
        except zlib.error:
            return packed
        if len(whole) > LARGEST_BODY:
            raise TooLarge
        if not member.eof:
            return packed
        rest = member.unused_data
    return whole


def _announced(request: Request) -> int:
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0
