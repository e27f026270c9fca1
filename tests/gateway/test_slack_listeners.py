"""How the listeners answer Slack, over HTTP and over Socket Mode: in time, once, and never with silence."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from background import in_a_thread
from slack_sdk import WebClient
from starlette.applications import Starlette
from starlette.routing import Mount

from drill.slack.client import Refused
from drill.slack.server import FakeSlack
from gateway.slack.app import bolt_app, run_socket_mode, slack_app
from gateway.slack.dialog import Described
from gateway.slack.guard import LARGEST_BODY, OLDEST_SECONDS, Recent, SignatureGuard

TEAM, CHANNEL, ALICE = "T0TEST", "C0TEST", "U0ALICE"
VALUE = '{"approval":"inc-1:contain-1","digest":"0123456789abcdef"}'
FILLED = {"code": "123456", "reason": "because"}


@dataclass
class Decisions:
    """Stands for the ledger's side: notes what was decided, and answers as told, when told."""

    says: str = "Your answer counts."
    may_answer: threading.Event = field(default_factory=threading.Event)
    taken: list[dict[str, str]] = field(default_factory=list)
    fails: bool = False

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def decide(self, **decision: str) -> str:
        self.taken.append(decision)
        if self.fails:
            raise RuntimeError("the database is away")
        await asyncio.to_thread(self.may_answer.wait, 20)
        return self.says

    async def describe(self, approval_id: str) -> Described:
        if self.fails:
            raise RuntimeError("the database is away")
        return Described(f"*What {approval_id} would do*")


@dataclass
class Desk:
    """The practice Slack with one question in a thread, and the decisions behind the door."""

    slack: FakeSlack
    decisions: Decisions
    thread: str
    ts: str
    wait_until: Callable[..., None]

    def click(self, answer: str = "approve") -> dict[str, Any]:
        return self.slack.control.click(ALICE, CHANNEL, self.ts, f"countermand_{answer}")

    def open(self, answer: str = "approve") -> dict[str, Any]:
        self.click(answer)
        self.wait_until(self.slack.control.views, 10, "the dialog")
        return self.slack.control.views()[0]

    def submit(self, view: dict[str, Any], **filled: str) -> dict[str, Any]:
        return self.slack.control.submit(ALICE, view["id"], FILLED | filled)

    def whispers(self) -> list[dict[str, Any]]:
        return [message for message in self.slack.control.messages() if message.get("is_ephemeral")]

    def whispered(self) -> str:
        self.wait_until(self.whispers, 10, "the whisper")
        (whisper,) = self.whispers()
        assert (whisper["for"], whisper["channel"], whisper["thread_ts"]) == (ALICE, CHANNEL, self.thread)
        return str(whisper["text"])


@pytest.fixture(params=["http", "socket"])
def desk(request: pytest.FixtureRequest, serve: Callable[..., str], wait_until: Callable[..., None]) -> Iterator[Desk]:
    keys = {"signing_secret": "signing", "bot_token": "xoxb-test", "app_token": "xapp-test"}
    decisions = Decisions()
    with FakeSlack(**keys, channels=(CHANNEL,), users=[{"id": ALICE, "name": "alice", "team_id": TEAM}], team=TEAM) as slack:
        options = {"signing_secret": "signing", "bot_token": "xoxb-test", "team": TEAM, "base_url": slack.api_url}
        web = WebClient("xoxb-test", base_url=slack.api_url)
        thread = web.chat_postMessage(channel=CHANNEL, text="inc-1 opened")["ts"]
        ts = web.chat_postMessage(channel=CHANNEL, thread_ts=thread, text="decide", blocks=[_buttons()])["ts"]
        if request.param == "http":
            slack.request_url = serve(Starlette(routes=[Mount("/slack", slack_app(decisions, **options))])) + "/slack/events"
            yield Desk(slack, decisions, thread, ts, wait_until)
            return
        options["signing_secret"] = ""
        with in_a_thread(lambda: run_socket_mode(bolt_app(decisions, **options), "xapp-test")):
            wait_until(lambda: slack.control.sockets() == 1, 10, "the connection")
            yield Desk(slack, decisions, thread, ts, wait_until)


def _buttons() -> dict[str, Any]:
    def button(answer: str) -> dict[str, Any]:
        text = {"type": "plain_text", "text": answer}
        return {"type": "button", "action_id": f"countermand_{answer}", "text": text, "value": VALUE}

    return {"type": "actions", "elements": [button("approve"), button("reject")]}


def test_the_dialog_says_what_would_happen_and_the_answer_is_confirmed_in_the_thread(desk: Desk) -> None:
    view = desk.open()
    assert view["blocks"][0]["text"]["text"] == "*What inc-1:contain-1 would do*"
    assert desk.submit(view)["status"] == 200
    assert desk.decisions.taken == [
        {
            "team": TEAM,
            "user": ALICE,
            "approval_id": "inc-1:contain-1",
            "digest": "0123456789abcdef",
            "decision": "approve",
            "reason": "because",
            "code": "123456",
            "struck": (),
        }
    ]
    assert desk.whispered() == "Your answer counts."
    assert desk.slack.control.views() == []


