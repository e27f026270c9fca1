"""What IAM's policies held before an actor wrote over them, where only AWS Config tells it: asked, and put back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from drill.aws import Range, RangeConfig
from drill.client import boto_client
from gateway.practice.configuration import granted_to
from incident.config_items import open_questions, told, unanswered
from incident.families import family_for_event
from incident.record import Record
from incident.settings import Fold, Reversal, Source, Unknown, reversals
from tasks.aws import Aws
from tasks.config import AwsConfig
from tasks.config_history import ask_config

REGION = "us-east-1"
POLICY = "arn:aws:iam::111122223333:policy/orders"


def says(action: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
)


@pytest.fixture(scope="module")
def running() -> Iterator[Range]:
    """What the owner made is in no trail; AWS Config saw it before the actor's calls."""
    with Range(RangeConfig(regions=(REGION,), granted=granted_to(["111122223333"]))) as aws:
        owner = boto_client(aws.url, "iam", REGION, aws.bootstrap())
        owner.create_role(RoleName="orders", AssumeRolePolicyDocument=TRUST)
        owner.put_role_policy(RoleName="orders", PolicyName="reads", PolicyDocument=says("s3:GetObject"))
        owner.create_policy(PolicyName="orders", PolicyDocument=says("s3:ListBucket"))
        owner.create_policy_version(PolicyArn=POLICY, PolicyDocument=says("s3:PutObject"))
        owner.create_user(UserName="clerk")
        owner.put_user_policy(UserName="clerk", PolicyName="works", PolicyDocument=says("sqs:SendMessage"))
        aws.app.recorder.switch(True)
        aws.clock.advance(60)
        attack(boto_client(aws.url, "iam", REGION, aws.responder()))
        yield aws


def attack(iam: Any) -> None:
    iam.put_role_policy(RoleName="orders", PolicyName="reads", PolicyDocument=says("*"))
    iam.put_role_policy(RoleName="orders", PolicyName="back-door", PolicyDocument=says("*"))
    iam.delete_policy_version(PolicyArn=POLICY, VersionId="v2")
    iam.create_policy_version(PolicyArn=POLICY, PolicyDocument=says("*"), SetAsDefault=True)
    iam.delete_user_policy(UserName="clerk", PolicyName="works")


def undone(aws: Range, priors: list[Any]) -> dict[tuple[str, str], Reversal]:
    folded = Fold(priors)
    for one in map(Record.parse, aws.app.trail.records()):
        family = family_for_event(one.operation)
        if one.succeeded and family is not None:
            folded.read(one, family.writes)
    return {(one.key.kind, one.key.name): one for one in reversals(folded, lambda record: True)}


def test_config_tells_what_policies_held(running: Range, monkeypatch: pytest.MonkeyPatch):
    keys = running.responder()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token or "")
    aws = Aws(AwsConfig(accounts=(running.account,), endpoint_url=running.url))
    before = list(undone(running, []).values())
    assert len([one for one in before if isinstance(one.target, Unknown)]) >= 5

    answers = ask_config(aws, open_questions(before))

    assert {answer.question.name for answer in answers} == {"orders", "clerk"}
    assert [answer.problem for answer in answers] == [""] * len(answers)
    items = [item for answer in answers for item in answer.items]
    after = undone(running, told(items, [one.key for one in unanswered(before)]))
    found = {key: one.target for key, one in after.items() if one.source is Source.CONFIG}
    assert json.loads(found["role-policy", "reads"])["Statement"][0]["Action"] == "s3:GetObject"
    assert found["role-policy", "back-door"] is None
    assert json.loads(found["user-policy", "works"])["Statement"][0]["Action"] == "sqs:SendMessage"
    in_force = json.loads(found["managed-policy-default", "default"]["PolicyDocument"])
    assert in_force["Statement"][0]["Action"] == "s3:ListBucket"
    versions = [json.loads(value) for (kind, _), value in found.items() if kind == "managed-policy-version" and value]
    assert [one["Statement"][0]["Action"] for one in versions] == ["s3:PutObject"]
    assert not any(isinstance(one.target, Unknown) for one in after.values())
