"""Deciding on the command line: the same record as in Prefect and Slack, and one line about what does not count."""

from __future__ import annotations

import pyotp
import pytest
from approval_desk import INCIDENT, PLAN, STEP

from incident.approvals import Answer, Standing
from incident.ledger import Kind
from incident.policy import Policy, Responder
from tasks.approvals import Approvals
from tasks.hands import utc_now
from tasks.ledger import Ledger
from tasks.roster import Roster


@pytest.fixture
def desk(run, tmp_path, monkeypatch):
    """A home with a policy, an enrolled Alice and one open question; answers what a command said."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "policy.yaml").write_text("responders: [{name: alice}]\n")
    monkeypatch.setenv("COUNTERMAND_POLICY_FILE", str(home / "policy.yaml"))
    ledger = Ledger.open(f"sqlite:///{home / 'ledger.db'}", utc_now)
    approvals = Approvals(ledger, Policy(responders=(Responder(name="alice"),)), utc_now)
    address = Roster(home / "roster", ledger, utc_now).enrol("alice")
    ledger.append(INCIDENT, Kind.PLAN, "plan:contain:1", {"digest": PLAN.digest, "plan": PLAN.model_dump(mode="json")})
    asked = approvals.ask(PLAN, "contain", 1, ())

    def decide(word: str, *more: str, code: str = pyotp.parse_uri(address).now(), digest: str = PLAN.short_digest):
        return run(word, INCIDENT, "--as", "alice", "--plan", digest, "--code", code, *more)

    return decide, approvals, asked, run


def test_an_approval_with_a_struck_step_counts(desk):
    decide, approvals, asked, _ = desk
    code, out, err = decide("approve", "--strike", STEP.id)
    assert (code, err) == (0, "")
    assert "Your answer counts" in out
    assert approvals.standing(INCIDENT, asked.id) is Standing.APPROVED
    assert approvals.permits(PLAN, STEP.id) == "an approver struck this step"
    assert [one.surface for one in approvals.decisions(INCIDENT, asked.id)] == ["command line"]


def test_a_rejection_stops_the_plan_and_then_nothing_waits(desk):
    decide, approvals, asked, run = desk
    assert decide("reject", "--reason", "not now")[0] == 0
    assert [one.answer for one in approvals.decisions(INCIDENT, asked.id)] == [Answer.REJECT]
    code, _, err = run("plan", INCIDENT)
    assert code == 2
    assert "no question" in err


@pytest.mark.parametrize(
    ("more", "given", "words"),
    [
        ((), {"code": "000000"}, "wrong"),
        ((), {"digest": "0" * 12}, f"is {PLAN.short_digest}"),
        ((), {"digest": PLAN.digest[:4]}, f"is {PLAN.short_digest}"),
        (("--strike", "contain-9"), {}, "no step contain-9"),
    ],
)
def test_what_does_not_count_is_said_in_one_line(desk, more, given, words):
    decide, approvals, asked, _ = desk
    code, _, err = decide("approve", *more, **given)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
    assert approvals.standing(INCIDENT, asked.id) is Standing.WAITING


def test_the_plan_is_printed_with_its_digest_and_steps(desk):
    code, out, _ = desk[3]("plan", INCIDENT)
    assert code == 0
    assert PLAN.short_digest in out
    assert STEP.id in out
