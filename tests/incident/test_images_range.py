"""Images, their snapshots and imports on the range: what came along goes after what it came with, and nobody else's does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from range_account import IMAGE, REGION, Account, fresh, operations

from drill.aws import Range, RangeConfig
from drill.aws.corrections import runtime
from gateway.practice.configuration import granted_to

pytestmark = pytest.mark.slow

ELSEWHERE = "eu-central-1"


@pytest.fixture(scope="module")
def running() -> Iterator[Range]:
    with Range(RangeConfig(regions=(REGION, ELSEWHERE), granted=granted_to(["111122223333"]))) as aws:
        yield aws


@pytest.fixture
def account(running: Range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    return fresh(running, tmp_path, monkeypatch, ())


def instance(account: Account) -> str:
    asked = {"ImageId": IMAGE, "InstanceType": "t3.micro", "SubnetId": account.subnets[0]}
    return account.owner("ec2").run_instances(MinCount=1, MaxCount=1, **asked)["Instances"][0]["InstanceId"]


def images(account: Account) -> list[str]:
    return sorted(one["ImageId"] for one in account.owner("ec2").describe_images(Owners=["self"])["Images"])


def snapshots(account: Account) -> list[str]:
    return sorted(one["SnapshotId"] for one in account.owner("ec2").describe_snapshots(OwnerIds=["self"])["Snapshots"])


def snapshot_of(account: Account, image: str) -> str:
    (found,) = account.owner("ec2").describe_images(ImageIds=[image])["Images"]
    return found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]


def undone(account: Account) -> list[str]:
    """Plan and carry out the way back; the operations in their order."""
    proposal = account.proposed(account.fold({}))
    assert list(proposal.unplanned) == []
    assert account.carried_out(proposal) == []
    return operations(proposal)


def test_an_image_and_its_copy_go_before_the_snapshots_that_were_made_for_them(account: Account):
    owners, theirs = account.owner("ec2"), account.mallory("ec2")
    kept = owners.create_image(InstanceId=instance(account), Name="backup")["ImageId"]
    before = images(account), snapshots(account)
    made = theirs.create_image(InstanceId=instance(account), Name="theirs")["ImageId"]
    theirs.copy_image(Name="a copy", SourceImageId=made, SourceRegion=REGION)
    assert undone(account) == ["DeregisterImage", "DeregisterImage", "DeleteSnapshot", "DeleteSnapshot"]
    assert (images(account), snapshots(account)) == before
    assert kept in images(account)


def test_the_snapshot_of_an_image_that_the_actor_deregistered_goes_too(account: Account):
    theirs = account.mallory("ec2")
    made = theirs.create_image(InstanceId=instance(account), Name="theirs")["ImageId"]
    theirs.deregister_image(ImageId=made)
    assert undone(account) == ["DeleteSnapshot"]
    assert snapshots(account) == []


def test_what_an_image_was_registered_from_is_nobodys_but_its_makers(account: Account):
    owners, theirs = account.owner("ec2"), account.mallory("ec2")
    volume = owners.create_volume(Size=8, AvailabilityZone=f"{REGION}a")["VolumeId"]
    kept = owners.create_snapshot(VolumeId=volume)["SnapshotId"]
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": kept}}]
    theirs.register_image(Name="theirs", RootDeviceName="/dev/xvda", BlockDeviceMappings=mapping)
    assert undone(account) == ["DeregisterImage"]
    assert snapshots(account) == [kept]


def test_a_snapshot_that_somebody_elses_image_uses_waits_for_a_person(account: Account):
    made = account.mallory("ec2").create_image(InstanceId=instance(account), Name="theirs")["ImageId"]
    used = snapshot_of(account, made)
    mapping = [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": used}}]
    other = account.owner("ec2").register_image(Name="golden", RootDeviceName="/dev/xvda", BlockDeviceMappings=mapping)["ImageId"]
    proposal = account.proposed(account.fold({}))
    assert operations(proposal) == ["DeregisterImage"]
    (left,) = proposal.unplanned
    assert (left.status, left.key and left.key.resource) == ("conflict", used)
    assert other in left.why
    assert account.carried_out(proposal) == []
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.InUse"):
        account.owner("ec2").delete_snapshot(SnapshotId=used)


def test_every_snapshot_of_a_whole_instance_goes(account: Account):
    theirs, one = account.mallory("ec2"), instance(account)
    volume = account.owner("ec2").create_volume(Size=8, AvailabilityZone=f"{REGION}a")["VolumeId"]
    account.owner("ec2").attach_volume(InstanceId=one, VolumeId=volume, Device="/dev/sdf")
    made = theirs.create_snapshots(InstanceSpecification={"InstanceId": one})["Snapshots"]
    assert len(made) == 2
    assert undone(account) == ["DeleteSnapshot", "DeleteSnapshot"]
    assert snapshots(account) == []


def imported(account: Account) -> Any:
    theirs = account.mallory("ec2")
    theirs.import_image(DiskContainers=[{"Format": "vmdk", "UserBucket": {"S3Bucket": "x", "S3Key": "y"}}])
    theirs.import_snapshot(DiskContainer={"Format": "vmdk", "UserBucket": {"S3Bucket": "x", "S3Key": "y"}})


def test_what_was_imported_goes(account: Account):
    imported(account)
    assert sorted(undone(account)) == ["DeleteSnapshot", "DeleteSnapshot", "DeregisterImage"]
    assert (images(account), snapshots(account)) == ([], [])


def test_an_import_that_goes_on_is_cancelled(account: Account, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runtime.settings, "snapshot_seconds", 600)
    imported(account)
    assert undone(account)[:2] == ["CancelImportTask", "CancelImportTask"]
    assert (images(account), snapshots(account)) == ([], [])
