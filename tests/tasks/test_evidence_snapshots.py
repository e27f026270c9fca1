"""What happens to snapshots after they are taken, by steps of the executor: a copy that can be shared, shared, and locked."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from crashes import executor
from direct import client
from pydantic import ValidationError

from drill.aws.config import RangeConfig
from drill.aws.range import Range
from drill.client import boto_client
from gateway.practice.configuration import granted_to
from incident.collection import Handover, copy_steps, seal_steps, snapshot_steps
from incident.families import family_for_kind
from incident.plan import Plan, Step
from incident.policy import Policy
from incident.settings import Observed, SettingKey
from tasks import work
from tasks.aws import observe
from tasks.config import SnapshotsConfig, first_problem
from tasks.executor import Result

ACCOUNT, EVIDENCE, REGION, INCIDENT = "111122223333", "444455556666", "us-east-1", "inc-1"
KEY = f"arn:aws:kms:{{region}}:{EVIDENCE}:alias/evidence"
HANDOVER = Handover(EVIDENCE, KEY, 30)


@pytest.fixture
def aws(monkeypatch):
    with Range(
        RangeConfig(
            accounts=(ACCOUNT,), regions=(REGION,), granted=granted_to([ACCOUNT], SnapshotKey="arn:aws:kms:*:111122223333:key/*")
        )
    ) as aws:
        keys = aws.responder()
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
        monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token)
        yield aws


@pytest.fixture
def ec2(aws):
    return boto_client(aws.url, "ec2", REGION, aws.bootstrap())


@pytest.fixture
def desk(aws, ec2, tmp_path):
    """An instance with one volume under the default AWS key, and the executor."""
    image = ec2.describe_images()["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1)["Instances"][0]
    zone = instance["Placement"]["AvailabilityZone"]
    volume = ec2.create_volume(AvailabilityZone=zone, Size=1, Encrypted=True)["VolumeId"]
    ec2.attach_volume(Device="/dev/sdf", InstanceId=instance["InstanceId"], VolumeId=volume)
    runner = executor(aws.url, ACCOUNT, f"sqlite:///{tmp_path}/ledger.db", Policy())
    held = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance["InstanceId"]]}])["Volumes"]
    key = SettingKey(ACCOUNT, REGION, "instance", instance["InstanceId"])
    steps = snapshot_steps(INCIDENT, {key: tuple(one["VolumeId"] for one in held)})
    return SimpleNamespace(runner=runner, steps=steps, volume=volume, reader=client(aws))


def apply(runner, steps: tuple[Step, ...], title: str) -> list[Result]:
    plan = Plan(incident=INCIDENT, title=title, steps=steps)
    return [runner.apply(plan, step).result for step in steps]


def ids_of(reader, steps: tuple[Step, ...]) -> list[SettingKey]:
    live = [observe(reader, family_for_kind(step.key.kind), step.key) for step in steps]
    return [
        step.key._replace(resource=one)
        for step, value in zip(steps, live, strict=True)
        if isinstance(value, Observed)
        for one in sorted(value.handles.values())
    ]


def test_snapshots_are_copied_under_the_evidence_key_shared_and_locked(desk, ec2):
    assert apply(desk.runner, desk.steps, "take") == [Result.DONE]
    taken = ids_of(desk.reader, desk.steps)
    assert len(taken) == 2
    copying = copy_steps(INCIDENT, taken, HANDOVER)
    assert apply(desk.runner, copying, "copy") == [Result.DONE, Result.DONE]
    copies = ids_of(desk.reader, copying)
    assert len({one.resource for one in (*taken, *copies)}) == 4
    sealing = seal_steps(taken, copies, HANDOVER)
    assert set(apply(desk.runner, sealing, "seal")) == {Result.DONE}
    for copy in copies:
        shared = ec2.describe_snapshot_attribute(SnapshotId=copy.resource, Attribute="createVolumePermission")
        assert shared["CreateVolumePermissions"] == [{"UserId": EVIDENCE}]
    for one in (*taken, *copies):
        with pytest.raises(ClientError, match="locked"):
            ec2.delete_snapshot(SnapshotId=one.resource)


def test_what_the_default_key_encrypts_cannot_be_shared_so_the_copy_is_needed(desk, ec2):
    apply(desk.runner, desk.steps, "take")
    snapshots = ec2.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "encrypted", "Values": ["true"]}])["Snapshots"]
    taken = [SettingKey(ACCOUNT, REGION, "evidence-snapshots", one["SnapshotId"], INCIDENT) for one in snapshots]
    (step,) = seal_steps([], taken, Handover(EVIDENCE, KEY))
    outcome = desk.runner.apply(Plan(incident=INCIDENT, title="share", steps=(step,)), step)
    assert outcome.result is Result.FAILED
    assert "default AWS key" in outcome.detail


def test_a_copy_is_no_second_snapshot_and_a_second_look_makes_nothing(desk, ec2):
    apply(desk.runner, desk.steps, "take")
    taken = ids_of(desk.reader, desk.steps)
    copying = copy_steps(INCIDENT, taken, HANDOVER)
    apply(desk.runner, copying, "copy")
    assert ids_of(desk.reader, desk.steps) == taken
    before = len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"])
    again = [*apply(desk.runner, desk.steps, "take, look 2"), *apply(desk.runner, copying, "copy, look 2")]
    assert set(again) == {Result.ALREADY_RIGHT}
    assert len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]) == before


def test_without_settings_nothing_is_handed_over():
    snapshot = SettingKey(ACCOUNT, REGION, "evidence-snapshots", "snap-1", INCIDENT)
    assert copy_steps(INCIDENT, [snapshot], Handover()) == ()
    assert seal_steps([snapshot], [], Handover()) == ()


def test_the_key_is_the_one_of_the_snapshots_region():
    (step,) = copy_steps(INCIDENT, [SettingKey(ACCOUNT, "eu-west-1", "evidence-snapshots", "snap-1", INCIDENT)], HANDOVER)
    assert step.calls[0].parameters["KmsKeyId"] == f"arn:aws:kms:eu-west-1:{EVIDENCE}:alias/evidence"


def test_how_far_snapshots_are_is_shown(desk, monkeypatch):
    apply(desk.runner, desk.steps, "take")
    monkeypatch.setattr(work, "hands", lambda: SimpleNamespace(aws=desk.reader))
    assert set(work._progress(desk.steps[0].key).values()) == {"100%"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"account": EVIDENCE}, "name the key to copy under"),
        ({"key": KEY}, "name the account to share with, or remove key"),
        ({"account": EVIDENCE, "key": "alias/evidence"}, "String should match pattern"),
    ],
)
def test_settings_that_share_nothing_are_refused(settings, told):
    with pytest.raises(ValidationError) as raised:
        SnapshotsConfig(**settings)
    assert told in first_problem(raised.value)
