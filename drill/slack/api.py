"""The door of the Web API: tokens, ordered troubles, the rate limit, then the method."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from aiohttp import web

from drill.slack.arguments import Arguments, arguments_of
from drill.slack.errors import SlackError
from drill.slack.faults import Fault, Faults, RateLimit
from drill.slack.methods import METHODS, Call, Method
from drill.slack.sockets import Sockets
from drill.slack.views import Views
from drill.slack.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Tokens:
    """The two secrets that Slack gives an app for calling it."""

    bot: str
    app: str


@dataclass
class Api:
    """Answers `/api/<method>`; `calls` counts by method what arrived. `scopes` are the bot token's; none named means all."""

    workspace: Workspace
    views: Views
    sockets: Sockets
    tokens: Tokens
    faults: Faults
    limit: RateLimit | None
    scopes: frozenset[str] | None = None
    calls: dict[str, int] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One call."""
        name = request.match_info["method"]
        self.calls[name] = self.calls.get(name, 0) + 1
        fault = self.faults.take(name)
        if fault is not None and fault.kind != "drop_after":
            return _trouble(request, fault)
        try:
            answer = await self._answered(name, request)
        except SlackError as refused:
            answer = web.json_response(refused.answer())
        if fault is not None:
            return _dropped(request)
        return answer

    async def _answered(self, name: str, request: web.Request) -> web.Response:
        method = METHODS.get(name)
        if method is None:
            raise SlackError("unknown_method")
        given = await arguments_of(request)
        self._check_token(method, request, given)
        self._check_scope(method, given)
        wait = self._must_wait(name, method, given)
        if wait:
            return _rate_limited(wait)
        call = Call(self.workspace, self.views, given, lambda: self.sockets.new_address(request.host))
        return web.json_response({"ok": True, **method.run(call)})

    def _check_token(self, method: Method, request: web.Request, given: Arguments) -> None:
        """Refuse what carries no token, an unknown one, or one of the other kind. A token in the query string is none."""
        header = request.headers.get("Authorization", "")
        token = header.removeprefix("Bearer ") if header else given.text("token") if "token" not in request.query else ""
        if not token:
            raise SlackError("not_authed")
        expected, other = self.tokens.bot, self.tokens.app
        if method.for_app:
            expected, other = other, expected
        if _same(token, other):
            raise SlackError("not_allowed_token_type")
        if not _same(token, expected):
            raise SlackError("invalid_auth")

    def _check_scope(self, method: Method, given: Arguments) -> None:
        """Refuse a bot token without the scope that a method needs for the conversation that it is about."""
        if self.scopes is None or not method.scope or method.for_app:
            return
        needed = scope_for(method.scope, given, self.workspace)
        if needed not in self.scopes:
            raise SlackError("missing_scope", needed=needed, provided=",".join(sorted(self.scopes)))

    def _must_wait(self, name: str, method: Method, given: Arguments) -> int:
        if self.limit is None:
            return 0
        if method.per_channel:
            return self.limit.wait_for(given.text("channel"))
        return self.limit.wait_for(name, method.tier / 60, method.tier) if method.tier else 0


def scope_for(scope: str, given: Arguments, workspace: Workspace) -> str:
    """A scope's name, where it depends on what kind of channel a call is about or makes."""
    channel = workspace.channels.get(given.text("channel"))
    new = "groups" if given.flag("is_private") else "channels"
    types = "groups" if "private_channel" in given.text("types") else "channels"
    # Slack calls the scope to write public channels `channels:manage`.
    named = scope.format(kind=channel.scopes_of if channel else "channels", new=new, types=types)
    return "channels:manage" if named == "channels:write" else named


def _same(given: str, secret: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), secret.encode())


def _trouble(request: web.Request, fault: Fault) -> web.StreamResponse:
    if fault.kind == "429":
        return _rate_limited(fault.retry_after)
    if fault.kind == "5xx":
        return web.Response(status=fault.status, text="upstream connect error")
    return _dropped(request)


def _rate_limited(seconds: int) -> web.Response:
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": str(seconds)})


def _dropped(request: web.Request) -> web.Response:
    """Cut the connection; the response that aiohttp wants can no longer be sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
