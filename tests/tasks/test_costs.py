"""What costs, counted and asked for on the range, whose responder has the generated policies."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from typer.testing import CliRunner

from drill.aws import Range, RangeConfig
from drill.client import boto_client
from gateway.cli import app
from gateway.practice.configuration import granted_to, responder_credentials
from incident.ledger import Kind
from incident.reports.report import report
from tasks import render
from tasks.aws import Aws
from tasks.config import AwsConfig
from tasks.costs import note_costs, read_costs

ACCOUNT, REGIONS = "111122223333", ("us-east-1", "eu-central-1")
NOW = datetime.now(UTC)
TODAY = NOW.date()


@pytest.fixture(scope="module")
def running():
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=REGIONS, granted=granted_to([ACCOUNT]))) as aws:
        yield aws


@pytest.fixture
def aws(running, monkeypatch):
    running.reset()
    for name, value in responder_credentials(running).items():
        monkeypatch.setenv(name, value)
    ec2 = boto_client(running.url, "ec2", "eu-central-1", running.bootstrap())
    running.volume = ec2.create_volume(AvailabilityZone="eu-central-1a", Size=500)["VolumeId"]
    spent = [
        {"account": ACCOUNT, "day": str(TODAY - timedelta(days=back)), "service": "Amazon EC2", "region": region, "amount": amount}
        for region, amount in (("us-east-1", 4.0), ("eu-central-1", 90.0))
        for back in range(40 if region == "us-east-1" else 2)
    ]
    httpx.post(f"{running.url}/range/costs", json={"spent": spent}, timeout=30).raise_for_status()
    return running


@pytest.fixture
def reader(aws):
    return Aws(AwsConfig(accounts=(ACCOUNT,), endpoint_url=aws.url))


def test_what_stands_out_is_found_with_what_was_usual(aws, reader):
    found = read_costs(reader, [ACCOUNT], TODAY - timedelta(days=3), TODAY, {("eu-central-1", aws.volume)})
    assert found.unread == ()
    assert {(spike.cost.region, spike.cost.amount, spike.usual) for spike in found.spikes} == {("eu-central-1", 90.0, 0.0)}
    assert found.counts()[ACCOUNT, "eu-central-1"]["volume"] == (1, 1)
    assert found.totals == {ACCOUNT: 4 * 4.0 + 2 * 90.0}


def test_without_cost_explorer_the_counts_stand_and_the_cost_is_unknown(aws, reader):
    httpx.post(f"{aws.url}/range/costs", json={"enabled": False}, timeout=30).raise_for_status()
    found = read_costs(reader, [ACCOUNT], TODAY, TODAY)
    assert [line.partition(":")[0] for line in found.unread] == [ACCOUNT]
    assert "not enabled" in found.unread[0]
    assert found.totals == {}
    assert (ACCOUNT, "eu-central-1") in found.counts()


def test_a_region_that_cannot_be_read_is_not_taken_for_empty(aws, reader):
    fault = {
        "service": "ec2",
        "operation": "DescribeVolumes",
        "region": "eu-central-1",
        "code": "UnauthorizedOperation",
        "status": 403,
    }
    httpx.post(f"{aws.url}/range/fault", json=fault, timeout=30).raise_for_status()
    found = read_costs(reader, [ACCOUNT], TODAY, TODAY)
    assert [line for line in found.unread if "eu-central-1: volumes" in line]


def test_the_report_of_an_incident_has_them(aws, reader, ledger):
    opened = {"title": "an incident", "type": "a finding", "severity": 8, "account": ACCOUNT, "region": "us-east-1", "reason": ""}
    ledger.append("inc-1", Kind.OPENED, "opened", opened)
    note_costs(reader, ledger, "inc-1", 1, NOW)
    note_costs(reader, ledger, "inc-1", 1, NOW)
    assert len(ledger.lines("inc-1", Kind.COSTS)) == 1
    written = report(ledger.lines("inc-1"))
    assert written.costs["spikes"][0]["region"] == "eu-central-1"
    assert "What it may cost" in render.text(written)


def test_the_command_prints_a_table_and_json(aws, tmp_path, monkeypatch):
    monkeypatch.setenv("COUNTERMAND_HOME", str(tmp_path))
    monkeypatch.setenv("COUNTERMAND_AWS", json.dumps({"accounts": [ACCOUNT], "endpoint_url": aws.url}))
    shown = CliRunner().invoke(app, ["costs"])
    assert shown.exit_code == 0, shown.output
    assert "eu-central-1" in shown.output
    told = json.loads(CliRunner().invoke(app, ["costs", "--json"]).output)
    assert {one["region"] for one in told["spikes"]} == {"eu-central-1"}
    assert CliRunner().invoke(app, ["costs", "--since", "yesterday"]).exit_code != 0
