"""Where flow logs lie, which of their files tell of a time, and what they do not tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.flow_log_format import DEFAULT_FORMAT
from incident.flow_log_places import (
    FlowLog,
    Interface,
    bucket_of,
    coverage_gaps,
    day_prefixes,
    gaps_of,
    is_file_of,
    read_flow_log,
)

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
LOG = FlowLog("111122223333", "us-east-1", "fl-0abc", "vpc-1", "s3", "arn:aws:s3:::flows/central/net/", DEFAULT_FORMAT)
NAME = "111122223333_vpcflowlogs_us-east-1_{}_{}_1a2b3c4d.log.gz"


@given(st.integers(0, 5_000_000), st.integers(0, 3 * 24 * 60))
def test_a_file_of_the_window_lies_below_a_prefix_that_is_listed(after, minutes):
    begins = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=after)
    until = begins + timedelta(minutes=minutes)
    prefixes = list(day_prefixes(LOG, begins, until))
    for at in (begins, until):
        key = f"central/net/AWSLogs/111122223333/vpcflowlogs/us-east-1/{at:%Y/%m/%d}/{NAME.format('fl-0abc', f'{at:%Y%m%dT%H%MZ}')}"
        assert any(key.startswith(prefix) for prefix in prefixes)
        assert is_file_of(LOG, key, begins, until)


def test_both_layouts_are_looked_at_unless_aws_says_which():
    plain = "central/net/AWSLogs/111122223333/vpcflowlogs/us-east-1/2026/03/14/"
    hive = "central/net/AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/year=2026/month=03/day=14/"
    told = {"FlowLogId": "fl-0abc", "LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::flows/central/net/"}
    for options, wanted in ((None, [plain, hive]), (True, [hive]), (False, [plain])):
        more = {} if options is None else {"DestinationOptions": {"HiveCompatiblePartitions": options}}
        log = read_flow_log("111122223333", "us-east-1", {**told, **more})
        assert bucket_of(log) == ("flows", "central/net/")
        assert list(day_prefixes(log, NOON, NOON)) == wanted


@pytest.mark.parametrize(
    "name",
    [
        NAME.format("fl-0abcd", "20260314T1200Z"),
        NAME.format("fl-0abc", "20260314T1010Z"),
        NAME.format("fl-0abc", "20260314T1401Z"),
        NAME.format("fl-0abc", "20269999T1200Z"),
        "x.log.gz",
        NAME.format("fl-0abc", "20260314T1200Z") + ".exe",
    ],
)
def test_what_is_no_file_of_the_log_and_the_time_is_left(name):
    assert not is_file_of(LOG, f"a/{name}", NOON - timedelta(hours=1), NOON + timedelta(hours=1))


def test_the_format_is_kept_with_fields_that_aws_adds_later():
    log = read_flow_log("1", "r", {"FlowLogId": "fl-1", "LogFormat": "${srcaddr} ${brand-new}", "LogGroupName": "flows"})
    assert (log.fields, log.place, log.destination) == (("srcaddr", "brand-new"), "flows", "cloud-watch-logs")
    assert read_flow_log("1", "r", {"FlowLogId": "fl-1"}).fields == DEFAULT_FORMAT


def test_interfaces_that_no_log_watches_and_those_that_several_do_are_named():
    interfaces = [Interface("eni-1", "subnet-1", "vpc-1"), Interface("eni-2", "subnet-2", "vpc-2")]
    both = [LOG, FlowLog("111122223333", "us-east-1", "fl-2", "eni-1", "s3", "arn:aws:s3:::flows", DEFAULT_FORMAT)]
    missing, twice = coverage_gaps("here", interfaces, both)
    assert "vpc-2 (eni-2)" in missing
    assert "vpc-1" in twice
    assert coverage_gaps("here", interfaces[:1], [LOG]) == []


def test_what_a_log_does_not_keep_is_said():
    told = {
        "FlowLogId": "fl-1",
        "TrafficType": "REJECT",
        "CreationTime": NOON,
        "DeliverLogsStatus": "FAILED",
        "DeliverLogsErrorMessage": "Access error",
    }
    gaps = " ".join(gaps_of(read_flow_log("1", "r", told), NOON - timedelta(hours=1)))
    assert "Access error" in gaps
    assert "REJECT only" in gaps
    assert "begins at 2026-03-14 12:00:00" in gaps
    assert gaps_of(LOG, NOON) == []
