"""SIGKILL between any two instructions of the executor changes neither the end nor what took effect in AWS."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from crashes import killed_when_told, utc_now
from direct import INCIDENT, POLICY, World, apply_all, attacked
from sqlalchemy import make_url

from drill.aws.range import Range
from drill.scenario import load
from drill.stage import range_config
from tasks.executor import GOOD
from tasks.ledger import Ledger

# A step has five boundaries, so that every thirty-first one meets each of them in turn. `make nightly` takes every one.
STRIDE = int(os.environ.get("COUNTERMAND_BOUNDARY_STRIDE", "31"))

# The estate is made and attacked once, and each world is a fork of that process. Who is to be killed is forked before it listens.
FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class End:
    """How a world ended: what was not good, the calls that took effect, every setting, and where the ledger's chain is broken."""

    bad: list[str]
    calls: list
    settings: list[str]
    broken: object
    restored: bool


def finished(world: World, boundary=lambda name: None) -> End:
    outcomes = apply_all(world.executor(boundary), world.plans)
    bad = [str(outcome) for outcome in outcomes if outcome.result not in GOOD]
    broken = Ledger.open(world.ledger_url, utc_now).verify(INCIDENT)
    return End(bad, world.calls(), world.settings(), broken, world.judged().restored)


def undisturbed(world: World) -> tuple[list[str], End]:
    """How it goes when nothing is killed: the boundaries by name, and the end."""
    world.aws.listen()
    passed: list[str] = []
    return passed, finished(world, passed.append)


def killed_once(world: World, boundary: int) -> tuple[int | None, End]:
    """How it goes when the first process is killed at a boundary and another comes after it: the first's exit code, and the end."""
    ours, theirs = FORK.Pipe()
    plans = [plan.model_dump_json() for plan in world.plans]
    child = FORK.Process(target=killed_when_told, args=(theirs, boundary, world.ledger_url, POLICY.model_dump_json(), plans))
    child.start()
    ours.send((world.aws.listen().url, world.aws.account))
    child.join(120)
    return child.exitcode, finished(world)


def in_a_copy(world: World, folder: Path, work: Callable[..., Any], *arguments: Any) -> Any:
    """What `work` answers in a process that has the range and the ledger as they are now, and shares nothing with this one."""
    folder.mkdir()
    for file in Path(make_url(world.ledger_url).database).parent.glob("ledger.db*"):
        shutil.copy(file, folder)
    copy = replace(world, ledger_url=f"sqlite:///{folder / 'ledger.db'}")
    ours, theirs = FORK.Pipe()
    child = FORK.Process(target=_answer, args=(theirs, work, copy, *arguments))
    child.start()
    theirs.close()
    try:
        answer = ours.recv()
    except EOFError:
        pytest.fail(f"{work.__name__}{arguments} ended with an error; see above")
    child.join(120)
    return answer


def _answer(pipe: Connection, work: Callable[..., Any], *arguments: Any) -> None:
    pipe.send(work(*arguments))


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize(
    ("name", "where", "stride"),
    [
        pytest.param("open-ssh-to-world", "", 1, id="a small incident, everywhere"),
        pytest.param("network-takeover", "", STRIDE, id="the demo"),
        pytest.param("mining-instance", "evidence-", 1, id="while evidence is taken, on which deletions rest"),
        pytest.param("torn-down", "after call", min(2, STRIDE), id="where a resource was made that the journal does not know yet"),
    ],
)
def test_killed_at_a_boundary_the_end_and_the_calls_are_the_same(name, where, stride, tmp_path, free_port):
    scenario = load(name)
    with Range(replace(range_config(scenario, snapshot_seconds=1), port=free_port)) as aws:
        world = attacked(aws, scenario, tmp_path, swept=False)
    boundaries, end = in_a_copy(world, tmp_path / "undisturbed", undisturbed)
    assert (end.bad, end.broken, end.restored) == ([], None, True)
    chosen = [number for number, boundary in enumerate(boundaries, start=1) if where in boundary][::stride]
    assert len(chosen) >= 5
    for boundary in chosen:
        exitcode, after = in_a_copy(world, tmp_path / str(boundary), killed_once, boundary)
        assert exitcode == -signal.SIGKILL, f"boundary {boundary} was not reached"
        assert after == end, f"boundary {boundary}"
