"""Scenarios performed: principals come to life in time, the clock is kept, and what happened is known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drill.aws import Range
from drill.client import RangeClient, boto_client
from drill.scenario import ScenarioError, load, loads
from drill.stage import Happened, Stage, range_config
from drill.verdict import apply, differences, flatten, judge
from tests.drill.conftest import corpus

pytestmark = pytest.mark.served

HEAD = """\
name: test
accounts: {main: "111122223333", other: "444455556666"}
regions: [us-east-1, eu-central-1]
principals:
  hop2: {role: Second, assumed_by: hop1, account: other}
  hop1: {role: First, assumed_by: eve}
  eve: {user: eve, made_by: mallory}
  owner: {user: owner}
  thief: {user: owner, source_ip: 198.51.100.9}
  mallory: {user: mallory, source_ip: 198.51.100.7}
"""
TAIL = 'finding: {type: "Recon:IAMUser/TorIPCaller", principal: %s, region: us-east-1, severity: 8}\n'


def _text(attack: str, estate: str = "", principal: str = "mallory") -> str:
    return f"{HEAD}estate:\n{estate}attack:\n{attack}{TAIL % principal}" if estate else f"{HEAD}attack:\n{attack}{TAIL % principal}"


@contextmanager
def _played(text: str) -> Iterator[tuple[Range, Stage, Happened]]:
    scenario = loads(text)
    with Range(range_config(scenario)) as aws:
        stage = Stage(scenario, aws)
        stage.build_estate()
        yield aws, stage, stage.attack()


def _story(aws: Range) -> list[tuple[str, str, str]]:
    """Who called what from where, oldest first."""
    return [
        (r["userIdentity"].get("arn", r["userIdentity"]["accountId"]).split(":")[-1], r["eventName"], r["sourceIPAddress"])
        for r in aws.app.trail.records()
    ]


def test_a_chain_is_built_link_by_link_just_before_it_is_needed() -> None:
    with _played(_text("  - {as: hop2, region: us-east-1, call: ec2.create_internet_gateway}\n", principal="hop2")) as (
        aws,
        _,
        happened,
    ):
        assert _story(aws) == [
            ("user/mallory", "CreateUser", "198.51.100.7"),
            ("user/mallory", "AttachUserPolicy", "198.51.100.7"),
            ("user/mallory", "CreateAccessKey", "198.51.100.7"),
            ("user/eve", "AssumeRole", "198.51.100.7"),
            ("assumed-role/First/hop1", "AssumeRole", "198.51.100.7"),
            ("111122223333", "AssumeRole", "198.51.100.7"),
            ("assumed-role/Second/hop2", "CreateInternetGateway", "198.51.100.7"),
        ]
        made = aws.app.trail.records()[-1]
        assert made["recipientAccountId"] == "444455556666"
        assert happened.keys["hop2"] == [made["userIdentity"]["accessKeyId"]]
        assert happened.keys["eve"][0].startswith("AKIA")


def test_two_principals_of_one_user_share_the_key() -> None:
    attack = """\
  - {as: owner, region: us-east-1, call: ec2.create_internet_gateway}
  - {as: thief, region: us-east-1, call: ec2.create_internet_gateway}
"""
    with _played(_text(attack)) as (aws, _, happened):
        assert happened.keys["owner"] == happened.keys["thief"]
        assert [ip for _, _, ip in _story(aws)][1] == "198.51.100.9"


def test_every_step_has_its_own_second_and_the_end_is_now() -> None:
    attack = """\
  - {as: mallory, region: us-east-1, call: ec2.create_internet_gateway, save: {igw: InternetGateway.InternetGatewayId}}
  - {as: mallory, region: eu-central-1, call: ec2.create_vpc, with: {CidrBlock: 10.0.0.0/16}, save: {vpc: Vpc.VpcId}}
  - as: mallory
    after: 10m
    region: eu-central-1
    call: ec2.create_tags
    with: {Resources: [$vpc], Tags: [{Key: of, Value: "${igw}!"}]}
