"""A range with one public instance that nothing reaches yet, `alice` who may change that, and the responder's hands on it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from drill.aws import Range, RangeConfig
from drill.aws.config import KeyPair
from drill.client import boto_client
from gateway.practice.configuration import granted_to, responder_credentials
from incident.family import Scope
from tasks.baseline import sweep_region
from tasks.config import load_config
from tasks.hands import wire

ACCOUNT, REGION = "111122223333", "eu-central-1"
PLACE = Scope(ACCOUNT, REGION)


@pytest.fixture(scope="module")
def public_range():
    granted = granted_to([ACCOUNT], ImportFindings="yes")
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=("us-east-1", REGION), granted=granted)) as aws:
        yield aws


@pytest.fixture
def public_hands(public_range, monkeypatch, tmp_path):
    public_range.reset()
    for name, value in responder_credentials(public_range).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COUNTERMAND_HOME", str(tmp_path))
    monkeypatch.setenv("COUNTERMAND_AWS", json.dumps({"accounts": [ACCOUNT], "endpoint_url": public_range.url}))
    return wire(load_config())


@pytest.fixture
def public_ec2(public_range, public_hands):
    """A person's client, whose calls leave records, and a public instance that nothing reaches."""
    root = boto_client(public_range.url, "ec2", REGION, public_range.bootstrap())
    vpc = root.describe_vpcs()["Vpcs"][0]["VpcId"]
    gateway = root.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    root.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = root.describe_route_tables()["RouteTables"][0]["RouteTableId"]
    root.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    root.run_instances(ImageId=root.describe_images()["Images"][0]["ImageId"], MinCount=1, MaxCount=1)
    (interface,) = root.describe_network_interfaces()["NetworkInterfaces"]
    (group,) = (one["GroupId"] for one in interface["Groups"])
    iam = boto_client(public_range.url, "iam", "us-east-1", public_range.bootstrap())
    iam.create_user(UserName="alice")
    iam.attach_user_policy(UserName="alice", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    alice = boto_client(public_range.url, "ec2", REGION, KeyPair(key["AccessKeyId"], key["SecretAccessKey"]))
    alice.group, alice.key = group, key["AccessKeyId"]
    return alice


def opened(ec2, port: int) -> None:
    ec2.authorize_security_group_ingress(
        GroupId=ec2.group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )


def swept(hands, ago: float = 0) -> datetime:
    """Sweep as if `ago` seconds ago: CloudTrail's times are whole seconds, and what a test does next may have to come after."""
    at = datetime.now(UTC) - timedelta(seconds=ago)
    hands.baselines.keep(sweep_region(hands.aws, PLACE, at))
    return at
