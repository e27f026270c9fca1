"""Trouble on demand: throttles, errors, lost replies, broken connections, and a share of calls that fail at random."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from drill.aws.errors import AwsError, throttled
from drill.aws.identity import Caller
from drill.aws.wire import Call


@dataclass
class Fault:
    """A rule by which calls go wrong.

    Attributes:
        service, operation, account, region, principal: Patterns with `*`; `principal` is matched against the ARN.
        code, message, status: What the caller is told.
        times: How often; None means until cleared.
        percent: Which share of the matching calls is hit.
        moment: `before` the call takes effect, or `after` it did, so that the caller only loses the answer.
        drop: The connection ends without any answer, as where a call times out.
    """

    service: str = "*"
    operation: str = "*"
    account: str = "*"
    region: str = "*"
    principal: str = "*"
    code: str = "InternalError"
    message: str = "An internal error has occurred"
    status: int = 500
    times: int | None = None
    percent: float = 100.0
    moment: str = "before"
    drop: bool = False

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> Fault:
        """Read a rule as the control endpoint takes it.

        Raises:
            ValueError: A key or a value is not one that a rule can have.
        """
        unknown = set(raw) - set(cls.__dataclass_fields__)
        if unknown:
            known = ", ".join(cls.__dataclass_fields__)
            raise ValueError(f"unknown key {sorted(unknown)[0]!r} in the fault; use {known}")
        fault = cls(**raw)
        if fault.moment not in ("before", "after"):
            raise ValueError(f"moment is {fault.moment!r}; use before or after")
        return fault

    def matches(self, call: Call, caller: Caller) -> bool:
        return (
            fnmatchcase(call.service, self.service)
            and fnmatchcase(call.operation, self.operation)
            and fnmatchcase(caller.account, self.account)
            and fnmatchcase(call.region, self.region)
            and fnmatchcase(caller.arn, self.principal)
        )


@dataclass(frozen=True)
class Throttle:
    """At most `rate` calls a second, after a burst, for each account and region."""

    service: str
    operation: str
    rate: float
    burst: float


class Dropped(Exception):
    """The connection is to end without an answer."""


class Troubles:
    """The faults and throttles in force."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311  faults are to be repeatable
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._throttles: list[Throttle] = []
        self._buckets: dict[tuple[str, ...], tuple[float, float]] = {}

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def limit(self, throttle: Throttle) -> None:
        """Set a throttle, in place of one for the same operation."""
        with self._lock:
            same = (throttle.service, throttle.operation)
            self._throttles = [t for t in self._throttles if (t.service, t.operation) != same]
            self._throttles.append(throttle)

    def clear(self) -> None:
        """End all faults; throttles stay."""
        with self._lock:
            self._faults.clear()

    def reseed(self, seed: int) -> None:
        """Let the random faults fall anew, as they did after the same seed before."""
        with self._lock:
            self._random.seed(seed)

    def faults(self) -> list[dict[str, Any]]:
        return [vars(f) for f in self._faults]

    def check(self, call: Call, caller: Caller, moment: str) -> None:
        """Let the call pass, or raise what it is to be told.

        Raises:
            AwsError: It fails.
            Dropped: It is to get no answer.
        """
        if caller.bootstrap:
            return
        with self._lock:
            if moment == "before":
                self._check_rate(call, caller)
            for fault in self._faults:
                if fault.moment != moment or fault.times == 0 or not fault.matches(call, caller):
                    continue
                if self._random.uniform(0, 100) >= fault.percent:
                    continue
                if fault.times is not None:
                    fault.times -= 1
                if fault.drop:
                    raise Dropped
                raise AwsError(fault.code, fault.message, fault.status)

    def _check_rate(self, call: Call, caller: Caller) -> None:
        for rule in self._throttles:
            if not (fnmatchcase(call.service, rule.service) and fnmatchcase(call.operation, rule.operation)):
                continue
            key = (caller.account, call.region, rule.service, rule.operation)
            now = time.monotonic()
            tokens, seen = self._buckets.get(key, (rule.burst, now))
            tokens = min(rule.burst, tokens + (now - seen) * rule.rate)
            self._buckets[key] = (tokens - 1 if tokens >= 1 else tokens, now)
            if tokens < 1:
                raise throttled(call.service)
