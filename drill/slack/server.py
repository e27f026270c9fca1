"""The practice Slack as a server in this process.

with FakeSlack(request_url="http://127.0.0.1:8400/slack/events") as slack:
    WebClient(token=slack.bot_token, base_url=slack.api_url).chat_postMessage(channel="C0INCIDENTS", text="hello")
    slack.control.click("alice", "C0INCIDENTS", ts, "countermand_approve")
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from aiohttp import web

from drill.slack.api import Api, Tokens
from drill.slack.client import SlackControl
from drill.slack.control import Control
from drill.slack.courier import Courier
from drill.slack.faults import Faults, RateLimit
from drill.slack.hooks import Hooks
from drill.slack.interactions import Interactions
from drill.slack.people import DEFAULT_TEAM, Person, people_from
from drill.slack.sockets import Sockets
from drill.slack.views import Views
from drill.slack.workspace import Channel, Clock, Workspace

DEFAULT_CHANNEL = "C0INCIDENTS:incidents"
_PAGE = Path(__file__).parent / "page"
_LARGEST_BODY = 4 * 1024 * 1024
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class FakeSlack:
    """A workspace with its Web API, its people and its page.

    Args:
        bot_token: the token that the Web API takes.
        app_token: the token for Socket Mode.
        signing_secret: what clicks are signed with.
        request_url: where clicks are POSTed while no app is connected over Socket Mode.
        channels: ids, or `ID:name`; the bot is in all of them. A `Channel` may say otherwise.
        users: people as objects (`id`, `name`, and `team_id`, `real_name`, `email`, `title`, `guest`, `deleted`); default some.
        team: the workspace's id.
        rate_limit: whether messages into one channel, and calls of each method, are limited.
        scopes: what the bot's token may do; none named means everything.
        commands: the slash commands that the app has; none named means any.
        clock: the time that timestamps, triggers and limits go by.
    """

    def __init__(
        self,
        *,
        bot_token: str = "xoxb-practice",  # noqa: S107
        app_token: str = "xapp-practice",  # noqa: S107
        signing_secret: str = "practice-signing-secret",  # noqa: S107
        request_url: str = "",
        channels: Iterable[str | Channel] = (DEFAULT_CHANNEL,),
        users: Iterable[Mapping[str, Any] | Person] | None = None,
        team: str = DEFAULT_TEAM,
        rate_limit: bool = True,
        scopes: Iterable[str] | None = None,
        commands: Iterable[str] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock = time.time,
    ) -> None:
        self.bot_token, self.app_token, self.signing_secret, self.team = bot_token, app_token, signing_secret, team
        places = [channel if isinstance(channel, Channel) else Channel.named(channel) for channel in channels]
        self.workspace = Workspace(team, places, people_from(users, team), clock)
        self.sockets, views, hooks = Sockets(), Views(self.workspace), Hooks(self.workspace)
        self.courier = Courier(signing_secret, request_url, self.sockets, clock)
        known = None if commands is None else frozenset(commands)
        self.hands = Interactions(self.workspace, views, hooks, self.courier, commands=known)
        limit = RateLimit(clock) if rate_limit else None
        self.api = Api(
            self.workspace,
            views,
            self.sockets,
            Tokens(bot_token, app_token),
            Faults(),
            limit,
            None if scopes is None else frozenset(scopes),
        )
        self._hooks, self._host, self._port = hooks, host, port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where the page is.

        Raises:
            RuntimeError: it has not been started.
        """
        if self._runner is None:
            raise RuntimeError("the practice Slack is not running; call start() first")
        return f"http://{self._host}:{self._port}"

    @property
    def api_url(self) -> str:
        """What `base_url` of slack_sdk's clients is to be."""
        return f"{self.url}/api/"

    @property
    def control(self) -> SlackControl:
        """Hands for a test."""
        return SlackControl(self.url)

    @property
    def request_url(self) -> str:
        return self.courier.request_url

    @request_url.setter
    def request_url(self, url: str) -> None:
        self.courier.request_url = url

    def start(self) -> FakeSlack:
        """Listen, on a thread of its own.

        Raises:
            OSError: the port is taken.
        """
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="slack", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop listening."""
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._leave(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    def __enter__(self) -> FakeSlack:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    async def _listen(self) -> None:
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._port)
        await site.start()
        self._runner, self._port = runner, runner.addresses[0][1]
        self.hands.base_url = self.url

    async def _leave(self) -> None:
        await self.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/api/{method}", self.api.handle)
        app.router.add_get("/link", self.sockets.handle)
        app.router.add_post("/hooks/{team}/{secret}", self._hooks.handle)
        app.router.add_routes(Control(self.workspace, self.hands, self.api).routes())
        app.router.add_get("/", _page("index.html"))
        for file in sorted(_PAGE.glob("*.*")):
            app.router.add_get(f"/page/{file.name}", _page(file.name))
        return app


def _page(name: str) -> Any:
    async def handle(request: web.Request) -> web.FileResponse:
        return web.FileResponse(_PAGE / name, headers=_PAGE_HEADERS)

    return handle
