"""What the tests of the practice Slack share: an app that listens, pieces of Block Kit, and a clock to turn."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from slack_sdk import WebClient

from drill.slack.server import FakeSlack

CHANNEL = "C0INCIDENTS"
ALICE, BOB, GUEST, FOREIGN = "U0ALICE", "U0BOB", "U0GINA", "U0FELIX"


@dataclass(frozen=True)
class Heard:
    """One request that the app got."""

    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}

    @property
    def payload(self) -> dict[str, Any]:
        return dict(json.loads(self.fields["payload"]))


@dataclass
class App:
    """An app with a request URL. It notes what it hears, and answers what `answer` gives."""

    answer: Callable[[Heard], object] = lambda heard: None
    status: int = 200
    heard: list[Heard] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> App:
        self.may_answer.set()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/slack/events"

    @property
    def last(self) -> Heard:
        return self.heard[-1]


def _handler(app: App) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard = Heard(dict(self.headers.items()), self.rfile.read(int(self.headers["Content-Length"])))
            app.heard.append(heard)
            app.may_answer.wait(20)
            said = app.answer(heard)
            body = said.encode() if isinstance(said, str) else b"" if said is None else json.dumps(said).encode()
            self.send_response(app.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Requests are noted in `heard`."""

    return Handler


class Clock:
    """A time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds


def web(slack: FakeSlack) -> WebClient:
    """slack_sdk's own client, which sends nothing twice."""
    return WebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def section(text: str = "words", **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": mrkdwn(text), **more}


def button(action_id: str = "go", **more: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "text": plain("Go"), "value": "1", **more}


def actions(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements), **more}


def text_input(block_id: str, **more: Any) -> dict[str, Any]:
    element = {"type": "plain_text_input", "action_id": "value"}
    return {"type": "input", "block_id": block_id, "label": plain(block_id.capitalize()), "element": element, **more}


def modal(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    shown = list(blocks) or [section(), text_input("code"), text_input("reason", optional=True)]
    return {"type": "modal", "title": plain("Decide"), "submit": plain("Approve"), "blocks": shown, **more}
