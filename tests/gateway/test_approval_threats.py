"""What must never become an approval, in one table, over real HTTP: after each of these the executor still refuses the step."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlencode

import httpx
import pyotp
import pytest
from approval_desk import ALICE, BOB, CHANNEL, FOREIGN, GUEST, INCIDENT, MALLORY, PLAN, STEP, TEAM, Desk, opened_desk
from slack_sdk.signature import SignatureVerifier

from drill.slack.courier import FORGERIES
from gateway.slack.dialog import CALLBACK
from incident.ledger import Kind

Threat = Callable[[Desk, Callable[..., object]], object]


def _click(desk: Desk, user: str) -> object:
    return desk.click(user)


def _replayed_click(desk: Desk, wait: Callable[..., object]) -> object:
    desk.submit(desk.open(wait), desk.code())
    return [desk.control("forge", how="replay") for _ in range(3)]


def _forged(desk: Desk, wait: Callable[..., object]) -> object:
    what = {"user": ALICE, "channel": CHANNEL, "ts": desk.ts, "action_id": "countermand_approve"}
    answers = [desk.control("forge", how=how, **what)["status"] for how in FORGERIES]
    assert set(answers) == {401}
    return answers


def _self_approval(desk: Desk, wait: Callable[..., object]) -> object:
    answer = desk.submit(desk.open(wait, user=MALLORY), desk.code("mallory"), user=MALLORY)
    assert "named in the finding" in str(answer)
    return desk.fill_in(responder="mallory", one_time_code=desk.code("mallory"))


def _one_person_on_two_surfaces(desk: Desk, wait: Callable[..., object]) -> object:
    desk.submit(desk.open(wait), desk.code())
    problem = desk.fill_in(one_time_code=_next_code(desk, "alice"))
    assert "already answered" in problem
    return problem


def _reused_code(desk: Desk, wait: Callable[..., object]) -> object:
    """Somebody looks over Alice's shoulder and sends her code, which she just used, in her name in Prefect."""
    code = desk.code()
    assert desk.hands.roster.check("alice", code) == ""
    problem = desk.fill_in(one_time_code=code)
    assert "used already" in problem
    return problem


def _guessed_code(desk: Desk, wait: Callable[..., object]) -> object:
    right = {pyotp.TOTP(desk.secrets["bob"]).at(0), desk.code("bob"), _next_code(desk, "bob")}
    guesses = [f"{guess:06}" for guess in range(7) if f"{guess:06}" not in right]
    answers = [desk.fill_in(number, responder="bob", one_time_code=guess) for number, guess in enumerate(guesses)]
    assert "locked" in answers[-1]
    assert "locked" in desk.fill_in(99, responder="bob", one_time_code=desk.code("bob"))
    return answers


def _swapped_plan(desk: Desk, wait: Callable[..., object]) -> object:
    """The form says another digest; and a plan under the same question has another one."""
    worse = PLAN.model_copy(update={"steps": (STEP.model_copy(update={"title": "Delete everything"}),)})
    assert "plan has changed" in desk.fill_in(plan_digest=worse.digest)
    assert desk.fill_in(1) == ""
    assert desk.fill_in(2, responder="bob", one_time_code=desk.code("bob")) == ""
    assert desk.permits(), "both approved the plan that was asked about"
    assert "no valid approval" in desk.approvals.permits(worse, STEP.id)
    desk.approvals.void(PLAN, desk.approvals.find(INCIDENT, desk.question), ["the key is gone"])
    return worse


def _resumed_run(desk: Desk, wait: Callable[..., object]) -> object:
    """Prefect resumes a run for whoever asks; the form that it hands over says nothing true."""
    empty = {"responder": "", "one_time_code": "", "plan_digest": ""}
    return [desk.fill_in(0, **empty), desk.fill_in(1, decision="look again", **empty)]


def _edited_button(desk: Desk, wait: Callable[..., object]) -> object:
    """Signed as Slack signs, for a true member with a true code, and with another question or plan than the ledger asked about."""
    other = PLAN.model_copy(update={"title": "another plan"})
    carried = [
        {"approval": f"{INCIDENT}:{desk.question}", "digest": other.digest},
        {"approval": f"{INCIDENT}:restore-9-{PLAN.short_digest}", "digest": PLAN.digest},
        {"approval": f"inc-ffffffffffff:{desk.question}", "digest": PLAN.digest},
        {"approval": 7, "digest": None},
        [],
    ]
    answers = [_signed_dialog(desk, json.dumps(one)) for one in carried]
    assert all("errors" in answer.text or answer.status_code == 200 for answer in answers)
    assert desk.hands.ledger.lines(INCIDENT, Kind.DECISION) == []
    return answers


def _signed_dialog(desk: Desk, metadata: str) -> httpx.Response:
    """A dialog's submission to approve, with what it carries edited."""
    values = {"code": {"value": {"type": "plain_text_input", "value": desk.code()}}}
    view = {
        "id": "V1",
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": metadata,
        "state": {"values": values},
        "blocks": [],
    }
    person, team = {"id": ALICE, "team_id": TEAM}, {"id": TEAM}
    payload = {"type": "view_submission", "user": person, "team": team, "view": view, "trigger_id": secrets.token_hex(8)}
    body = urlencode({"payload": json.dumps(payload)})
    stamp = str(int(time.time()))
    signature = SignatureVerifier("signing").generate_signature(timestamp=stamp, body=body) or ""
    headers = {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": signature,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    return httpx.post(desk.slack.request_url, content=body, headers=headers, timeout=20)


def _next_code(desk: Desk, person: str) -> str:
    """A code that counts now and is not the one of this half minute."""
    return pyotp.TOTP(desk.secrets[person]).at(int(time.time()) + 30)


THREATS: dict[str, Threat] = {
    "a replayed click": _replayed_click,
    "a forged signature": _forged,
    "a guest": lambda desk, wait: _click(desk, GUEST),
    "somebody of another workspace": lambda desk, wait: _click(desk, FOREIGN),
    "self-approval": _self_approval,
    "one person on two surfaces": _one_person_on_two_surfaces,
    "a reused code": _reused_code,
    "a guessed code": _guessed_code,
    "a swapped plan": _swapped_plan,
    "a run resumed by hand": _resumed_run,
    "an edited button value": _edited_button,
}


@pytest.mark.parametrize("threat", THREATS)
def test_what_must_not_become_an_approval(threat, ledger, serve, tmp_path, wait_until):
    with opened_desk(ledger, serve, tmp_path, "restore") as desk:
        THREATS[threat](desk, wait_until)
        assert not desk.permits()


def test_two_people_on_two_surfaces_are_an_approval(ledger, serve, tmp_path, wait_until):
    """The table above would pass if nothing ever counted."""
    with opened_desk(ledger, serve, tmp_path, "restore") as desk:
        desk.submit(desk.open(wait_until), desk.code())
        assert not desk.permits()
        assert desk.fill_in(responder="bob", one_time_code=desk.code("bob")) == ""
        assert desk.permits()


def test_the_second_person_in_slack_counts_too(ledger, serve, tmp_path, wait_until):
    with opened_desk(ledger, serve, tmp_path, "restore") as desk:
        desk.submit(desk.open(wait_until), desk.code())
        desk.submit(desk.open(wait_until, user=BOB), desk.code("bob"), user=BOB)
        assert desk.permits()
