"""The doors, open on a real port of this machine, over the real ledger."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from rich.console import Console
from starlette.types import ASGIApp

from gateway import cli
from gateway.app import Settings, create_app
from gateway.commands import shell
from gateway.dispatch.dispatcher import Start
from gateway.dispatch.runs import RunsUnavailable
from tasks.ledger import Ledger

sys.path[:0] = [
    str(Path(__file__).parent),
    str(Path(__file__).parent.parent / "incident"),
    str(Path(__file__).parent.parent / "tasks"),
]

Open = Callable[..., httpx.Client]


class Runs:
    """Stands for Prefect: writes the `run` line once for an incident, and can be made to fail."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.asked: list[str] = []
        self.failing: set[str] = set()
        self.error: Exception = RunsUnavailable("Prefect is away")

    async def __call__(self, incident: str, finding: object, line: object) -> None:
        self.asked.append(incident)
        if incident in self.failing or "*" in self.failing:
            raise self.error
        self._ledger.append(incident, "run", "run", {"flow_run": "00000000-0000-0000-0000-000000000000"})


@pytest.fixture
def runs(ledger: Ledger) -> Runs:
    return Runs(ledger)


@pytest.fixture
def serve(wait_until: Callable[..., None]) -> Iterator[Callable[[ASGIApp], str]]:
    """Serves an application on a free port and answers its address; it is closed when the test ends."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def serve_(app: ASGIApp) -> str:
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="on"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread))
        wait_until(lambda: server.started, 10, "opening the doors")
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield serve_
    for server, thread in running:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the doors did not close"


@pytest.fixture
def open_doors(ledger: Ledger, runs: Runs, tmp_path: Path, serve: Callable[[ASGIApp], str]) -> Iterator[Open]:
    """Opens the doors and answers a client for them; both are closed when the test ends."""
    clients: list[httpx.Client] = []

    def open_(*, start: Start | None = None, slack: ASGIApp | None = None, **settings: object) -> httpx.Client:
        chosen = {"webhook_keys": ("current-key", "next-key"), "reports": tmp_path / "reports", "poll_seconds": 0.05} | settings
        address = serve(create_app(Settings(**chosen), ledger, start or runs, slack=slack))
        clients.append(httpx.Client(base_url=address, timeout=10, trust_env=False))
        return clients[-1]

    yield open_
    for client in clients:
        client.close()


@pytest.fixture
def doors(open_doors: Open) -> httpx.Client:
    return open_doors()


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run a command; answers the exit code, what it printed and what it complained about."""
    monkeypatch.setenv("COUNTERMAND_HOME", str(tmp_path / "home"))
    for commands in vars(cli).values():
        if getattr(commands, "console", None) is shell.console:
            monkeypatch.setattr(commands, "console", Console(width=200))

    def command(*arguments: object):
        monkeypatch.setattr(sys, "argv", ["countermand", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command
