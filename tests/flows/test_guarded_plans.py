"""What a guard refuses leaves the plan before anybody is asked, and stands in it for people to read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from flows import planning
from flows.case import Case
from incident.actor import Actor
from incident.family import Read, Scope
from incident.ledger import Kind
from incident.plan import Phase, Plan, PlannedCall, Step
from incident.policy import Policy
from incident.settings import Observed, SettingKey
from tasks import work
from tasks.aws import AwsError
from tasks.baseline import Baselines, Swept

ACCOUNT, REGION, INCIDENT = "111122223333", "us-east-1", "inc-1"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CALL = PlannedCall(service="ec2", operation="DeleteSecurityGroup", parameters={}, permissions=("ec2:DeleteSecurityGroup",))


def group(number: int) -> SettingKey:
    return SettingKey(ACCOUNT, REGION, "security-group", f"sg-{number:017x}")


def gone(number: int) -> Step:
    return Step(id=f"s-{number}", phase=Phase.ERADICATE, title="delete", key=group(number), expects={}, calls=(CALL,))


class Tagging:
    """An EC2 that knows tags, or answers no question about them."""

    def __init__(self) -> None:
        self.tags: dict[str, dict[str, str]] = {}
        self.error: AwsError | None = None
        self.asked: list[int] = []
        self.config = SimpleNamespace(home_region=REGION)

    def act_for(self, incident: str) -> None:
        """Nothing here tells incidents apart."""

    def own_access_key(self, account: str) -> str:
        return "AKIAOWN"

    def read_all(self, scope: Scope, read: Read) -> list[dict[str, Any]]:
        if self.error is not None:
            raise self.error
        names = read.parameters["Filters"][0]["Values"]
        self.asked.append(len(names))
        shown = [(name, *tag) for name in names for tag in self.tags.get(name, {}).items()]
        return [{"Tags": [{"ResourceId": name, "Key": key, "Value": value}]} for name, key, value in shown] or [{"Tags": []}]


@pytest.fixture
def desk(ledger, tmp_path, monkeypatch):
    aws, baselines = Tagging(), Baselines(tmp_path, ledger)
    hands = SimpleNamespace(ledger=ledger, aws=aws, baselines=baselines, policy=Policy(), clock=lambda: NOON)
    monkeypatch.setattr(work, "hands", lambda: hands)
    monkeypatch.setattr(planning, "tags_of", work.tags_of.fn)
    case = Case(INCIDENT, hands)
    ledger.append(INCIDENT, Kind.NOTE, "actor:1", Actor().to_json())

    def kept(policy: Policy, steps: int) -> Plan:
        hands.policy = policy
        plan = Plan(incident=INCIDENT, title="Restore", steps=tuple(gone(number) for number in range(steps)))
        asyncio.run(planning.keep_guarded(case, "restore", 1, plan))
        found = case.plan("restore", 1)
        assert found is not None
        return found

    return SimpleNamespace(aws=aws, baselines=baselines, kept=kept)


def test_a_step_on_a_protected_resource_leaves_the_plan_and_is_shown(desk):
    desk.aws.tags[group(1).resource] = {"env": "prod"}
    plan = desk.kept(Policy(protected_tags={"env": "prod*"}), 3)
    assert [step.id for step in plan.steps] == ["s-0", "s-2"]
    (left,) = plan.unplanned
    assert (left.status, left.what) == ("protected", "step s-1")
    assert "rule protected_tags" in left.why


def test_tags_are_asked_for_in_batches_and_only_where_some_protect(desk):
    desk.kept(Policy(protected_tags={"env": "prod"}), 450)
    assert sorted(desk.aws.asked) == [50, 200, 200]


def test_without_protected_tags_nobody_asks_for_any(desk):
    desk.aws.error = AwsError("DescribeTags", "Throttling", "slow")
    assert len(desk.kept(Policy(), 3).steps) == 3


def test_tags_that_are_not_known_refuse_every_step_that_needs_them(desk):
    desk.aws.error = AwsError("DescribeTags", "UnauthorizedOperation", "no")
    plan = desk.kept(Policy(protected_tags={"env": "prod"}), 2)
    assert plan.steps == ()
    assert all("UnauthorizedOperation" in item.why for item in plan.unplanned)


@pytest.mark.parametrize(("covered", "left"), [(frozenset({"security-group"}), 0), (frozenset(), 6)])
def test_more_than_a_share_of_what_the_baseline_counts_is_refused(desk, covered, left):
    shown = tuple(Observed(group(number), {}) for number in range(10))
    desk.baselines.keep(Swept(Scope(ACCOUNT, REGION), datetime(2026, 2, 28, tzinfo=UTC), shown, {}, covered))
    assert len(desk.kept(Policy(largest_share=0.5), 6).steps) == left