"""
    estate = "  - {as: owner, region: us-east-1, call: ec2.create_internet_gateway}\n"
    with _played(_text(attack, estate)) as (aws, _, happened):
        times = [datetime.fromisoformat(r["eventTime"]).timestamp() for r in aws.app.trail.records()]
        assert all(later - earlier >= 1 for earlier, later in pairwise(times))
        assert times[1] - times[0] >= 3600
        assert 600 <= times[3] - times[2] < 620
        assert time.time() - 60 < times[-1] <= time.time()
        assert -1 < aws.clock.offset <= 0
        assert int(happened.first_call) == times[1]
        tags = aws.app.trail.records()[-1]["requestParameters"]["tagSet"]["items"]
        assert tags == [{"key": "of", "value": f"{happened.names['igw']}!"}]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            "call: ec2.delete_vpc, with: {VpcId: vpc-0123456789abcdef0}",
            "failed: .*InvalidVpcID.NotFound.*; correct the step, or add fails: Inv",
        ),
        ("call: ec2.create_internet_gateway, fails: DependencyViolation", "succeeded but was to fail with DependencyViolation"),
        (
            "call: ec2.delete_vpc, with: {VpcId: vpc-0123456789abcdef0}, fails: DryRunOperation",
            "failed with InvalidVpcID.NotFound but was to",
        ),
        (
            "call: ec2.create_internet_gateway, save: {x: Nothing.Here}",
            "answered nothing at 'Nothing.Here'; start save at one of Internet",
        ),
    ],
)
def test_a_call_that_goes_otherwise_is_an_error_with_its_line(step: str, words: str) -> None:
    with (
        pytest.raises(ScenarioError, match=f"^scenario.yaml:12: ec2..*{words}") as caught,
        _played(_text(f"  - {{as: mallory, region: us-east-1, {step}}}\n")),
    ):
        pass
    assert "\n" not in str(caught.value)


def test_a_refused_call_is_recorded() -> None:
    step = "call: ec2.delete_vpc, with: {VpcId: vpc-0123456789abcdef0}, fails: InvalidVpcID.NotFound"
    with _played(_text(f"  - {{as: mallory, region: us-east-1, {step}}}\n")) as (aws, _, happened):
        assert happened.steps[0].error == "InvalidVpcID.NotFound"
        assert aws.app.trail.records()[-1]["errorCode"] == "Client.InvalidVpcID.NotFound"


def test_a_range_that_lacks_the_scenarios_regions_is_refused() -> None:
    scenario = load("open-ssh-to-world")
    with (
        Range(range_config(scenario, regions=("us-east-1",))) as aws,
        pytest.raises(ScenarioError, match="start it with --regions us-east-1,"),
    ):
        Stage(scenario, aws.url).build_estate()


# ---- the finding ------------------------------------------------------------------------------------------------


def _shape(value: Any) -> set[str]:
    return set(value) if isinstance(value, dict) else set()


def test_the_finding_of_a_user_has_both_true_shapes() -> None:
    attack = "  - {as: mallory, region: us-east-1, call: ec2.create_internet_gateway}\n"
    with _played(_text(attack * 2)) as (aws, stage, happened):
        report = stage.finding()
        guardduty = boto_client(aws.url, "guardduty", "us-east-1", aws.responder())
        detector = guardduty.list_detectors()["DetectorIds"][0]
        ids = guardduty.list_findings(DetectorId=detector)["FindingIds"]
        found = guardduty.get_findings(DetectorId=detector, FindingIds=ids)["Findings"][0]
        assert found == report.api
        envelope = report.envelope
        real = next(e for e in corpus("eventbridge", "cloud-custodian.jsonl") if e["detail-type"] == "GuardDuty Finding")
        assert set(real) - {"debug"} == set(envelope)
        assert _shape(real["detail"]) <= _shape(envelope["detail"])
        detail = envelope["detail"]
        details = detail["resource"]["accessKeyDetails"]
        assert details == {
            "accessKeyId": happened.keys["mallory"][0],
            "principalId": aws.app.trail.records()[-1]["userIdentity"]["principalId"],
            "userName": "mallory",
            "userType": "IAMUser",
        }
        action = detail["service"]["action"]["awsApiCallAction"]
        assert action["remoteIpDetails"]["ipAddressV4"] == "198.51.100.7"
        assert (action["api"], action["serviceName"]) == ("CreateInternetGateway", "ec2.amazonaws.com")
        times = [r["eventTime"] for r in aws.app.trail.records()]
        assert (detail["service"]["eventFirstSeen"], detail["service"]["eventLastSeen"]) == (times[0], times[-1])


def test_the_finding_of_a_role_names_the_session() -> None:
    attack = "  - {as: hop1, region: us-east-1, call: ec2.create_internet_gateway}\n"
    with _played(_text(attack, principal="hop1")) as (_, stage, happened):
        details = stage.finding().envelope["detail"]["resource"]["accessKeyDetails"]
        assert details["accessKeyId"] == happened.keys["hop1"][0]
        assert details["principalId"].startswith("AROA")
        assert details["principalId"].endswith(":hop1")
        assert (details["userName"], details["userType"]) == ("First", "AssumedRole")


def test_the_finding_of_an_instance_describes_it() -> None:
    run = "{ImageId: ami-0a1b2c3d4e5f60001, MinCount: 1, MaxCount: 1}"
    attack = (
        f"  - {{as: mallory, region: us-east-1, call: ec2.run_instances, with: {run}, save: {{bad: 'Instances[0].InstanceId'}}}}\n"
    )
    text = _text(attack).replace("Recon:IAMUser/TorIPCaller", "Recon:EC2/Portscan").replace("severity: 8", "instance: $bad")
    with _played(text) as (_, stage, happened):
        resource = stage.finding().envelope["detail"]["resource"]
        assert resource["resourceType"] == "Instance"
        assert resource["instanceDetails"]["instanceId"] == happened.names["bad"]
        assert resource["instanceDetails"]["networkInterfaces"][0]["securityGroups"]


def test_faults_begin_with_the_end_of_the_attack_and_meet_the_responder_alone() -> None:
    call = "  - {as: mallory, region: us-east-1, call: ec2.create_internet_gateway, with: {}}\n"
    trouble = "snapshot_failures: 1\nfaults:\n  - {code: RequestLimitExceeded, status: 503}\n  - {service: ec2, stale_reads: 1}\n"
    with _played(_text(call) + trouble) as (aws, stage, happened):
        assert [step.error for step in happened.steps] == [""]
        assert stage.working_keys()["mallory"]
        ec2 = boto_client(aws.url, "ec2", "us-east-1", aws.responder())
        with pytest.raises(ClientError, match="RequestLimitExceeded"):
            ec2.describe_vpcs()
        assert [rule["stale_reads"] for rule in aws.app.staleness.rules()] == [1]


# ---- the verdict on whole exercises -----------------------------------------------------------------------------


def test_the_smallest_scenario_is_judged_before_and_after_the_response() -> None:
    scenario = load("open-ssh-to-world")
    with Range(range_config(scenario)) as aws:
        stage = Stage(scenario, aws)
        stage.build_estate()
        before = aws.dump()
        happened = stage.attack()
        verdict = judge(stage, before, aws.dump())
        assert [d["setting"] for d in verdict.differences] == ["ingress tcp 22 from 0.0.0.0/0"]
        assert [item["resource"] for item in verdict.leftovers] == happened.keys["mallory"]

        responder = aws.responder()
        open_port = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
        ec2 = boto_client(aws.url, "ec2", "us-east-1", responder)
        ec2.revoke_security_group_ingress(GroupId=happened.names["sg"], IpPermissions=open_port)
        iam = boto_client(aws.url, "iam", "us-east-1", responder)
        iam.update_access_key(UserName="mallory", AccessKeyId=happened.keys["mallory"][0], Status="Inactive")
        verdict = judge(stage, before, aws.dump())
        assert verdict.restored
        assert verdict.leftovers == []
        assert stage.working_keys() == {"mallory": []}


@pytest.mark.slow
def test_the_takeover_shows_every_change_and_nothing_of_the_admin() -> None:
    scenario = load("network-takeover")
    with Range(range_config(scenario)) as aws:
        stage = Stage(scenario, RangeClient(aws.url))
        stage.build_estate()
        before = aws.dump()
        happened = stage.attack()
        expected = apply(flatten(before), happened.effects)
        found = differences(expected, flatten(aws.dump()))
        kinds = {(d.region, d.resource.rsplit(" ", 1)[0].split(" sg-")[0], d.setting) for d in found}
        assert any("9100" in e.setting.name for e in happened.effects)
        assert not any("9100" in d.setting for d in found)
        assert {region for region, _, _ in kinds} == {"us-east-1", "eu-central-1", "ap-southeast-2"}
        settings = {d.setting for d in found}
        assert settings >= {
            "ingress tcp 22 from 0.0.0.0/0",
            "ingress tcp 22 from 203.0.113.0/28",
            "route to 0.0.0.0/0",
            "ingress entry 100",
            "ingress entry 50",
        }
        left = judge(stage, before, aws.dump()).leftovers
        assert sorted(item["kind"] for item in left) == ["access key", "access key", "instance", "instance"]
        assert time.time() - 5 < aws.clock.now() <= time.time() + 1
