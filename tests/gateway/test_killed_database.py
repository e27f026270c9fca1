"""PostgreSQL is killed at each boundary between the bytes arriving and the run existing: one run in the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from delivering import INCIDENT, deliver
from dying_gateway import BOUNDARIES, DyingLedger, Nothing
from findings import as_api, finding
from sorting import KnowingAws

from gateway.app import Settings, create_app
from gateway.dispatch.pace import Pace
from gateway.dispatch.sorter import Sorter
from incident.ledger import INTAKE, Kind
from incident.policy import Policy
from tasks.ledger import Ledger
from tasks.read_back import Reader
from tests.postgres import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.postgres,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="killing it needs /proc"),
]

# Nothing is asked of the database before this.
BOUNDARIES = tuple(boundary for boundary in BOUNDARIES if boundary != "the bytes are here")
ANSWERED = BOUNDARIES.index("written, before the answer")


class Killing:
    """Kills the database when its boundary is reached, once."""

    def __init__(self, boundary: str, server: Server) -> None:
        self._boundary, self._server = boundary, server
        self.killed = False

    def at(self, boundary: str) -> None:
        if boundary == self._boundary and not self.killed:
            self._server.kill()
            self.killed = True


@pytest.fixture
def desk(mortal_postgres: Server, serve: Any, tmp_path: Path) -> Iterator[Any]:
    """The doors over a database that dies, with runs that are files, as an idempotency key makes them."""
    url, clients = mortal_postgres.new_database(), []
    aws = KnowingAws()
    aws.findings[finding()["id"]] = as_api(finding())
    asked: list[str] = []

    def clock() -> datetime:
        return datetime.now(UTC)

    def open_(boundary: str) -> SimpleNamespace:
        killing, ledger = Killing(boundary, mortal_postgres), DyingLedger.open(url, clock)
        ledger.dying = killing

        async def start(incident: str, found: object, line: object) -> None:
            asked.append(incident)
            killing.at("the run, before its line")
            await asyncio.to_thread(ledger.append, incident, "run", "run", {"flow_run": incident})

        sorter = Sorter(ledger, Reader(aws), Policy(), Nothing(), clock, lag=timedelta())
        settings = Settings(webhook_keys=("current-key",), reports=tmp_path, poll_seconds=0.05)
        address = serve(create_app(settings, ledger, start, sorter=sorter, pace=Pace(ledger, clock)))
        clients.append(httpx.Client(base_url=address, timeout=30, trust_env=False))
        return SimpleNamespace(client=clients[-1], killing=killing, asked=asked, ledger=Ledger.open(url, clock))

    yield open_
    for client in clients:
        client.close()


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_database_killed_at_a_boundary_loses_nothing_and_one_run_is_started(desk, mortal_postgres, wait_until, boundary):
    open_ = desk(boundary)
    first = deliver(open_.client)
    wait_until(lambda: open_.killing.killed, 10, f"reaching {boundary}")
    assert first.status_code == (503 if BOUNDARIES.index(boundary) < ANSWERED else 202)
    assert deliver(open_.client).status_code == 503, "nothing is taken that is not written"
    mortal_postgres.start()
    # EventBridge comes again with what it was asked to come again with.
    assert deliver(open_.client).status_code == (202 if BOUNDARIES.index(boundary) < ANSWERED else 200)
    wait_until(lambda: open_.ledger.find(INCIDENT, "run"), 20)
    assert len(open_.ledger.lines(INTAKE, Kind.DELIVERY)) == len(open_.ledger.lines(INTAKE, Kind.SORTED)) == 1
    assert len(open_.ledger.lines(INCIDENT, Kind.RUN)) == 1
    assert set(open_.asked) == {INCIDENT}, "every asking has the same key"
    assert open_.ledger.verify(INTAKE) is None
    assert open_.ledger.verify(INCIDENT) is None
