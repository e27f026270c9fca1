"""Eventual consistency: for some reads after a change, a service shows what was there before it.

EC2 and IAM say that what a call changed may not show at once in a read that follows:
https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from moto.backends import get_backend

from drill.aws.identity import Caller
from drill.aws.wire import Call

_GLOBAL = "aws"
Place = tuple[str, str, str]


@dataclass(frozen=True)
class Stale:
    """How many reads after a change show the state before it.

    Attributes:
        stale_reads: How many, in each account, region and service.
        service, region: Patterns with `*`.
        percent: Which share of these reads is old; the others show what is, as another replica would.
    """

    stale_reads: int
    service: str = "*"
    region: str = "*"
    percent: float = 100.0

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> Stale:
        """Read a rule as the control endpoint takes it.

        Raises:
            ValueError: A key or a value is not one that a rule can have.
        """
        unknown = set(raw) - set(cls.__dataclass_fields__)
        if unknown:
            known = ", ".join(cls.__dataclass_fields__)
            raise ValueError(f"unknown key {sorted(unknown)[0]!r} in the stale reads; use {known}")
        rule = cls(**raw)
        if not isinstance(rule.stale_reads, int) or rule.stale_reads < 1:
            raise ValueError(f"stale_reads is {rule.stale_reads!r}; use a whole number from 1")
        return rule


@dataclass
class _Past:
    state: Any
    reads_left: int


class Staleness:
    """The past that reads are still shown. Not safe to share: the application serves one call at a time."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311  faults are to be repeatable
        self._rules: list[Stale] = []
        self._pasts: dict[Place, _Past] = {}

    def add(self, rule: Stale) -> None:
        self._rules.append(rule)

    def clear(self) -> None:
        """Let every read show what is."""
        self._rules.clear()
        self._pasts.clear()

    def rules(self) -> list[dict[str, Any]]:
        return [asdict(rule) for rule in self._rules]

    def remember(self, call: Call, caller: Caller) -> None:
        """Keep what is there before a change. An older state that reads are still shown stays the one that they are shown."""
        rule = self._rule(call)
        if rule is None:
            return
        place = _place(call, caller)
        past = self._pasts.get(place)
        if past is None or past.reads_left == 0:
            states = get_backend(place[0])[place[1]]
            past = self._pasts[place] = _Past(copy.deepcopy(states[place[2]]), 0)
        past.reads_left = rule.stale_reads

    @contextmanager
    def shown(self, call: Call, caller: Caller) -> Iterator[None]:
        """Let a read see the state that it is to be shown."""
        rule = self._rule(call)
        past = self._pasts.get(_place(call, caller)) if rule and not caller.bootstrap else None
        if rule is None or past is None or past.reads_left == 0:
            yield
            return
        past.reads_left -= 1
        if self._random.uniform(0, 100) >= rule.percent:
            yield
            return
        service, account, region = _place(call, caller)
        backend = get_backend(service)[account][region]
        present = vars(backend)
        backend.__dict__ = vars(past.state)
        try:
            yield
        finally:
            backend.__dict__ = present

    def _rule(self, call: Call) -> Stale | None:
        return next((r for r in self._rules if fnmatchcase(call.service, r.service) and fnmatchcase(call.region, r.region)), None)


def _place(call: Call, caller: Caller) -> Place:
    """The moto state that a call is about: its service, account, and region, or `aws` for a global service."""
    states = get_backend(call.service)[caller.account]
    return call.service, caller.account, _GLOBAL if call.region not in states and _GLOBAL in states else call.region
