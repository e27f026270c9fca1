"""Channels, pins, broadcasts, scopes and limits of the practice Slack: what the real one refuses, it refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from drill.slack.client import Refused
from drill.slack.server import FakeSlack
from tests.drill.slack_desk import ALICE, BOB, CHANNEL, FOREIGN, GUEST, Clock, web


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack(rate_limit=False, commands=("/incident",)) as running:
        yield running


@pytest.fixture
def client(slack: FakeSlack) -> WebClient:
    return web(slack)


def refusal(call: Callable[..., Any], **given: Any) -> str:
    with pytest.raises(SlackApiError) as refused:
        call(**given)
    return str(refused.value.response["error"])


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", "invalid_name_required"),
        ("x" * 81, "invalid_name_maxlength"),
        ("Inc", "invalid_name_specials"),
        ("inc 1", "invalid_name_specials"),
        ("--_", "invalid_name_punctuation"),
        ("incidents", "name_taken"),
    ],
)
def test_a_channel_with_a_name_that_slack_does_not_take_is_not_made(client: WebClient, name: str, error: str) -> None:
    assert refusal(client.conversations_create, name=name, is_private=True) == error


def test_a_private_channel_holds_the_bot_and_whom_it_invites(slack: FakeSlack, client: WebClient) -> None:
    made = client.conversations_create(name="inc-1", is_private=True)["channel"]
    assert refusal(client.chat_postEphemeral, channel=made["id"], user=ALICE, text="hello") == "user_not_in_channel"
    client.conversations_invite(channel=made["id"], users=ALICE)
    client.chat_postEphemeral(channel=made["id"], user=ALICE, text="hello")
    assert refusal(client.conversations_invite, channel=made["id"], users=ALICE) == "already_in_channel"
    assert refusal(client.conversations_invite, channel=made["id"], users="U0NOBODY") == "user_not_found"
    assert refusal(client.conversations_invite, channel=made["id"], users=FOREIGN) == "not_allowed_for_external_user"
    client.conversations_invite(channel=made["id"], users=f"{BOB},U0NOBODY", force=True)
    assert slack.workspace.channels[made["id"]].members == {ALICE, BOB}
    (found,) = client.users_conversations(types="private_channel")["channels"]
    assert (found["name"], found["creator"]) == ("inc-1", client.auth_test()["user_id"])
    seen = {user: [one["id"] for one in slack.control._get("state", {"user": user})["channels"]] for user in (BOB, GUEST)}
    assert seen == {BOB: [CHANNEL, made["id"]], GUEST: [CHANNEL]}


def test_a_topic_has_at_most_250_characters(client: WebClient) -> None:
    client.conversations_setTopic(channel=CHANNEL, topic="x" * 250)
    assert refusal(client.conversations_setTopic, channel=CHANNEL, topic="x" * 251) == "too_long"


def test_an_archived_channel_is_read_and_not_written(slack: FakeSlack, client: WebClient) -> None:
    ts = client.chat_postMessage(channel=CHANNEL, text="hello")["ts"]
    slack.control.archive(CHANNEL)
    for call, given in ((client.chat_postMessage, {"text": "x"}), (client.chat_update, {"ts": ts, "text": "x"})):
        assert refusal(call, channel=CHANNEL, **given) == "is_archived"
    assert refusal(client.pins_add, channel=CHANNEL, timestamp=ts) == "is_archived"
    assert len(client.conversations_history(channel=CHANNEL)["messages"]) == 1


def test_a_pin_is_put_once_taken_away_once_and_goes_with_its_message(slack: FakeSlack, client: WebClient) -> None:
    ts = client.chat_postMessage(channel=CHANNEL, text="hello")["ts"]
    client.pins_add(channel=CHANNEL, timestamp=ts)
    assert refusal(client.pins_add, channel=CHANNEL, timestamp=ts) == "already_pinned"
    client.pins_remove(channel=CHANNEL, timestamp=ts)
    assert refusal(client.pins_remove, channel=CHANNEL, timestamp=ts) == "no_pin"
    client.pins_add(channel=CHANNEL, timestamp=ts)
    slack.control.remove(CHANNEL, ts)
    assert client.conversations_history(channel=CHANNEL)["pin_count"] == 0
    assert refusal(client.chat_update, channel=CHANNEL, ts=ts, text="x") == "message_not_found"


def test_a_broadcast_reply_stands_in_its_thread_and_in_the_channel(client: WebClient) -> None:
    root = client.chat_postMessage(channel=CHANNEL, text="root")["ts"]
    client.chat_postMessage(channel=CHANNEL, text="quiet", thread_ts=root)
    client.chat_postMessage(channel=CHANNEL, text="loud", thread_ts=root, reply_broadcast=True)
    shown = [message["text"] for message in client.conversations_history(channel=CHANNEL)["messages"]]
    assert shown == ["loud", "root"]
    assert [message["text"] for message in client.conversations_replies(channel=CHANNEL, ts=root)["messages"]] == [
        "root",
        "quiet",
        "loud",
    ]


def test_a_call_without_its_scope_is_refused_and_told_which() -> None:
    with FakeSlack(scopes=("chat:write", "channels:history", "groups:write")) as slack:
        client = web(slack)
        client.chat_postMessage(channel=CHANNEL, text="hello")
        client.conversations_history(channel=CHANNEL)
        private = client.conversations_create(name="inc-1", is_private=True)["channel"]["id"]
        with pytest.raises(SlackApiError) as refused:
            client.conversations_history(channel=private)
        assert (refused.value.response["error"], refused.value.response["needed"]) == ("missing_scope", "groups:history")
        assert refusal(client.conversations_create, name="inc-2") == "missing_scope"
        assert refusal(client.pins_add, channel=CHANNEL, timestamp="1.000000") == "missing_scope"


def test_a_method_is_called_as_often_a_minute_as_its_tier_allows() -> None:
    clock = Clock()
    with FakeSlack(clock=clock) as slack:
        client = web(slack)
        ts = client.chat_postMessage(channel=CHANNEL, text="hello")["ts"]
        for number in range(50):
            client.chat_update(channel=CHANNEL, ts=ts, text=str(number))
        with pytest.raises(SlackApiError) as refused:
            client.chat_update(channel=CHANNEL, ts=ts, text="too often")
        assert refused.value.response.status_code == 429
        wait = int(refused.value.response.headers["Retry-After"])
        clock.pass_(wait)
        client.chat_update(channel=CHANNEL, ts=ts, text="later")


def test_a_command_that_the_app_has_not_is_refused(slack: FakeSlack) -> None:
    with pytest.raises(Refused, match="not a valid command"):
        slack.control.command(ALICE, CHANNEL, "/frobnicate")
