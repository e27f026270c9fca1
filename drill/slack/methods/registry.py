"""Where methods are registered by their names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drill.slack.arguments import Arguments
from drill.slack.views import Views
from drill.slack.workspace import Workspace

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was let in."""

    workspace: Workspace
    views: Views
    given: Arguments
    new_socket: Callable[[], str]


@dataclass(frozen=True, slots=True)
class Method:
    """A method, who may call it and how often.

    Attributes:
        for_app: it takes the app's token, not the bot's.
        per_channel: it is under the limit on messages into one channel.
        scope: what the token needs; `{kind}` stands for `channels` or `groups`, by the conversation that the call is about.
        tier: how many calls a minute Slack allows; 0 where another limit holds.
    """

    run: Callable[[Call], Answer]
    for_app: bool
    per_channel: bool
    scope: str
    tier: int


METHODS: dict[str, Method] = {}
TIER_2, TIER_3, TIER_4 = 20, 50, 100
"""Calls a minute. https://docs.slack.dev/apis/web-api/rate-limits"""


def method(
    name: str, *, scope: str = "", tier: int = 0, for_app: bool = False, per_channel: bool = False
) -> Callable[[Callable[[Call], Answer]], Any]:
    """Register a function under a method's name."""

    def register(run: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
        METHODS[name] = Method(run, for_app, per_channel, scope, tier)
        return run

    return register
