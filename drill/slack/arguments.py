"""The arguments of a Web API call, as slack_sdk and others send them: JSON, a form, or the query string."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from drill.slack.errors import SlackError


class Arguments:
    """Reads values in Slack's loose types: a boolean may come as `true`, `"1"` or `"true"`, an object as JSON in a string."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def __contains__(self, name: str) -> bool:
        return self._given.get(name) is not None

    def raw(self, name: str) -> Any:
        return self._given.get(name)

    def text(self, name: str, default: str = "") -> str:
        value = self._given.get(name)
        return default if value is None else str(value)

    def needed(self, name: str) -> str:
        """A text that must be there.

        Raises:
            SlackError: it is missing.
        """
        value = self.text(name)
        if not value:
            raise SlackError("invalid_arguments", [f"missing required field: {name}"])
        return value

    def flag(self, name: str) -> bool:
        return str(self._given.get(name, "")).lower() in ("1", "true")

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number between 1 and `most`.

        Raises:
            SlackError: it is not one.
        """
        text = self.text(name) or str(default)
        if not text.isdecimal() or int(text) < 1:
            raise SlackError("invalid_limit")
        return min(int(text), most)

    def structure(self, name: str, problem: str) -> Any:
        """A JSON value, which a form carries as text.

        Raises:
            SlackError: `problem`, for text that is not JSON.
        """
        value = self._given.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise SlackError(problem) from None


async def arguments_of(request: web.Request) -> Arguments:
    """What a request carries.

    Raises:
        SlackError: the body is not what its content type says, or of a type that Slack does not take.
    """
    if request.method == "GET":
        return Arguments(dict(request.query))
    kind = request.content_type
    if kind == "application/json":
        return Arguments(await _json_body(request))
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return Arguments({**request.query, **(await _form_body(request))})
    if not request.can_read_body:
        return Arguments(dict(request.query))
    raise SlackError("invalid_post_type")


async def _form_body(request: web.Request) -> Mapping[str, Any]:
    try:
        return await request.post()
    except (ValueError, LookupError):
        raise SlackError("invalid_form_data") from None


async def _json_body(request: web.Request) -> dict[str, Any]:
    raw = await request.read()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise SlackError("invalid_json") from None
    if not isinstance(body, dict):
        raise SlackError("json_not_object")
    return body
