"""A worker whose runs begin in forks, with a real Prefect server: a run that is killed or cancelled looks as Prefect means it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling

from gateway.practice.stack import Stack
from gateway.processes import POOL, prefect_command

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="forks are used on Linux only")]
FLOW = Path(__file__).parent / "waiting_flow.py"
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Run:
    """One run of the flow that waits."""

    id: UUID
    folder: Path

    def told(self) -> str:
        file = self.folder / "told"
        return file.read_text() if file.exists() else ""

    def process(self) -> int:
        return int(self.told().split()[0])

    def may_end(self) -> None:
        (self.folder / "until").touch()

    def state(self) -> str:
        return asyncio.run(_state(self.id))


async def _state(run: UUID) -> str:
    async with get_client() as client:
        state = (await client.read_flow_run(run)).state
        return state.name if state else ""


async def _cancelled(run: UUID) -> None:
    async with get_client() as client:
        await client.set_flow_run_state(run, Cancelling())


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("worker"), {}) as made:
        made.start_prefect()
        made.make_pool()
        deploy = [*prefect_command(), "--no-prompt", "deploy", f"{FLOW}:waiting", "--name", "waiting", "--pool", POOL]
        made.run("deploy", deploy)
        made.start_worker()
        entered = {PREFECT_API_URL: f"{made.prefect_url}/api", PREFECT_API_AUTH_STRING: ":".join(made.prefect_auth)}
        with temporary_settings(entered):
            yield made


@pytest.fixture
def begin(stack, tmp_path, wait_until) -> Callable[[], Run]:
    """Begins a run; it runs when this returns."""

    async def asked(folder: Path) -> UUID:
        async with get_client() as client:
            deployment = await client.read_deployment_by_name("waiting/waiting")
            parameters = {"told": str(folder / "told"), "until": str(folder / "until")}
            return (await client.create_flow_run_from_deployment(deployment.id, parameters=parameters)).id

    def one() -> Run:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        run = Run(asyncio.run(asked(folder)), folder)
        wait_until(run.told, PATIENCE_SECONDS, "the run told where it runs")
        return run

    return one


@pytest.fixture
def begun(begin) -> Run:
    """A run that runs."""
    return begin()


def client_of(run: Run) -> int:
    """The process that the worker takes for the run."""
    for folder in Path("/proc").iterdir():
        try:
            seen = (folder / "environ").read_bytes() if folder.name.isdigit() else b""
        except OSError:
            continue
        if f"PREFECT__FLOW_RUN_ID={run.id}".encode() in seen:
            return int(folder.name)
    raise AssertionError("no process has the run's id")


def forks_of(run: Run) -> int:
    """The process that a run was forked from."""
    return int(Path(f"/proc/{run.process()}/stat").read_text().rpartition(")")[2].split()[1])


def reaches(run: Run, wait_until: Callable[..., None], state: str) -> None:
    wait_until(lambda: run.state() == state, PATIENCE_SECONDS, f"the run was {state}")


def test_a_run_begins_in_a_fork_and_completes(begun, wait_until):
    assert "gateway.worker.forks" in begun.told()
    begun.may_end()
    reaches(begun, wait_until, "Completed")


def test_a_run_that_is_cancelled_ends(begun, wait_until):
    asyncio.run(_cancelled(begun.id))
    reaches(begun, wait_until, "Cancelled")
    wait_until(lambda: not Path(f"/proc/{begun.process()}").exists(), PATIENCE_SECONDS)


def test_a_run_whose_process_is_killed_has_crashed(begun, wait_until):
    os.kill(client_of(begun), signal.SIGKILL)
    reaches(begun, wait_until, "Crashed")
    wait_until(lambda: not Path(f"/proc/{begun.process()}").exists(), PATIENCE_SECONDS)


def test_a_run_whose_fork_is_killed_has_crashed(begun, wait_until):
    os.kill(begun.process(), signal.SIGKILL)
    reaches(begun, wait_until, "Crashed")


def test_the_process_that_forks_is_started_again_when_it_dies(begun, begin, wait_until):
    """Until it is there, runs begin in processes of their own."""
    os.kill(forks_of(begun), signal.SIGKILL)
    reaches(begun, wait_until, "Crashed")

    def next_is_a_fork() -> bool:
        run = begin()
        run.may_end()
        reaches(run, wait_until, "Completed")
        return "gateway.worker.forks" in run.told()

    wait_until(next_is_a_fork, PATIENCE_SECONDS, "a run began in a fork again")


def test_a_run_outlives_its_worker(begun, stack, wait_until):
    """A response must not end half way because the worker died; its next run is another worker's."""
    stack.kill("worker")
    forks = forks_of(begun)
    assert "gateway.worker.forks" in begun.told()
    begun.may_end()
    reaches(begun, wait_until, "Completed")
    wait_until(lambda: not Path(f"/proc/{forks}").exists(), PATIENCE_SECONDS, "the process that forks ended after its last run")
