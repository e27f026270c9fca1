"""Buckets of the range: set up as AWS sets up new ones today, read back as they were put, and refused where AWS refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from drill.aws import Range, RangeConfig
from drill.client import boto_client

ACCOUNT, REGION = "111122223333", "us-east-1"
BLOCKED = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
PUBLIC = json.dumps({"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]})
ENCRYPTED = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]}


@pytest.fixture(scope="module")
def running() -> Iterator[Range]:
    with Range(RangeConfig(regions=(REGION,))) as aws:
        yield aws


@pytest.fixture
def s3(running: Range) -> Any:
    running.reset()
    client = boto3.client("s3", endpoint_url=running.url, region_name=REGION, **running.responder().for_boto3())
    client.create_bucket(Bucket="data")
    return client


@pytest.fixture
def control(running: Range, s3: Any) -> Any:
    return boto_client(running.url, "s3control", REGION, running.responder())


def refusal(call: Any, **asked: Any) -> str:
    with pytest.raises(ClientError) as refused:
        call(**asked)
    return str(refused.value.response["Error"]["Code"])


def test_a_new_bucket_takes_no_lists_and_is_not_public(s3: Any):
    assert s3.get_public_access_block(Bucket="data")["PublicAccessBlockConfiguration"] == BLOCKED
    owned = s3.get_bucket_ownership_controls(Bucket="data")["OwnershipControls"]["Rules"]
    assert owned == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert s3.get_bucket_encryption(Bucket="data")["ServerSideEncryptionConfiguration"] == ENCRYPTED
    assert refusal(s3.put_bucket_policy, Bucket="data", Policy=PUBLIC) == "AccessDenied"
    assert refusal(s3.put_bucket_acl, Bucket="data", ACL="public-read") == "AccessControlListNotSupported"
    s3.put_bucket_ownership_controls(Bucket="data", OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    assert refusal(s3.put_bucket_acl, Bucket="data", ACL="public-read") == "AccessDenied"
    s3.delete_public_access_block(Bucket="data")
    s3.put_bucket_policy(Bucket="data", Policy=PUBLIC)
    s3.put_bucket_acl(Bucket="data", ACL="public-read")
    alone = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    asked = {"Bucket": "data", "OwnershipControls": alone}
    assert refusal(s3.put_bucket_ownership_controls, **asked) == "InvalidBucketAclWithObjectOwnership"


def test_the_accounts_block_counts_too_and_is_recorded_as_the_accounts(running: Range, s3: Any, control: Any):
    s3.delete_public_access_block(Bucket="data")
    assert refusal(control.get_public_access_block, AccountId=ACCOUNT) == "NoSuchPublicAccessBlockConfiguration"
    control.put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration={"BlockPublicPolicy": True})
    assert refusal(s3.put_bucket_policy, Bucket="data", Policy=PUBLIC) == "AccessDenied"
    assert refusal(control.delete_public_access_block, AccountId="999988887777") == "AccessDenied"
    control.delete_public_access_block(AccountId=ACCOUNT)
    s3.put_bucket_policy(Bucket="data", Policy=PUBLIC)
    told = [(one["eventName"], one["requestParameters"].get("accountId")) for one in running.app.trail.records()]
    assert ("PutAccountPublicAccessBlock", ACCOUNT) in told


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("cors", "NoSuchCORSConfiguration"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("tagging", "NoSuchTagSet"),
    ],
)
def test_what_is_not_set_is_an_error_of_its_own(s3: Any, what: str, code: str):
    assert refusal(getattr(s3, f"get_bucket_{what}"), Bucket="data") == code
    assert refusal(getattr(s3, f"get_bucket_{what}"), Bucket="nowhere") == "NoSuchBucket"


def test_aws_gives_ids_to_rules_that_have_none(s3: Any):
    rule = {
        "Status": "Enabled",
        "Filter": {"And": {"Prefix": "a", "Tags": [{"Key": "k", "Value": "v"}]}},
        "Expiration": {"Days": 1},
    }
    s3.put_bucket_lifecycle_configuration(Bucket="data", LifecycleConfiguration={"Rules": [rule]})
    told = s3.get_bucket_lifecycle_configuration(Bucket="data")
    assert (len(told["Rules"][0].pop("ID")), told["Rules"]) == (32, [rule])
    assert told["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    told_to = {
        "Id": "x",
        "TopicArn": "arn:t",
        "Events": ["s3:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "a"}]}},
    }
    s3.put_bucket_notification_configuration(Bucket="data", NotificationConfiguration={"TopicConfigurations": [told_to]})
    (shown,) = s3.get_bucket_notification_configuration(Bucket="data")["TopicConfigurations"]
    assert shown["Filter"]["Key"]["FilterRules"] == [{"Name": "Prefix", "Value": "a"}]


def test_a_copy_needs_versions_on_both_sides_for_as_long_as_it_is_there(s3: Any):
    s3.create_bucket(Bucket="copy")
    told = {"Filter": {}, "Status": "Enabled", "DeleteMarkerReplication": {"Status": "Disabled"}}
    rule = {**told, "ID": "x", "Priority": 1, "Destination": {"Bucket": "arn:aws:s3:::copy"}}
    asked = {"Bucket": "data", "ReplicationConfiguration": {"Role": "arn:aws:iam::111122223333:role/r", "Rules": [rule]}}
    assert refusal(s3.put_bucket_replication, **asked) == "InvalidRequest"
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    assert refusal(s3.put_bucket_replication, **asked) == "InvalidRequest"
    s3.put_bucket_versioning(Bucket="copy", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_replication(**asked)
    assert s3.get_bucket_replication(Bucket="data")["ReplicationConfiguration"]["Rules"] == [rule]
    suspended = {"Bucket": "data", "VersioningConfiguration": {"Status": "Suspended"}}
    assert refusal(s3.put_bucket_versioning, **suspended) == "InvalidBucketState"


@pytest.mark.parametrize(
    ("what", "asked", "code"),
    [
        ("lifecycle_configuration", {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Filter": {}}]}}, "InvalidRequest"),
        ("lifecycle_configuration", {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled"}]}}, "MalformedXML"),
        (
            "logging",
            {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": "nowhere", "TargetPrefix": ""}}},
            "InvalidTargetBucketForLogging",
        ),
        ("website", {"WebsiteConfiguration": {}}, "MalformedXML"),
        ("cors", {"CORSConfiguration": {"CORSRules": []}}, "MalformedXML"),
        ("tagging", {"Tagging": {"TagSet": [{"Key": "aws:x", "Value": ""}]}}, "InvalidTag"),
        ("tagging", {"Tagging": {"TagSet": [{"Key": "x", "Value": ""}, {"Key": "x", "Value": "1"}]}}, "InvalidTag"),
        ("encryption", {"ServerSideEncryptionConfiguration": {"Rules": []}}, "MalformedXML"),
    ],
)
def test_what_aws_refuses_is_refused(s3: Any, what: str, asked: dict[str, Any], code: str):
    assert refusal(getattr(s3, f"put_bucket_{what}"), Bucket="data", **asked) == code
