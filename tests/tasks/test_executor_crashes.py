"""SIGKILL between any two instructions of the executor changes neither the end nor what took effect in AWS."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest
from crashes import killed_at, utc_now
from direct import INCIDENT, POLICY, apply_all, attacked

from drill.aws.range import Range
from drill.scenario import load
from drill.stage import range_config
from tasks.executor import GOOD
from tasks.ledger import Ledger

# A step has five boundaries, so that every sixteenth one meets each of them in turn. `make nightly` takes every one.
STRIDE = int(os.environ.get("COUNTERMAND_BOUNDARY_STRIDE", "16"))


def a_range(name: str) -> Range:
    return Range(range_config(load(name), snapshot_seconds=1))


def undisturbed(name: str, folder) -> tuple[list[str], list, list]:
    """How it goes when nothing is killed: the boundaries by name, the calls, the end."""
    folder.mkdir()
    with a_range(name) as aws:
        world = attacked(aws, load(name), folder, swept=False)
        passed: list[str] = []
        outcomes = apply_all(world.executor(passed.append), world.plans)
        assert {outcome.result for outcome in outcomes} <= GOOD, [outcome for outcome in outcomes if not outcome.good]
        assert world.judged().restored
        return passed, world.calls(), world.settings()


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize(
    ("name", "where", "stride"),
    [
        pytest.param("open-ssh-to-world", "", 1, id="a small incident, everywhere"),
        pytest.param("network-takeover", "", STRIDE, id="the demo"),
        pytest.param("mining-instance", "evidence-", 1, id="while evidence is taken, on which deletions rest"),
        pytest.param("torn-down", "after call", 1, id="where a resource was made and the journal does not know it yet"),
    ],
)
def test_killed_at_a_boundary_the_end_and_the_calls_are_the_same(name, where, stride, tmp_path):
    boundaries, calls, settings = undisturbed(name, tmp_path / "undisturbed")
    chosen = [number for number, boundary in enumerate(boundaries, start=1) if where in boundary][::stride]
    assert len(chosen) >= 5
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["crashes", "boto3", "tasks.executor"])
    for boundary in chosen:
        folder = tmp_path / str(boundary)
        folder.mkdir()
        with a_range(name) as aws:
            world = attacked(aws, load(name), folder, swept=False)
            plans = [plan.model_dump_json() for plan in world.plans]
            arguments = (boundary, aws.url, aws.account, world.ledger_url, POLICY.model_dump_json(), plans, world.credentials)
            child = context.Process(target=killed_at, args=arguments)
            child.start()
            child.join(120)
            assert child.exitcode == -signal.SIGKILL, f"boundary {boundary} was not reached"
            outcomes = apply_all(world.executor(), world.plans)
            assert {outcome.result for outcome in outcomes} <= GOOD, (boundary, outcomes)
            assert world.calls() == calls, f"boundary {boundary}"
            assert world.settings() == settings, f"boundary {boundary}"
            assert Ledger.open(world.ledger_url, utc_now).verify(INCIDENT) is None
