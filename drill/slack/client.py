"""A small client of the control API, for tests and drills."""

from __future__ import annotations

from typing import Any

import httpx

_TIMEOUT_SECONDS = 15.0


class Refused(Exception):
    """The practice Slack could not do it: nobody could, or the request makes no sense."""


class SlackControl:
    """People's hands and the troubles, over HTTP. Every answer is the control API's object."""

    def __init__(self, url: str) -> None:
        self._url = url

    def messages(self, channel: str = "") -> list[dict[str, Any]]:
        """Every message, oldest first, then whispers."""
        return list(self._get("messages", {"channel": channel} if channel else {})["messages"])

    def views(self, user: str = "", *, closed: bool = False) -> list[dict[str, Any]]:
        """The modals that are open, or all that ever were."""
        return list(self._get("views", {"user": user, "all": "1" if closed else ""})["views"])

    def calls(self) -> dict[str, int]:
        """How often each Web API method was called."""
        return dict(self._get("calls", {})["calls"])

    def sockets(self) -> int:
        """How many apps are connected over Socket Mode."""
        return int(self._get("calls", {})["sockets"])

    def click(self, user: str, channel: str, ts: str, action_id: str, **more: str) -> dict[str, Any]:
        return self._post("click", {"user": user, "channel": channel, "ts": ts, "action_id": action_id, **more})

    def submit(self, user: str, view_id: str, values: dict[str, Any]) -> dict[str, Any]:
        return self._post("submit", {"user": user, "view_id": view_id, "values": values})

    def close(self, user: str, view_id: str) -> dict[str, Any]:
        return self._post("close", {"user": user, "view_id": view_id})

    def command(self, user: str, channel: str, command: str, text: str = "") -> dict[str, Any]:
        return self._post("command", {"user": user, "channel": channel, "command": command, "text": text})

    def say(self, user: str, channel: str, text: str, thread_ts: str = "") -> dict[str, Any]:
        return self._post("say", {"user": user, "channel": channel, "text": text, "thread_ts": thread_ts})

    def remove(self, channel: str, ts: str) -> None:
        self._post("remove", {"channel": channel, "ts": ts})

    def archive(self, channel: str, *, undo: bool = False) -> None:
        self._post("archive", {"channel": channel, "undo": undo})

    def fault(self, kind: str, method: str = "*", **more: int) -> None:
        self._post("fault", {"kind": kind, "method": method, **more})

    def clear_faults(self) -> None:
        self._checked(httpx.delete(f"{self._url}/control/fault", timeout=_TIMEOUT_SECONDS))

    def forge(self, how: str, **wanted: Any) -> dict[str, Any]:
        return self._post("forge", {"how": how, **wanted})

    def _get(self, what: str, query: dict[str, str]) -> dict[str, Any]:
        return self._checked(httpx.get(f"{self._url}/control/{what}", params=query, timeout=_TIMEOUT_SECONDS))

    def _post(self, what: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._checked(httpx.post(f"{self._url}/control/{what}", json=body, timeout=_TIMEOUT_SECONDS))

    def _checked(self, answer: httpx.Response) -> dict[str, Any]:
        body = dict(answer.json())
        if answer.is_error:
            raise Refused(str(body.get("error", answer.status_code)))
        return body