def test_an_answer_that_does_not_count_keeps_the_dialog_open_and_says_why(desk: Desk) -> None:
    desk.decisions.says = "error: the code is wrong"
    view = desk.open()
    desk.submit(view)
    (shown,) = desk.slack.control.views()
    assert shown["errors"] == {"code": "the code is wrong"}
    assert desk.whispers() == []


def test_a_decision_that_takes_long_is_acknowledged_in_time_and_confirmed_later(desk: Desk) -> None:
    view = desk.open()
    desk.decisions.may_answer.clear()
    began = time.monotonic()
    receipt = desk.submit(view)
    assert (receipt["status"], receipt["error"]) == (200, "")
    assert time.monotonic() - began < 3
    assert desk.whispers() == []
    desk.decisions.may_answer.set()
    assert desk.whispered() == "Your answer counts."


def test_the_same_act_delivered_again_has_no_second_effect(desk: Desk) -> None:
    view = desk.open()
    assert desk.slack.control.forge("replay")["status"] == 200
    assert len(desk.slack.control.views(closed=True)) == 1
    desk.submit(view)
    assert desk.whispered() == "Your answer counts."
    assert desk.slack.control.forge("replay")["status"] == 200
    assert len(desk.decisions.taken) == 1
    assert len(desk.whispers()) == 1


@pytest.mark.parametrize("kind", ["5xx", "429", "drop_before", "drop_after"])
def test_when_slack_does_not_say_who_it_is_nothing_is_decided(desk: Desk, kind: str) -> None:
    view = desk.open()
    desk.slack.control.fault(kind, "users.info", times=2)  # aiohttp itself tries a read again that was cut off
    desk.submit(view)
    assert "who you are" in desk.slack.control.views()[0]["errors"]["code"]
    assert desk.decisions.taken == []
    desk.slack.control.clear_faults()
    desk.submit(view)
    assert desk.whispered() == "Your answer counts."


@pytest.mark.parametrize("kind", ["5xx", "drop_before"])
def test_a_dialog_that_slack_does_not_open_is_told(desk: Desk, kind: str) -> None:
    desk.slack.control.fault(kind, "views.open")
    desk.click()
    assert "try again" in desk.whispered()


def test_a_failure_behind_the_door_is_no_approval_and_no_silence(desk: Desk) -> None:
    view = desk.open()
    desk.decisions.fails = True
    assert desk.submit(view)["status"] == 200
    assert "could not be recorded" in desk.slack.control.views()[0]["errors"]["code"]
    desk.click()
    assert "try again" in desk.whispered()


def test_a_rejection_needs_a_reason(desk: Desk) -> None:
    view = desk.open("reject")
    with pytest.raises(Refused, match="Reason"):
        desk.submit(view, reason="")
    desk.submit(view, reason="   ")
    assert desk.slack.control.views()[0]["errors"] == {"reason": "Say why; it stands in the report."}
    assert desk.decisions.taken == []
    desk.submit(view, reason="not our key")
    assert desk.decisions.taken[0]["decision"] == "reject"


def test_socket_mode_tries_again_while_slack_is_away_and_ends_when_cancelled(
    caplog: pytest.LogCaptureFixture, wait_until: Callable[..., None]
) -> None:
    nobody = "http://127.0.0.1:9/api/"
    app = bolt_app(Decisions(), signing_secret="", bot_token="xoxb-test", team=TEAM, base_url=nobody)
    with in_a_thread(lambda: run_socket_mode(app, "xapp-very-secret")):
        wait_until(lambda: "Retrying" in caplog.text, 10, "the first attempt")
    assert "xapp-very-secret" not in caplog.text


def test_a_body_larger_than_anything_of_slacks_is_refused_whatever_its_length_says(serve: Callable[..., str]) -> None:
    door = slack_app(Decisions(), signing_secret="signing", bot_token="xoxb-test", team=TEAM, base_url="http://127.0.0.1:9/api/")
    address = serve(door) + "/events"
    assert httpx.post(address, content=b"x" * (LARGEST_BODY + 1), timeout=20).status_code == 413
    assert httpx.post(address, content=(b"x" * 65536 for _ in range(16)), timeout=20).status_code == 413
    assert httpx.post(address, content=b"payload={}", timeout=20).status_code == 401


def test_the_memory_of_what_was_seen_outlasts_every_valid_signature_and_then_forgets() -> None:
    now = [1_000_000.0]
    recent = Recent(lambda: now[0])
    assert not recent.again("a")
    now[0] += 2 * OLDEST_SECONDS
    assert recent.again("a")
    now[0] += 1
    assert not recent.again("a")


@pytest.mark.parametrize("stamp", ["", "soon", "-1", "1e9", "１２３４５６７８９０", "9" * 40, " 1000000 ", "1000000.0"])
def test_a_timestamp_that_is_no_plain_number_is_refused(stamp: str) -> None:
    answer = SignatureGuard("signing", lambda: 1_000_000.0).refusal({"x-slack-request-timestamp": stamp}, b"")
    assert answer is not None
    assert answer.status_code == 401
