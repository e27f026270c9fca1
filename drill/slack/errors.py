"""What Slack answers when it refuses."""

from __future__ import annotations

from typing import Any


class SlackError(Exception):
    """A Web API call that Slack refuses: `{"ok": false, "error": code}`.

    Args:
        code: Slack's own word, such as `channel_not_found`.
        messages: the explanations that Slack adds under `response_metadata`.
        more: what else it says, such as the scope that is `needed`.
    """

    def __init__(self, code: str, messages: list[str] | None = None, **more: str) -> None:
        super().__init__(code)
        self.code = code
        self.messages = messages or []
        self.more = more

    def answer(self) -> dict[str, Any]:
        body: dict[str, Any] = {"ok": False, "error": self.code, **self.more}
        if self.messages:
            body["response_metadata"] = {"messages": [f"[ERROR] {message}" for message in self.messages]}
        return body


class CannotDo(Exception):
    """Something that no person could do in Slack's client: click a button that is gone, leave a required field empty."""
