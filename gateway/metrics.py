"""`/metrics` for Prometheus. Almost all of it is counted from the ledger, so that it is true after a restart and on every host.

What the ledger does not hold, such as a delivery that came twice, is counted in this process and starts at 0 with it.
https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from incident.ledger import BASELINE_CHAIN, ROSTER_CHAIN
from incident.tally import Tally
from tasks.ledger import Ledger, LedgerUnavailable

DOORS = {"/webhooks/guardduty": "webhook", "/webhooks/sns": "sns", "/webhooks/changes": "changes"}
OUTCOMES = {200: "duplicate", 202: "taken", 503: "again"}
"""What an answer means: `taken` is in the ledger, `again` asks for another try. Any other refuses."""

REFUSED = "refused"

_UNCOUNTED = frozenset({ROSTER_CHAIN, BASELINE_CHAIN})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


class Metrics:
    """The numbers of one gateway."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_OfTheLedger(ledger, clock))
        self._deliveries = Counter(
            "countermand_deliveries", "What the doors answered, in this process.", ("door", "outcome"), registry=self._registry
        )
        self._seconds = Histogram(
            "countermand_delivery_seconds", "From a delivery's arrival to its answer.", buckets=_SECONDS, registry=self._registry
        )
        for door in DOORS.values():
            for outcome in (*OUTCOMES.values(), REFUSED):
                self._deliveries.labels(door, outcome)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Count a door's answer; another path is not counted."""
        if (door := DOORS.get(path)) is not None:
            self._deliveries.labels(door, OUTCOMES.get(status, REFUSED)).inc()
            self._seconds.observe(seconds)

    def text(self) -> bytes:
        """All of it in Prometheus' text format. Reads the ledger: not in the event loop.

        Raises:
            LedgerUnavailable: the ledger cannot be read.
        """
        return generate_latest(self._registry)


class Counting:
    """Counts what the doors answer, and how long each took."""

    def __init__(self, app: ASGIApp, metrics: Metrics, timer: Callable[[], float] = time.monotonic) -> None:
        self._app, self._metrics, self._timer = app, metrics, timer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = self._timer()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.answered(str(scope["path"]), int(message["status"]), self._timer() - begun)
            await send(message)

        await self._app(scope, receive, counted if scope["type"] == "http" else send)


class Numbers:
    """Answers a scrape."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def answer(self, request: Request) -> Response:
        try:
            text = await asyncio.to_thread(self._metrics.text)
        except LedgerUnavailable:
            return PlainTextResponse("the ledger is not reached", 503, headers={"Retry-After": "5"})
        return Response(text, media_type=CONTENT_TYPE_PLAIN_0_0_4)


class _OfTheLedger(Collector):
    """Counts the lines that came since it was last asked."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._ledger, self._clock = ledger, clock
        self._tally, self._read_to = Tally(), dict[str, int]()
        self._one_at_a_time = threading.Lock()

    def describe(self) -> list[Metric]:
        """Nothing: registering must not read a ledger."""
        return []

    def collect(self) -> Iterator[Metric]:
        with self._one_at_a_time:
            self._catch_up()
            yield from _families(self._tally, self._clock())

    def _catch_up(self) -> None:
        for chain, end in self._ledger.heads().items():
            read = self._read_to.get(chain, 0)
            if end > read and chain not in _UNCOUNTED:
                lines = self._ledger.lines(chain, after=read)
                self._tally.take(lines)
                self._read_to[chain] = lines[-1].position if lines else read


def _families(tally: Tally, now: datetime) -> Iterator[Metric]:
    yield _counter("findings", "Deliveries in the ledger.", "outcome", tally.arrivals)
    yield _counter("findings_sorted", "What became of deliveries.", "outcome", tally.sorted)
    yield CounterMetricFamily("countermand_runs_started", "Responses started as runs.", tally.runs)
    yield GaugeMetricFamily("countermand_incidents_open", "Incidents whose response goes on.", tally.open_incidents)
    steps = CounterMetricFamily("countermand_steps", "Steps that ended.", labels=("phase", "result"))
    for (phase, result), number in sorted(tally.steps.items()):
        steps.add_metric((phase, result), number)
    yield steps
    yield _counter("escalations", "Levels that were called.", "because", tally.escalations)
    yield _counter("notices", "Attempts to reach somebody beside Slack.", "result", tally.notices)
    waiting = GaugeMetricFamily("countermand_queue_waiting", "What waits, by queue.", labels=("queue",))
    ages = GaugeMetricFamily("countermand_queue_oldest_seconds", "For how long the oldest of it waits.", labels=("queue",))
    for queue, number, age in (
        ("sorting", tally.unsorted, tally.oldest_unsorted(now)),
        ("starting", tally.unstarted, tally.oldest_unstarted(now)),
        ("outbox", tally.unsent, tally.oldest_unsent(now)),
    ):
        waiting.add_metric((queue,), number)
        ages.add_metric((queue,), age)
    yield waiting
    yield ages


def _counter(name: str, what: str, label: str, numbers: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"countermand_{name}", what, labels=(label,))
    for value, number in sorted(numbers.items()):
        family.add_metric((value,), number)
    return family
