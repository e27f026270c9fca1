"""The range shows what came over the wire, delays calls side by side, and takes records that are ready."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from drill.aws import Range
from drill.client import RangeClient, RangeError
from tests.drill.conftest import ACCOUNT, Clients, code_of


@pytest.fixture
def control(aws: Range) -> RangeClient:
    return RangeClient(aws.url)


def _record(number: int, region: str = "us-east-1") -> dict[str, Any]:
    return {
        "eventID": f"e{number}",
        "eventName": "CreateVpc",
        "eventSource": "ec2.amazonaws.com",
        "eventTime": f"2026-03-01T00:00:{number:02}Z",
        "awsRegion": region,
        "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "IAMUser", "userName": "mallory", "accessKeyId": "AKIAMALLORY"},
        "readOnly": False,
    }


def test_ready_records_are_looked_up_as_if_their_calls_had_been_made(aws: Range, control: RangeClient, client: Clients) -> None:
    aws.clock.advance(1772323260 - aws.clock.now())  # a minute into 1 March 2026
    control.keep_records([*(_record(number) for number in range(3)), _record(9, "eu-central-1")])
    asked = {"LookupAttributes": [{"AttributeKey": "AccessKeyId", "AttributeValue": "AKIAMALLORY"}]}
    assert [event["EventId"] for event in client("cloudtrail").lookup_events(**asked)["Events"]] == ["e2", "e1", "e0"]
    assert [event["EventId"] for event in client("cloudtrail", "eu-central-1").lookup_events(**asked)["Events"]] == ["e9"]


def test_a_record_that_lacks_something_files_nothing(aws: Range, control: RangeClient) -> None:
    broken = {key: value for key, value in _record(1).items() if key != "awsRegion"}
    with pytest.raises(RangeError, match="record e1 has no awsRegion"):
        control.keep_records([_record(0), broken])
    assert control.records() == []


def test_traffic_has_reads_and_refusals_while_it_is_watched(aws: Range, control: RangeClient, client: Clients) -> None:
    ec2 = client("ec2")
    ec2.describe_vpcs()
    control.settings(watch_traffic=1)
    ec2.describe_subnets()
    code_of(ec2.delete_vpc, VpcId="vpc-0123456789abcdef0")
    client("ec2", keys=aws.bootstrap()).describe_vpcs()
    control.settings(watch_traffic=0)
    ec2.describe_vpcs()
    seen = control.traffic()
    assert [(one["region"], one["operation"], one["status"]) for one in seen] == [
        ("us-east-1", "DescribeSubnets", 200),
        ("us-east-1", "DeleteVpc", 400),
    ]
    assert all(0 <= one["worked"] <= one["seconds"] for one in seen)


def test_delayed_calls_wait_side_by_side(aws: Range, control: RangeClient, client: Clients) -> None:
    ec2 = client("ec2")
    ec2.describe_vpcs()
    control.settings(call_delay=0.4, watch_traffic=1)
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ec2.describe_vpcs(), range(4)))
    assert 0.4 <= time.monotonic() - began < 1.2
    assert all(one["seconds"] >= 0.4 for one in control.traffic())
    control.reset()
    began = time.monotonic()
    ec2.describe_vpcs()
    assert time.monotonic() - began < 0.4
    assert control.traffic() == []
