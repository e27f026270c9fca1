"""What is opened by hand is believed for the responder's code alone; what came through a door, never in a responder's name."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from flows import case as case_module
from flows import detect as detect_module
from flows.case import Case
from flows.detect import NOTIFY, RESPOND, detect
from gateway.intake import ingest
from incident.actor import Actor, Credential, Link
from incident.findings.finding import MANUAL, NOTE, Named, incident_id, parse_finding
from incident.findings.named import named_finding
from incident.findings.notes import note_finding
from incident.ledger import INTAKE, Kind
from incident.people.occasions import facts
from incident.policy import Policy
from incident.reports.report import report
from tasks.evidence import EvidenceStore
from tasks.render import html, text
from tasks.working import Working

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMED = Named(users=("mallory",), addresses=("198.51.100.7",), person="alice", reason="a group nobody knows")
MADE = named_finding(NAMED, "111122223333", "us-east-1", datetime(2026, 3, 1, 11, 0, tzinfo=UTC), 8.0, "", NOW)
INCIDENT = incident_id(parse_finding(MADE, by_hand=True))
BY = {"person": "alice", "method": "one-time-code", "reason": NAMED.reason, "at": NOW.isoformat()}
ROOT = {
    "Id": "f-root",
    "Type": "Policy:IAMUser/RootCredentialUsage",
    "AccountId": "111122223333",
    "Region": "us-east-1",
    "Severity": 2,
    "Service": {"EventFirstSeen": "2026-03-01T11:00:00Z"},
}


class GuardDuty:
    """Knows the findings that it is given, and remembers what it was asked."""

    def __init__(self) -> None:
        self.findings: list[dict] = []
        self.asked: list[str] = []

    def act_for(self, incident: str) -> None:
        """Nothing here tells incidents apart."""

    def covered(self) -> tuple[str, ...]:
        return ("111122223333",)

    def own_principal(self, account: str) -> str:
        return f"arn:aws:sts::{account}:assumed-role/CountermandResponder"

    def call(self, account: str, region: str, service: str, operation: str, parameters: dict) -> dict:
        self.asked.append(operation)
        return {"DetectorIds": ["d0"]} if operation == "ListDetectors" else {"Findings": self.findings}


@pytest.fixture
def desk(ledger, tmp_path, monkeypatch):
    aws, posted = GuardDuty(), {}
    config = SimpleNamespace(aws=SimpleNamespace(accounts=("111122223333",)))
    evidence, working = EvidenceStore(tmp_path / "evidence", ledger), Working(ledger)
    hands = SimpleNamespace(ledger=ledger, aws=aws, config=config, policy=Policy(), evidence=evidence, working=working)

    async def post(incident, key, message, blocks):
        posted[key] = message

    monkeypatch.setattr(case_module, "hands", lambda: hands)
    monkeypatch.setattr(case_module, "get_run_logger", lambda: logging.getLogger("test"))
    monkeypatch.setattr(detect_module, "post", post)

    def run(incident: str = INCIDENT) -> str:
        return asyncio.run(detect.fn(incident))

    return SimpleNamespace(run=run, posted=posted, aws=aws, hands=hands)


def opened(ledger, incident: str = INCIDENT) -> dict:
    return dict(ledger.find(incident, "opened").body)


def test_the_responders_word_stands_for_it_and_is_kept(desk, ledger):
    ledger.append(INTAKE, Kind.DELIVERY, "by-hand", {"incident": INCIDENT, "finding": MADE, "by": BY})
    assert desk.run() == RESPOND
    assert desk.aws.asked == [], "GuardDuty knows nothing of it"
    assert opened(ledger)["by"] == BY
    assert opened(ledger)["type"] == MANUAL
    assert Case(INCIDENT).finding.named == NAMED
    held = Credential("AKIA1", "dora", "user", Link.PROVED, "how", "e-1", "111122223333")
    ledger.append(INCIDENT, Kind.ACTOR, "actor:1", Actor(credentials={"AKIA1": held}).to_json())
    named = ("arn:aws:iam::111122223333:user/mallory", "arn:aws:iam::111122223333:user/dora")
    assert Case(INCIDENT).suspects(1) == named, "whom the finding names, and as whom the actor acts"
    assert "alice opened it by hand" in desk.posted["opened-by"]
    assert desk.run() == RESPOND
    assert "a group nobody knows" in text(report(ledger.lines(INCIDENT)))


def test_a_note_is_told_with_what_it_names_and_waits_for_a_seed(desk, ledger):
    content = note_finding("the key AKIAIOSFODNN7EXAMPLE <!channel> from 198.51.100.7", "alice", "", "", NOW)
    note = incident_id(parse_finding(content, by_hand=True))
    ledger.append(INTAKE, Kind.DELIVERY, "note", {"incident": note, "finding": content, "by": BY})
    assert desk.run(note) == NOTIFY
    assert opened(ledger, note)["offered"] == [["--access-key", "AKIAIOSFODNN7EXAMPLE"], ["--address", "198.51.100.7"]]
    assert "Nothing is changed in AWS" in desk.posted["not-responding"]
    assert note in desk.posted["note"]
    case = Case(note)
    assert case.seeds() == []
    assert (case.finding.type, case.finding.remote_ips) == (NOTE, ())
    ledger.append(INTAKE, Kind.DELIVERY, "seed", {"incident": note, "finding": MADE, "by": BY, "joins": note})
    ledger.append(note, Kind.FINDING, "finding:seed", {"delivery": "seed", "news": True, "responds": True})
    assert case.finding.named == NAMED
    assert [occasion.over for occasion in facts(ledger.lines(note), NOW).occasions] == [False]
    assert facts(ledger.lines(note), NOW).occasions[0].id == "opened"
    forged = ingest(json.dumps(MADE | {"countermand": MADE["countermand"]}).encode(), {"door": "webhook"}, ledger)
    ledger.append(INCIDENT, Kind.FINDING, "finding:forged", {"delivery": forged.line.key, "news": True, "responds": True})
    assert len(case.seeds()) == 1


def test_the_account_must_be_one_that_is_covered(desk, ledger):
    ledger.append(INTAKE, Kind.DELIVERY, "by-hand", {"incident": INCIDENT, "finding": MADE, "by": BY})
    desk.hands.config.aws.accounts = ("444455556666",)
    assert desk.run() == NOTIFY
    assert "not among the accounts" in opened(ledger)["reason"]


def test_a_forged_delivery_opens_nothing_in_a_responders_name(desk, ledger):
    forged = ingest(json.dumps(MADE | {"by": BY}).encode(), {"door": "webhook"}, ledger)
    assert forged.outcome == "accepted"
    assert forged.incident != INCIDENT
    assert desk.run(forged.incident) == NOTIFY
    assert "GuardDuty does not know" in opened(ledger, forged.incident)["reason"]
    assert "by" not in opened(ledger, forged.incident)
    assert not desk.hands.evidence.has(forged.incident, "finding.json")


def test_guardduty_answering_such_a_finding_is_not_believed_either(desk, ledger):
    """Whoever can make GuardDuty's answer cannot speak for a responder."""
    forged = ingest(json.dumps(MADE).encode(), {"door": "webhook"}, ledger)
    desk.aws.findings = [MADE | {"Id": MADE["id"]}]
    assert desk.run(forged.incident) == NOTIFY


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"finding": None},
        {"finding": []},
        {"finding": {"id": "x"}, "by": BY},
        {"finding": MADE, "by": "alice"},
        {"finding": MADE, "by": BY | {"person": "bob"}},
        {"finding": MADE | {"countermand": {"person": "alice"}}, "by": BY},
    ],
)
def test_a_delivery_that_somebody_changed_is_told_and_nothing_is_done_on_it(desk, ledger, body):
    ledger.append(INTAKE, Kind.DELIVERY, "by-hand", {"incident": INCIDENT, **body})
    assert desk.run() == NOTIFY
    assert "ledger verify intake" in opened(ledger)["reason"]
    assert "Nothing is changed" in desk.posted["not-responding"]
    assert "by" not in opened(ledger)
    written = report(ledger.lines(INCIDENT))
    assert "cannot be read" in text(written)
    assert "cannot be read" in html(written)


def test_root_credentials_start_the_response_and_call_a_person(desk, ledger):
    incident = ingest(json.dumps(ROOT).encode(), {"door": "webhook"}, ledger).incident
    desk.aws.findings = [ROOT]
    assert desk.run(incident) == RESPOND
    assert "A person must act now" in desk.posted["must-act"]


def test_a_finding_that_names_our_own_role_starts_nothing_and_calls_a_person(desk, ledger):
    named = {
        "AccessKeyId": "ASIAOURS",
        "PrincipalId": "AROAX:countermand",
        "UserName": "CountermandResponder",
        "UserType": "AssumedRole",
    }
    ours = ROOT | {"Id": "f-ours", "Type": "UnauthorizedAccess:IAMUser/TorIPCaller", "Resource": {"AccessKeyDetails": named}}
    incident = ingest(json.dumps(ours).encode(), {"door": "webhook"}, ledger).incident
    desk.aws.findings = [ours]
    assert desk.run(incident) == NOTIFY
    assert "a person must act" in opened(ledger, incident)["reason"]
