"""The playbook's four backlog stories as acceptance tests: each told through what the product does, from its commands."""

from __future__ import annotations

import gzip
import json

import pyotp
import pytest
from receivers import Mailbox, MailServer
from typer.testing import CliRunner

from drill.aws import Range, RangeConfig
from drill.client import boto_client
from gateway.cli import app
from gateway.practice.configuration import granted_to, responder_credentials
from incident.flow_log_format import FIELDS
from incident.ledger import Kind
from incident.reports.backlog import STORIES
from tasks.config import Config, load_config
from tasks.escalating import escalating
from tasks.flow_logs.athena_stack import template
from tasks.flow_logs.questions import flow_queries
from tasks.hands import utc_now, wire
from tasks.ledger import Ledger
from tests.certificates import certificate

ACCOUNTS = ("111122223333", "444455556666")
REGIONS = ("us-east-1",)
BUCKET = "example-logs"
ALL_OTHERS = ["NAT gateway alarms", "trail", "GuardDuty", "Security Hub", "change rule", "open ports"]


def test_there_are_four_stories_and_each_has_its_test():
    words = ("monitor all critical VPCs", "coordinate business", "query flow logs at scale", "AWS Config is used properly")
    assert [word for story, word in zip(STORIES, words, strict=True) if word in story] == list(words)


# ---- 1 and 4: monitor all critical VPCs; AWS Config in every account --------------------------------------------------


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Two bare accounts, a critical VPC in each; readiness before and after one approved plan."""
    patch = pytest.MonkeyPatch()
    home = tmp_path_factory.mktemp("stories")
    (home / "policy.yaml").write_text("responders: [{name: alice}]\n")
    with Range(RangeConfig(accounts=ACCOUNTS, regions=REGIONS, granted=granted_to(ACCOUNTS, Prepare="yes"))) as aws:
        wanted = {"flow_logs": {"bucket": BUCKET}, "config": {"bucket": BUCKET}, "leave": ALL_OTHERS}
        environment = responder_credentials(aws) | {
            "COUNTERMAND_HOME": str(home),
            "COUNTERMAND_POLICY_FILE": str(home / "policy.yaml"),
            "COUNTERMAND_AWS": json.dumps({"accounts": ACCOUNTS, "endpoint_url": aws.url, "call_deadline_seconds": 5}),
            "COUNTERMAND_PREPARE": json.dumps(wanted),
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        boto_client(aws.url, "s3", REGIONS[0], aws.bootstrap(ACCOUNTS[0])).create_bucket(Bucket=BUCKET)
        made = [
            boto_client(aws.url, "ec2", region, aws.bootstrap(account)).create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
            for account in ACCOUNTS
            for region in REGIONS
        ]
        before = _checks()
        digest = json.loads(_run("prepare", "--json").output)["digest"][:12]
        code = pyotp.parse_uri(wire(load_config()).roster.enrol("alice")).now()
        ended = _run("prepare", "--approve", digest, "--as", "alice", "--code", code)
        assert ended.exit_code == 0, ended.output
        yield before, _checks(), made
    patch.undo()


def _run(*words: str):
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def _checks() -> list[dict]:
    return json.loads(_run("readiness", "--json").output)["checks"]


def _states(checks: list[dict], part: str) -> dict[tuple[str, str], str]:
    return {(one["account"], one["region"]): one["state"] for one in checks if one["part"] == part}


EVERYWHERE = {(account, region) for account in ACCOUNTS for region in REGIONS}


@pytest.mark.slow
def test_all_critical_vpcs_are_monitored_and_before_that_each_is_named(prepared):
    before, after, made = prepared
    assert _states(before, "flow logs") == dict.fromkeys(EVERYWHERE, "missing")
    named = json.dumps([one for one in before if one["part"] == "flow logs"])
    assert [vpc for vpc in made if vpc not in named] == []
    assert _states(after, "flow logs") == dict.fromkeys(EVERYWHERE, "ok")


@pytest.mark.slow
def test_an_auditor_is_shown_config_in_every_account_and_region(prepared):
    before, after, _ = prepared
    assert _states(before, "Config recorder") == dict.fromkeys(EVERYWHERE, "missing")
    assert _states(after, "Config recorder") == dict.fromkeys(EVERYWHERE, "ok")


# ---- 2: business, infrastructure and security are coordinated ---------------------------------------------------------

ESCALATION = """
contacts:
  infrastructure: {responder: alice, email: [infrastructure@example.com]}
  security: {email: [security@example.com]}
  business: {email: [business@example.com]}
