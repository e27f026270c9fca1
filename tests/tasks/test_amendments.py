"""The desk at which a case is amended: who may, at what cost, and what is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from incident.approvals import Answer, Standing
from incident.ledger import Kind
from incident.plan import Plan, Unplanned
from incident.policy import Policy, Responder
from incident.settings import SettingKey
from tasks.amendments import Amending
from tasks.approvals import Approvals, Refused
from tasks.evidence import EvidenceStore
from tasks.roster import Roster

RULE = SettingKey("111122223333", "us-east-1", "security-group-rule", "sg-1", "ingress tcp 22-22 0.0.0.0/0")
LEFT = Unplanned(status="conflict", what="the rule", why="two hands", key=RULE, found={"description": "theirs"})
PLAN = Plan(incident="inc-1", title="Restore", steps=(), unplanned=(LEFT,))
MALLORY = "arn:aws:iam::111122223333:user/mallory"


@pytest.fixture
def desk(ledger, tmp_path):
    now = [datetime(2026, 3, 1, 12, 0, tzinfo=UTC)]

    def clock() -> datetime:
        return now[0]

    people = (Responder(name="alice"), Responder(name="mallory", principals=(MALLORY,)))
    policy, roster = Policy(responders=people), Roster(tmp_path / "roster", ledger, clock)
    secrets = {person.name: parse_qs(urlsplit(roster.enrol(person.name)).query)["secret"][0] for person in people}
    evidence = EvidenceStore(tmp_path / "evidence", ledger)
    amending = Amending(ledger, roster, policy, evidence, clock)
    approvals = Approvals(ledger, policy, clock)
    ledger.append("inc-1", Kind.OPENED, "opened", {"responds": True, "reason": "", "suspects": [MALLORY]})
    ledger.append("inc-1", Kind.PLAN, "plan:restore:1", {"digest": PLAN.digest, "plan": PLAN.model_dump(mode="json")})
    evidence.keep_json("inc-1", "records/actor-1.json", [{"eventID": "e-1"}], "records")
    asked = approvals.ask(PLAN, "restore", 1, ())

    def take(*lines: str, person: str = "alice", code: str = "", incident: str = "inc-1") -> str:
        now[0] += timedelta(minutes=1)
        right = pyotp.TOTP(secrets[person]).at(now[0]) if person in secrets else ""
        return amending.take(incident, list(lines), person=person, code=code or right, surface="command line", reason="because")

    return SimpleNamespace(take=take, approvals=approvals, asked=asked)


def written(ledger) -> list[dict]:
    return [line.body for line in ledger.lines("inc-1", Kind.AMENDMENT)]


def test_what_a_responder_says_stands_with_their_name(desk, ledger):
    assert desk.take(f"{LEFT.id} absent", "strike e-1") == ""
    assert [(body["kind"], body["person"], body["reason"]) for body in written(ledger)] == [
        ("settle", "alice", "because"),
        ("strike", "alice", "because"),
    ]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"lines": ["nonsense"]}, "no amendment"),
        ({"lines": []}, "nothing in these words"),
        ({"lines": [f"{LEFT.id} keep", "strike e-9"]}, "among the incident's evidence"),
        ({"lines": ["look-again"], "code": "000000"}, "wrong"),
        ({"lines": ["look-again"], "person": "eve"}, "not among the responders"),
        ({"lines": ["look-again"], "person": "mallory"}, "named in the finding"),
        ({"lines": ["look-again"], "incident": "inc-9"}, "knows no incident"),
    ],
)
def test_what_does_not_count_is_refused_whole(desk, ledger, given, words):
    lines = given.pop("lines")
    assert words in desk.take(*lines, **given)
    assert written(ledger) == []


def test_an_amendment_voids_the_question_and_its_approvals(desk):
    approve = {"person": "alice", "method": "one-time-code", "surface": "prefect", "answer": Answer.APPROVE}
    desk.approvals.decide("inc-1", desk.asked.id, digest=PLAN.digest, **approve)
    assert desk.approvals.standing("inc-1", desk.asked.id) is Standing.APPROVED
    assert desk.take("look-again") == ""
    assert desk.approvals.standing("inc-1", desk.asked.id) is Standing.AMENDED
    with pytest.raises(Refused, match="new plan"):
        desk.approvals.decide("inc-1", desk.asked.id, digest=PLAN.digest, **approve)


def test_an_incident_that_is_only_reported_has_nothing_to_amend(desk, ledger):
    ledger.append("inc-2", Kind.OPENED, "opened", {"responds": False, "reason": "a sample"})
    assert "only reported" in desk.take("look-again", incident="inc-2")
