"""The command line: what it prints, and that a mistake ends in one line that says what to do."""

from __future__ import annotations

import gzip
import json
import sqlite3
import sys

import pytest

from gateway import cli
from incident.ledger import Kind
from tasks.hands import utc_now
from tasks.ledger import Ledger

RECORD = {
    "eventID": "e-1",
    "eventName": "AuthorizeSecurityGroupIngress",
    "eventSource": "ec2.amazonaws.com",
    "eventTime": "2026-03-01T12:00:00Z",
    "awsRegion": "us-east-1",
    "recipientAccountId": "111122223333",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/mallory", "accountId": "111122223333"},
    "requestParameters": {
        "groupId": "sg-0123456789abcdef0",
        "ipPermissions": {
            "items": [{"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]
        },
    },
    "responseElements": {"_return": True},
}
FINDING = {
    "detail-type": "GuardDuty Finding",
    "detail": {
        "id": "f1",
        "type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom",
        "accountId": "111122223333",
        "region": "us-east-1",
        "severity": 8,
        "resource": {
            "resourceType": "AccessKey",
            "accessKeyDetails": {"userName": "mallory", "userType": "IAMUser", "accessKeyId": "AKIA1"},
        },
        "service": {},
    },
}


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run a command; answers the exit code, what it printed and what it complained about."""
    monkeypatch.setenv("COUNTERMAND_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments: object):
        monkeypatch.setattr(sys, "argv", ["countermand", *map(str, arguments)])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


@pytest.fixture
def policy(monkeypatch, tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("responders: [{name: alice}]")
    monkeypatch.setenv("COUNTERMAND_POLICY_FILE", str(file))
    return file


def one_line(text: str) -> bool:
    return len(text.strip().splitlines()) == 1 and "Traceback" not in text


def test_explain_prints_one_object_a_record(run, tmp_path):
    file = tmp_path / "records.json.gz"
    file.write_bytes(gzip.compress(json.dumps({"Records": [RECORD]}).encode()))
    code, out, _ = run("explain", file, "--json")
    (explained,) = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert explained["certainty"] == "exact"
    assert explained["undo"][0]["operation"] == "RevokeSecurityGroupIngress"
    assert explained["settings"][0]["before"] is None


def test_explain_for_people_says_what_was_and_what_takes_it_back(run, tmp_path):
    file = tmp_path / "records.jsonl"
    file.write_text(json.dumps(RECORD))
    code, out, _ = run("explain", file)
    assert code == 0
    assert "ingress tcp 22-22 0.0.0.0/0: absent → " in out
    assert "undo: RevokeSecurityGroupIngress" in out


def test_what_an_attacker_named_has_no_power_over_the_terminal(run, tmp_path):
    file = tmp_path / "records.jsonl"
    file.write_text(json.dumps({**RECORD, "userIdentity": {"arn": "\x1b]0;owned\x07[red]x[/red]"}}))
    _, out, _ = run("explain", file)
    assert "\x1b]0;" not in out
    assert "[red]x[/red]" in out


def test_triage_names_phases_and_plans(run, tmp_path):
    file = tmp_path / "finding.json"
    file.write_text(json.dumps(FINDING))
    code, out, _ = run("triage", file, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["principal"] == "arn:aws:iam::111122223333:user/mallory"
    assert told["plans"] == ["evidence", "contain", "restore"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("explain", "{folder}/none"), "no such file"),
        (("explain", "{folder}/broken"), "line"),
        (("triage", "{folder}/none"), "name a file"),
        (("triage", "{folder}/broken"), "not JSON"),
        (("triage", "{folder}/other"), "GuardDuty"),
        (("drill", "{folder}/none.yaml"), "none.yaml"),
        (("drill", "{folder}/other", "--unattended"), "unknown key"),
        (("report", "inc-000000000000"), "incidents"),
        (("ledger", "verify", "inc-000000000000"), "incidents"),
        (("evidence", "verify", "inc-000000000000"), "incidents"),
        (("gateway",), "WEBHOOK_KEYS"),
        (("code", "not a secret!"), "authenticator"),
    ],
)
def test_a_mistake_ends_in_one_line_that_says_what_to_do(run, tmp_path, arguments, words):
    (tmp_path / "broken").write_text('{"a":')
    (tmp_path / "other").write_text('{"a": 1}')
    code, _, err = run(*(str(argument).format(folder=tmp_path) for argument in arguments))
    assert code == 2
    assert one_line(err), err
    assert words in err


def test_a_configuration_that_cannot_be_used_names_the_place(run, monkeypatch, tmp_path):
    file = tmp_path / "countermand.yaml"
    file.write_text("gateway: {port: high}")
    monkeypatch.setenv("COUNTERMAND_CONFIG", str(file))
    code, _, err = run("incidents")
    assert code == 2
    assert one_line(err)
    assert "gateway.port" in err


def test_ledger_verify_names_the_first_line_that_was_changed(run, tmp_path):
    database = tmp_path / "home" / "ledger.db"
    ledger = Ledger.open(f"sqlite:///{database}", utc_now)
    for number in range(5):
        ledger.append("inc-1", Kind.NOTE, f"note:{number}", {"number": number})
    assert run("ledger", "verify", "inc-1")[0] == 0
    with sqlite3.connect(database) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE lines SET body = replace(body, '2', '7') WHERE position = 3")
    code, _, err = run("ledger", "verify", "inc-1")
    assert code == 1
    assert "line 3" in err


def test_enrolling_shows_the_code_once_and_only_for_people_of_the_policy(run, policy):
    code, out, _ = run("responders", "add", "alice")
    assert code == 0
    assert "otpauth://totp/" in out
    assert "enrolled" in run("responders", "list")[1]
    code, _, err = run("responders", "add", "mallory")
    assert code == 2
    assert "policy" in err
