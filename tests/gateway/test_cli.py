"""The command line: what it prints, and that a mistake ends in one line that says what to do."""

from __future__ import annotations

import gzip
import json
import sqlite3
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from incident.findings.finding import NOTE
from incident.findings.named import delivered_finding
from incident.ledger import INTAKE, Kind
from tasks.hands import utc_now
from tasks.ledger import Ledger

pytestmark = pytest.mark.served

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


OPEN = ("--account", "111122223333", "--region", "us-east-1", "--since", "2026-02-01T02:00:00Z", "--as", "alice")


@pytest.fixture
def code(run, policy):
    """Enrols Alice; each call answers the code of this moment."""
    _, out, _ = run("responders", "add", "alice")
    address = next(line for line in out.splitlines() if line.startswith("otpauth://"))
    return pyotp.TOTP(parse_qs(urlsplit(address).query)["secret"][0]).now


def home_ledger(tmp_path) -> Ledger:
    return Ledger.open(f"sqlite:///{tmp_path / 'home' / 'ledger.db'}", utc_now)


def test_open_prints_the_incident_and_says_where_it_stands(run, tmp_path, code):
    words = ("open", *OPEN, "--resource", "sg-0123456789abcdef0", "--resource", "vpc-1", "--user", "mallory", "--reason", "unknown")
    exit_code, out, err = run(*words, "--code", code())
    incident = out.strip()
    assert exit_code == 0
    assert incident.startswith("inc-")
    assert f"countermand show {incident}" in err
    (line,) = home_ledger(tmp_path).lines(INTAKE, Kind.DELIVERY)
    assert line.body["finding"]["countermand"]["resources"] == ["sg-0123456789abcdef0", "vpc-1"]
    assert line.body["by"]["person"] == "alice"
    exit_code, out, err = run(*words, "--code", "000000")
    assert (exit_code, out.strip()) == (0, incident), "the same again is the same incident"
    assert "opened before" in err
    for command in ("show", "report"):
        exit_code, _, err = run(command, incident)
        assert exit_code == 2
        assert one_line(err)
        assert "has not begun" in err


def test_a_note_alone_opens_an_incident_and_a_seed_joins_it(run, tmp_path, code):
    exit_code, out, err = run("open", "--as", "alice", "--note", "your key AKIAIOSFODNN7EXAMPLE is on a forum", "--code", code())
    incident, ledger = out.strip(), home_ledger(tmp_path)
    assert (exit_code, incident[:4]) == (0, "inc-")
    (line,) = ledger.lines(INTAKE, Kind.DELIVERY)
    assert line.body["finding"]["type"] == NOTE
    assert delivered_finding(line.body).access_key is None, "what a note names is not believed"
    seed = ("open", *OPEN, "--access-key", "AKIAIOSFODNN7EXAMPLE", "--reason", "it is ours", "--joins", incident)
    assert "has begun" in run(*seed, "--code", "123456")[2]
    ledger.append(incident, Kind.OPENED, "opened", {"type": NOTE, "responds": False, "reason": "a note"})
    exit_code, out, err = run("amend", incident, "look-again", "--as", "alice", "--reason", "x", "--code", "123456")
    assert exit_code == 2
    assert f"--joins {incident}" in err


@pytest.mark.parametrize(
    "words", [("--user", "mallory"), ("--joins", "inc-0123456789ab"), ("--reason", "x"), ("--note", ""), ("--note", "x" * 4001)]
)
def test_a_note_with_anything_else_ends_in_one_line(run, tmp_path, code, words):
    exit_code, out, err = run("open", "--as", "alice", "--note", "look", "--code", code(), *words)
    assert (exit_code, out) == (2, "")
    assert one_line(err), err
    assert home_ledger(tmp_path).lines(INTAKE, Kind.DELIVERY) == []


def test_an_incident_that_was_opened_by_hand_is_listed_shown_and_reported(run, tmp_path, code):
    _, out, _ = run("open", *OPEN, "--bucket", "one", "--reason", "a [red] bill", "--code", code())
    incident, ledger = out.strip(), home_ledger(tmp_path)
    (line,) = ledger.lines(INTAKE, Kind.DELIVERY)
    made = line.body["finding"]
    body = {"finding": made["id"], **{name: made[name] for name in ("type", "severity", "region", "title")}}
    body |= {"account": made["accountId"], "responds": True, "reason": "a responder opened it", "by": line.body["by"]}
    ledger.append(incident, Kind.OPENED, "opened", body)
    assert "Countermand:Manual/Named" in run("incidents")[1]
    assert "a [red] bill" in run("show", incident)[1]
    assert incident in run("report", incident)[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "names nothing"),
        (("--since", "yesterday", "--user", "mallory"), "--since is no moment"),
        (("--since", "2026-02-01", "--user", "mallory"), "zone"),
        (("--access-key", "secret/secret"), "never its secret"),
        (("--as", "eve", "--user", "mallory"), "responders of the policy"),
        (("--user", "mallory", "--code", "000000"), "wrong"),
    ],
)
def test_what_cannot_be_opened_ends_in_one_line(run, tmp_path, code, words, told):
    exit_code, out, err = run("open", *OPEN, "--reason", "unknown", "--code", code(), *words)
    assert (exit_code, out) == (2, "")
    assert one_line(err), err
    assert told in err
    assert home_ledger(tmp_path).lines(INTAKE, Kind.DELIVERY) == []
