"""A load balancer as small as one can be: each connection goes to the next backend that takes it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import threading
from collections.abc import Sequence

Place = tuple[str, int]


class Balancer(threading.Thread):
    """Listens in a thread of its own.

    Args:
        listen: where; port 0 takes a free one, see `port`.
        backends: tried in turn, each connection beginning with another one.
    """

    def __init__(self, listen: Place, backends: Sequence[Place]) -> None:
        super().__init__(name="balancer", daemon=True)
        self._listen, self._backends = listen, tuple(backends)
        self._turn = itertools.count()
        self._up = threading.Event()
        self.port = listen[1]

    def begin(self) -> Balancer:
        self.start()
        if not self._up.wait(10):
            raise RuntimeError(f"nothing can listen on {self._listen}")
        return self

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, *self._listen)
        self.port = server.sockets[0].getsockname()[1]
        self._up.set()
        await server.serve_forever()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _ask_when_silent(writer.get_extra_info("socket"))
        first = next(self._turn)
        for number in range(len(self._backends)):
            host, port = self._backends[(first + number) % len(self._backends)]
            try:
                behind = await asyncio.wait_for(asyncio.open_connection(host, port), 3)
            except (OSError, TimeoutError):
                continue
            await asyncio.gather(_copied(reader, behind[1]), _copied(behind[0], writer))
            return
        writer.close()


def _ask_when_silent(connection: socket.socket) -> None:
    """As every balancer does in some way: one side that has gone without a word must not keep the other's connection for ever."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3)):
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()
