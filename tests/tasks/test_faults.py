"""Whole responses while AWS misbehaves: throttled, failing, silent, late. Nothing is done twice or lost, and the end is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from crashes import utc_now
from direct import INCIDENT, POLICY, World, apply_all, attacked

from drill.aws.range import Range
from drill.client import RangeClient
from drill.scenario import load
from drill.stage import range_config
from incident.ledger import Kind
from tasks.approvals import Approvals
from tasks.aws import Aws
from tasks.config import AwsConfig
from tasks.executor import GOOD, Executor, Result
from tasks.ledger import Ledger

pytestmark = pytest.mark.served

RESPONDER = "*CountermandResponder*"
THROTTLED = {"percent": 15, "code": "RequestLimitExceeded", "status": 503}
FAILED, LOST = {"percent": 15}, {"percent": 15, "moment": "after"}
CUT, UNHEARD = {"percent": 15, "drop": True}, {"percent": 15, "moment": "after", "drop": True}
LATE = {"stale_reads": 4, "service": "ec2"}
FLAPPING = {"stale_reads": 6, "service": "ec2", "percent": 50}
# Each call meets each in turn: together they hit a good 30 % of the calls.
EVERYTHING = ({**THROTTLED, "percent": 8}, *({**one, "percent": 8} for one in (FAILED, LOST, CUT, UNHEARD)), LATE)

SAID_AGAIN = frozenset({"DeleteTags", "ModifyInstanceAttribute", "ModifySubnetAttribute"})
"""What changes nothing where it was done already, and may be said twice: our own tag's end, where a late read still shows it; that
an instance may be terminated, which no read of the step's setting shows; a new subnet's attribute that no read shows yet.
"""


class Waits:
    """Waits that cost nothing: the range's clock goes on instead."""

    def __init__(self, aws: Range) -> None:
        self._aws, self.waited = aws, 0.0

    def pause(self, seconds: float) -> None:
        self.waited += seconds
        self._aws.clock.advance(seconds)

    def timer(self) -> float:
        return self.waited


def at_work(world: World) -> tuple[Executor, Ledger]:
    """The executor as it is in production but for the waits."""
    waits = Waits(world.aws)
    ledger = Ledger.open(world.ledger_url, utc_now)
    aws = Aws(AwsConfig(accounts=(world.aws.account,), endpoint_url=world.aws.url), pause=waits.pause)
    return Executor(aws, ledger, Approvals(ledger, POLICY, utc_now), pause=waits.pause, timer=waits.timer), ledger


@contextmanager
def played(
    name: str, folder, *faults: dict, seconds: float = 0, snapshot_failures: int = 0
) -> Iterator[tuple[World, Ledger, list]]:
    """A scenario whose response meets the faults from its planning on; the range stays up until the next one starts."""
    rules = tuple({"principal": RESPONDER, **one} if "stale_reads" not in one else one for one in faults)
    scenario = replace(load(name), faults=rules, snapshot_seconds=seconds, snapshot_failures=snapshot_failures)
    aws = Range(range_config(scenario)).start()
    try:
        world = attacked(aws, scenario, folder, swept=False)
        runner, ledger = at_work(world)
        outcomes = apply_all(runner, world.plans)
        RangeClient(aws.url).fault(clear=True)
        yield world, ledger, outcomes
    finally:
        aws.stop()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The calls of each scenario's response, where nothing goes wrong."""
    known: dict[str, Counter] = {}

    def calls(name: str) -> Counter:
        if name not in known:
            with played(name, tmp_path_factory.mktemp(name)) as (world, _, outcomes):
                assert {outcome.result for outcome in outcomes} <= GOOD
                known[name] = Counter(world.calls())
        return known[name]

    return calls


@pytest.mark.parametrize(
    ("name", "faults"),
    [
        pytest.param("mining-instance", (THROTTLED, FAILED, CUT), id="throttled, failing and cut off, nothing done"),
        pytest.param("mining-instance", (LOST, UNHEARD), id="failing and cut off, and done"),
        pytest.param("mining-instance", (LATE,), id="late reads"),
        pytest.param("torn-down", (LOST, UNHEARD), id="made, and the answer lost"),
        pytest.param("torn-down", EVERYTHING, id="everything at once"),
        pytest.param("torn-down", (FLAPPING,), id="reads that change their mind"),
    ],
)
def test_a_response_through_trouble_ends_as_one_without(name, faults, undisturbed, tmp_path):
    wanted = undisturbed(name)
    with played(name, tmp_path, *faults) as (world, ledger, outcomes):
        assert [outcome for outcome in outcomes if not outcome.good] == []
        done = Counter(world.calls())
        assert {call: number for call, number in (done - wanted).items() if call[1] not in SAID_AGAIN} == {}
        assert wanted - done == Counter()
        judged = world.judged()
        assert (judged.differences, judged.leftovers) == ([], [])
        assert ledger.verify(INCIDENT) is None
        assert_evidence_came_first(world, ledger)


def assert_evidence_came_first(world: World, ledger: Ledger) -> None:
    """Every deletion that rests on evidence ended after the evidence did."""
    ended = {str(line.body["step"]): line.position for line in ledger.lines(INCIDENT, Kind.OUTCOME)}
    resting = [step for plan in world.plans for step in plan.steps if step.evidence]
    assert all(ended[item] < ended[step.id] for step in resting for item in step.evidence)


def test_a_snapshot_that_takes_long_is_waited_for_and_nothing_is_lost(tmp_path):
    with played("mining-instance", tmp_path, seconds=4 * 3600) as (world, ledger, outcomes):
        assert [outcome for outcome in outcomes if not outcome.good] == []
        assert world.judged().restored
        assert_evidence_came_first(world, ledger)


@pytest.mark.parametrize(("failures", "tried"), [(1, 2), (99, 3)], ids=["once", "always"])
def test_a_snapshot_that_fails_is_taken_again_and_without_it_nothing_is_deleted(failures, tried, tmp_path):
    with played("mining-instance", tmp_path, seconds=60, snapshot_failures=failures) as (world, ledger, outcomes):
        taken = [call for call in world.calls() if call[1] == "CreateSnapshots"]
        terminated = [call for call in world.calls() if call[1] == "TerminateInstances"]
        assert len(taken) == tried
        (evidence,) = world.plans[0].steps
        ended = {outcome.step: outcome for outcome in outcomes}
        if failures < 99:
            assert ended[evidence.id].good
            assert len(terminated) == 1
            return
        assert (ended[evidence.id].result, terminated) == (Result.FAILED, [])
        assert ended[evidence.id].detail.endswith("3 times; take it by hand and amend the case")
        resting = [step.id for plan in world.plans for step in plan.steps if step.evidence]
        assert resting
        assert all(ended[step].result is Result.BLOCKED and evidence.id in ended[step].detail for step in resting)
        assert_evidence_came_first(world, ledger)
