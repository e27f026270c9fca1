"""The HTTP doors. A door checks, writes to the ledger, and answers at once.

EventBridge retries on 429, 5xx and time-outs only, for 24 hours: what is refused with another 4xx is lost to it.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html
"""

from __future__ import annotations

import asyncio
import functools
import logging
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from gateway.body import LARGEST_BODY, TooLarge, read_body
from gateway.dispatch.dispatcher import Dispatcher, Start
from gateway.dispatch.pace import Pace
from gateway.dispatch.sorting_process import Sorts
from gateway.doors.requests import prepare_requests
from gateway.doors.sns import NotChecked, Notifications, Refused, Told
from gateway.headers import SafeHeaders
from gateway.intake import Ingested, Prepared, ingest, prepare
from gateway.keys import matching_key
from gateway.metrics import Counting, Metrics, Numbers
from gateway.openapi import document
from gateway.readiness import Check, Readiness, Ready
from gateway.writer import Writer
from incident.ledger import INTAKE
from incident.people.messages import plain
from tasks.ledger import Ledger, LedgerUnavailable

_RETRY_AFTER_SECONDS = "5"
_CHECKERS = 4
_INCIDENT = re.compile(r"inc-[0-9a-f]{12}")
_PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_log = logging.getLogger("countermand.gateway")
Beside = Callable[[], Coroutine[Any, Any, None]]
Take = Callable[[bytes], Coroutine[Any, Any, Ingested | Told]]
Arrived = Callable[[str, str, float], None]
Taking = Callable[[bytes, Mapping[str, Any]], Ingested]
"""Takes one delivery that a door fetched for itself; see `_Doors.taken`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the doors behave.

    Attributes:
        webhook_keys: the current key and, during a rotation, the next. Without one, nobody is let in.
        reports: the folder of the written reports.
        change_keys: the same for the door of change requests, which is shut without one.
        most_at_once: deliveries that may be under way; more are asked to come again.
        answer_seconds: how long a delivery may take; EventBridge itself hangs up after 5.
        poll_seconds: how often what could not be started is started again.
    """

    webhook_keys: tuple[str, ...]
    reports: Path
    most_at_once: int = 64
    answer_seconds: float = 4.0
    poll_seconds: float = 5.0
    change_keys: tuple[str, ...] = ()


def create_app(
    settings: Settings,
    ledger: Ledger,
    start: Start,
    slack: ASGIApp | None = None,
    beside: Sequence[Beside] = (),
    *,
    sorter: Sorts | None = None,
    pace: Pace | None = None,
    sns: Notifications | None = None,
    more: Callable[[Taking], Sequence[Beside]] = lambda take: (),
    checks: Mapping[str, Check] | None = None,
    metrics: Metrics | None = None,
    arrived: Arrived = lambda incident, outcome, since: None,
) -> Starlette:
    """The application.

    Args:
        start: starts an incident's run and writes its `run` line; it may be called again and must start it once.
        slack: the ASGI application that answers Slack, mounted at `/slack`.
        beside: what runs for as long as the doors are open.
        sorter: decides what becomes of a delivery; without one, each finding opens an incident of its own.
        pace: how many runs are started.
        sns: checks what comes to the door of SNS, which is shut without it.
        more: makes the doors that fetch for themselves from what takes a delivery.
        checks: what `/ready` asks beside the ledger and the doors themselves.
        metrics: counts what the doors do, and answers at `/metrics`.
        arrived: told of each delivery that was taken, with its incident, what became of it, and when it came (seconds since 1970).
    """
    dispatcher = Dispatcher(ledger, start, settings.poll_seconds, sorter=sorter, pace=pace)
    doors = _Doors(settings, ledger, dispatcher, sns, arrived)
    readiness = Readiness({"ledger": doors.ledger_is_there, "doors": doors.all_run, **(checks or {})})
    beside = (*beside, *more(doors.taken))

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        doors.open()
        running = [asyncio.create_task(work(), name=_name_of(work)) for work in (dispatcher.run, *beside)]
        doors.beside = running
        yield
        for task in running:
            task.cancel()
        for task in running:
            with suppress(asyncio.CancelledError):
                await task
        doors.close()

    changes = bool(doors.change_keys)

    async def whole(request: Request) -> Response:
        return _whole(await readiness.look())

    described = document(sns=sns is not None, slack=slack is not None, changes=changes, metrics=metrics is not None)
    routes: list[Route | Mount] = [
        Route("/webhooks/guardduty", doors.guardduty, methods=["POST"]),
        *([Route("/webhooks/sns", doors.sns, methods=["POST"])] if sns is not None else []),
        *([Route("/webhooks/changes", doors.changes, methods=["POST"])] if changes else []),
        Route("/healthz", doors.health),
        Route("/readyz", doors.ready),
        Route("/health", doors.health),
        Route("/ready", whole),
        Route("/incidents/{incident}/report", doors.report),
        Route("/openapi.json", lambda request: JSONResponse(described)),
    ]
    if slack is not None:
        routes.append(Mount("/slack", slack))
    middleware = [Middleware(SafeHeaders)]
    if metrics is not None:
        routes.append(Route("/metrics", Numbers(metrics).answer))
        middleware.append(Middleware(Counting, metrics))
    return Starlette(routes=routes, lifespan=lifespan, middleware=middleware)


