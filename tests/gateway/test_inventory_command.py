"""`countermand inventory` on the range: what is stored, open, changed and not read, and Prowler beside it."""

from __future__ import annotations

import json
import stat
import sys

import httpx
import pytest
from rich.console import Console
from typer.testing import CliRunner

from drill.aws import Range, RangeConfig
from drill.client import boto_client
from gateway.cli import app
from gateway.commands import inventory
from gateway.commands.shell import UserError
from gateway.practice.configuration import granted_to, responder_credentials
from incident.exposures.inventory import KINDS
from tasks.hands import hands

ACCOUNT, REGION = "111122223333", "eu-central-1"


@pytest.fixture(scope="module")
def running():
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=("us-east-1", REGION), granted=granted_to([ACCOUNT]))) as aws:
        yield aws


@pytest.fixture
def ec2(running, monkeypatch, tmp_path):
    running.reset()
    for name, value in responder_credentials(running).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COUNTERMAND_HOME", str(tmp_path))
    monkeypatch.setenv("COUNTERMAND_AWS", json.dumps({"accounts": [ACCOUNT], "endpoint_url": running.url}))
    monkeypatch.setattr(inventory, "console", Console(width=400))
    hands.cache_clear()
    yield boto_client(running.url, "ec2", REGION, running.bootstrap())
    hands.cache_clear()


@pytest.fixture
def host(ec2):
    """An instance with a public address in the default VPC, in a group of its own, that nothing reaches yet."""
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.describe_route_tables()["RouteTables"][0]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    group = ec2.create_security_group(GroupName="web", Description="web")["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]
    )
    image = ec2.describe_images()["Images"][0]["ImageId"]
    ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro", SecurityGroupIds=[group])
    return group


