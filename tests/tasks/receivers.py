"""What receives in the tests of the second channels: a mail server that speaks SMTP with STARTTLS, and an HTTP server."""

from __future__ import annotations

import base64
import email
import json
import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email import policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any


@dataclass
class Mailbox:
    """What a mail server took, and how it behaves.

    Attributes:
        answers: what it says to a command the next time, instead of what it would, such as {"RCPT": "550 no such user"}.
        hang_up_after: a command after which it takes effect and the connection breaks, once.
    """

    user: str = ""
    password: str = ""
    offers_tls: bool = True
    answers: dict[str, str] = field(default_factory=dict)
    hang_up_after: str = ""
    mails: list[email.message.EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    in_the_open: list[str] = field(default_factory=list)


class MailServer:
    """A mail server on a port of localhost."""

    def __init__(self, box: Mailbox, certificate_: tuple[Path, Path]) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate_)

        class Handler(_Session):
            mailbox, tls = box, context

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> MailServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Session(socketserver.StreamRequestHandler):
    mailbox: Mailbox
    tls: ssl.SSLContext

    def handle(self) -> None:
        self.secure, self.known = False, False
        self._say("220 localhost ESMTP")
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            if not self._answered(verb.upper(), rest) or self.mailbox.hang_up_after == verb.upper():
                self.mailbox.hang_up_after = ""
                return

    def _answered(self, verb: str, rest: str) -> bool:
        box = self.mailbox
        if not self.secure and verb not in ("EHLO", "STARTTLS", "QUIT", "NOOP", "RSET"):
            box.in_the_open.append(verb)
        if verb in box.answers:
            self._say(box.answers.pop(verb))
            return True
        match verb:
            case "EHLO":
                offers = [*(["STARTTLS"] if box.offers_tls and not self.secure else []), *(["AUTH PLAIN"] if box.user else [])]
                self._say("\r\n".join([f"250-{word}" for word in ("localhost", *offers)] + ["250 8BITMIME"]))
            case "STARTTLS":
                self._say("220 go on")
                self._secure()
            case "AUTH":
                given = base64.b64decode(rest.split()[1]).decode().split("\0")[1:]
                self.known = given == [box.user, box.password]
                self._say("235 welcome" if self.known else "535 no")
            case "MAIL" if box.user and not self.known:
                self._say("530 who are you")
            case "RCPT":
                self.to = rest.partition(":<")[2].partition(">")[0]
                self._say("250 ok")
            case "DATA":
                return self._data()
            case "QUIT":
                self._say("221 bye")
                return False
            case _:
                self._say("250 ok")
        return True

    def _data(self) -> bool:
        self._say("354 go on")
        content = bytearray()
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            content += line.removeprefix(b".")
        self.mailbox.mails.append(email.message_from_bytes(bytes(content), policy=policy.default))
        self.mailbox.recipients.append(self.to)
        if self.mailbox.hang_up_after != "DATA":
            self._say("250 taken")
        return True

    def _secure(self) -> None:
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.secure = True

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@dataclass(frozen=True)
class Received:
    """One POST."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """An HTTP server that keeps what is posted to it. `answer` decides the status; 0 hangs up after it has taken the body."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], int] = lambda one: 202
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                one = Received(self.path, dict(self.headers), body)
                outer.received.append(one)
                status = outer.answer(one)
                if status == 0:
                    self.connection.close()
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
