"""The range's trail delivers to S3 as CloudTrail does."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest

from drill.aws import Range, RangeConfig
from drill.aws.trail_files import BUCKET
from drill.client import RangeClient, RangeError, boto_client
from drill.scenario import ScenarioError, loads
from drill.stage import Stage, range_config
from tests.drill.conftest import ACCOUNT, Clients, code_of

SCENARIO = """\
name: test
accounts: {main: "111122223333"}
regions: [us-east-1]
principals: {mallory: {user: mallory}}
attack: [{as: mallory, region: us-east-1, call: ec2.create_internet_gateway}]
finding: {type: "Recon:IAMUser/TorIPCaller", principal: mallory, region: us-east-1}
"""


@pytest.fixture
def control(aws: Range) -> RangeClient:
    control = RangeClient(aws.url)
    control.settings(trail_files=True)
    return control


def keys(aws: Range, kind: str = "CloudTrail") -> list[str]:
    s3 = boto_client(aws.url, "s3", "us-east-1", aws.bootstrap())
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return [item["Key"] for page in pages for item in page.get("Contents", []) if f"/{kind}/" in item["Key"]]


def records(aws: Range, key: str) -> list[dict[str, Any]]:
    s3 = boto_client(aws.url, "s3", "us-east-1", aws.bootstrap())
    read: list[dict[str, Any]] = json.loads(gzip.decompress(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()))["Records"]
    return read


def test_a_file_holds_the_records_of_its_region_under_cloudtrails_name(aws: Range, control: RangeClient, client: Clients) -> None:
    for region in ("us-east-1", "us-east-1", "eu-central-1"):
        client("ec2", region).create_internet_gateway()
    files = control.deliver_trail_files()["files"]
    assert files == keys(aws)
    for key in files:
        pattern = (
            rf"AWSLogs/{ACCOUNT}/CloudTrail/(.+)/(\d{{4}})/(\d\d)/(\d\d)/{ACCOUNT}_CloudTrail_\1_\2\3\4T\d{{4}}Z_\w{{16}}\.json\.gz"
        )
        match = re.fullmatch(pattern, key)
        assert match
        assert {record["awsRegion"] for record in records(aws, key)} == {match[1]}
    written = [record["eventID"] for key in files for record in records(aws, key)]
    assert sorted(written) == sorted(record["eventID"] for record in control.records())


def test_nothing_is_delivered_before_the_lag_is_over_and_everything_by_the_next_list(
    aws: Range, control: RangeClient, client: Clients
) -> None:
    control.settings(delivery_lag=600)
    client("ec2").create_internet_gateway()
    assert keys(aws) == []
    aws.clock.advance(601)
    assert len(keys(aws)) == 1
    assert control.deliver_trail_files()["files"] == []


def test_some_events_come_twice(aws: Range, control: RangeClient, client: Clients) -> None:
    for _ in range(3):
        client("ec2").create_internet_gateway()
        control.deliver_trail_files()
    written = [record["eventID"] for key in keys(aws) for record in records(aws, key)]
    assert (len(written), len(set(written))) == (4, 3)


def test_a_digest_shows_for_each_day_and_region_that_the_trail_was_on(aws: Range, control: RangeClient, client: Clients) -> None:
    client("ec2").create_internet_gateway()
    aws.clock.advance(3 * 86400)
    assert len(keys(aws, "CloudTrail-Digest")) == 4 * len(aws.config.accounts) * len(aws.config.enabled)


def test_without_a_trail_there_is_no_bucket(aws: Range, client: Clients) -> None:
    assert code_of(client("s3").list_objects_v2, Bucket=BUCKET) == "NoSuchBucket"
    assert RangeClient(aws.url).deliver_trail_files()["files"] == []


def test_a_range_may_start_with_the_trail_of_an_organization() -> None:
    with Range(RangeConfig(regions=("us-east-1",), trail_files=True, trail_prefix="logs", trail_organization="o-1")) as aws:
        boto_client(aws.url, "ec2", "us-east-1", aws.responder()).create_internet_gateway()
        (key,) = keys(aws)
        assert key.startswith(f"logs/AWSLogs/o-1/{aws.account}/CloudTrail/us-east-1/")


def test_a_scenario_may_ask_for_it() -> None:
    scenario = loads(f"{SCENARIO}trail_files: true\n")
    with Range(range_config(scenario)) as aws:
        stage = Stage(scenario, aws)
        stage.build_estate()
        stage.attack()
        assert "CreateInternetGateway" in [record["eventName"] for key in keys(aws) for record in records(aws, key)]
    with pytest.raises(ScenarioError, match="trail_files is 'yes'; write true or false"):
        loads(f"{SCENARIO}trail_files: 'yes'\n")


def test_a_setting_that_is_none_is_told_from_those_there_are(aws: Range) -> None:
    with pytest.raises(RangeError, match=r"unknown setting .trail.; use one of delivery_lag, .*trail_files"):
        RangeClient(aws.url).settings(trail=1)
