"""`countermand readiness` and `countermand prepare` on the range: an account that has nothing, prepared by one approved plan."""

from __future__ import annotations

import json

import httpx
import pyotp
import pytest
from rich.console import Console
from typer.testing import CliRunner

from drill.aws import Range, RangeConfig
from drill.client import boto_client
from gateway.cli import app
from gateway.commands import preparing, who_can_change
from gateway.commands.shell import UserError
from gateway.practice.configuration import granted_to, responder_credentials
from incident.ledger import Kind
from incident.posture import change_rules
from incident.posture.goals import CASE
from tasks.config import ConfigError, load_config
from tasks.hands import wire

ACCOUNT, REGION = "111122223333", "us-east-1"
BUCKET = "example-logs"
WANTED = {
    "flow_logs": {"bucket": BUCKET, "subfolder": "network", "interval": 60, "format": "${version} ${srcaddr} ${dstaddr} ${action}"},
    "trail": {"bucket": BUCKET},
    "config": {"bucket": BUCKET},
    "alerts": {"subscribe": ["soc@example.com"]},
    "changes": {"deliver_to": "arn:aws:sqs:{region}:{account}:findings"},
}


@pytest.fixture(scope="module")
def running():
    granted = granted_to([ACCOUNT], Prepare="yes")
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=(REGION,), granted=granted)) as aws:
        yield aws


@pytest.fixture
def client(running, monkeypatch, tmp_path):
    """An account with a NAT gateway and a bucket, a policy with two people, and the settings above."""
    running.reset()
    (tmp_path / "policy.yaml").write_text("responders: [{name: alice}, {name: bob}]\n")
    environment = responder_credentials(running) | {
        "COUNTERMAND_HOME": str(tmp_path),
        "COUNTERMAND_POLICY_FILE": str(tmp_path / "policy.yaml"),
        "COUNTERMAND_AWS": json.dumps({"accounts": [ACCOUNT], "endpoint_url": running.url, "call_deadline_seconds": 5}),
        "COUNTERMAND_PREPARE": json.dumps(WANTED),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for commands in (preparing, who_can_change):
        monkeypatch.setattr(commands, "console", Console(width=300))

    def of(service: str):
        return boto_client(running.url, service, REGION, running.bootstrap())

    of("s3").create_bucket(Bucket=BUCKET)
    return of


@pytest.fixture
def gateway_of(client):
    """The NAT gateway's id."""
    ec2 = client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    return ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]


@pytest.fixture
def code():
    """The one-time code of a person who has just enrolled."""
    return lambda person: pyotp.parse_uri(wire(load_config()).roster.enrol(person)).now()


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def states() -> dict[str, str]:
    return {one["part"]: one["state"] for one in json.loads(run("readiness", "--json").output)["checks"]}


def planned(*arguments: str) -> dict:
    return json.loads(run("prepare", *arguments, "--json").output)


def steps_on(plan: dict, kind: str) -> list[dict]:
    return [step for step in plan["plan"]["steps"] if step["key"][2] == kind]


PREPARED = {
    "flow logs",
    "NAT gateway alarms",
    "trail",
    "GuardDuty",
    "Config recorder",
    "Security Hub",
    "change rule",
    "open ports",
}


def test_one_approved_plan_makes_a_bare_account_ready_and_the_next_is_empty(client, gateway_of, code):
    assert {part for part, state in states().items() if state == "missing"} >= PREPARED
    plan = planned()
    assert f"--approve {plan['digest'][:12]}" in run("prepare").output

    done = run("prepare", "--approve", plan["digest"][:12], "--as", "alice", "--code", code("alice"))

    assert done.exit_code == 0, done.output
    assert {part for part, state in states().items() if state == "ok"} >= PREPARED
    assert planned()["plan"]["steps"] == []
    assert "Nothing to prepare." in run("prepare").output
    (log,) = client("ec2").describe_flow_logs()["FlowLogs"]
    assert (log["LogDestination"], log["TrafficType"], log["MaxAggregationInterval"], log["LogFormat"]) == (
        f"arn:aws:s3:::{BUCKET}/network/",
        "ALL",
        60,
        "${version} ${srcaddr} ${dstaddr} ${action}",
    )
    alarms = {one["MetricName"]: one for one in client("cloudwatch").describe_alarms()["MetricAlarms"]}
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:countermand-alerts"
    told = ("Statistic", "Period", "EvaluationPeriods", "ComparisonOperator", "Threshold", "AlarmActions")
    assert [alarms["BytesOutToDestination"][name] for name in told] == [
        "Sum", 900, 1, "GreaterThanOrEqualToThreshold", 5_000_000, [topic],
    ]  # fmt: skip
    assert [alarms["ErrorPortAllocation"][name] for name in told] == ["Maximum", 300, 3, "GreaterThanThreshold", 0, [topic]]
    rules = client("events").list_rules()["Rules"]
    named = [name for rule in rules for name in json.loads(rule["EventPattern"])["detail"]["eventName"]]
    assert sorted(named) == sorted(change_rules.operations())


