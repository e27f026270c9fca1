"""Which days stand out, and whose what costs is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from examples import ACCOUNT, setting, step
from hypothesis import given
from hypothesis import strategies as st

from incident.costs import BASE_DAYS, DayCost, costs, day_costs, made_by_actor, question, spikes, things
from incident.ledger import Kind, Line
from incident.plan import Phase, Plan

SINCE = date(2026, 11, 20)


def cost(day: date, amount: float, service: str = "EC2", region: str = "eu-central-1") -> DayCost:
    return DayCost(ACCOUNT, day, service, region, amount, "USD", estimated=False)


def weeks(amount: float) -> list[DayCost]:
    return [cost(SINCE - timedelta(days=back), amount) for back in range(1, BASE_DAYS + 1)]


@pytest.mark.parametrize(
    ("usual", "now", "stands_out"),
    [(0, 1, True), (0, 0.99, False), (10, 20, False), (10, 20.01, True), (0.1, 0.9, False), (0.1, 1.1, True), (5, 0, False)],
)
def test_a_day_stands_out_by_the_rule_that_is_printed(usual: float, now: float, stands_out: bool):
    found = spikes([*weeks(usual), cost(SINCE, now)], SINCE)
    assert [(spike.cost.amount, spike.usual) for spike in found] == ([(now, usual)] if stands_out else [])


def test_a_service_that_never_cost_anything_is_compared_with_nothing():
    told = [*weeks(100), cost(SINCE, 100), cost(SINCE, 3, region="ap-south-1")]
    assert [(spike.cost.region, spike.usual) for spike in spikes(told, SINCE)] == [("ap-south-1", 0)]


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=7))
def test_days_before_the_incident_never_stand_out(amounts: list[float]):
    told = [cost(SINCE - timedelta(days=number + 1), amount) for number, amount in enumerate(amounts)]
    assert spikes(told, SINCE) == []


def test_four_weeks_are_asked_for_and_today_is_among_them():
    assert question(SINCE, date(2026, 11, 24))["TimePeriod"] == {"Start": "2026-10-23", "End": "2026-11-25"}


def test_what_cost_explorer_answers_is_read_day_by_day():
    group = {"Keys": ["Amazon EC2", "us-east-1"], "Metrics": {"UnblendedCost": {"Amount": "1.5", "Unit": "USD"}}}
    answer = {"ResultsByTime": [{"TimePeriod": {"Start": "2026-11-20"}, "Groups": [group], "Estimated": True}]}
    assert list(day_costs(ACCOUNT, answer)) == [DayCost(ACCOUNT, SINCE, "Amazon EC2", "us-east-1", 1.5, "USD", True)]


def test_stopped_instances_count_and_ended_ones_do_not():
    states = {"i-1": "running", "i-2": "stopped", "i-3": "terminated"}
    instances = [{"InstanceId": id_, "InstanceType": "p4d", "State": {"Name": state}} for id_, state in states.items()]
    found = things(ACCOUNT, "us-east-1", "instance", {"Reservations": [{"Instances": instances}]}, {("us-east-1", "i-2")})
    assert [(one.id, one.detail, one.whose) for one in found] == [("i-1", "p4d, running", ""), ("i-2", "p4d, stopped", "actor")]


def test_evidence_is_ours_and_what_the_plan_deletes_is_the_actors():
    doomed = step(setting("snapshot", "snap-1"), expects={}, phase=Phase.ERADICATE)
    plan = Plan(incident="inc-1", title="restore", steps=(doomed,))
    line = Line("inc-1", 1, "plan", Kind.PLAN, datetime(2026, 11, 20, tzinfo=UTC), {"plan": plan.model_dump(mode="json")}, "", "")
    made = made_by_actor([line])
    tagged = {"SnapshotId": "snap-2", "Tags": [{"Key": "countermand:incident", "Value": "inc-1"}]}
    found = things(ACCOUNT, "us-east-1", "snapshot", {"Snapshots": [{"SnapshotId": "snap-1"}, tagged]}, made)
    assert [(one.id, one.whose) for one in found] == [("snap-1", "actor"), ("snap-2", "ours")]


def test_counts_are_by_account_and_region():
    listed = {"Volumes": [{"VolumeId": "vol-1", "Size": 8, "State": "in-use"}, {"VolumeId": "vol-2"}]}
    found = costs(things(ACCOUNT, "us-east-1", "volume", listed, {("us-east-1", "vol-1")}), [], SINCE, [])
    assert found.counts() == {(ACCOUNT, "us-east-1"): {"volume": (2, 1)}}
