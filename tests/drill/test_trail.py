"""LookupEvents keeps CloudTrail's rules."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from drill.aws import Range
from drill.aws.faults import Throttle
from tests.drill.conftest import Clients, code_of


@pytest.fixture
def trail(aws: Range, client: Clients) -> Any:
    """CloudTrail without the throttle."""
    aws.app.troubles.limit(Throttle("cloudtrail", "LookupEvents", 1e6, 1e6))
    return client("cloudtrail")


def _names(answer: dict[str, Any]) -> list[str]:
    return [e["EventName"] for e in answer["Events"]]


def test_newest_come_first_and_reads_are_not_kept(trail: Any, ec2: Any, vpc: str) -> None:
    ec2.describe_vpcs()
    ec2.create_internet_gateway()
    assert _names(trail.lookup_events()) == ["CreateInternetGateway", "CreateVpc"]


def test_the_event_is_the_record_and_its_summary(trail: Any, vpc: str) -> None:
    event = trail.lookup_events()["Events"][0]
    record = json.loads(event["CloudTrailEvent"])
    assert event["EventId"] == record["eventID"]
    assert event["ReadOnly"] == "false"
    assert event["AccessKeyId"] == record["userIdentity"]["accessKeyId"]
    assert {"ResourceType": "AWS::EC2::VPC", "ResourceName": vpc} in event["Resources"]
    assert record["responseElements"]["requestId"] == record["requestID"]


@pytest.mark.parametrize(
    ("attribute", "value", "found"),
    [
        ("EventName", "CreateVpc", 1),
        ("EventSource", "ec2.amazonaws.com", 2),
        ("Username", "countermand", 2),
        ("ReadOnly", "true", 0),
        ("ResourceType", "AWS::EC2::VPC", 1),
        ("EventName", "DeleteVpc", 0),
    ],
)
def test_one_attribute_chooses(trail: Any, ec2: Any, vpc: str, attribute: str, value: str, found: int) -> None:
    ec2.create_internet_gateway()
    answer = trail.lookup_events(LookupAttributes=[{"AttributeKey": attribute, "AttributeValue": value}])
    assert len(answer["Events"]) == found


def test_two_attributes_are_refused(trail: Any) -> None:
    pair = [{"AttributeKey": "EventName", "AttributeValue": "a"}, {"AttributeKey": "Username", "AttributeValue": "b"}]
    assert code_of(trail.lookup_events, LookupAttributes=pair) == "InvalidLookupAttributesException"


def test_pages_hold_fifty_and_stay_put_while_new_events_arrive(trail: Any, ec2: Any) -> None:
    made = [ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"] for _ in range(60)]
    first = trail.lookup_events()
    assert len(first["Events"]) == 50
    ec2.create_internet_gateway()
    second = trail.lookup_events(NextToken=first["NextToken"])
    assert "NextToken" not in second
    seen = [e["Resources"][0]["ResourceName"] for e in first["Events"] + second["Events"]]
    assert seen == made[::-1]
    assert code_of(trail.lookup_events, NextToken="nonsense") == "InvalidNextTokenException"
    window = {"StartTime": datetime(2020, 1, 1, tzinfo=UTC), "NextToken": first["NextToken"]}
    assert code_of(trail.lookup_events, **window) == "InvalidNextTokenException"


def test_the_window_counts_whole_seconds(trail: Any, ec2: Any, vpc: str) -> None:
    at = trail.lookup_events()["Events"][0]["EventTime"]
    assert _names(trail.lookup_events(StartTime=at, EndTime=at)) == ["CreateVpc"]
    assert _names(trail.lookup_events(StartTime=at + timedelta(seconds=1))) == []
    assert _names(trail.lookup_events(EndTime=at - timedelta(seconds=1))) == []
    late = {"StartTime": at, "EndTime": at - timedelta(hours=1)}
    assert code_of(trail.lookup_events, **late) == "InvalidTimeRangeException"


def test_events_arrive_after_the_lag(aws: Range, trail: Any, client: Clients) -> None:
    aws.app.trail.delivery_lag = 600
    client("ec2").create_internet_gateway()
    assert _names(trail.lookup_events()) == []
    aws.clock.advance(601)
    assert _names(trail.lookup_events()) == ["CreateInternetGateway"]


def test_events_are_gone_after_ninety_days(aws: Range, trail: Any, vpc: str) -> None:
    aws.clock.advance(90 * 86400 - 60)
    assert _names(trail.lookup_events()) == ["CreateVpc"]
    aws.clock.advance(120)
    assert _names(trail.lookup_events()) == []


def test_regions_and_accounts_are_apart(aws: Range, client: Clients, trail: Any, vpc: str) -> None:
    aws.app.troubles.limit(Throttle("cloudtrail", "LookupEvents", 1e6, 1e6))
    assert _names(client("cloudtrail", "eu-central-1").lookup_events()) == []
    assert _names(client("cloudtrail", keys=aws.responder("444455556666")).lookup_events()) == []


def test_two_calls_a_second_and_no_more(aws: Range, client: Clients) -> None:
    aws.app.troubles.limit(Throttle("cloudtrail", "LookupEvents", 2, 2))
    here, there = client("cloudtrail"), client("cloudtrail", "eu-central-1")
    codes = [code_of(here.lookup_events) for _ in range(4)]
    assert codes[:2] == ["", ""]
    assert "ThrottlingException" in codes[2:]
    assert code_of(there.lookup_events) == ""


def test_the_range_itself_leaves_no_record(aws: Range, client: Clients) -> None:
    client("ec2", keys=aws.bootstrap()).create_internet_gateway()
    assert aws.app.trail.records() == []
