"""Prefect's server is killed around the start of a run: one run in the end, on the server that stands again.

A real server in a process of its own, with its password; only the moment of its death is arranged.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import Popen

import httpx
import pytest
import uvicorn
from delivering import DOOR, KEY
from findings import envelope, finding
from prefect.client.orchestration import PrefectClient, get_client
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from gateway.app import Settings, create_app
from gateway.dispatch.runs import DEPLOYMENT, Runs
from gateway.practice.prefect_database import give_tables
from gateway.practice.stack import free_port
from gateway.prefect_password import USER, for_clients, for_server
from gateway.processes import kill, prefect_of_its_own, server_command, started
from incident.findings.finding import incident_id, parse_finding
from incident.ledger import Kind
from tasks.ledger import Ledger

PASSWORD = "of-this-test-only"
MOMENTS = ("when it is asked", "before its answer")
_PATIENCE_SECONDS = 120.0


class PrefectServer:
    """A Prefect server that can be killed and started again on the same database."""

    def __init__(self, folder: Path) -> None:
        self._port, self._log = free_port(), folder / "log"
        seen = for_clients(PASSWORD)
        others = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        self._seen = {**others, **prefect_of_its_own(folder, self._port), **seen, **for_server(seen)}
        self._process: Popen[bytes] | None = None
        give_tables(self._seen)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self._port}/api"

    def start(self) -> None:
        self._process = started(server_command("127.0.0.1", self._port), self._seen, self._log)

    def kill(self) -> None:
        assert self._process is not None
        kill(self._process)

    async def answers(self) -> bool:
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                return (await client.get(f"{self.api}/health")).is_success
        except httpx.TransportError:
            return False


async def until(holds: Callable[[], Awaitable[object] | object], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        found = holds()
        if await found if isinstance(found, Awaitable) else found:
            return
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    """A server with the deployment that responses run as."""
    made = PrefectServer(tmp_path_factory.mktemp("prefect"))
    made.start()
    try:
        with temporary_settings({PREFECT_API_URL: made.api, PREFECT_API_AUTH_STRING: f"{USER}:{PASSWORD}"}):
            asyncio.run(_deployed(made))
            yield made
    finally:
        made.kill()


async def _deployed(server: PrefectServer) -> None:
    await until(server.answers, "Prefect's server")
    async with get_client() as client:
        flow, _, name = DEPLOYMENT.partition("/")
        await client.create_deployment(await client.create_flow_from_name(flow), name, parameter_openapi_schema={})


@asynccontextmanager
async def doors(ledger: Ledger, folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The real doors in this very loop, so that they see this test's Prefect."""
    app = create_app(Settings(("current-key",), folder, poll_seconds=0.2), ledger, Runs(ledger).start)
    serving = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="on"))
    task = asyncio.create_task(serving.serve())
    await until(lambda: serving.started, "the doors")
    address = f"http://127.0.0.1:{serving.servers[0].sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=10) as client:
        yield client
    serving.should_exit = True
    await task


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_prefect_server_makes_one_run_when_it_stands_again(server, ledger, tmp_path, monkeypatch, moment):
    body = finding(id=f"{MOMENTS.index(moment):032x}")
    incident = incident_id(parse_finding(body))
    made, killed = PrefectClient.create_flow_run_from_deployment, asyncio.Event()

    def die() -> None:
        if not killed.is_set():
            server.kill()
            killed.set()

    async def dying(client: PrefectClient, *arguments: object, **more: object) -> object:
        if moment == "when it is asked" and not killed.is_set():
            asking = asyncio.create_task(made(client, *arguments, **more))
            # The request is on its way; how far it came is the server's affair.
            await asyncio.sleep(0.005)
            die()
            return await asking
        run = await made(client, *arguments, **more)
        if moment == "before its answer" and not killed.is_set():
            die()
            raise httpx.ReadError("the server is gone")
        return run

    async def played() -> list[str]:
        async with doors(ledger, tmp_path) as client:
            assert (await client.post(DOOR, json=envelope(body), headers=KEY)).status_code == 202
            await until(killed.is_set, moment)
            assert ledger.find(incident, "run") is None
            server.start()
            assert (await client.post(DOOR, json=envelope(body), headers=KEY)).status_code == 200
            await until(lambda: ledger.find(incident, "run"), "the run")
        async with get_client() as asking:
            return [str(run.id) for run in await asking.read_flow_runs() if run.parameters == {"incident": incident}]

    monkeypatch.setattr(PrefectClient, "create_flow_run_from_deployment", dying)
    runs = asyncio.run(played())
    (line,) = ledger.lines(incident, Kind.RUN)
    assert runs == [line.body["flow_run"]]
