"""A storm of deliveries at one door: several connections that are kept open, each with one request under way.

A client library would be slower than the door that it is to try.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from urllib.parse import urlsplit

_LONGEST_HEAD = 2**16


@dataclass(frozen=True, slots=True)
class Answered:
    """The place of a delivery in the storm, the status, and the seconds from when it was due until its answer was here."""

    number: int
    status: int
    seconds: float


async def storm(
    door: str,
    headers: Mapping[str, str],
    bodies: Iterable[bytes],
    *,
    connections: int = 8,
    a_second: float = 0.0,
    heard: Callable[[Answered], None] = lambda answered: None,
) -> list[Answered]:
    """Post every body once; the answers, as they came.

    Args:
        door: the address, with its path.
        a_second: how many are sent in a second, however long the answers take; 0 sends each as soon as a connection is free.
        heard: called with each answer; what it raises ends the storm.

    Raises:
        OSError: a connection is refused or breaks.
    """
    wanted = enumerate(bodies)
    began = perf_counter()
    answers: list[Answered] = []
    place = _Place.of(door, headers)

    async def sender() -> None:
        async with _Connection(place) as connection:
            for number, body in wanted:
                due = began + number / a_second if a_second else perf_counter()
                if (early := due - perf_counter()) > 0:
                    await asyncio.sleep(early)
                status = await connection.post(body)
                answers.append(Answered(number, status, perf_counter() - due))
                heard(answers[-1])

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(sender())
    return answers


@dataclass(frozen=True, slots=True)
class _Place:
    host: str
    port: int
    head: bytes

    @classmethod
    def of(cls, door: str, headers: Mapping[str, str]) -> _Place:
        parts = urlsplit(door)
        said = {"Host": parts.netloc, "Content-Type": "application/json", **headers}
        lines = [f"POST {parts.path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items()), "Content-Length: "]
        return cls(parts.hostname or "127.0.0.1", parts.port or 80, "\r\n".join(lines).encode())


class _Connection:
    """One connection, made anew where the door closed it after an answer."""

    def __init__(self, place: _Place) -> None:
        self._place = place
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> _Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()

    async def post(self, body: bytes) -> int:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(self._place.host, self._place.port, limit=_LONGEST_HEAD)
        self._writer.write(b"%s%d\r\n\r\n%s" % (self._place.head, len(body), body))
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        fields = dict(_fields(head))
        await self._reader.readexactly(int(fields[b"content-length"]))
        if fields.get(b"connection") == b"close":
            self._close()
        return int(head[9:12])

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._reader = self._writer = None


def _fields(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in itertools.islice(head.split(b"\r\n"), 1, None):
        name, _, value = line.partition(b":")
        yield name, value.strip()
