"""Keeps what the range answers in one region, and answers it again for every region as fast as this machine can.

Against the range itself a measure of many calls is one of the range, which works on one call at a time. `recording` stands
between a client and the range, `replaying` answers by the request's bytes. Signatures are not looked at; a call that was not
recorded gets an error, and is named.
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from typing import Any
from urllib.parse import urlsplit

Key = tuple[str, str, bytes, str]
"""Service, method with path, body, and the operation's header where the protocol has one."""

CALLS = "/-/calls"
"""How many calls were answered since this was last asked."""

Kept = dict[Key, tuple[int, str, bytes]]
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request")


def key_of(method: str, path: str, body: bytes, authorization: str, target: str, home: str) -> Key:
    """What tells requests apart, whatever the region."""
    found = _SCOPE.search(authorization)
    region, service = found.groups() if found else (home, "")
    named = region.encode()
    return service, f"{method} {path}".replace(region, home), body.replace(named, home.encode()), target


@contextmanager
def recording(range_url: str, home: str) -> Iterator[tuple[str, Kept]]:
    """A proxy before the range; its address, and what it has kept."""
    kept: Kept = {}
    where = urlsplit(range_url)

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "accept-encoding"}
            upstream = HTTPConnection(where.hostname or "", where.port, timeout=120)
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            told = answer.status, answer.getheader("Content-Type", ""), answer.read()
            upstream.close()
            authorization, target = self.headers.get("Authorization", ""), self.headers.get("X-Amz-Target", "")
            kept[key_of(self.command, self.path, body, authorization, target, home)] = told
            self.wfile.write(head(*told))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", kept
    finally:
        server.shutdown()


def head(status: int, media: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Type: {media}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def replaying(kept: Kept, home: str, delay: float) -> Iterator[str]:
    """A server in a process of its own, which answers each call after `delay` seconds; its address."""
    context = get_context("fork")
    mine, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(kept, home, delay, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{mine.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(kept: Kept, home: str, delay: float, pipe: Any) -> None:
    answers = {key: head(*told) for key, told in kept.items()}
    missing: set[Key] = set()
    asked_for = 0

    class Replay(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport, self.held = transport, b""

        def data_received(self, data: bytes) -> None:
            self.held += data
            if b"\r\n\r\n" not in self.held:
                return
            told, _, body = self.held.partition(b"\r\n\r\n")
            lines = told.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            if headers.get("expect") and not body:
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if len(body) < int(headers.get("content-length", 0)):
                return
            self.held = b""
            method, path, _ = lines[0].split(" ")
            nonlocal asked_for
            if path == CALLS:
                self.transport.write(head(200, "text/plain", str(asked_for).encode()))
                asked_for = 0
                return
            asked_for += 1
            asked = key_of(method, path, body, headers.get("authorization", ""), headers.get("x-amz-target", ""), home)
            if asked not in answers and asked not in missing:
                missing.add(asked)
                print(f"  not recorded: {asked[0]} {asked[1]} {asked[3]} {asked[2][:200]!r}", file=sys.stderr, flush=True)
            asyncio.get_running_loop().call_later(delay, self.transport.write, answers.get(asked, _NOT_RECORDED))

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Replay, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


_NOT_RECORDED = head(
    400, "text/xml", b"<Response><Errors><Error><Code>NotRecorded</Code><Message>x</Message></Error></Errors></Response>"
)
