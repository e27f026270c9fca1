"""Clicks, modals and commands over HTTP: signed as Slack signs, and what Slack does with the answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier

from drill.slack.client import Refused
from drill.slack.courier import FORGERIES
from drill.slack.server import FakeSlack
from tests.drill.slack_desk import ALICE, BOB, CHANNEL, FOREIGN, App, Clock, Heard, actions, button, modal, section, text_input, web

Wait = Callable[..., None]
FILLED = {"code": "123456", "reason": "because"}


@pytest.fixture
def app() -> Iterator[App]:
    with App() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slack(app: App, clock: Clock) -> Iterator[FakeSlack]:
    with FakeSlack(request_url=app.url, clock=clock) as running:
        yield running


@pytest.fixture
def question(slack: FakeSlack) -> str:
    blocks = [section("Decide"), actions(button("go", value='{"plan":"abc"}'), block_id="answers")]
    return str(web(slack).chat_postMessage(channel=CHANNEL, text="Decide", blocks=blocks)["ts"])


@pytest.fixture
def trigger(slack: FakeSlack, app: App, question: str) -> Callable[..., str]:
    """Clicks, and answers the trigger id that the app got."""

    def click(user: str = ALICE) -> str:
        slack.control.click(user, CHANNEL, question, "go")
        return str(app.last.payload["trigger_id"])

    return click


@pytest.fixture
def view(slack: FakeSlack, trigger: Callable[..., str]) -> dict[str, Any]:
    return dict(web(slack).views_open(trigger_id=trigger(), view=modal(callback_id="decide", private_metadata="abc"))["view"])


def error_of(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(SlackApiError) as refused:
        call(**arguments)
    return str(refused.value.response["error"])


def answering(said: object) -> Callable[[Heard], object]:
    return lambda heard: said


# --- clicks


def test_a_click_is_signed_and_says_who_what_and_where(slack: FakeSlack, app: App, clock: Clock, question: str) -> None:
    receipt = slack.control.click(ALICE, CHANNEL, question, "go")
    assert (receipt["status"], receipt["error"], receipt["via"]) == (200, "", "http")
    heard = app.last
    verifier = SignatureVerifier("practice-signing-secret", clock=type("Now", (), {"now": lambda self: clock.now})())
    assert verifier.is_valid_request(heard.body, heard.headers)
    assert heard.headers["Content-Type"] == "application/x-www-form-urlencoded"
    payload = heard.payload
    (action,) = payload["actions"]
    assert (action["action_id"], action["block_id"], action["value"]) == ("go", "answers", '{"plan":"abc"}')
    assert (payload["type"], payload["team"]["id"], payload["user"]["id"]) == ("block_actions", "T0PRACTICE", ALICE)
    assert (payload["channel"]["id"], payload["container"]["message_ts"], payload["message"]["ts"]) == (CHANNEL, question, question)


def test_a_click_in_a_thread_names_the_thread(slack: FakeSlack, app: App) -> None:
    root = web(slack).chat_postMessage(channel=CHANNEL, text="root")["ts"]
    reply = web(slack).chat_postMessage(channel=CHANNEL, text="x", thread_ts=root, blocks=[actions(button())])["ts"]
    slack.control.click(ALICE, CHANNEL, reply, "go")
    assert app.last.payload["container"]["thread_ts"] == root


def test_somebody_of_another_workspace_is_named_with_theirs(slack: FakeSlack, app: App, question: str) -> None:
    slack.control.click(FOREIGN, CHANNEL, question, "go")
    assert app.last.payload["user"]["team_id"] == "T0ELSEWHERE"


def test_a_button_that_an_update_took_away_cannot_be_clicked(slack: FakeSlack, question: str) -> None:
    web(slack).chat_update(channel=CHANNEL, ts=question, text="decided", blocks=[section()])
    with pytest.raises(Refused, match="nothing with action_id go"):
        slack.control.click(ALICE, CHANNEL, question, "go")


@pytest.mark.parametrize("status", [400, 500])
def test_what_the_app_answers_is_what_the_person_sees(slack: FakeSlack, app: App, question: str, status: int) -> None:
    app.status = status
    assert slack.control.click(ALICE, CHANNEL, question, "go")["status"] == status


def test_an_app_that_takes_longer_than_three_seconds_did_not_answer(slack: FakeSlack, app: App, question: str) -> None:
    app.may_answer.clear()
    receipt = slack.control.click(ALICE, CHANNEL, question, "go")
    assert (receipt["status"], receipt["error"]) == (None, "operation_timeout")
    assert 2.9 < receipt["seconds"] < 5


def test_an_app_that_is_not_there_is_told_as_such(slack: FakeSlack, question: str) -> None:
    slack.request_url = "http://127.0.0.1:9/"
    assert slack.control.click(ALICE, CHANNEL, question, "go")["error"].startswith("not reached")


@pytest.mark.parametrize("how", FORGERIES)
def test_a_forgery_fails_slacks_own_check(slack: FakeSlack, app: App, clock: Clock, question: str, how: str) -> None:
    slack.control.forge(how, user=ALICE, channel=CHANNEL, ts=question, action_id="go")
    verifier = SignatureVerifier("practice-signing-secret", clock=type("Now", (), {"now": lambda self: clock.now})())
    try:
        passes = verifier.is_valid_request(app.last.body, app.last.headers)
    except (ValueError, TypeError):
        passes = False  # where slack_sdk raises, an app answers 500 unless it looked first
    assert not passes


def test_a_replay_is_the_same_bytes(slack: FakeSlack, app: App, question: str) -> None:
    slack.control.click(ALICE, CHANNEL, question, "go")
    slack.control.forge("replay")
    first, again = app.heard
    assert (first.body, first.headers["X-Slack-Signature"]) == (again.body, again.headers["X-Slack-Signature"])


# --- triggers


def test_a_trigger_opens_one_modal(slack: FakeSlack, trigger: Callable[..., str]) -> None:
    minted = trigger()
    web(slack).views_open(trigger_id=minted, view=modal())
    assert error_of(web(slack).views_open, trigger_id=minted, view=modal()) == "exchanged_trigger_id"
    assert error_of(web(slack).views_open, trigger_id="1.2.abc", view=modal()) == "invalid_trigger_id"
    assert len(slack.control.views()) == 1


def test_a_trigger_is_good_for_three_seconds(slack: FakeSlack, clock: Clock, trigger: Callable[..., str]) -> None:
    minted = trigger()
    clock.pass_(3.1)
    assert error_of(web(slack).views_open, trigger_id=minted, view=modal()) == "expired_trigger_id"


def test_a_view_that_slack_refuses_spends_no_trigger(slack: FakeSlack, trigger: Callable[..., str]) -> None:
    minted = trigger()
    assert error_of(web(slack).views_open, trigger_id=minted, view=modal(submit=None)) == "invalid_arguments"
    assert web(slack).views_open(trigger_id=minted, view=modal())["ok"]


# --- submissions


def test_a_submission_carries_what_was_filled_in(slack: FakeSlack, app: App, view: dict[str, Any]) -> None:
    slack.control.submit(ALICE, view["id"], {"code": {"value": "123456"}})
    payload = app.last.payload
    assert (payload["type"], payload["user"]["id"], payload["view"]["id"]) == ("view_submission", ALICE, view["id"])
    assert (payload["view"]["callback_id"], payload["view"]["private_metadata"]) == ("decide", "abc")
    values = payload["view"]["state"]["values"]
    assert values["code"]["value"] == {"type": "plain_text_input", "value": "123456"}
    assert values["reason"]["value"]["value"] is None
    assert slack.control.views() == []


def test_errors_keep_the_modal_open_below_their_fields(slack: FakeSlack, app: App, view: dict[str, Any]) -> None:
    app.answer = answering({"response_action": "errors", "errors": {"code": "wrong"}})
    slack.control.submit(ALICE, view["id"], FILLED)
    assert slack.control.views()[0]["errors"] == {"code": "wrong"}
    app.answer = answering(None)
    slack.control.submit(ALICE, view["id"], FILLED)
    assert slack.control.views() == []


@pytest.mark.parametrize(
    "said",
    [
        {"response_action": "errors", "errors": {"nothing": "wrong"}},
        {"response_action": "errors", "errors": {}},
        {"response_action": "explode"},
        {"response_action": "update", "view": {"type": "modal"}},
        "words",
        [1],
    ],
)
def test_an_answer_that_slack_does_not_know_changes_nothing(slack: FakeSlack, app: App, view: dict[str, Any], said: object) -> None:
    app.answer = answering(said)
    with pytest.raises(Refused):
        slack.control.submit(ALICE, view["id"], FILLED)
    assert [(shown["id"], shown["errors"]) for shown in slack.control.views()] == [(view["id"], {})]


def test_an_app_that_fails_leaves_the_modal_open(slack: FakeSlack, app: App, view: dict[str, Any]) -> None:
    app.status = 500
    assert slack.control.submit(ALICE, view["id"], FILLED)["status"] == 500
    assert len(slack.control.views()) == 1


def test_an_answer_may_replace_the_modal_or_stack_another_or_clear_them_all(
    slack: FakeSlack, app: App, view: dict[str, Any]
) -> None:
    app.answer = answering({"response_action": "push", "view": modal(section("on top"), text_input("code"))})
    slack.control.submit(ALICE, view["id"], FILLED)
    below, top = slack.control.views()
    assert (below["id"], top["previous_view_id"], top["root_view_id"]) == (view["id"], view["id"], view["id"])
    app.answer = answering({"response_action": "update", "view": modal(section("changed"), text_input("code"))})
    slack.control.submit(ALICE, top["id"], {"code": "1"})
    assert slack.control.views()[1]["blocks"][0]["text"]["text"] == "changed"
    app.answer = answering({"response_action": "clear"})
    slack.control.submit(ALICE, top["id"], {"code": "1"})
    assert slack.control.views() == []


@pytest.mark.parametrize("values", [{}, {"code": ""}, {"code": "1", "colour": "red"}, {"code": "x" * 3001}])
def test_slacks_client_sends_nothing_that_is_not_filled_in_right(
    slack: FakeSlack, app: App, view: dict[str, Any], values: dict[str, str]
) -> None:
    heard = len(app.heard)
    with pytest.raises(Refused):
        slack.control.submit(ALICE, view["id"], values)
    assert len(app.heard) == heard


def test_nobody_submits_a_modal_of_somebody_else_or_one_that_is_gone(slack: FakeSlack, view: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="no modal"):
        slack.control.submit(BOB, view["id"], FILLED)
    slack.control.close(ALICE, view["id"])
    with pytest.raises(Refused, match="no modal"):
        slack.control.submit(ALICE, view["id"], FILLED)


def test_an_app_hears_of_a_cancelled_modal_when_it_asked_to(slack: FakeSlack, app: App, trigger: Callable[..., str]) -> None:
    opened = web(slack).views_open(trigger_id=trigger(), view=modal(notify_on_close=True))["view"]
    slack.control.close(ALICE, opened["id"])
    assert app.last.payload["type"] == "view_closed"


def test_an_update_that_comes_from_an_old_state_is_refused(slack: FakeSlack, view: dict[str, Any]) -> None:
    client = web(slack)
    client.views_update(view_id=view["id"], hash=view["hash"], view=modal(section("new"), text_input("code")))
    assert error_of(client.views_update, view_id=view["id"], hash=view["hash"], view=modal()) == "hash_conflict"
    assert slack.control.views()[0]["blocks"][0]["text"]["text"] == "new"


# --- commands and response URLs


def test_a_command_is_a_form_and_its_answer_a_whisper(slack: FakeSlack, app: App) -> None:
    app.answer = answering("nothing is open")
    slack.control.command(ALICE, CHANNEL, "/countermand", "status now")
    told = app.last.fields
    assert (told["command"], told["text"], told["user_id"], told["channel_id"]) == ("/countermand", "status now", ALICE, CHANNEL)
    (whisper,) = slack.control.messages()
    assert (whisper["text"], whisper["for"], whisper["is_ephemeral"]) == ("nothing is open", ALICE, True)
    app.answer = answering(json.dumps({"response_type": "in_channel", "text": "for all"}))
    slack.control.command(ALICE, CHANNEL, "/countermand")
    assert slack.control.messages()[0]["text"] == "for all"
    with pytest.raises(Refused):
        slack.control.command(ALICE, CHANNEL, "countermand")


def test_a_response_url_answers_five_times_within_half_an_hour(slack: FakeSlack, app: App, clock: Clock, question: str) -> None:
    slack.control.click(ALICE, CHANNEL, question, "go")
    address = app.last.payload["response_url"]
    said = {"replace_original": True, "text": "decided"}
    assert [httpx.post(address, json=said).status_code for _ in range(6)] == [200] * 5 + [404]
    assert slack.control.messages()[0]["text"] == "decided"
    slack.control.click(ALICE, CHANNEL, question, "go")
    address = app.last.payload["response_url"]
    clock.pass_(1801)
    assert httpx.post(address, json=said).text == "expired_url"