def asked(*arguments: str) -> dict:
    result = CliRunner().invoke(app, ["inventory", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def open_ssh(ec2, group: str) -> None:
    world = [{"CidrIp": "0.0.0.0/0"}]
    ec2.authorize_security_group_ingress(
        GroupId=group, IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": world}]
    )


def test_a_sweep_and_what_it_opens_since_the_one_before(ec2, host):
    first = asked("--now", "--region", REGION)
    assert set(first["places"][0]["counts"]) == set(KINDS)
    assert None not in first["places"][0]["counts"].values()
    assert [one["verdict"] for one in first["exposures"]] == []
    assert [line for line in first["not_known"] if "is older than" in line] == []
    at = first["places"][0]["at"]
    open_ssh(ec2, host)

    second = asked("--now", "--region", REGION, "--since", at)

    (exposed,) = second["exposures"]
    assert (exposed["verdict"], exposed["reached"]) == ("open", ["tcp 22 from anywhere (IPv4)"])
    assert host in [hop["resource"] for hop in exposed["path"]]
    (changed,) = second["changes"]
    assert [(one["change"], one["name"]) for one in changed["settings"]] == [("added", "ingress tcp 22-22 0.0.0.0/0")]
    assert [one["resource"] for one in changed["opened"]] == [exposed["resource"]]
    assert changed["closed"] == []
    then = asked("--at", at)
    assert then["exposures"] == []
    shown = CliRunner().invoke(app, ["inventory", "--since", at]).output
    assert ACCOUNT in shown
    assert "1 open, 0 unknown" in shown
    assert f"({host})" in shown
    assert "opened to the internet" in shown


def test_a_read_that_is_denied_is_unknown_and_said(running, ec2, host):
    fault = {"service": "ec2", "operation": "DescribeSecurityGroupRules", "code": "UnauthorizedOperation", "status": 403}
    httpx.post(f"{running.url}/range/fault", json={**fault, "region": REGION}, timeout=30).raise_for_status()

    found = asked("--now", "--region", REGION)

    assert {one["verdict"] for one in found["exposures"] if one["what"] == "interface"} == {"unknown"}
    assert any("DescribeSecurityGroupRules" in line for line in found["not_known"])
    assert found["places"][0]["counts"]["security groups"] is None


def test_a_baseline_that_was_touched_is_passed_over_and_said(ec2, host, tmp_path):
    asked("--now", "--region", REGION)
    asked("--now", "--region", REGION)
    newest = max((tmp_path / "baselines" / ACCOUNT / REGION).iterdir())
    newest.write_bytes(b"nothing is open")
    assert any(newest.name in line and "not as it was written" in line for line in asked()["not_known"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--now"),
        (("--now", "--at", "2026-11-24T02:00:00Z"), "exclude each other"),
        (("--now", "--region", "nowhere"), "nowhere: not an enabled region"),
        (("--since", "yesterday"), "--since is no moment"),
        (("--at", "2026-11-24T02:00:00Z", "--since", "2026-11-24T02:00:00Z"), "before"),
    ],
)
def test_mistakes_are_one_line(ec2, arguments, words):
    with pytest.raises(UserError, match=words):
        CliRunner().invoke(app, ["inventory", *arguments], catch_exceptions=False)


# --- Prowler: a program that is not here, so one stands in for it that writes what it writes -------------------------------------

STAND_IN = """#!{python}
import json, pathlib, sys
arguments = sys.argv[1:]
assert arguments[:5] == ["aws", "--categories", "internet-exposed", "-M", "json-ocsf"], arguments
folder, name = arguments[arguments.index("-o") + 1], arguments[arguments.index("-F") + 1]
pathlib.Path(folder, name + ".ocsf.json").write_text({content!r})
sys.exit({code})
"""


def finding(code: str, resource: str, **more) -> dict:
    return {
        "message": "x",
        "metadata": {"event_code": "ec2_securitygroup_allow_ingress_from_internet_to_tcp_port_22", "version": "1.4.0"},
        "severity_id": 4,
        "severity": "High",
        "status": "New",
        "status_code": code,
        "status_detail": f"Security group ({resource}) has SSH port 22 open to the Internet.",
        "finding_info": {"uid": "prowler-aws-1", "title": "SSH is open"},
        "resources": [{"uid": f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{resource}", "region": REGION, "name": resource}],
        "class_uid": 2004,
        "cloud": {"account": {"uid": ACCOUNT}, "region": REGION, "provider": "aws"},
        **more,
    }


def stand_in(tmp_path, monkeypatch, content: str, code: int = 3) -> None:
    program = tmp_path / "bin" / "prowler"
    program.parent.mkdir()
    program.write_text(STAND_IN.format(python=sys.executable, content=content, code=code))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent))


def test_prowlers_findings_join_the_exposures_that_they_stand_on(ec2, host, tmp_path, monkeypatch):
    open_ssh(ec2, host)
    told = [finding("FAIL", host), finding("PASS", "sg-other"), finding("FAIL", "sg-m", status="Suppressed"), {"odd": 1}, "odd"]
    stand_in(tmp_path, monkeypatch, json.dumps(told))

    found = asked("--now", "--region", REGION, "--prowler")

    joined = found["prowler"]
    assert (joined["ran"], joined["passed"], joined["muted"], joined["unreadable"]) == (True, 1, 1, 2)
    assert [one["on_path_of"] for one in joined["failed"]] == [[found["exposures"][0]["resource"]]]
    assert "Prowler's internet-exposed checks: 1 failed, 1 passed" in CliRunner().invoke(app, ["inventory", "--prowler"]).output


def test_without_prowler_one_line_says_how_to_get_it(ec2, host, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "pipx install prowler" in asked("--now", "--region", REGION, "--prowler")["prowler"]["why"]


@pytest.mark.parametrize(
    ("content", "code", "words"), [("[{", 0, "cannot be read"), ("[]", 1, "ended with 1"), ("7", 0, "no list")]
)
def test_a_prowler_that_fails_is_no_pass(ec2, host, tmp_path, monkeypatch, content, code, words):
    stand_in(tmp_path, monkeypatch, content, code)
    told = asked("--now", "--region", REGION, "--prowler")["prowler"]
    assert told["ran"] is False
    assert words in told["why"]
