"""Where only AWS Config tells what was: asked, kept as evidence, and used as prior state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from direct import client

from drill.aws.range import Range
from drill.scenario import load
from drill.stage import Stage, range_config
from flows.case import Case
from flows.scope import _ask_config, investigation
from gateway.practice.configuration import granted_to
from incident.actor import Actor, Credential, Link
from incident.attribution import followed
from incident.config_items import Question
from incident.family import Scope
from incident.ledger import Kind
from incident.record import Record
from incident.settings import Source, Unknown
from tasks.aws import AwsError
from tasks.config import AwsConfig, Config
from tasks.config_history import ask_config, ask_one
from tasks.hands import wire

INCIDENT = "inc-config"


@pytest.fixture(scope="module")
def stage():
    scenario = load("older-than-the-trail")
    with Range(range_config(scenario, granted=granted_to(scenario.account_ids))) as aws:
        stage = Stage(scenario, aws)
        stage.build_estate()
        stage.attack()
        stage.aws = aws
        yield stage


@pytest.fixture
def case(stage, tmp_path, monkeypatch) -> Case:
    """The attacked estate's case, up to the records that the scope phase keeps."""
    keys = stage.aws.responder()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token)
    aws = AwsConfig(accounts=(stage.aws.account,), endpoint_url=stage.aws.url)
    case = Case(INCIDENT, wire(Config(home=tmp_path, aws=aws)))
    raw = stage.aws.app.trail.records()
    case.hands.evidence.keep_json(INCIDENT, "records/look-1.json", raw, "every record")
    key = stage.happened.keys["mallory"][0]
    seed = Credential(key, "mallory", "user", Link.PROVED, "the finding names it", "", stage.aws.account)
    actor = followed(Actor({key: seed}, seed=key), [Record.parse(one) for one in raw])
    case.hands.ledger.append(INCIDENT, Kind.ACTOR, "actor:1", actor.to_json())
    return case


def open_settings(case: Case) -> list[str]:
    return [str(one.key) for one in investigation(case, 1).reversals if isinstance(one.target, Unknown)]


def test_without_config_nothing_tells_what_was(case):
    assert len(open_settings(case)) == 5


def test_config_tells_what_was_and_is_kept_as_evidence(case):
    _ask_config(case, 1)
    assert open_settings(case) == []
    assert "config/look-1.json" in [one["item"] for one in case.hands.evidence.manifest(INCIDENT)]
    told = [one for one in investigation(case, 1).reversals if one.source is Source.CONFIG]
    assert {(one.key.kind, one.key.name): one.target for one in told if one.key.kind == "subnet-attribute"} == {
        ("subnet-attribute", "MapPublicIpOnLaunch"): True
    }
    assert {one.key.kind for one in told} == {"subnet-attribute", "network-acl-entry", "network-acl-association"}


def test_config_is_asked_once_however_often_the_phase_starts(case, monkeypatch):
    _ask_config(case, 1)

    def again(*args):
        raise AssertionError("Config was asked a second time")

    monkeypatch.setattr("flows.scope.ask_config", again)
    _ask_config(case, 1)
    assert open_settings(case) == []


def test_a_config_that_does_not_record_is_a_gap_that_the_report_shows(case, monkeypatch):
    silent = Silent("NoAvailableConfigurationRecorderException")
    monkeypatch.setattr("flows.scope.ask_config", lambda aws, questions: ask_config(silent, questions))
    _ask_config(case, 1)
    (row,) = case.hands.ledger.find(INCIDENT, "coverage:config:1").body["regions"]
    assert (row["region"], row["status"]) == ("us-east-1", "not enabled")
    assert len(open_settings(case)) == 5


class Silent:
    """An AWS whose Config refuses."""

    def __init__(self, code: str) -> None:
        self.code, self.asked = code, 0

    def read_all(self, scope, read):
        self.asked += 1
        raise AwsError(read.operation, self.code, "no")


TABLE = Question(Scope("111122223333", "us-east-1"), "AWS::EC2::RouteTable", "rtb-1")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_resource_that_config_never_saw_has_no_item_and_that_is_no_problem():
    answer = ask_one(Silent("ResourceNotDiscoveredException"), TABLE, NOON)
    assert (answer.items, answer.problem) == ((), "")


def test_a_place_that_does_not_record_is_asked_once_and_named():
    aws = Silent("NoAvailableConfigurationRecorderException")
    other = Question(TABLE.scope, TABLE.type, "rtb-2")
    answers = ask_config(aws, {TABLE: NOON, other: NOON})
    assert aws.asked == 1
    assert [(answer.recording, "NoAvailableConfigurationRecorder" in answer.problem) for answer in answers] == [(False, True)] * 2


def test_a_refused_read_is_named_and_the_next_is_asked_all_the_same():
    aws = Silent("AccessDeniedException")
    answers = ask_config(aws, {TABLE: NOON, Question(TABLE.scope, TABLE.type): NOON})
    assert aws.asked == 2
    assert [answer.problem for answer in answers] == [
        "ListDiscoveredResources: AccessDeniedException: no",
        "GetResourceConfigHistory: AccessDeniedException: no",
    ]


def test_the_newest_item_from_before_the_moment_is_read(case, stage):
    aws = client(stage.aws)
    question = Question(Scope(stage.aws.account, "us-east-1"), "AWS::EC2::Subnet", stage.happened.names["sn"])
    now = datetime.fromtimestamp(stage.aws.clock.now(), UTC) + timedelta(seconds=1)
    (newest,) = ask_one(aws, question, now).items
    first = ask_one(aws, question, newest["configurationItemCaptureTime"]).items
    assert first[0]["configurationItemCaptureTime"] < newest["configurationItemCaptureTime"]
    assert ask_one(aws, question, first[0]["configurationItemCaptureTime"]).items == ()


def test_a_type_without_a_resource_is_asked_for_all_of_them(case, stage):
    question = Question(Scope(stage.aws.account, "us-east-1"), "AWS::EC2::NetworkAcl")
    answer = ask_one(client(stage.aws), question, datetime.fromtimestamp(stage.aws.clock.now(), UTC))
    assert len(answer.items) == 2
