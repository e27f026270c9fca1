"""What the internet reaches newly is proposed once, in Slack too, unless an approved change explains all of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from drill.aws import Range, RangeConfig
from drill.aws.config import KeyPair
from drill.client import boto_client
from drill.slack.server import FakeSlack
from gateway.practice.configuration import granted_to, responder_credentials
from incident.family import Scope
from incident.ledger import BASELINE_CHAIN, Kind
from incident.policy import ApprovedChange, Policy
from tasks.baseline import sweep_region
from tasks.config import load_config
from tasks.hands import wire
from tasks.outbox import Sender
from tasks.proposing import propose_new_exposures
from tasks.slack import SlackWorkspace

ACCOUNT, REGION = "111122223333", "eu-central-1"
PLACE = Scope(ACCOUNT, REGION)


@pytest.fixture(scope="module")
def running():
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=("us-east-1", REGION), granted=granted_to([ACCOUNT]))) as aws:
        yield aws


@pytest.fixture
def hands(running, monkeypatch, tmp_path):
    running.reset()
    for name, value in responder_credentials(running).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COUNTERMAND_HOME", str(tmp_path))
    monkeypatch.setenv("COUNTERMAND_AWS", json.dumps({"accounts": [ACCOUNT], "endpoint_url": running.url}))
    return wire(load_config())


@pytest.fixture
def ec2(running, hands):
    """A person's client, whose calls leave records, and a public instance that nothing reaches."""
    root = boto_client(running.url, "ec2", REGION, running.bootstrap())
    vpc = root.describe_vpcs()["Vpcs"][0]["VpcId"]
    gateway = root.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    root.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = root.describe_route_tables()["RouteTables"][0]["RouteTableId"]
    root.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    root.run_instances(ImageId=root.describe_images()["Images"][0]["ImageId"], MinCount=1, MaxCount=1)
    (interface,) = root.describe_network_interfaces()["NetworkInterfaces"]
    (group,) = (one["GroupId"] for one in interface["Groups"])
    iam = boto_client(running.url, "iam", "us-east-1", running.bootstrap())
    iam.create_user(UserName="alice")
    iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    alice = boto_client(running.url, "ec2", REGION, KeyPair(key["AccessKeyId"], key["SecretAccessKey"]))
    alice.group = group
    return alice


def opened(ec2, port: int) -> None:
    ec2.authorize_security_group_ingress(
        GroupId=ec2.group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )


def swept(hands) -> datetime:
    at = datetime.now(UTC)
    hands.baselines.keep(sweep_region(hands.aws, PLACE, at))
    return at


def proposed(hands) -> list:
    return propose_new_exposures(hands, PLACE, swept(hands))


def test_a_new_exposure_is_proposed_once_with_its_path_and_the_command(hands, ec2):
    assert proposed(hands) == []
    opened(ec2, 22)
    (one,) = proposed(hands)
    assert f"--resource {ec2.group}" in one.command
    assert one.command.startswith(f"countermand open --account {ACCOUNT} --region {REGION} --since ")
    assert [str(way) for way in one.exposure.reached] == ["tcp 22 from anywhere (IPv4)"]
    assert proposed(hands) == []
    opened(ec2, 3389)
    assert [str(way) for new in proposed(hands) for way in new.exposure.reached] == ["tcp 3389 from anywhere (IPv4)"]


def test_a_sweep_that_was_killed_before_it_compared_loses_nothing(hands, ec2):
    proposed(hands)
    opened(ec2, 22)
    swept(hands)
    assert len(proposed(hands)) == 1


def test_said_again_it_is_not_said_twice(hands, ec2):
    proposed(hands)
    opened(ec2, 22)
    at = swept(hands)
    assert len(propose_new_exposures(hands, PLACE, at)) == 1
    assert propose_new_exposures(hands, PLACE, at) == []
    assert len(hands.ledger.lines(BASELINE_CHAIN, Kind.MESSAGE)) == 1


def approved(group: str, principal: str = "arn:aws:iam::*:user/alice") -> Policy:
    now = datetime.now(UTC)
    told = {"ticket": "CHG-7", "principals": [principal], "resources": [group]}
    change = ApprovedChange.model_validate({**told, "from": now - timedelta(hours=1), "until": now + timedelta(hours=1)})
    return Policy(approved_changes=(change,))


@pytest.mark.parametrize(("principal", "count"), [("arn:aws:iam::*:user/alice", 0), ("arn:aws:iam::*:user/bob", 1)])
def test_only_an_approved_change_by_its_own_people_explains_it(hands, ec2, principal, count):
    told = replace(hands, policy=approved(ec2.group, principal))
    proposed(told)
    opened(ec2, 22)
    assert len(proposed(told)) == count


def test_what_cloudtrail_cannot_say_explains_nothing(running, hands, ec2):
    told = replace(hands, policy=approved(ec2.group))
    proposed(told)
    opened(ec2, 22)
    fault = {"service": "cloudtrail", "operation": "LookupEvents", "code": "AccessDeniedException", "status": 400}
    httpx.post(f"{running.url}/range/fault", json={**fault, "region": REGION}, timeout=30).raise_for_status()
    assert len(proposed(told)) == 1


def test_it_stands_in_the_channel_by_itself_and_once(hands, ec2, tmp_path):
    proposed(hands)
    opened(ec2, 22)
    (one,) = proposed(hands)
    with FakeSlack(bot_token="xoxb-test", channels=("C0TEST",), users=[], team="T0TEST", rate_limit=False) as slack:
        told = {"bot_token": "xoxb-test", "channel": "C0TEST", "team": "T0TEST", "base_url": slack.api_url}
        config = hands.config.model_copy(update={"slack": type(hands.config.slack).model_validate(told)})
        sender = Sender(hands.ledger, SlackWorkspace("xoxb-test", slack.api_url), Policy(), config, hands.clock)
        sender.send(BASELINE_CHAIN)
        sender.send(BASELINE_CHAIN)
        (posted,) = slack.control.messages()
    assert one.command in posted["text"]
    assert "thread_ts" not in posted