ladders:
  main:
    levels:
      - {name: infrastructure, whom: [infrastructure], wait_minutes: 5}
      - {name: security, whom: [security], wait_minutes: 10}
rules: [{ladder: main}]
stakeholders:
  - {name: business, whom: [business], when: {severity: 7}}
"""
OPENED = {
    "title": "A key was used from a malicious address",
    "type": "Recon:IAMUser/MaliciousIPCaller",
    "severity": 8.0,
    "account": ACCOUNTS[0],
    "region": REGIONS[0],
    "responds": True,
    "reason": "",
    "pages": False,
    "suspects": [],
}


def test_business_infrastructure_and_security_hear_of_one_incident_and_an_answer_is_seen_by_all(
    run, monkeypatch, tmp_path, tmp_path_factory
):
    paper, box, incident = certificate(tmp_path_factory.mktemp("certificate")), Mailbox(), "inc-0123456789ab"
    (tmp_path / "escalation.yaml").write_text(ESCALATION)
    (tmp_path / "policy.yaml").write_text("responders: [{name: alice}]\n")
    with MailServer(box, paper) as server:
        mail = {"HOST": "localhost", "PORT": str(server.port), "SENDER": "countermand@example.com", "CA_FILE": str(paper[0])}
        for name, value in mail.items():
            monkeypatch.setenv(f"COUNTERMAND_EMAIL__{name}", value)
        monkeypatch.setenv("COUNTERMAND_HOME", str(tmp_path))
        monkeypatch.setenv("COUNTERMAND_ESCALATION_FILE", str(tmp_path / "escalation.yaml"))
        monkeypatch.setenv("COUNTERMAND_POLICY_FILE", str(tmp_path / "policy.yaml"))
        ledger = Ledger.open(Config().ledger, utc_now)
        ledger.append(incident, Kind.OPENED, "opened", OPENED)
        escalating(wire(Config())).look()
        assert sorted(box.recipients) == ["business@example.com", "infrastructure@example.com"]
        code = pyotp.parse_uri(wire(Config()).roster.enrol("alice")).now()
        reason = "the shop's owner must decide"
        assert run("escalate", incident, "--as", "alice", "--code", code, "--reason", reason)[0] == 0
        escalating(wire(Config())).look()
    assert sorted(box.recipients) == ["business@example.com", "infrastructure@example.com", "security@example.com"]
    assert reason in next(one for one in box.mails if one["To"] == "security@example.com").get_content()
    assert {line.kind for line in ledger.lines(incident)} >= {Kind.NOTICE, Kind.ESCALATE}, "who was told stands in the ledger"


# ---- 3: flow logs at scale -------------------------------------------------------------------------------------------

_LINES, _ACCOUNTS = 20_000, ("111122223333", "444455556666", "777788889999")
_BEGINS = 1_700_000_000
_HUNTED = "198.51.100.7"


def test_an_address_is_followed_through_all_accounts_and_the_same_question_stands_in_athena(run, tmp_path):
    fields = [name for name, field in FIELDS.items() if field.version == 2]
    for account in _ACCOUNTS:
        folder = tmp_path / "AWSLogs" / account / "vpcflowlogs" / "us-east-1" / "2023" / "11" / "14"
        folder.mkdir(parents=True)
        with gzip.open(folder / f"{account}_vpcflowlogs_us-east-1_fl-1_x.log.gz", "wt") as log:
            log.write(" ".join(fields) + "\n")
            log.writelines(_flow(account, number) for number in range(_LINES))
    code, out, err = run("flows", "traffic-from-source-address", tmp_path, "--address", _HUNTED, "--json", "--most", "500")
    assert code == 0, err
    told = json.loads(out)
    assert {row["dstaddr"] for row in told["rows"]} == {_target(account) for account in _ACCOUNTS}
    assert sum(row["packets"] for row in told["rows"]) == 9 * len(_ACCOUNTS) * _LINES // 1000
    assert json.dumps(template()).count("AWS::Athena::NamedQuery") == len(flow_queries())


def _target(account: str) -> str:
    return f"10.{_ACCOUNTS.index(account)}.0.5"


def _flow(account: str, number: int) -> str:
    """Every thousandth flow is the hunted address's."""
    source = _HUNTED if number % 1000 == 0 else f"203.0.{number % 200}.{number % 250}"
    start = _BEGINS + number % 3600
    flow = f"{_target(account)} {1024 + number % 60000} 443 6 9 400 {start} {start + 60}"
    return f"2 {account} eni-{number % 50} {source} {flow} ACCEPT OK\n"
