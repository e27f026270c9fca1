"""Two workers run the same incident at once: nothing is done twice, nothing is lost, and the ledger tells it as it was."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections import Counter

import pytest
from crashes import together, utc_now
from direct import INCIDENT, POLICY, apply_all, attacked

from drill.aws.range import Range
from drill.scenario import load
from drill.stage import range_config
from incident.ledger import Kind
from tasks.executor import GOOD
from tasks.ledger import Ledger

WORKERS = 2
LEDGERS = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres])]


@pytest.fixture(params=LEDGERS)
def ledger_url(request: pytest.FixtureRequest, tmp_path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> list:
    """The calls of one worker."""
    with Range(range_config(load("torn-down"), snapshot_seconds=1)) as aws:
        world = attacked(aws, load("torn-down"), tmp_path_factory.mktemp("alone"), swept=False)
        assert {outcome.result for outcome in apply_all(world.executor(), world.plans)} <= GOOD
        return world.calls()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_workers_make_the_calls_of_one(alone, ledger_url, tmp_path):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["crashes", "boto3", "tasks.executor"])
    with Range(range_config(load("torn-down"), snapshot_seconds=1)) as aws:
        world = attacked(aws, load("torn-down"), tmp_path, swept=False, ledger_url=ledger_url)
        plans, start = [plan.model_dump_json() for plan in world.plans], context.Barrier(WORKERS)
        arguments = (start, aws.url, aws.account, ledger_url, POLICY.model_dump_json(), plans, world.credentials)
        workers = [context.Process(target=together, args=arguments) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(180)
        assert [worker.exitcode for worker in workers] == [0] * WORKERS
        ledger = Ledger.open(ledger_url, utc_now)
        ends = Counter(line.body["step"] for line in ledger.lines(INCIDENT, Kind.OUTCOME))
        assert ends == Counter(step.id for plan in world.plans for step in plan.steps)
        assert {line.body["result"] for line in ledger.lines(INCIDENT, Kind.OUTCOME)} <= GOOD
        assert world.calls() == alone
        assert world.judged().restored
        assert ledger.verify(INCIDENT) is None
        ledger.close()


def test_a_name_is_held_by_one_at_a_time_and_other_names_are_free(ledger_url):
    first, second = Ledger.open(ledger_url, utc_now), Ledger.open(ledger_url, utc_now)
    order: list[str] = []

    def other() -> None:
        with second.holding("b"):
            order.append("b")
        with second.holding("a"):
            order.append("second a")

    with first.holding("a"):
        waiting = threading.Thread(target=other)
        waiting.start()
        deadline = time.monotonic() + 20
        while "b" not in order and time.monotonic() < deadline:
            time.sleep(0.01)
        waiting.join(0.2)
        order.append("first a")
    waiting.join(20)
    assert order == ["b", "first a", "second a"]
    first.close()
    second.close()
