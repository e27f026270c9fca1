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
    """`for_app` makes it take the app's token, not the bot's; `per_channel` puts it under the limit on messages."""

    run: Callable[[Call], Answer]
    for_app: bool
    per_channel: bool


METHODS: dict[str, Method] = {}


def method(name: str, *, for_app: bool = False, per_channel: bool = False) -> Callable[[Callable[[Call], Answer]], Any]:
    """Register a function under a method's name."""

    def register(run: Callable[[Call], Answer]) -> Callable[[Call], Answer]:
        METHODS[name] = Method(run, for_app, per_channel)
        return run

    return register
