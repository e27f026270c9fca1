"""The automation that closes ports: its script on the range, its document, and the templates that carry it."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from drill.aws import Range, RangeConfig
from drill.client import boto_client
from gateway.commands.preparation_stacks import template_texts
from incident.posture import change_rules
from tasks import close_ports
from tasks.closing_ports import closing_document

REGION = "eu-central-1"
DEPLOYMENTS = Path(__file__).resolve().parents[2] / "deployments" / "aws"


def permission(first: int, last: int, *, protocol: str = "tcp", v4: str = "", v6: str = "") -> dict:
    ports = {} if protocol == "-1" else {"FromPort": first, "ToPort": last}
    sources = ({"IpRanges": [{"CidrIp": v4}]} if v4 else {}) | ({"Ipv6Ranges": [{"CidrIpv6": v6}]} if v6 else {})
    return {"IpProtocol": protocol, **ports, **sources}


def test_the_script_closes_what_is_open_to_the_internet_and_nothing_else(monkeypatch):
    with Range(RangeConfig(regions=(REGION,))) as aws:
        client = boto_client(aws.url, "ec2", REGION, aws.bootstrap())
        group = client.create_security_group(GroupName="web", Description="web")["GroupId"]
        kept = [
            permission(80, 80, v4="0.0.0.0/0"),
            permission(8000, 8010, v6="::/0"),
            permission(22, 22, v4="10.0.0.0/8"),
            permission(-1, -1, protocol="icmp", v4="0.0.0.0/0"),
        ]
        closed = [
            permission(22, 22, v4="0.0.0.0/0"),
            permission(3389, 3389, v6="::/0"),
            permission(80, 443, v4="0.0.0.0/0"),
            permission(53, 53, protocol="udp", v4="0.0.0.0/0"),
            permission(0, 0, protocol="-1", v6="::/0"),
        ]
        client.authorize_security_group_ingress(GroupId=group, IpPermissions=[*kept, *closed])
        monkeypatch.setattr(boto3, "client", lambda service: client)

        told = close_ports.close_ports({"GroupId": group, "TcpPorts": "80,8000-8080", "UdpPorts": "none"}, None)
        again = close_ports.close_ports({"GroupId": group, "TcpPorts": "80,8000-8080", "UdpPorts": "none"}, None)

        rules = client.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
        left = {(one["IpProtocol"], one.get("FromPort")) for one in rules if not one["IsEgress"]}
        assert left == {("tcp", 80), ("tcp", 8000), ("tcp", 22), ("icmp", -1)}
        assert (len(told["revoked"]), again["revoked"]) == (len(closed), [])


@given(
    st.sets(st.integers(0, 30)),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_a_rule_stays_only_if_one_allowed_range_holds_all_its_ports(ports, one, other):
    first, last = sorted((one, other))
    allowed = {"tcp": [(port, port) for port in ports]}
    rule = {"IsEgress": False, "IpProtocol": "6", "FromPort": first, "ToPort": last, "CidrIpv4": "0.0.0.0/0"}
    assert close_ports.is_too_open(rule, allowed) is not (first == last and first in ports)


def test_the_document_runs_this_script_with_the_parameters_that_it_asks_for():
    document = closing_document()
    (step,) = document["mainSteps"]
    assert callable(vars(close_ports)[step["inputs"]["Handler"]])
    assert step["inputs"]["Script"] == Path(close_ports.__file__).read_text()
    assert {f"{{{{ {name} }}}}" for name in document["parameters"]} >= set(step["inputs"]["InputPayload"].values())


@pytest.mark.parametrize("name", sorted(template_texts()))
def test_the_templates_in_the_repository_are_what_the_registry_says(name):
    assert (DEPLOYMENTS / name).read_text() == template_texts()[name], (
        "make them again with `countermand preparation-stacks --write deployments/aws`"
    )


def test_the_rules_of_the_template_and_of_the_plan_name_each_operation_once():
    made = yaml.safe_load(template_texts()["network-changes.yaml"])["Resources"]
    patterns = [one["Properties"]["EventPattern"] for one in made.values() if one["Type"] == "AWS::Events::Rule"]
    assert patterns == list(change_rules.patterns())
    named = [name for told in patterns for name in told["detail"]["eventName"]]
    assert sorted(named) == sorted(change_rules.operations())
    assert named[:4] == list(change_rules.FIRST)