def test_what_can_be_taken_back_is_taken_back_and_what_watches_stays(client, gateway_of, code, monkeypatch):
    config = client("config")
    config.put_configuration_recorder(
        ConfigurationRecorder={
            "name": "default",
            "roleARN": f"arn:aws:iam::{ACCOUNT}:role/x",
            "recordingGroup": {"allSupported": True},
        }
    )
    config.put_delivery_channel(DeliveryChannel={"name": "default", "s3BucketName": BUCKET})
    monkeypatch.setenv("COUNTERMAND_PREPARE", json.dumps(WANTED | {"leave": ["Security Hub"], "alerts": {}}))
    digest = planned()["digest"][:12]
    assert run("prepare", "--approve", digest, "--as", "alice", "--code", code("alice")).exit_code == 0

    back = planned("--undo", digest)
    assert {step["source"] for step in back["plan"]["steps"]} == {"the value from before preparation"}
    undone = run("prepare", "--approve", back["digest"][:12], "--as", "bob", "--code", code("bob"))

    assert undone.exit_code == 0, undone.output
    after = states()
    assert {after[part] for part in ("flow logs", "NAT gateway alarms", "change rule", "open ports")} == {"missing"}
    assert {after[part] for part in ("trail", "Config recorder")} == {"ok"}
    assert (
        client("guardduty").get_detector(DetectorId=client("guardduty").list_detectors()["DetectorIds"][0])[
            "FindingPublishingFrequency"
        ]
        == "SIX_HOURS"
    )


def test_nothing_runs_without_an_approval_and_a_state_that_moved_voids_it(client, code):
    digest = planned()["digest"][:12]
    with pytest.raises(UserError, match="waiting"):
        run("prepare", "--approve", digest)
    assert client("ec2").describe_flow_logs()["FlowLogs"] == []
    assert client("cloudtrail").describe_trails()["trailList"] == []
    client("guardduty").update_detector(
        DetectorId=client("guardduty").list_detectors()["DetectorIds"][0], FindingPublishingFrequency="ONE_HOUR"
    )
    with pytest.raises(UserError, match="moved"):
        run("prepare", "--approve", digest, "--as", "alice", "--code", code("alice"))
    assert wire(load_config()).ledger.lines(CASE, Kind.OUTCOME) == []


def test_two_people_agree_where_the_policy_says_so_on_either_command(client, code, monkeypatch, tmp_path):
    (tmp_path / "policy.yaml").write_text("responders: [{name: alice}, {name: bob}]\napprovals: {prepare: {people: 2}}\n")
    monkeypatch.setenv("COUNTERMAND_PREPARE", json.dumps({"leave": sorted(PREPARED - {"GuardDuty"})}))
    digest = planned()["digest"][:12]
    assert planned()["digest"][:12] == digest, "the same plan is asked once"
    with pytest.raises(UserError, match="it needs 2 of the responders"):
        run("prepare", "--approve", digest, "--as", "alice", "--code", code("alice"))
    approved = run("approve", CASE, "--as", "bob", "--plan", digest, "--code", code("bob"))
    assert approved.exit_code == 0
    assert f"`countermand prepare --approve {digest}` carries out" in approved.output
    assert run("prepare", "--approve", digest).exit_code == 0
    assert states()["GuardDuty"] == "ok"
    assert len(wire(load_config()).ledger.lines(CASE, Kind.QUESTION)) == 1


