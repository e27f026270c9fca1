"""nginx with the configuration that `deployments/nginx.conf` recommends, on one free port, with a certificate of its own."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from gateway.practice.stack import Stack, free_port
from gateway.processes import ROOT
from tests.certificates import certificate

NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
DOORS, RESPONDERS = "doors.example.com", "responders.example.com"
PROXY_FLAG = f"--host-resolver-rules=MAP {RESPONDERS} 127.0.0.1"
"""What lets Chromium find the name on this machine."""

_WHOLE = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  include {folder}/countermand.conf;
}}
"""


@dataclass(frozen=True)
class Proxy:
    """Where it listens, and what trusts its certificate."""

    port: int
    trusted: Path

    def client(self, name: str) -> httpx.Client:
        """A client that reaches one of its names, by TLS that is checked."""
        context = ssl.create_default_context(cafile=str(self.trusted))
        transport = _Named(name, context)
        return httpx.Client(base_url=f"https://{name}:{self.port}", transport=transport, timeout=10, trust_env=False)

    def connect(self, path: str) -> ClientConnection:
        """A WebSocket to the responders' name, as a worker on another host opens one."""
        context = ssl.create_default_context(cafile=str(self.trusted))
        reached = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        address = f"wss://{RESPONDERS}:{self.port}{path}"
        return connect(address, sock=reached, ssl=context, subprotocols=[Subprotocol("prefect")], proxy=None)


class _Named(httpx.HTTPTransport):
    """Goes to this machine, whatever the name is; asks for the name, and checks that the certificate is of it."""

    def __init__(self, name: str, context: ssl.SSLContext) -> None:
        super().__init__(verify=context)
        self._name = name

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": self._name}
        request.url = request.url.copy_with(host="127.0.0.1")
        return super().handle_request(request)


@contextmanager
def reverse_proxy(folder: Path, stack: Stack, *, ours: bool = True) -> Iterator[Proxy]:
    """Run nginx in front of a stack; without `ours`, this machine is in no network of the responders."""
    assert NGINX is not None
    folder.mkdir(parents=True, exist_ok=True)
    paper, key = certificate(folder, DOORS, RESPONDERS)
    port = free_port()
    changed = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/nginx/countermand.pem": str(paper),
        "/etc/nginx/countermand.key": str(key),
        "127.0.0.1:8400": f"127.0.0.1:{stack.gateway_port}",
        "127.0.0.1:4200": f"127.0.0.1:{stack.prefect_port}",
    }
    if ours:
        changed["allow 10.0.0.0/8"] = "allow 127.0.0.1"
    (folder / "countermand.conf").write_text(_changed((ROOT / "deployments" / "nginx.conf").read_text(), changed))
    whole = _WHOLE.format(folder=folder)
    if os.geteuid() != 0:
        whole = whole.replace("user root;", "")
    (folder / "nginx.conf").write_text(whole)
    command = [NGINX, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            proxy = Proxy(port, paper)
            _wait_for(proxy, process, folder)
            yield proxy
        finally:
            process.terminate()


def _changed(text: str, changed: Mapping[str, str]) -> str:
    for recommended, here in changed.items():
        assert recommended in text, f"deployments/nginx.conf says nothing of {recommended}"
        text = text.replace(recommended, here)
    return text


def _wait_for(proxy: Proxy, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 10
    with proxy.client(DOORS) as client:
        while time.monotonic() < deadline:
            assert process.poll() is None, (folder / "error.log").read_text()
            try:
                client.get("/")
            except httpx.TransportError:
                continue
            return
    raise AssertionError("nginx did not answer")
