"""One range for all tests of a module, emptied before each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drill.aws import KeyPair, Range, RangeConfig
from drill.client import boto_client

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"
REGIONS = ("us-east-1", "eu-central-1")

Clients = Callable[..., Any]


@pytest.fixture(scope="module")
def _running() -> Iterator[Range]:
    with Range(RangeConfig(accounts=(ACCOUNT, OTHER_ACCOUNT), regions=REGIONS)) as aws:
        yield aws


@pytest.fixture
def aws(_running: Range) -> Range:
    """An empty range with two accounts and two regions."""
    _running.reset()
    _running.app.trail.delivery_lag = 0
    _running.clock.advance(-_running.clock.offset)
    return _running


@pytest.fixture
def client(aws: Range) -> Clients:
    """Clients as the responder, or with other keys."""

    def make(service: str, region: str = "us-east-1", keys: KeyPair | None = None, source_ip: str = "") -> Any:
        return _cached_client(aws.url, service, region, keys or aws.responder(), source_ip)

    return make


@cache
def _cached_client(url: str, service: str, region: str, keys: KeyPair, source_ip: str) -> Any:
    return boto_client(url, service, region, keys, source_ip)


@pytest.fixture
def ec2(client: Clients) -> Any:
    return client("ec2")


@pytest.fixture
def vpc(ec2: Any) -> str:
    return str(ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])


@pytest.fixture
def group(ec2: Any, vpc: str) -> str:
    return str(ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"])


@pytest.fixture
def mallory(client: Clients) -> KeyPair:
    """A user with every permission, and their key."""
    iam = client("iam")
    iam.create_user(UserName="mallory")
    iam.attach_user_policy(UserName="mallory", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    return new_key(iam, "mallory")


def new_key(iam: Any, user: str) -> KeyPair:
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return KeyPair(key["AccessKeyId"], key["SecretAccessKey"])


def permission(protocol: str = "tcp", low: int = 22, high: int = 22, cidr: str = "10.0.0.0/8", **more: Any) -> Any:
    return {"IpProtocol": protocol, "FromPort": low, "ToPort": high, "IpRanges": [{"CidrIp": cidr, **more}]}


def code_of(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """The error code that a call is refused with, or "" for success."""
    try:
        call(*args, **kwargs)
    except ClientError as e:
        return str(e.response["Error"]["Code"])
    return ""


def corpus(*parts: str) -> list[Any]:
    """Real data that is not part of the project; the test skips where it is absent."""
    root = Path(__file__).parents[2]
    folder = Path(os.environ.get("COUNTERMAND_CORPUS") or root.parent / "shared" / "data")
    file = folder.joinpath(*parts)
    if not file.exists():
        pytest.skip(f"no real data at {folder}; set COUNTERMAND_CORPUS to its folder")
    return [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