class _Doors:
    def __init__(
        self, settings: Settings, ledger: Ledger, dispatcher: Dispatcher, sns: Notifications | None, arrived: Arrived
    ) -> None:
        self._arrived = arrived
        self._settings, self._ledger, self._dispatcher, self._sns = settings, ledger, dispatcher, sns
        self._keys = tuple(key.encode() for key in settings.webhook_keys if key)
        self.change_keys = tuple(key.encode() for key in settings.change_keys if key)
        self._writer = Writer(ledger)
        # Of its own, so that messages whose certificate is fetched hold up nothing else.
        self._checkers = ThreadPoolExecutor(_CHECKERS, thread_name_prefix="sns")
        self._under_way = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self.beside: Sequence[asyncio.Task[Any]] = ()

    def open(self) -> None:
        """Remember the loop that the dispatcher runs in."""
        self._loop = asyncio.get_running_loop()

    async def guardduty(self, request: Request) -> Response:
        """A GuardDuty finding from EventBridge's API destination."""
        return await self._with_key(request, "webhook", self._keys, prepare)

    async def changes(self, request: Request) -> Response:
        """Change requests from a ticket system."""
        return await self._with_key(request, "changes", self.change_keys, prepare_requests)

    async def _with_key(
        self, request: Request, door: str, keys: Sequence[bytes], prepared: Callable[[bytes, Mapping[str, Any]], Prepared]
    ) -> Response:
        key = matching_key(request.headers, keys)
        if key is None:
            return JSONResponse({"error": "the webhook key is missing or wrong"}, 401, headers={"WWW-Authenticate": "Bearer"})
        provenance = {"door": door, "peer": request.client.host if request.client else "", "key": key}

        async def written(raw: bytes) -> Ingested:
            return await asyncio.wrap_future(self._writer.write(lambda: prepared(raw, provenance)))

        return await self._answered(request, written)

    async def sns(self, request: Request) -> Response:
        """A message of SNS over HTTPS: a notification, or the confirmation of a subscription."""
        sns = cast(Notifications, self._sns)

        def message(body: bytes, topic: str) -> Prepared:
            return prepare(body, {"door": "sns", "topic": topic})

        async def checked(raw: bytes) -> Ingested | Told:
            told = await asyncio.get_running_loop().run_in_executor(self._checkers, sns.received, raw, request.headers)
            if told.body is None:
                return told
            return await asyncio.wrap_future(self._writer.write(functools.partial(message, told.body, told.topic)))

        return await self._answered(request, checked)

    def taken(self, raw: bytes, provenance: Mapping[str, Any]) -> Ingested:
        """Take what a door fetched for itself; durable when this returns.

        Raises:
            LedgerUnavailable: nothing was written; fetch it again.
        """
        taken = ingest(raw, provenance, self._ledger)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._after, taken)
        return taken

    async def _answered(self, request: Request, take: Take) -> Response:
        """Read a delivery, write it and answer, or ask for it again."""
        if self._under_way >= self._settings.most_at_once:
            return _again("too many deliveries at once")
        begun = time.time()
        try:
            async with asyncio.timeout(self._settings.answer_seconds):
                taken = await self._take(request, take)
        except TooLarge:
            return JSONResponse({"error": f"a delivery has at most {LARGEST_BODY} bytes"}, 413)
        except Refused as refused:
            _log.warning("a message of SNS is refused: %s", plain(refused))
            return JSONResponse({"error": str(refused)}, 403)
        except (LedgerUnavailable, NotChecked) as error:
            _log.error("%s", error)
            return _again("this cannot be checked and written now")
        except TimeoutError:
            return _again("this took too long")
        except ClientDisconnect:
            return Response(status_code=400)
        if isinstance(taken, Told):
            return JSONResponse({"outcome": taken.outcome}, 200)
        self._arrived(taken.incident, taken.outcome, begun)
        answer = {"outcome": taken.outcome, "incident": taken.incident}
        return JSONResponse(answer, 200 if taken.outcome == "duplicate" else 202)

    async def _take(self, request: Request, take: Take) -> Ingested | Told:
        """Read the delivery and write it. It counts as under way until it is written, also when nobody waits any more."""
        self._under_way += 1
        try:
            raw = await read_body(request)
            work = asyncio.ensure_future(take(raw))
        except BaseException:
            # Cancellation, too, must give the place back.
            self._under_way -= 1
            raise
        work.add_done_callback(self._written)
        return await asyncio.shield(work)

    def _written(self, work: asyncio.Future[Ingested | Told]) -> None:
        self._under_way -= 1
        if not work.cancelled() and work.exception() is None and isinstance(taken := work.result(), Ingested):
            self._after(taken)

    def _after(self, taken: Ingested) -> None:
        if taken.outcome == "accepted":
            self._dispatcher.nudge()
        elif taken.outcome == "quarantined":
            # The sender will not come again with it: a person must look.
            _log.warning("delivery %s is quarantined: %s", taken.line.position, taken.line.body["why"])

    def close(self) -> None:
        """Wait for what is being written."""
        self._checkers.shutdown()
        self._writer.close()

    async def health(self, request: Request) -> Response:
        """Whether the process lives."""
        return PlainTextResponse("ok")

    async def ready(self, request: Request) -> Response:
        """Whether a delivery could be taken now."""
        try:
            async with asyncio.timeout(self._settings.answer_seconds):
                problem = await self.ledger_is_there()
        except TimeoutError:
            problem = "the ledger is not reached"
        if problem:
            return PlainTextResponse(problem, 503, headers={"Retry-After": _RETRY_AFTER_SECONDS})
        return PlainTextResponse("ready")

    async def ledger_is_there(self) -> str:
        """Why nothing could be written, if so."""
        try:
            await asyncio.to_thread(self._ledger.head, INTAKE)
        except LedgerUnavailable:
            return "the ledger is not reached"
        return ""

    async def all_run(self) -> str:
        """Which of the works beside the doors has come to an end, as only a fault in it can make it."""
        ended = sorted(task.get_name() for task in self.beside if task.done())
        return f"ended: {', '.join(ended)}; start the gateway again, and see its log" if ended else ""

    async def report(self, request: Request) -> Response:
        """An incident's report, as a page that loads nothing and runs nothing."""
        incident = str(request.path_params["incident"])
        path = self._settings.reports / f"{incident}.html"
        if not _INCIDENT.fullmatch(incident) or path.is_symlink() or not path.is_file():
            return PlainTextResponse("There is no report of this incident yet.", 404)
        return FileResponse(path, media_type="text/html", headers={"Content-Security-Policy": _PAGE_POLICY})


def _whole(found: Ready) -> Response:
    """Whether all that a response needs is there, part by part."""
    body = {"ready": found.whole, "parts": dict(found.parts)}
    return JSONResponse(body) if found.whole else JSONResponse(body, 503, headers={"Retry-After": _RETRY_AFTER_SECONDS})


def _name_of(work: Beside) -> str:
    """The class that a work beside the doors belongs to, for people."""
    owner = getattr(work, "__self__", None)
    return type(owner).__name__ if owner is not None else getattr(work, "__name__", "work").strip("<>")


def _again(why: str) -> Response:
    return JSONResponse({"error": f"{why}; try again"}, 503, headers={"Retry-After": _RETRY_AFTER_SECONDS})