def test_a_struck_step_does_not_run_and_neither_does_what_needs_it(client, code):
    plan = planned()
    (trail,), (start,) = steps_on(plan, "trail"), steps_on(plan, "trail-logging")
    arguments = ("--as", "alice", "--code", code("alice"), "--strike", trail["id"])
    ended = run("prepare", "--approve", plan["digest"][:12], *arguments)
    assert ended.exit_code == 1
    results = {line.body["step"]: line.body["result"] for line in wire(load_config()).ledger.lines(CASE, Kind.OUTCOME)}
    assert (results[trail["id"]], results[start["id"]]) == ("struck", "blocked")


def test_a_read_that_is_denied_is_denied_and_not_planned(running, client):
    fault = {"service": "ec2", "operation": "DescribeFlowLogs", "code": "UnauthorizedOperation", "status": 403}
    httpx.post(f"{running.url}/range/fault", json={**fault, "region": REGION}, timeout=30).raise_for_status()
    assert states()["flow logs"] == "denied"
    plan = planned()
    assert steps_on(plan, "flow-log-of") == []
    assert any(one["status"] == "unread" and "flow logs" in one["what"] for one in plan["plan"]["unplanned"])


def test_a_topic_keeps_what_others_may_do_on_it(client, gateway_of):
    sns = client("sns")
    arn = sns.create_topic(Name="countermand-alerts")["TopicArn"]
    before = json.loads(sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"])
    step = next(one for one in steps_on(planned(), "alert-topic") if one["key"][3] == arn)
    assert step["expects"]["Policy"] == before
    assert step["leaves"]["Policy"]["Statement"][:-1] == before["Statement"]


def test_without_buckets_people_are_told_what_to_set(client, monkeypatch):
    monkeypatch.setenv("COUNTERMAND_PREPARE", json.dumps({"leave": ["Security Hub"]}))
    plan = planned()
    assert {"flow-log-of", "trail", "config-recorder", "security-hub"}.isdisjoint(step["key"][2] for step in plan["plan"]["steps"])
    assert {word for one in plan["plan"]["unplanned"] for word in one["why"].split() if word.startswith("prepare.")} == {
        "prepare.flow_logs.bucket",
        "prepare.trail.bucket",
        "prepare.config.bucket",
        "prepare.changes.deliver_to",
    }


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"flow_logs": {"subfolder": "a/AWSLogs"}}, "AWSLogs"),
        ({"flow_logs": {"interval": 300}}, "prepare.flow_logs.interval"),
        ({"flow_logs": {"format": "${srcaddr} ${nosuch}"}}, "no field of a flow log"),
        ({"flow_logs": {"destination": "cloud-watch-logs", "bucket": "logs"}}, "destination s3"),
        ({"open_ports": {"tcp": [70000]}}, "0 to 65535"),
        ({"alerts": {"subscribe": ["nobody"]}}, "e-mail"),
        ({"leave": ["everything"]}, "prepare.leave"),
    ],
)
def test_mistakes_in_the_settings_are_one_line(client, monkeypatch, told, words):
    monkeypatch.setenv("COUNTERMAND_PREPARE", json.dumps(told))
    with pytest.raises(ConfigError, match=words):
        run("readiness")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--approve", "0123456789ab"), "no plan was made"),
        (("--undo", "0123456789ab"), "no plan of preparation"),
        (("--approve", "0123456789ab", "--undo", "0123456789ab"), "exclude each other"),
    ],
)
def test_mistakes_in_the_arguments_are_one_line(client, arguments, words):
    with pytest.raises(UserError, match=words):
        run("prepare", *arguments)


def test_who_may_change_the_network_is_told_by_what_iam_says(client):
    iam = client("iam")
    iam.create_user(UserName="mallory")
    allowed = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["ec2:CreateRoute", "ec2:Replace?oute"], "Resource": "*"}],
    }
    iam.put_user_policy(UserName="mallory", PolicyName="routes", PolicyDocument=json.dumps(allowed))

    told = json.loads(run("who-can-change", "--json").output)

    found = {one["arn"]: one for one in told["accounts"][ACCOUNT]}
    mallory = found[f"arn:aws:iam::{ACCOUNT}:user/mallory"]
    assert (set(mallory["may"]), mallory["may_widen"]) == ({"ec2:CreateRoute", "ec2:ReplaceRoute"}, "no")
    assert found[f"arn:aws:iam::{ACCOUNT}:role/CountermandResponder"]["may_widen"] in ("conditionally", "yes")
    assert "organization policies" in told["not_evaluated"]
    assert "user/mallory" in run("who-can-change").output
