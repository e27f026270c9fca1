"""Traces over OTLP, taken by a receiver of the test's own: one trace an incident, whoever adds to it."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tasks.running_config import TracesConfig
from tasks.traces import Traces, root_of, traces

pytestmark = pytest.mark.served

INCIDENT = "inc-0123456789ab"


class Receiver:
    """A collector: keeps the spans that are posted, and the headers."""

    def __init__(self) -> None:
        self.spans: list[dict[str, object]] = []
        self.headers: list[dict[str, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                receiver.headers.append(dict(self.headers))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    receiver.spans += [_plain(span) for scope in resource.scope_spans for span in scope.spans]
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    def named(self, name: str) -> list[dict[str, object]]:
        return [span for span in self.spans if span["name"] == name]


def _plain(span) -> dict[str, object]:
    attributes = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
    ids = {"trace": span.trace_id.hex(), "id": span.span_id.hex(), "parent": span.parent_span_id.hex()}
    return {"name": span.name, "attributes": attributes, "status": span.status.code, "message": span.status.message, **ids}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_door_dispatch_flow_and_step_are_one_trace(receiver):
    gateway, worker = Traces(TracesConfig(url=receiver.url)), Traces(TracesConfig(url=receiver.url))
    since = time.time()
    gateway.passed("door", INCIDENT, since)
    with gateway.span("dispatch", INCIDENT):
        pass
    gateway.began(INCIDENT, since)
    with worker.span("respond", INCIDENT), worker.span("step", INCIDENT, {"countermand.phase": "contain"}) as step:
        step.set_attribute("countermand.result", "done")
    gateway.close()
    worker.close()
    root = root_of(INCIDENT)
    assert {span["trace"] for span in receiver.spans} == {f"{root.trace_id:032x}"}
    assert all(span["attributes"]["countermand.incident"] == INCIDENT for span in receiver.spans)
    [incident], [flow], [step] = receiver.named("incident"), receiver.named("respond"), receiver.named("step")
    assert (incident["id"], incident["parent"]) == (f"{root.span_id:016x}", "")
    assert [span["parent"] for span in (*receiver.named("door"), *receiver.named("dispatch"), flow)] == [incident["id"]] * 3
    assert step["parent"] == flow["id"]
    assert step["attributes"]["countermand.result"] == "done"


def test_another_incident_within_one_is_a_trace_of_its_own(receiver):
    made = Traces(TracesConfig(url=receiver.url))
    with made.span("respond", INCIDENT), made.span("respond", "inc-ffffffffffff"):
        pass
    made.close()
    assert len({span["trace"] for span in receiver.spans}) == 2


def test_an_error_is_named_by_its_kind_only(receiver):
    made = Traces(TracesConfig(url=receiver.url))
    with pytest.raises(ValueError, match="named by an attacker"), made.span("step", INCIDENT):
        raise ValueError("named by an attacker")
    made.close()
    [step] = receiver.named("step")
    assert (step["status"], step["message"]) == (2, "ValueError")


def test_the_collectors_headers_are_sent(receiver):
    made = Traces(TracesConfig.model_validate({"url": receiver.url, "headers": {"x-token": "abc"}}))
    with made.span("respond", INCIDENT):
        pass
    made.close()
    assert {name.lower(): value for name, value in receiver.headers[0].items()}["x-token"] == "abc"


def test_without_an_address_there_is_nothing(receiver):
    made = traces(TracesConfig())
    with made.span("respond", INCIDENT) as span:
        assert span is None
    made.began(INCIDENT, 0)
    made.passed("door", INCIDENT, 0)
    made.close()
    assert traces(TracesConfig()) is made


def test_a_process_that_ends_delivers_and_one_without_a_collector_ends_soon(receiver, free_port):
    """As a flow's process does when its run ends or goes to sleep."""
    for url in (receiver.url, f"http://127.0.0.1:{free_port}/v1/traces"):
        program = (
            "from tasks.running_config import TracesConfig; from tasks.traces import Traces\n"
            f"with Traces(TracesConfig(url={url!r}, timeout_seconds=1)).span('respond', {INCIDENT!r}): pass"
        )
        begun = time.monotonic()
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert time.monotonic() - begun < 30
    assert len(receiver.named("respond")) == 1
