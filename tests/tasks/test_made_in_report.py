"""The report of an incident lists what the actor made, in services that no family undoes too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest

from drill.aws import Range, RangeConfig
from incident.actor import Actor, Credential, Link
from incident.investigation import investigate
from incident.ledger import Kind
from incident.made import made_by_actor
from incident.plan import Plan
from incident.record import Record
from incident.reports.report import report
from tasks import render
from tasks.ledger import Ledger

pytestmark = pytest.mark.slow

REGION, INCIDENT = "us-east-1", "inc-1"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def aws() -> Iterator[Range]:
    with Range(RangeConfig(regions=(REGION,))) as running:
        yield running


def attack(aws: Range) -> str:
    """Containers, Kubernetes, a notebook and two key pairs, of which one is gone again; the key that was used."""
    owner = aws.bootstrap().for_boto3()
    iam = boto3.client("iam", endpoint_url=aws.url, region_name=REGION, **owner)
    iam.create_user(UserName="mallory")
    iam.attach_user_policy(UserName="mallory", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    made = iam.create_access_key(UserName="mallory")["AccessKey"]
    keys = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}

    def client(service: str):
        return boto3.client(service, endpoint_url=aws.url, region_name=REGION, **keys)

    role = "arn:aws:iam::111122223333:role/any"
    client("ecs").create_cluster(clusterName="miners")
    client("eks").create_cluster(name="pods", roleArn=role, resourcesVpcConfig={"subnetIds": ["subnet-1"]})
    client("sagemaker").create_notebook_instance(NotebookInstanceName="books", InstanceType="ml.p3.2xlarge", RoleArn=role)
    for name in ("left", "taken"):
        client("ec2").create_key_pair(KeyName=name)
    client("ec2").delete_key_pair(KeyName="taken")
    return made["AccessKeyId"]


def test_what_was_made_is_listed_with_what_became_of_it_and_containers_with_advice(aws: Range, tmp_path: Path):
    key = attack(aws)
    records = [Record.parse(raw) for raw in aws.app.trail.records()]
    actor = Actor(seed=key).with_credential(Credential(key, "mallory", "user", Link.PROVED, HOSTILE, "", "111122223333"))
    found = investigate(records, (), actor)
    made = made_by_actor(found.reversals, {one.key: None for one in found.reversals if one.written is None})
    plan = Plan(incident=INCIDENT, title="restore", steps=(), unplanned=found.not_undone, made=made)
    with_ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", lambda: datetime.now(UTC))
    opened = {"title": "t", "type": "a finding", "severity": 8, "account": "111122223333", "region": REGION, "reason": ""}
    with_ledger.append(INCIDENT, Kind.OPENED, "opened", opened)
    body = {"name": "restore", "look": 1, "digest": plan.digest, "plan": plan.model_dump(mode="json")}
    with_ledger.append(INCIDENT, Kind.PLAN, "plan:restore:1", body)

    written = report(with_ledger.lines(INCIDENT))
    page, words = render.html(written), render.text(written)

    listed = {row["key"][3]: (row["state"], row["detail"]) for row in written.made}
    assert listed["left"] == ("could not be read", "it was not read")
    assert listed["taken"][0] == "already gone"
    assert "DeleteKeyPair by arn:aws:iam::111122223333:user/mallory, the actor" in listed["taken"][1]
    assert "What the actor made" in page
    assert "key pair taken" in words
    for name, advice in (("miners", "DeleteCluster"), ("pods", "DeleteNodegroup"), ("books", "Delete operation")):
        (item,) = [one for one in written.unplanned if name in one["what"]]
        assert item["status"] == "not-understood"
        assert advice in item["advice"]
        assert name in page
        assert name in words
    assert HOSTILE not in page
