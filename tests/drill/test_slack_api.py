"""The practice Slack's Web API, through slack_sdk's own client: tokens, messages, limits, troubles."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from http.client import HTTPException
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from drill.slack.client import Refused
from drill.slack.methods import METHODS
from drill.slack.server import FakeSlack
from drill.slack.workspace import Channel
from tests.drill.slack_desk import ALICE, BOB, CHANNEL, FOREIGN, GUEST, Clock, actions, button, section, web

CHANNELS = (f"{CHANNEL}:incidents", Channel("C0OTHER", "other", joined=False))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def slack(clock: Clock) -> Iterator[FakeSlack]:
    with FakeSlack(channels=CHANNELS, clock=clock) as running:
        yield running


@pytest.fixture
def unlimited(slack: FakeSlack) -> FakeSlack:
    slack.api.limit = None
    return slack


def error_of(call: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """What Slack refuses a call with, or "" when it does not."""
    try:
        call(*args, **kwargs)
    except SlackApiError as refused:
        return str(refused.response["error"])
    return ""


def texts(slack: FakeSlack) -> list[str]:
    return [message["text"] for message in slack.control.messages()]


# --- tokens


@pytest.mark.parametrize(
    ("token", "error"), [("", "not_authed"), ("xoxb-wrong", "invalid_auth"), ("xapp-practice", "not_allowed_token_type")]
)
def test_a_call_needs_the_bots_token(slack: FakeSlack, token: str, error: str) -> None:
    assert error_of(WebClient(token or None, base_url=slack.api_url).auth_test) == error


def test_socket_mode_needs_the_apps_token(slack: FakeSlack) -> None:
    assert error_of(web(slack).apps_connections_open, app_token="xoxb-practice") == "not_allowed_token_type"
    assert web(slack).apps_connections_open(app_token="xapp-practice")["url"].startswith("ws://")


def test_a_token_in_the_address_is_none(slack: FakeSlack) -> None:
    assert httpx.post(f"{slack.api_url}auth.test?token=xoxb-practice").json()["error"] == "not_authed"


def test_a_token_that_is_no_text_is_wrong(slack: FakeSlack) -> None:
    answer = httpx.post(f"{slack.api_url}auth.test", headers={"Authorization": b"Bearer \xff\xfe"})
    assert (answer.status_code, answer.json()["error"]) == (200, "invalid_auth")


def test_the_bot_knows_who_it_is(slack: FakeSlack) -> None:
    answer = web(slack).auth_test()
    assert (answer["team_id"], answer["user_id"], answer["bot_id"]) == ("T0PRACTICE", "U0COUNTERMAND", "B0COUNTERMAND")


# --- messages


def test_a_message_needs_a_channel_that_the_bot_is_in_and_words(slack: FakeSlack) -> None:
    post = web(slack).chat_postMessage
    assert error_of(post, channel="C0NOWHERE", text="x") == "channel_not_found"
    assert error_of(post, channel="C0OTHER", text="x") == "not_in_channel"
    assert error_of(web(slack).api_call, "chat.postMessage", json={"channel": CHANNEL}) == "no_text"
    assert error_of(post, channel=CHANNEL, text="x", thread_ts="1.000000") == "thread_not_found"
    assert texts(slack) == []


def test_a_reply_stands_in_its_thread_and_not_in_the_channel(slack: FakeSlack) -> None:
    client = web(slack)
    root = client.chat_postMessage(channel=CHANNEL, text="root")["ts"]
    reply = client.chat_postMessage(channel=CHANNEL, text="reply", thread_ts=root)["ts"]
    assert [m["ts"] for m in client.conversations_history(channel=CHANNEL)["messages"]] == [root]
    thread = client.conversations_replies(channel=CHANNEL, ts=root)["messages"]
    assert [m["ts"] for m in thread] == [root, reply]
    assert (thread[0]["reply_count"], thread[1]["parent_user_id"]) == (1, "U0COUNTERMAND")


def test_history_is_newest_first_in_pages(unlimited: FakeSlack) -> None:
    client = web(unlimited)
    sent = [client.chat_postMessage(channel=CHANNEL, text=str(number))["ts"] for number in range(7)]
    seen: list[str] = []
    for page in client.conversations_history(channel=CHANNEL, limit=3):
        seen += [message["ts"] for message in page["messages"]]
    assert seen == sent[::-1]
    between = client.conversations_history(channel=CHANNEL, oldest=sent[1], latest=sent[4])["messages"]
    assert [m["ts"] for m in between] == [sent[3], sent[2]]
    assert error_of(client.conversations_history, channel=CHANNEL, cursor="nonsense") == "invalid_cursor"


def test_metadata_is_shown_whole_only_when_it_is_asked_for(slack: FakeSlack) -> None:
    client = web(slack)
    client.chat_postMessage(channel=CHANNEL, text="x", metadata={"event_type": "mine", "event_payload": {"key": "k"}})
    (short,) = client.conversations_history(channel=CHANNEL)["messages"]
    (whole,) = client.conversations_history(channel=CHANNEL, include_all_metadata=True)["messages"]
    assert short["metadata"] == {"event_type": "mine"}
    assert whole["metadata"] == {"event_type": "mine", "event_payload": {"key": "k"}}


def test_an_update_without_blocks_keeps_the_old_buttons(slack: FakeSlack) -> None:
    client = web(slack)
    ts = client.chat_postMessage(channel=CHANNEL, text="decide", blocks=[actions(button())])["ts"]
    client.chat_update(channel=CHANNEL, ts=ts, text="decided")
    assert slack.control.messages()[0]["blocks"][0]["type"] == "actions"
    client.chat_update(channel=CHANNEL, ts=ts, text="decided", blocks=[section()])
    (message,) = slack.control.messages()
    assert ([block["type"] for block in message["blocks"]], message["edited"]["user"]) == (["section"], "U0COUNTERMAND")
    assert error_of(client.chat_update, channel=CHANNEL, ts="1.000000", text="x") == "message_not_found"


def test_what_people_wrote_is_theirs(slack: FakeSlack) -> None:
    ts = slack.control.say(ALICE, CHANNEL, "hello")["message"]["ts"]
    assert error_of(web(slack).chat_update, channel=CHANNEL, ts=ts, text="x") == "cant_update_message"


def test_a_whisper_is_seen_by_one_person_and_by_no_history(slack: FakeSlack) -> None:
    client = web(slack)
    client.chat_postEphemeral(channel=CHANNEL, user=ALICE, text="between us")
    assert client.conversations_history(channel=CHANNEL)["messages"] == []
    seen_by = {user: _state(slack, user)["messages"] for user in (ALICE, BOB)}
    assert [m["text"] for m in seen_by[ALICE]] == ["between us"]
    assert seen_by[BOB] == []
    assert error_of(client.chat_postEphemeral, channel=CHANNEL, user="U0NOBODY", text="x") == "user_not_in_channel"


def test_a_message_is_pinned_once(slack: FakeSlack) -> None:
    client = web(slack)
    ts = client.chat_postMessage(channel=CHANNEL, text="x")["ts"]
    client.pins_add(channel=CHANNEL, timestamp=ts)
    assert error_of(client.pins_add, channel=CHANNEL, timestamp=ts) == "already_pinned"


def test_guests_and_people_of_other_workspaces_are_told_apart(slack: FakeSlack) -> None:
    def flags(user: str) -> tuple[str, bool, bool]:
        info = web(slack).users_info(user=user)["user"]
        return info["team_id"], info["is_restricted"], info.get("is_stranger", False)

    assert flags(ALICE) == ("T0PRACTICE", False, False)
    assert flags(GUEST) == ("T0PRACTICE", True, False)
    assert flags(FOREIGN) == ("T0ELSEWHERE", False, True)
    assert web(slack).users_lookupByEmail(email="ALICE@example.com")["user"]["id"] == ALICE
    assert error_of(web(slack).users_lookupByEmail, email="felix@example.com") == "users_not_found"


# --- the limit on messages


def test_five_messages_go_at_once_and_then_one_a_second(slack: FakeSlack, clock: Clock) -> None:
    client = web(slack)
    for number in range(5):
        client.chat_postMessage(channel=CHANNEL, text=str(number))
    with pytest.raises(SlackApiError) as limited:
        client.chat_postMessage(channel=CHANNEL, text="too soon")
    assert (limited.value.response.status_code, limited.value.response.headers["Retry-After"]) == (429, "1")
    clock.pass_(1)
    client.chat_postMessage(channel=CHANNEL, text="in time")
    assert error_of(client.chat_postMessage, channel=CHANNEL, text="too soon") == "ratelimited"
    assert texts(slack) == ["0", "1", "2", "3", "4", "in time"]


def test_the_limit_can_be_left_out() -> None:
    with FakeSlack(rate_limit=False) as slack:
        for number in range(8):
            web(slack).chat_postMessage(channel=CHANNEL, text=str(number))
        assert len(texts(slack)) == 8


# --- troubles


@pytest.mark.parametrize(("kind", "effect"), [("429", 0), ("5xx", 0), ("drop_before", 0), ("drop_after", 1), ("down", 0)])
def test_each_trouble_has_the_effect_that_it_says(slack: FakeSlack, kind: str, effect: int) -> None:
    slack.control.fault(kind, "chat.postMessage")
    with pytest.raises((SlackApiError, OSError, HTTPException)):
        web(slack).chat_postMessage(channel=CHANNEL, text="x")
    assert len(texts(slack)) == effect


def test_slack_that_is_down_stays_so_until_it_is_mended(slack: FakeSlack) -> None:
    slack.control.fault("down")
    for _ in range(3):
        with pytest.raises((OSError, HTTPException)):
            web(slack).auth_test()
    slack.control.clear_faults()
    assert web(slack).auth_test()["ok"]


def test_a_trouble_meets_its_method_as_often_as_it_says(slack: FakeSlack) -> None:
    slack.control.fault("5xx", "auth.test", times=2, status=502)
    assert web(slack).users_info(user=ALICE)["ok"]
    for _ in range(2):
        with pytest.raises(SlackApiError):
            web(slack).auth_test()
    assert web(slack).auth_test()["ok"]


def test_the_default_client_posts_twice_when_a_reply_is_lost(slack: FakeSlack) -> None:
    """Why `tasks.slack` sends with the rate-limit handler only."""
    slack.control.fault("drop_after", "chat.postMessage")
    WebClient("xoxb-practice", base_url=slack.api_url).chat_postMessage(channel=CHANNEL, text="twice")
    assert texts(slack) == ["twice", "twice"]


def test_a_retry_waits_as_long_as_slack_says(slack: FakeSlack) -> None:
    slack.control.fault("429", "auth.test", retry_after=0)
    client = WebClient("xoxb-practice", base_url=slack.api_url, retry_handlers=[RateLimitErrorRetryHandler(max_retry_count=1)])
    assert client.auth_test()["ok"]
    assert slack.control.calls()["auth.test"] == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "5xx", "status": 7},
        {"kind": "429", "times": 0},
        {"kind": "429", "times": "often"},
        {"kind": "429", "retry_after": True},
        {"kind": "429", "method": ["chat.update"]},
        {"kind": "429", "methd": "chat.update"},
        {"kind": "flood"},
        {},
    ],
)
def test_a_trouble_that_makes_no_sense_is_refused(slack: FakeSlack, fault: dict[str, Any]) -> None:
    assert httpx.post(f"{slack.url}/control/fault", json=fault).status_code == 400
    assert web(slack).auth_test()["ok"]


# --- whatever comes


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"\xff\xfe", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"[]", "application/json"),
        (b"text=\xff&blocks=%ff", "application/x-www-form-urlencoded"),
        (b"blocks=" + b"[" * 100_000, "application/x-www-form-urlencoded"),
        (b"x", "text/plain"),
    ],
)
def test_a_body_that_nobody_can_read_is_refused_in_slacks_own_form(slack: FakeSlack, body: bytes, kind: str) -> None:
    headers = {"Authorization": "Bearer xoxb-practice", "Content-Type": kind}
    answer = httpx.post(f"{slack.api_url}chat.postMessage", content=body, headers=headers)
    assert (answer.status_code, answer.json()["ok"]) == (200, False)


_NAMES = [
    "text",
    "blocks",
    "metadata",
    "thread_ts",
    "ts",
    "view",
    "trigger_id",
    "user",
    "email",
    "limit",
    "cursor",
    "oldest",
    "hash",
]
_LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from([CHANNEL, ALICE, "[]", "{}", '{"a":'])
_KEYS = st.sampled_from(["type", "text", "blocks", "elements", "event_type", "event_payload", "title"])
_VALUES = st.recursive(_LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=6)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(METHODS)), st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=5))
def test_whatever_an_app_sends_is_answered(unlimited: FakeSlack, method: str, arguments: dict[str, Any]) -> None:
    client = _client(unlimited.api_url)
    answer = client.post(method, content=json.dumps({"channel": CHANNEL, **arguments}))
    assert answer.status_code == 200
    assert answer.json()["ok"] in (True, False)


@cache
def _client(address: str) -> httpx.Client:
    headers = {"Authorization": "Bearer xoxb-practice", "Content-Type": "application/json"}
    return httpx.Client(base_url=address, headers=headers)


def test_an_unknown_method_is_refused(slack: FakeSlack) -> None:
    assert error_of(web(slack).api_call, "chat.shout") == "unknown_method"


def test_what_no_person_could_do_is_refused_with_a_reason(slack: FakeSlack) -> None:
    ts = web(slack).chat_postMessage(channel=CHANNEL, text="no buttons here")["ts"]
    right = {"user": ALICE, "channel": CHANNEL, "ts": ts, "action_id": "go"}
    for wrong in ({"user": "U0NOBODY"}, {"channel": "C0NOWHERE"}, {"ts": "1.000000"}, {}):
        with pytest.raises(Refused):
            slack.control.click(**{**right, **wrong})


def _state(slack: FakeSlack, user: str) -> dict[str, Any]:
    return dict(httpx.get(f"{slack.url}/control/state", params={"user": user}).json())
