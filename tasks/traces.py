"""OpenTelemetry traces: one for each incident, from the door over the dispatcher and the flow to each step.

The trace's id is made from the incident's: gateway, worker and every run of the flow add to one trace without handing anything on,
also after a crash. Nothing that AWS let somebody name goes into a span, and what is not delivered holds up nothing.
https://opentelemetry.io/docs/specs/otel/trace/api/
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    get_current_span,
    set_span_in_context,
    use_span,
)

from tasks.running_config import TracesConfig

_DELIVER_MILLISECONDS = 1000
_Attributes = Mapping[str, str | int | float | bool]
_wanted: ContextVar[SpanContext | None] = ContextVar("wanted", default=None)
# A collector that is away would otherwise be told of at every attempt.
logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)


def root_of(incident: str) -> SpanContext:
    """Where an incident's trace begins: the same ids in every process."""
    digest = hashlib.sha256(f"countermand {incident}".encode()).digest()
    trace, span = int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])
    return SpanContext(trace or 1, span or 1, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


class _Ids(RandomIdGenerator):
    """Random ids, but for a span that begins an incident's trace."""

    def generate_trace_id(self) -> int:
        wanted = _wanted.get()
        return wanted.trace_id if wanted is not None else super().generate_trace_id()

    def generate_span_id(self) -> int:
        wanted = _wanted.get()
        return wanted.span_id if wanted is not None else super().generate_span_id()


class Traces:
    """Makes spans and delivers them; without an address it does nothing."""

    def __init__(self, config: TracesConfig) -> None:
        self._provider: TracerProvider | None = None
        if config.url:
            headers = {name: value.get_secret_value() for name, value in config.headers.items()}
            # Here, so that who wants no traces does not wait for the exporter to load.
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            exporter = OTLPSpanExporter(endpoint=config.url, headers=headers, timeout=config.timeout_seconds)
            self._provider = TracerProvider(id_generator=_Ids(), resource=Resource.create({"service.name": "countermand"}))
            self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_DELIVER_MILLISECONDS))

    @contextmanager
    def span(self, name: str, incident: str, attributes: _Attributes | None = None) -> Iterator[Span | None]:
        """A span for the time of a `with`: below the one that is open here, or right below the incident's root."""
        if self._provider is None:
            yield None
            return
        here = get_current_span().get_span_context()
        context = None if here.trace_id == root_of(incident).trace_id else _below(incident)
        span = self._tracer.start_span(name, context, attributes={"countermand.incident": incident, **(attributes or {})})
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield span
            except Exception as error:
                # What it says may hold names; what kind it is does not.
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
                raise

    def began(self, incident: str, since: float) -> None:
        """The root of an incident's trace: from its delivery (seconds since 1970) until now, when its run is started."""
        if self._provider is None:
            return
        token = _wanted.set(root_of(incident))
        try:
            attributes = {"countermand.incident": incident}
            root = self._tracer.start_span("incident", Context(), start_time=int(since * 1e9), attributes=attributes)
        finally:
            _wanted.reset(token)
        root.end()

    def passed(self, name: str, incident: str, since: float, attributes: _Attributes | None = None) -> None:
        """A span that began at `since` (seconds since 1970) and ends now, right below the incident's root."""
        if self._provider is not None:
            given = {"countermand.incident": incident, **(attributes or {})}
            self._tracer.start_span(name, _below(incident), start_time=int(since * 1e9), attributes=given).end(time.time_ns())

    def close(self) -> None:
        """Deliver what is made."""
        if self._provider is not None:
            self._provider.shutdown()

    @property
    def _tracer(self) -> Tracer:
        assert self._provider is not None
        return self._provider.get_tracer("countermand")


_held: dict[tuple[object, ...], Traces] = {}


def traces(config: TracesConfig) -> Traces:
    """The traces of this process for a configuration; made once."""
    headers = tuple(sorted((name, value.get_secret_value()) for name, value in config.headers.items()))
    key = (config.url, headers, config.timeout_seconds)
    if key not in _held:
        _held[key] = Traces(config)
    return _held[key]


def _below(incident: str) -> Context:
    return set_span_in_context(NonRecordingSpan(root_of(incident)))
