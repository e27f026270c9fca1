"""Keeps the parts of one host alive: starts them in order, starts again what dies, and ends them in order.

Each part is a process with a group of its own. When one dies, whatever it left behind is ended before it is started again.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event

import httpx

from gateway.processes import end, kill, started

FIRST_REST, LONGEST_REST = 1.0, 60.0
"""Seconds before a part that died is started again: the first time, and at most. Each death in a row doubles them."""

STEADY_SECONDS = 60.0
"""A part that lived this long has recovered: the next death counts as its first."""

_LOOK_SECONDS = 0.2
_log = logging.getLogger("countermand.serve")


@dataclass(frozen=True, slots=True)
class Part:
    """One process.

    Attributes:
        after: names of parts that must be up before it is started the first time.
        answers: an address that answers with less than 500 once it is up; without one it is up when it runs.
        once: it runs to its end and is up when it ended well; one that fails is started again.
        stop_seconds: how long it may take to end.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    after: Sequence[str] = ()
    answers: str = ""
    once: bool = False
    stop_seconds: float = 10.0


@dataclass(slots=True)
class _Running:
    part: Part
    process: subprocess.Popen[bytes] | None = None
    up: bool = False
    due: float = 0.0
    since: float = 0.0
    deaths: int = 0


class Supervisor:
    """Runs parts until told to end.

    Args:
        parts: in the order in which they end, the last first.
        timer: seconds that only grow.
    """

    def __init__(self, parts: Sequence[Part], timer: Callable[[], float] = time.monotonic) -> None:
        self._held = {part.name: _Running(part) for part in parts}
        self._timer = timer

    def run(self, stop: Event) -> None:
        """Go on until `stop` is set; then nothing that was started lives any more."""
        try:
            while not stop.is_set():
                self.look()
                stop.wait(_LOOK_SECONDS)
        finally:
            self.end()

    def look(self) -> None:
        """Start what is due, and notice what died and what has come up."""
        for held in self._held.values():
            if held.process is not None and (ended := held.process.poll()) is not None:
                self._ended(held, ended)
            if held.process is None and self._is_due(held):
                held.process, held.since = self._start(held.part), self._timer()
                _log.info("%s is started (process %d)", held.part.name, held.process.pid)
            if held.process is not None and not held.up and not held.part.once and _answers(held.part.answers):
                held.up = True
                _log.info("%s is up", held.part.name)

    @staticmethod
    def _start(part: Part) -> subprocess.Popen[bytes]:
        return started(part.command, part.environment, ends_with_us=True)

    def process_of(self, name: str) -> int:
        """The id of a part's process; 0 while it has none."""
        process = self._held[name].process
        return process.pid if process is not None else 0

    def end(self) -> None:
        """End the parts one after the other, the last first."""
        for held in reversed(self._held.values()):
            if held.process is not None:
                end([held.process], held.part.stop_seconds)
                held.process = None
                _log.info("%s has ended", held.part.name)

    def _is_due(self, held: _Running) -> bool:
        first = held.deaths == 0 and not held.since
        waits = first and not all(self._held[name].up for name in held.part.after)
        return not waits and not (held.part.once and held.up) and self._timer() >= held.due

    def _ended(self, held: _Running, code: int) -> None:
        """Take away what a dead part left behind, and say when it is started again."""
        assert held.process is not None
        kill(held.process)
        held.process = None
        if held.part.once and code == 0:
            held.up = True
            _log.info("%s is done", held.part.name)
            return
        held.up = False
        held.deaths = 1 if self._timer() - held.since >= STEADY_SECONDS else held.deaths + 1
        rest = min(LONGEST_REST, FIRST_REST * 2 ** (held.deaths - 1))
        held.due = self._timer() + rest
        _log.warning("%s ended with %s; it is started again in %.0f s", held.part.name, _in_words(code), rest)


def _answers(url: str) -> bool:
    if not url:
        return True
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False


def _in_words(code: int) -> str:
    """A process's exit code as people know it."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
