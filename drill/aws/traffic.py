"""What came over the wire and how long it took, reads included; and a delay for every call, as a distant region has."""

from __future__ import annotations

import threading
import time
from typing import Any

from drill.aws.wire import Answer, Call


class Traffic:
    """The calls that were served while they were watched, in the order in which they were answered.

    Attributes:
        delay: Seconds to add to each call. Calls wait side by side, though the range works on one at a time.
        watched: Whether calls are noted.
    """

    def __init__(self) -> None:
        self.delay = 0.0
        self.watched = False
        self._lock = threading.Lock()
        self._seen: list[dict[str, Any]] = []

    def pause(self) -> None:
        """Let the delay pass."""
        if self.delay:
            time.sleep(self.delay)

    def note(self, call: Call, account: str, answer: Answer, started: float, worked: float) -> None:
        """Note a call that came at `started`, and that the range itself worked on for `worked` seconds."""
        if not self.watched:
            return
        seen = {
            "account": account,
            "region": call.region,
            "service": call.service,
            "operation": call.operation,
            "params": call.params,
            "status": answer.status,
            "started": started,
            "seconds": time.monotonic() - started,
            "worked": worked,
        }
        with self._lock:
            self._seen.append(seen)

    def seen(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._seen)

    def clear(self) -> None:
        """Forget what was seen, and neither watch nor delay any more."""
        with self._lock:
            self._seen.clear()
        self.delay, self.watched = 0.0, False

    def watch(self, on: bool) -> None:
        """Begin to note calls, from none; or stop, and keep what was noted."""
        with self._lock:
            if on:
                self._seen.clear()
        self.watched = on
