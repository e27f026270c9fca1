"""What the actor's addresses touched: in the evidence, in the ledger once, and escaped in the report."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flow_estate import ACCOUNT, BUCKET, NOW, REGION, SINCE, UNTIL, Estate, packed, record

from drill.aws import Range, RangeConfig
from drill.client import RangeClient
from drill.scenario import ScenarioError, load, loads
from drill.stage import Stage
from gateway.practice.configuration import granted_to, responder_credentials
from incident.ledger import Kind
from incident.reports.report import report
from tasks import render
from tasks.aws import Aws
from tasks.config import AwsConfig, FlowLogsConfig
from tasks.evidence import EvidenceStore
from tasks.flow_logs.touched import note_touched, read_touched

SCENARIOS = Path(__file__).resolve().parents[2] / "drill" / "scenarios"
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def running():
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=(REGION,), granted=granted_to([ACCOUNT], FlowLogBucket=BUCKET))) as aws:
        yield aws


@pytest.fixture
def estate(running, monkeypatch):
    running.reset()
    for name, value in responder_credentials(running).items():
        monkeypatch.setenv(name, value)
    return Estate(running)


@pytest.fixture
def reader(running):
    return Aws(AwsConfig(accounts=(ACCOUNT,), endpoint_url=running.url))


def touched(reader, *addresses: str) -> dict:
    return read_touched(reader, FlowLogsConfig(), addresses, (SINCE, UNTIL))


def test_the_report_tells_what_they_touched_and_the_evidence_keeps_it(estate, reader, ledger, tmp_path):
    log = estate.log()
    spoiled = record("198.51.100.7").replace(" eni-1 ", f" {HOSTILE} ")
    others = [record("203.0.113.9"), record("10.0.1.5").replace(" 10.0.1.5 40000", " 198.51.100.23 40000")]
    estate.put(log, packed(record("198.51.100.7", 4249), spoiled, *others))
    opened = {"title": "an incident", "type": "a finding", "severity": 8, "account": ACCOUNT, "region": REGION, "reason": ""}
    ledger.append("inc-1", Kind.OPENED, "opened", opened)
    evidence = EvidenceStore(tmp_path / "evidence", ledger)
    asked = ("inc-1", 1, ["198.51.100.7", "ec2.amazonaws.com"], (SINCE, UNTIL))
    note_touched(reader, (ledger, evidence), FlowLogsConfig(), *asked)
    kept = evidence.load_json("inc-1", "flow-logs/touched-1.json")
    assert kept["addresses"] == ["198.51.100.7"]
    assert {(row["interface_id"], row["port"], row["bytes"]) for row in kept["rows"]} == {("eni-1", 22, 4249), (HOSTILE, 22, 100)}
    # What arrives later changes nothing of what this look has told, also if the run ended between evidence and ledger.
    estate.put(log, packed(record("198.51.100.7", 9)), at=NOW - timedelta(minutes=3))
    note_touched(reader, (ledger, evidence), FlowLogsConfig(), *asked)
    (line,) = ledger.lines("inc-1", Kind.TRAFFIC)
    assert line.body["number"] == 2
    written = report(ledger.lines("inc-1"))
    page, text = render.html(written), render.text(written)
    for told in (page, text):
        assert "What the actor's addresses touched" in told or "What the actor&#39;s addresses touched" in told
        assert "4249" in told
        assert HOSTILE not in told


def test_a_run_that_ended_before_the_ledgers_line_goes_on_with_its_evidence(estate, reader, ledger, tmp_path):
    evidence = EvidenceStore(tmp_path / "evidence", ledger)
    evidence.keep_json("inc-1", "flow-logs/touched-1.json", touched(reader, "198.51.100.7"), "before")
    estate.put(estate.log(), packed(record("198.51.100.7")))
    note_touched(reader, (ledger, evidence), FlowLogsConfig(), "inc-1", 1, ["198.51.100.7"], (SINCE, UNTIL))
    assert ledger.lines("inc-1", Kind.TRAFFIC)[0].body["rows"] == []


def test_what_is_not_known_is_said(estate, reader):
    assert "no address" in " ".join(touched(reader)["gaps"])
    assert f"no flow log watches 1 interface of {estate.vpc}" in " ".join(touched(reader, "198.51.100.7")["gaps"])
    estate.log()
    assert "no file of it for that time" in " ".join(touched(reader, "198.51.100.7")["gaps"])
    RangeClient(estate.url).fault(service="s3", operation="ListObjectsV2", code="AccessDenied", status=403)
    assert "cannot be listed" in " ".join(touched(reader, "198.51.100.7")["gaps"])
    RangeClient(estate.url).fault(service="ec2", operation="DescribeFlowLogs", code="UnauthorizedOperation", status=403)
    told = touched(reader, "198.51.100.7")
    assert told["rows"] == []
    assert "which flow logs there are" in " ".join(told["gaps"])


def test_a_format_without_the_fields_is_said_and_not_taken_for_silence(estate, reader):
    estate.log(
        LogDestinationType="s3", LogDestination=f"arn:aws:s3:::{BUCKET}", LogFormat="${pkt-srcaddr} ${bytes} ${start} ${end}"
    )
    gaps = " ".join(touched(reader, "198.51.100.7")["gaps"])
    assert "it does not keep action, dstaddr" in gaps


def test_a_scenarios_flows_are_there_to_be_read(running, reader):
    running.reset()
    stage = Stage(load("mining-instance"), running)
    stage.build_estate()
    stage.attack()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in responder_credentials(running).items():
            patched.setenv(name, value)
        now = datetime.now(UTC)
        told = read_touched(reader, FlowLogsConfig(), ["198.51.100.7"], (now - timedelta(hours=3), now))
    eni = stage.happened.names["eni"]
    assert {(row["interface_id"], row["port"], row["action"], row["bytes"]) for row in told["rows"]} == {
        (eni, 22, "ACCEPT", 48213),
        (eni, 3389, "REJECT", 40),
    }


def test_a_flow_that_no_flow_log_has_is_an_error_of_the_scenario():
    text = (SCENARIOS / "mining-instance.yaml").read_text()
    for wrong, why in (("$nolog", "not defined"), ("7", "flow_log is 7")):
        with pytest.raises(ScenarioError, match=why):
            loads(text.replace("{flow_log: $flow_log", f"{{flow_log: {wrong}", 1))
    with pytest.raises(ScenarioError, match="no IP address"):
        loads(text.replace("target: 10.0.1.77", "target: nowhere", 1))
