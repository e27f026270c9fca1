"""`countermand flows`: the queries, an answer, and mistakes in one line."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from drill.aws import Range, RangeConfig
from drill.client import boto_client
from gateway.practice.configuration import granted_to, responder_credentials

LOG = """version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
2 111122223333 eni-1 198.51.100.7 10.0.0.5 40000 22 6 20 4249 1700000000 1700000060 ACCEPT OK
2 111122223333 eni-1 - - - - - - - 1700000060 1700000120 - SKIPDATA
"""


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "flows.log"
    file.write_text(LOG)
    return file


def test_the_queries_are_listed(run):
    code, out, _ = run("flows")
    assert code == 0
    assert "ssh-rdp-traffic" in out


def test_an_answer_with_what_is_not_known(run, log):
    code, out, err = run("flows", "ssh-rdp-traffic", log)
    assert code == 0
    assert "198.51.100.7" in out
    assert "2023-11-14 22:13:20" in out
    assert "SKIPDATA" in err


def test_an_answer_as_json(run, log):
    code, out, _ = run("flows", "traffic-from-source-address", log, "--address", "198.51.100.7", "--json")
    told = json.loads(out)
    assert code == 0
    assert [row["dstport"] for row in told["rows"]] == [22]
    assert len(told["doubts"]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("top-walkers",), "no query"),
        (("top-talkers", "/nowhere"), "no such file"),
        (("top-talkers",), "say from when on with --since"),
        (("traffic-from-source-address", "LOG"), "give it with --address"),
        (("traffic-from-source-address", "LOG", "--address", "nobody"), "no IP address"),
        (("top-talkers", "LOG", "--since", "yesterday"), "--since is no moment"),
        (("top-talkers", "LOG", "--athena"), "name no files"),
        (("top-talkers", "--since", "2026-11-24T02:00:00Z", "--athena", "--region", "us-east-1"), "leave --account"),
        (("top-talkers", "--since", "2026-11-24T02:00:00Z", "--athena"), "flow_logs.workgroup"),
        (("top-talkers", "LOG", "--until", "2026-11-24"), "no time zone"),
        (("top-talking-instances", "LOG"), "needs instance-id"),
        (("top-talkers", "LOG", "--format", "version versoin"), "no field"),
    ],
)
def test_a_mistake_ends_in_one_line(run, log, arguments, words):
    code, _, err = run("flows", *(log if one == "LOG" else one for one in arguments))
    assert code == 2
    assert words in err
    assert err.count("\n") == 1


@pytest.fixture(scope="module")
def aws():
    with Range(RangeConfig(accounts=("111122223333",), regions=("us-east-1",), granted=granted_to(["111122223333"]))) as running:
        yield running


def test_the_flow_logs_that_aws_keeps_are_listed_and_asked(run, aws, monkeypatch):
    for name, value in responder_credentials(aws).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COUNTERMAND_AWS", json.dumps({"accounts": ["111122223333"], "endpoint_url": aws.url}))
    ec2, logs = (boto_client(aws.url, name, "us-east-1", aws.bootstrap()) for name in ("ec2", "logs"))
    asked = {
        "ResourceType": "VPC",
        "TrafficType": "ALL",
        "LogGroupName": "flows",
        "DeliverLogsPermissionArn": "arn:aws:iam::1:role/x",
    }
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    since = datetime.now(UTC) - timedelta(hours=1)
    question = ("ssh-rdp-traffic", "--since", since.isoformat(), "--of", vpc)
    code, _, err = run("flows", *question)
    assert (code, "no flow log could be read" in err, err.count("\n")) == (2, True, 1)
    logs.create_log_group(logGroupName="flows")
    logs.create_log_stream(logGroupName="flows", logStreamName="eni-1-all")
    start = int(since.timestamp()) + 60
    flow = f"2 111122223333 eni-1 198.51.100.7 10.0.0.5 40000 22 6 20 4249 {start} {start + 60} ACCEPT OK"
    events = [{"timestamp": start * 1000, "message": flow}]
    logs.put_log_events(logGroupName="flows", logStreamName="eni-1-all", logEvents=events)
    log = ec2.create_flow_logs(ResourceIds=[vpc], **asked)["FlowLogIds"][0]
    code, out, _ = run("flows", "--logs", "--json")
    assert [(one["id"], one["place"]) for one in json.loads(out)["flow_logs"]] == [(log, "flows")]
    code, out, err = run("flows", *question)
    assert code == 0
    assert "198.51.100.7" in out
    assert f"{log} of {vpc}" in err, "the log begins after the time asked for"
