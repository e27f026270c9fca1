"""How buckets are set up, on the range: an attack, the way back, and all is as before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from range_account import REGION, Account, document, fresh, operations, returns, trusting

from drill.aws import Range, RangeConfig
from gateway.practice.configuration import granted_to
from incident.plan import Plan
from incident.planner import first_wave
from incident.resources.account_public_access import ACCOUNT_PUBLIC_ACCESS
from incident.resources.bucket import BUCKETS

pytestmark = pytest.mark.slow

LOOKED_AT = (BUCKETS, ACCOUNT_PUBLIC_ACCESS)
OTHER_REGION = "eu-central-1"
EVERYBODY = document(Principal="*", Action="s3:GetObject", Resource="arn:aws:s3:::shop-data/*")
BLOCKED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
KEPT = {"ID": "tidy", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 30}}
ALL_GONE = {"ID": "gone", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}


@pytest.fixture(scope="module")
def running() -> Iterator[Range]:
    with Range(RangeConfig(regions=(REGION, OTHER_REGION), granted=granted_to(["111122223333"]))) as aws:
        yield aws


@pytest.fixture
def account(running: Range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    return fresh(running, tmp_path, monkeypatch, LOOKED_AT)


def versioned(s3: Any, *buckets: str) -> None:
    for bucket in buckets:
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def copied(to: str, rule: str = "copy", **more: Any) -> dict[str, Any]:
    told = {"ID": rule, "Priority": 1, "Filter": {}, "Status": "Enabled", "DeleteMarkerReplication": {"Status": "Disabled"}}
    return {
        "Role": "arn:aws:iam::111122223333:role/replicates",
        "Rules": [{**told, "Destination": {"Bucket": f"arn:aws:s3:::{to}", **more}}],
    }


def shop_data(account: Account) -> None:
    """A bucket with everything that can be set on one, and one for its log and its copy."""
    s3 = account.owner("s3")
    account.owner("iam").create_role(RoleName="replicates", AssumeRolePolicyDocument=trusting("s3"))
    for bucket in ("shop-data", "shop-copy"):
        s3.create_bucket(Bucket=bucket)
    versioned(s3, "shop-data", "shop-copy")
    s3.put_bucket_lifecycle_configuration(Bucket="shop-data", LifecycleConfiguration={"Rules": [KEPT]})
    s3.put_bucket_replication(Bucket="shop-data", ReplicationConfiguration=copied("shop-copy"))
    log = {"TargetBucket": "shop-copy", "TargetPrefix": "s3/"}
    s3.put_bucket_logging(Bucket="shop-data", BucketLoggingStatus={"LoggingEnabled": log})
    told = {
        "EventBridgeConfiguration": {},
        "QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-east-1:111122223333:new", "Events": ["s3:ObjectCreated:*"]}],
    }
    s3.put_bucket_notification_configuration(Bucket="shop-data", NotificationConfiguration=told)
    rule = {"AllowedMethods": ["GET", "HEAD"], "AllowedOrigins": ["https://shop.example"], "MaxAgeSeconds": 60}
    s3.put_bucket_cors(Bucket="shop-data", CORSConfiguration={"CORSRules": [rule]})
    site = {"IndexDocument": {"Suffix": "index.html"}, "ErrorDocument": {"Key": "error.html"}}
    s3.put_bucket_website(Bucket="shop-data", WebsiteConfiguration=site)
    s3.put_bucket_tagging(Bucket="shop-data", Tagging={"TagSet": [{"Key": "team", "Value": "shop"}, {"Key": "env", "Value": ""}]})


def test_what_destroys_or_carries_off_goes_first_and_is_named(account: Account):
    def build(account: Account) -> None:
        shop_data(account)
        account.owner("s3").create_bucket(Bucket="drop-zone")
        versioned(account.owner("s3"), "drop-zone")

    def attack(account: Account) -> None:
        s3 = account.mallory("s3")
        s3.put_bucket_tagging(Bucket="shop-data", Tagging={"TagSet": [{"Key": "team", "Value": "mallory"}]})
        s3.put_bucket_lifecycle_configuration(Bucket="shop-data", LifecycleConfiguration={"Rules": [KEPT, ALL_GONE]})
        copying = copied("drop-zone", Account="999988887777")
        s3.put_bucket_replication(Bucket="shop-data", ReplicationConfiguration=copying)
        s3.put_bucket_logging(Bucket="shop-data", BucketLoggingStatus={})

    proposal = returns(account, build, attack)
    told = [(step.key.name, step.title.partition("; as it is, ")[2]) for step in proposal.steps]
    assert told == [
        ("lifecycle", "rule gone deletes all objects 1 day after they are written"),
        ("replication", "every new object is copied to bucket drop-zone of account 999988887777"),
        ("access logging", "no log tells who reads, changes or deletes its objects"),
        ("tags", ""),
    ]
    plan = Plan(incident="inc-1", title="the way back", steps=proposal.steps)
    assert [step.key.name for step in first_wave(plan)] == ["lifecycle", "replication", "access logging"]


def test_versions_are_kept_again_before_the_copy_that_needs_them(account: Account):
    def attack(account: Account) -> None:
        s3 = account.mallory("s3")
        s3.delete_bucket_replication(Bucket="shop-data")
        s3.put_bucket_versioning(Bucket="shop-data", VersioningConfiguration={"Status": "Suspended"})

    proposal = returns(account, shop_data, attack)
    assert operations(proposal) == ["PutBucketVersioning", "PutBucketReplication"]
    assert "what is overwritten or deleted is gone for good" in proposal.steps[0].title


def test_everything_that_was_taken_off_is_on_again(account: Account):
    def attack(account: Account) -> None:
        s3 = account.mallory("s3")
        for what in ("lifecycle", "replication", "cors", "website", "tagging", "encryption"):
            getattr(s3, f"delete_bucket_{what}")(Bucket="shop-data")
        s3.put_bucket_logging(Bucket="shop-data", BucketLoggingStatus={})
        s3.put_bucket_notification_configuration(Bucket="shop-data", NotificationConfiguration={})

    def build(account: Account) -> None:
        shop_data(account)
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:aws:kms:us-east-1:111122223333:key/ours"}
        rules = [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
        account.owner("s3").put_bucket_encryption(Bucket="shop-data", ServerSideEncryptionConfiguration={"Rules": rules})

    assert len(returns(account, build, attack).steps) == 8


def test_everything_that_was_put_on_is_off_again(account: Account):
    def build(account: Account) -> None:
        for bucket in ("shop-data", "drop-zone"):
            account.owner("s3").create_bucket(Bucket=bucket)
            versioned(account.owner("s3"), bucket)

    def attack(account: Account) -> None:
        s3 = account.mallory("s3")
        s3.put_bucket_replication(Bucket="shop-data", ReplicationConfiguration=copied("drop-zone"))
        s3.put_bucket_lifecycle_configuration(Bucket="shop-data", LifecycleConfiguration={"Rules": [ALL_GONE]})
        log = {"TargetBucket": "drop-zone", "TargetPrefix": ""}
        s3.put_bucket_logging(Bucket="shop-data", BucketLoggingStatus={"LoggingEnabled": log})
        told = {"TopicConfigurations": [{"Id": "x", "TopicArn": "arn:aws:sns:us-east-1:999988887777:x", "Events": ["s3:*"]}]}
        s3.put_bucket_notification_configuration(Bucket="shop-data", NotificationConfiguration=told)
        rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
        s3.put_bucket_cors(Bucket="shop-data", CORSConfiguration={"CORSRules": [rule]})
        site = {"RedirectAllRequestsTo": {"HostName": "evil.example"}}
        s3.put_bucket_website(Bucket="shop-data", WebsiteConfiguration=site)
        s3.put_bucket_tagging(Bucket="shop-data", Tagging={"TagSet": [{"Key": "owned", "Value": "yes"}]})
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:aws:kms:us-east-1:999988887777:key/theirs"}
        rules = [{"ApplyServerSideEncryptionByDefault": default}]
        s3.put_bucket_encryption(Bucket="shop-data", ServerSideEncryptionConfiguration={"Rules": rules})

    proposal = returns(account, build, attack)
    told = {step.key.name: step.title.partition("; as it is, ")[2] for step in proposal.steps}
    assert told == {
        "access logging": "its access log goes to bucket drop-zone",
        "cross-origin rules": "pages of any website may use it",
        "default encryption": "what is written can be read only with key arn:aws:kms:us-east-1:999988887777:key/theirs",
        "lifecycle": "rule gone deletes all objects 1 day after they are written",
        "notification": "what happens to its objects is told to arn:aws:sns:us-east-1:999988887777:x",
        "replication": "every new object is copied to bucket drop-zone",
        "tags": "",
        "website": "its website sends everybody to evil.example",
    }
    assert told[proposal.steps[-1].key.name] == ""


def test_what_nothing_tells_is_a_question_that_says_what_it_does(account: Account):
    shop_data(account)
    account.mallory("s3").put_bucket_lifecycle_configuration(
        Bucket="shop-data", LifecycleConfiguration={"Rules": [{**KEPT, "NoncurrentVersionExpiration": {"NoncurrentDays": 1}}]}
    )
    proposal = account.proposed(account.fold({}, swept=False))
    assert proposal.steps == ()
    (left,) = proposal.unplanned
    assert left.status == "needs-prior-state"
    assert "rule tidy deletes older versions 1 day after they are replaced" in left.why


def test_versions_that_were_never_kept_cannot_be_unmade(account: Account):
    account.owner("s3").create_bucket(Bucket="shop-data")
    before = account.settings()
    versioned(account.mallory("s3"), "shop-data")
    proposal = account.proposed(account.fold(before))
    assert proposal.steps == ()
    (left,) = proposal.unplanned
    assert left.status == "not-invertible"
    assert "never be taken off" in left.why


def test_a_bucket_that_a_colleague_made_in_the_window_is_set_up_as_it_was_made(account: Account):
    """No baseline knows the bucket; that it was made tells how it was."""
    alice = account.alice("s3", OTHER_REGION)
    where = {"LocationConstraint": OTHER_REGION}
    alice.create_bucket(Bucket="new-data", CreateBucketConfiguration=where, ObjectOwnership="BucketOwnerPreferred")
    s3 = account.mallory("s3", OTHER_REGION)
    s3.delete_public_access_block(Bucket="new-data")
    s3.put_bucket_policy(Bucket="new-data", Policy=EVERYBODY)
    s3.put_bucket_ownership_controls(Bucket="new-data", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_bucket_lifecycle_configuration(Bucket="new-data", LifecycleConfiguration={"Rules": [ALL_GONE]})
    proposal = account.proposed(account.fold({}, swept=False))
    assert list(proposal.unplanned) == []
    assert account.carried_out(proposal) == []
    owner = account.owner("s3")
    assert owner.get_public_access_block(Bucket="new-data")["PublicAccessBlockConfiguration"] == BLOCKED
    rules = owner.get_bucket_ownership_controls(Bucket="new-data")["OwnershipControls"]["Rules"]
    assert rules == [{"ObjectOwnership": "BucketOwnerPreferred"}]
    for read in (owner.get_bucket_policy, owner.get_bucket_lifecycle_configuration):
        with pytest.raises(ClientError, match="NoSuch"):
            read(Bucket="new-data")


@pytest.mark.parametrize("there", [True, False])
def test_the_accounts_block_of_public_access_is_as_before(account: Account, there: bool):
    named = {"AccountId": "111122223333"}

    def build(account: Account) -> None:
        if there:
            account.owner("s3control").put_public_access_block(**named, PublicAccessBlockConfiguration=BLOCKED)

    def attack(account: Account) -> None:
        control = account.mallory("s3control")
        if there:
            control.delete_public_access_block(**named)
        else:
            control.put_public_access_block(**named, PublicAccessBlockConfiguration={"BlockPublicAcls": True})

    (step,) = returns(account, build, attack).steps
    assert step.calls[0].operation == ("PutPublicAccessBlock" if there else "DeletePublicAccessBlock")
    assert ("RestrictPublicBuckets are off" in step.title) == there


def test_a_bucket_of_the_actors_goes_with_all_that_is_set_on_it(account: Account):
    def attack(account: Account) -> None:
        s3 = account.mallory("s3", OTHER_REGION)
        s3.create_bucket(Bucket="theirs", CreateBucketConfiguration={"LocationConstraint": OTHER_REGION})
        s3.put_bucket_lifecycle_configuration(Bucket="theirs", LifecycleConfiguration={"Rules": [ALL_GONE]})
        s3.put_bucket_tagging(Bucket="theirs", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})

    attack(account)
    proposal = account.proposed(account.fold({}, swept=False))
    assert operations(proposal) == ["DeleteBucket"]
    assert account.carried_out(proposal) == []


def test_who_is_let_in_is_named(account: Account):
    account.owner("s3").create_bucket(Bucket="shop-data")
    before = account.settings()
    said = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::999988887777:root"}, "Action": "*", "Resource": "*"},
                {"Effect": "Allow", "Principal": {"AWS": ["111122223333"]}, "Action": "*", "Resource": "*"},
            ],
        }
    )
    account.mallory("s3").put_bucket_policy(Bucket="shop-data", Policy=said)
    (step,) = account.proposed(account.fold(before)).steps
    assert step.title.endswith("; as it is, it lets account 999988887777 in")
