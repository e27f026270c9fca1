"""Somebody undoes containment while we work: it is seen, told, done again where the approval covers it, and they are a suspect."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from crashes import utc_now
from direct import INCIDENT, POLICY, World, apply_all, attacked, client, found_actor, recorded

from drill.aws.config import KeyPair, bootstrap_keys
from drill.aws.range import Range
from drill.client import boto_client
from drill.scenario import load
from drill.stage import range_config
from flows import holding
from flows.case import Case
from flows.planning import CONTAIN
from incident.actor import Actor, Link
from incident.containment import DENY_POLICY
from incident.findings.finding import parse_finding
from incident.ledger import Kind
from incident.record import Record
from incident.reports.report import report
from tasks import work
from tasks.approvals import Approvals
from tasks.cloudtrail import EventHistory
from tasks.executor import Result
from tasks.ledger import Ledger

pytestmark = pytest.mark.served


class Desk:
    """A contained incident, and a colleague's administrator key that nobody suspects."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.world, self.said = world, dict[str, str]()
        self.role = next(step.key.resource for step in world.plans[1].steps if step.key.kind == "role-policy")
        self.ledger = Ledger.open(world.ledger_url, utc_now)
        finding = parse_finding(world.stage.finding().api)
        self.actor = found_actor(finding, [Record.parse(item) for item in recorded(world.aws)])
        aws = client(world.aws)
        aws.config = aws.config.model_copy(update={"spread_seconds": 0})
        self.hands = SimpleNamespace(
            ledger=self.ledger,
            aws=aws,
            history=EventHistory(aws),
            executor=world.executor(),
            approvals=Approvals(self.ledger, POLICY, utc_now),
            config=SimpleNamespace(aws=aws.config),
            clock=utc_now,
            evidence=SimpleNamespace(load_json=lambda incident, name: recorded(world.aws)),
        )
        monkeypatch.setattr(work, "hands", lambda: self.hands)
        for task in ("read_settings", "look_up", "apply_step_again"):
            monkeypatch.setattr(holding, task, getattr(work, task).fn)

        async def post(incident: str, key: str, text: str, blocks: list) -> str:
            self.said[key] = text
            return ""

        monkeypatch.setattr(holding, "post", post)
        self.case = Case(INCIDENT, self.hands)
        self.ledger.append(
            INCIDENT, Kind.OPENED, "opened", {"type": "t", "title": "t", "account": self.world.aws.account, "region": "us-east-1"}
        )
        self.case.keep_plan(CONTAIN, 1, world.plans[1])
        self.ledger.append(INCIDENT, Kind.ACTOR, "actor:1", self.actor.to_json())

    def held(self, moment: str) -> dict:
        asyncio.run(holding._held(self.case, 1, moment))
        line = self.ledger.find(INCIDENT, f"held:1:{moment}")
        assert line is not None
        return line.body

    def iam(self, keys: KeyPair | None = None):
        return boto_client(self.world.aws.url, "iam", "us-east-1", keys or bootstrap_keys(self.world.aws.account))

    def sleeper(self) -> KeyPair:
        """An administrator whose key no record of the attack shows."""
        iam = self.iam()
        iam.create_user(UserName="sleeper")
        iam.attach_user_policy(UserName="sleeper", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        made = iam.create_access_key(UserName="sleeper")["AccessKey"]
        return KeyPair(made["AccessKeyId"], made["SecretAccessKey"])

    def deny_stands(self) -> bool:
        """As IAM says it."""
        names = self.iam().list_role_policies(RoleName=self.role)["PolicyNames"]
        return DENY_POLICY in names

    def outcomes(self) -> list[str]:
        lines = self.ledger.lines(INCIDENT, Kind.OUTCOME)
        return [line.body["result"] for line in lines if f"of role {self.role}" in line.body["title"]]


@pytest.fixture(scope="module")
def contained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    scenario = load("stolen-instance-profile")
    with Range(range_config(scenario, snapshot_seconds=0, delivery_lag=0)) as aws:
        world = attacked(aws, scenario, tmp_path_factory.mktemp("contained"), swept=False)
        assert all(outcome.good for outcome in apply_all(world.executor(), world.plans[1:2]))
        yield world


def test_who_undoes_a_deny_is_seen_and_suspected_and_it_is_put_back(contained: World, monkeypatch: pytest.MonkeyPatch):
    desk = Desk(contained, monkeypatch)
    assert desk.held("when all stands")["undone"] == []
    assert desk.said == {}

    keys = desk.sleeper()
    desk.iam(keys).delete_role_policy(RoleName=desk.role, PolicyName=DENY_POLICY)
    assert not desk.deny_stands()
    (item,) = desk.held("undone")["undone"]
    assert (item["found"], item["covered"], item["good"]) == ("absent", True, True)
    assert (item["by"], item["access_key"]) == (f"arn:aws:iam::{contained.aws.account}:user/sleeper", keys.access_key)
    assert desk.deny_stands()
    assert desk.outcomes() == [Result.DONE, Result.DONE]
    (said,) = desk.said.values()
    assert "undone by" in said
    assert "user/sleeper; contained again" in said

    # A run that starts again says the same, does nothing and asks nobody.
    assert desk.held("undone")["undone"] == [item]
    assert desk.outcomes() == [Result.DONE, Result.DONE]
    assert holding.was_undone(desk.case, 1)
    assert not holding.is_lost(desk.case, 1, "undone")

    records = [Record.parse(raw) for raw in recorded(contained.aws)]
    asked = [question.value for question in holding.questions(holding.undoers(desk.case, 1), "us-east-1")]
    assert asked == [desk.role]
    actor = holding.with_undoers(desk.case, 1, Actor(), records, frozenset())
    assert {key: one.link for key, one in actor.credentials.items()} == {keys.access_key: Link.SUSPECTED}
    nobody = holding.with_undoers(desk.case, 1, Actor(), records, frozenset({f"arn:aws:iam::{contained.aws.account}:user/sleeper"}))
    assert nobody.credentials == {}
    told = report(desk.ledger.lines(INCIDENT))
    assert [one["by"] for one in told.undone] == [item["by"]]
    assert any("undone by" in moment.what for moment in told.timeline)


def test_what_no_approval_covers_is_left_for_people_and_said(contained: World, monkeypatch: pytest.MonkeyPatch):
    desk = Desk(contained, monkeypatch)
    decoy = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}'
    desk.iam().put_role_policy(RoleName=desk.role, PolicyName=DENY_POLICY, PolicyDocument=decoy)
    (item,) = desk.held("a decoy in its place")["undone"]
    assert (item["covered"], item["good"]) == (False, False)
    assert "asked again" in item["detail"]
    assert holding.is_lost(desk.case, 1, "a decoy in its place")
    shown = desk.iam().get_role_policy(RoleName=desk.role, PolicyName=DENY_POLICY)["PolicyDocument"]
    assert shown["Statement"][0]["Action"] == "s3:GetObject"

    desk.iam().delete_role_policy(RoleName=desk.role, PolicyName=DENY_POLICY)
    desk.ledger.append(INCIDENT, Kind.AMENDMENT, "amendment:1", {"kind": "window"})
    monkeypatch.setattr(desk.case, "amendments", lambda look: SimpleNamespace(releases=lambda step: False))
    (item,) = desk.held("after the approval was voided")["undone"]
    assert (item["covered"], item["good"]) == (True, False)
    assert "no valid approval" in item["detail"]
    assert not desk.deny_stands()
