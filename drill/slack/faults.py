"""Troubles of the Web API: those that a test orders, and the rate limit that is always there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from drill.slack.workspace import Clock

Kind = Literal["429", "5xx", "drop_before", "drop_after", "down"]

_PER_SECOND = 1.0
_BURST = 5.0


def _count_from(least: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


_HOLDS: dict[str, Callable[[object], bool]] = {
    "kind": lambda value: isinstance(value, str),
    "method": lambda value: isinstance(value, str),
    "times": lambda value: value is None or _count_from(1)(value),
    "status": lambda value: value in range(500, 600),
    "retry_after": _count_from(0),
}


@dataclass(slots=True)
class Fault:
    """One trouble. `times` counts down; nothing there means until it is cleared.

    `429` and `5xx` refuse without effect; `drop_before` and `drop_after` lose the connection before or after the
    effect; `down` takes no connection at all.
    """

    kind: Kind
    method: str = "*"
    times: int | None = 1
    status: int = 503
    retry_after: int = 1

    def hits(self, method: str) -> bool:
        return self.method in ("*", method)


class Faults:
    """The troubles that are waiting to happen."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def order(self, wanted: Mapping[str, Any]) -> Fault:
        """Add one, as the control API names it. `down` stays until it is cleared unless `times` is given.

        Raises:
            ValueError: there is no such trouble, or a number makes no sense.
        """
        kind = str(wanted.get("kind", ""))
        if kind not in get_args(Kind):
            raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}")
        for name, value in wanted.items():
            if name not in _HOLDS:
                raise ValueError(f"a fault has no property {name}")
            if not _HOLDS[name](value):
                raise ValueError(f"{name} of a fault cannot be {value!r}")
        fault = Fault(**{"times": None if kind == "down" else 1, **wanted})
        self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        self._waiting.clear()

    def take(self, method: str) -> Fault | None:
        """The trouble that this call meets, if any; it is used up by it."""
        fault = next((fault for fault in self._waiting if fault.hits(method)), None)
        if fault is not None and fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._waiting.remove(fault)
        return fault


class RateLimit:
    """One message a second into a channel, with a burst of five; other methods by their tier, so many a minute for the workspace.

    https://docs.slack.dev/apis/web-api/rate-limits
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_for(self, what: str, per_second: float = _PER_SECOND, burst: float = _BURST) -> int:
        """Take the allowance of one message or call; the whole seconds to wait when there is none, 0 when it may go."""
        now = self._clock()
        allowance, last = self._buckets.get(what, (burst, now))
        allowance = min(burst, allowance + max(0.0, now - last) * per_second)
        if allowance < 1.0:
            self._buckets[what] = (allowance, now)
            return max(1, math.ceil((1.0 - allowance) / per_second))
        self._buckets[what] = (allowance - 1.0, now)
        return 0
