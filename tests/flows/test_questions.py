"""What a filled-in form does: nothing before it was checked, and the same answer however often the run walks past it."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from flows.questions import LOOK_AGAIN, NOT_FILLED_IN, PlanDecision, _handled
from incident.approvals import Standing
from incident.ledger import Kind
from incident.plan import Phase, Plan, PlannedCall, Step
from incident.policy import Policy, Responder
from incident.settings import SettingKey
from tasks.approvals import Approvals
from tasks.roster import Roster

KEY = SettingKey("111122223333", "global", "access-key", "AKIA1", "mallory")
CALL = PlannedCall(service="iam", operation="UpdateAccessKey", parameters={}, permissions=("iam:UpdateAccessKey",))
STEP = Step(id="contain-1", phase=Phase.CONTAIN, title="stop", key=KEY, expects="Active", leaves="Inactive", calls=(CALL,))
PLAN = Plan(incident="inc-1", title="Contain the actor", steps=(STEP,))


@pytest.fixture
def desk(ledger, tmp_path):
    def clock() -> datetime:
        return datetime.now(UTC)

    policy = Policy(responders=(Responder(name="alice"), Responder(name="bob")))
    approvals, roster = Approvals(ledger, policy, clock), Roster(tmp_path / "roster", ledger, clock)
    secret = parse_qs(urlsplit(roster.enrol("alice")).query)["secret"][0]
    hands = SimpleNamespace(ledger=ledger, approvals=approvals, roster=roster)
    asked = approvals.ask(PLAN, "contain", 1, ())

    def fill_in(number: int = 0, **given: str) -> str:
        usual = {
            "decision": "approve",
            "responder": "alice",
            "one_time_code": pyotp.TOTP(secret).now(),
            "plan_digest": PLAN.digest,
        }
        return _handled(hands, PLAN, asked, number, PlanDecision(**(usual | given)))

    def begin_again() -> str:
        return _handled(hands, PLAN, asked, 0, None)

    return SimpleNamespace(
        fill_in=fill_in,
        begin_again=begin_again,
        standing=lambda: approvals.standing("inc-1", asked.id),
        approvals=approvals,
        asked=asked,
    )


def test_a_right_form_decides_and_is_not_taken_twice(desk, ledger):
    assert desk.fill_in() == ""
    assert desk.fill_in() == ""
    assert desk.standing() is Standing.APPROVED
    assert len(ledger.lines("inc-1", Kind.DECISION)) == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"one_time_code": "000000"}, "wrong"),
        ({"responder": "eve"}, "not among the responders"),
        ({"responder": "bob"}, "not enrolled"),
        ({"plan_digest": "0" * 64}, "plan has changed"),
        ({"decision": "reject"}, "give a reason"),
        ({"strike_steps": "contain-9"}, "no step contain-9"),
    ],
)
def test_a_form_that_does_not_count_says_why_and_decides_nothing(desk, given, words):
    assert words in desk.fill_in(**given)
    assert desk.standing() is Standing.WAITING


def test_looking_again_decides_nothing(desk):
    assert desk.fill_in(decision=LOOK_AGAIN, one_time_code="", responder="") == ""
    assert desk.standing() is Standing.WAITING


def test_a_run_begun_again_before_an_answer_asks_once_more_and_says_why(desk):
    assert desk.begin_again() == NOT_FILLED_IN
    assert desk.begin_again() == NOT_FILLED_IN
    assert desk.standing() is Standing.WAITING
    assert desk.fill_in(number=1) == ""
    assert desk.standing() is Standing.APPROVED


def test_a_rejection_with_a_reason_stops_the_plan(desk):
    assert desk.fill_in(decision="reject", reason="not now") == ""
    assert desk.standing() is Standing.REJECTED


def test_a_struck_step_is_struck(desk):
    assert desk.fill_in(strike_steps=" contain-1 ") == ""
    assert desk.approvals.struck("inc-1", desk.asked.id) == {"contain-1"}


def test_the_code_never_reaches_the_ledger(desk, ledger):
    desk.fill_in(one_time_code="424242")
    assert all("424242" not in str(line.body) for chain in ledger.incidents() for line in ledger.lines(chain))


def test_an_answer_that_cannot_count_costs_no_code(desk):
    assert "plan has changed" in desk.fill_in(plan_digest="0" * 64)
    assert desk.fill_in(number=1) == ""
