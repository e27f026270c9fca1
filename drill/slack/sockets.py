"""Socket Mode: web sockets on which an app takes clicks without a door of its own.

https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import uuid
from typing import Any

from aiohttp import WSMsgType, web

from drill.slack.workspace import APP_ID

_MOST_CONNECTIONS = 10


class Sockets:
    """The connected apps. Envelopes go round between the connections; each waits for its acknowledgement."""

    def __init__(self) -> None:
        self._tickets: set[str] = set()
        self._connections: list[web.WebSocketResponse] = []
        self._turn = itertools.count()
        self._waiting: dict[str, asyncio.Future[Any]] = {}

    @property
    def connected(self) -> int:
        return len(self._connections)

    def new_address(self, host: str) -> str:
        """A web socket's address that works once."""
        ticket = secrets.token_urlsafe(16)
        self._tickets.add(ticket)
        return f"ws://{host}/link?ticket={ticket}&app_id={APP_ID}"

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One connection, for as long as it lasts."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets or self.connected >= _MOST_CONNECTIONS:
            return web.Response(status=403)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._connections.append(socket)
        try:
            await socket.send_json(_hello(self.connected))
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    self._acknowledge(message.data)
        finally:
            self._connections.remove(socket)
        return socket

    async def send(self, text: str, envelope_id: str) -> Any:
        """Send an envelope and return the payload of its acknowledgement."""
        waiting = self._waiting[envelope_id] = asyncio.get_running_loop().create_future()
        try:
            await self._connections[next(self._turn) % self.connected].send_str(text)
            return await waiting
        finally:
            self._waiting.pop(envelope_id, None)

    async def close(self) -> None:
        """Ask every app to go, then close."""
        for socket in list(self._connections):
            await socket.close()

    def _acknowledge(self, text: str) -> None:
        try:
            answer = json.loads(text)
        except ValueError:
            return
        waiting = self._waiting.get(str(answer.get("envelope_id"))) if isinstance(answer, dict) else None
        if waiting is not None and not waiting.done():
            waiting.set_result(answer.get("payload"))


def envelope(kind: str, payload: dict[str, Any]) -> tuple[str, str]:
    """What goes over the socket, and its id."""
    envelope_id = str(uuid.uuid4())
    content = {"envelope_id": envelope_id, "payload": payload, "type": kind, "accepts_response_payload": True}
    return json.dumps(content), envelope_id


def _hello(connections: int) -> dict[str, Any]:
    return {
        "type": "hello",
        "num_connections": connections,
        "debug_info": {"host": "practice", "approximate_connection_time": 18060},
        "connection_info": {"app_id": APP_ID},
    }
