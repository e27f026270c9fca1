"""Approvals in Slack, over real HTTP: what counts, and everything that must not."""

from __future__ import annotations

import json

import pytest
from approval_desk import ALICE, CHANNEL, FOREIGN, GUEST, INCIDENT, PLAN, STEP, STRANGER, opened_desk

from drill.slack.courier import FORGERIES
from gateway.slack.dialog import asked_by
from incident.approvals import Answer, Standing


@pytest.fixture
def desk(ledger, serve, tmp_path):
    """A question about an addition: one person is enough, and everything but containment is of high risk."""
    with opened_desk(ledger, serve, tmp_path, "addition") as opened:
        yield opened


def test_a_click_a_reason_and_a_code_are_an_approval(desk, wait_until):
    view = desk.open(wait_until)
    assert PLAN.short_digest in json.dumps(view)
    assert "<!channel>" not in view["blocks"][0]["text"]["text"], "only plain text may carry it, which Slack does not interpret"
    assert desk.submit(view, desk.code())["status"] == 200
    assert desk.standing() is Standing.APPROVED
    (decision,) = desk.approvals.decisions(INCIDENT, desk.question)
    assert (decision.person, decision.surface, decision.answer, decision.reason) == ("alice", "slack", Answer.APPROVE, "because")
    assert desk.waker.nudged == 1
    wait_until(desk.whispers, 10, "the confirmation")
    assert desk.whispers() == [f"Your answer counts: approve for plan {PLAN.short_digest}."]


def test_a_rejection_stops_the_plan(desk, wait_until):
    desk.submit(desk.open(wait_until, answer="reject"), desk.code())
    assert desk.standing() is Standing.REJECTED


def test_a_wrong_code_is_said_beside_the_field_and_decides_nothing(desk, wait_until):
    answer = desk.submit(desk.open(wait_until), "000000")
    assert "wrong" in json.dumps(answer)
    assert desk.standing() is Standing.WAITING


def test_a_person_answers_once(desk, wait_until):
    code = desk.code()
    desk.submit(desk.open(wait_until), code)
    again = desk.submit(desk.open(wait_until, answer="reject"), code)
    assert "already answered" in json.dumps(again)
    assert desk.standing() is Standing.APPROVED


@pytest.mark.parametrize("user", [GUEST, FOREIGN])
def test_guests_and_other_workspaces_get_no_dialog_even_if_the_policy_names_them(desk, user, wait_until):
    desk.click(user)
    wait_until(desk.whispers, 10, "the refusal")
    assert desk.dialogs() == []
    assert "decide here" in desk.whispers()[0]


def test_a_member_whom_the_policy_does_not_name_decides_nothing(desk, wait_until):
    answer = desk.submit(desk.open(wait_until, user=STRANGER), "123456", user=STRANGER)
    assert "policy" in json.dumps(answer)
    assert desk.standing() is Standing.WAITING


def test_the_same_bytes_again_have_no_second_effect(desk, wait_until):
    desk.submit(desk.open(wait_until), desk.code())
    assert desk.control("forge", how="replay")["status"] == 200
    assert len(desk.approvals.decisions(INCIDENT, desk.question)) == 1
    assert desk.waker.nudged == 1


def test_every_forgery_is_refused_before_anything_reads_it(desk):
    what = {"user": ALICE, "channel": CHANNEL, "ts": desk.ts, "action_id": "countermand_approve"}
    statuses = {how: desk.control("forge", how=how, **what)["status"] for how in FORGERIES}
    assert set(statuses.values()) == {401}, statuses
    assert desk.dialogs() == []


@pytest.mark.parametrize("value", ["", "{}", "[]", "no json", '{"approval": 7}', '{"approval": "inc-x:contain-1", "digest": "d"}'])
def test_an_edited_button_stands_for_no_question(desk, value):
    asked = asked_by({"actions": [{"action_id": "countermand_approve", "value": value}]})
    incident, _, question = asked.approval.partition(":") if asked else ("", "", "")
    assert desk.approvals.find(incident, question) is None


def test_a_plan_that_changed_since_is_not_approved(desk, ledger, wait_until):
    view = desk.open(wait_until)
    other = PLAN.model_copy(update={"title": "another plan"})
    desk.approvals.ask(other, "addition", 2, ())
    carried = json.loads(view["private_metadata"])
    assert carried["digest"] == PLAN.digest
    desk.submit(view, desk.code())
    question = f"addition-2-{other.short_digest}"
    assert desk.approvals.standing(INCIDENT, question) is Standing.WAITING


def test_a_step_is_struck_in_the_dialog_and_does_not_run(desk, wait_until):
    assert desk.submit(desk.open(wait_until), desk.code(), struck=(STEP.id,))["status"] == 200
    assert desk.standing() is Standing.APPROVED
    assert desk.approvals.permits(PLAN, STEP.id) == "an approver struck this step"


def test_containment_that_can_be_taken_back_needs_no_code_in_slack(ledger, serve, tmp_path, wait_until):
    with opened_desk(ledger, serve, tmp_path, "contain") as desk:
        view = desk.open(wait_until)
        assert "code" not in {block.get("block_id") for block in view["blocks"]}
        assert desk.submit(view)["status"] == 200
        (decision,) = desk.approvals.decisions(INCIDENT, desk.question)
        assert (decision.person, decision.method) == ("alice", "slack-identity")
        assert decision.fingerprint
