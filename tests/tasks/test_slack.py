"""Messages reach Slack once, whatever is lost on the way, against the practice Slack."""

from __future__ import annotations

import httpx
import pytest

from drill.slack.server import FakeSlack
from incident.messages import progress
from tasks.slack import SlackChannel, SlackUnavailable

CHANNEL = "C0TEST"
KEYS = {"signing_secret": "secret", "bot_token": "xoxb-test", "app_token": "xapp-test"}


@pytest.fixture
def slack():
    users = [{"id": "U0ALICE", "name": "alice", "team_id": "T0TEST"}]
    with FakeSlack(**KEYS, request_url="http://127.0.0.1:9/", channels=(CHANNEL,), users=users, team="T0TEST") as running:
        yield running


@pytest.fixture
def channel(slack) -> SlackChannel:
    return SlackChannel("xoxb-test", CHANNEL, f"{slack.url}/api/")


def fault(slack, **what) -> None:
    httpx.post(f"{slack.url}/control/fault", json=what, timeout=10).raise_for_status()


def texts(slack) -> list[str]:
    return [message["text"] for message in httpx.get(f"{slack.url}/control/messages", timeout=10).json()["messages"]]


def test_the_same_key_posts_once(slack, channel):
    text, blocks = progress("contained")
    assert channel.post("inc-1:a", text, blocks) == channel.post("inc-1:a", text, blocks)
    assert texts(slack) == ["contained"]


def test_another_key_is_another_message(slack, channel):
    first = channel.post("inc-1:a", *progress("one"))
    channel.post("inc-1:b", *progress("two"), first)
    channel.post("inc-1:b", *progress("two"), first)
    assert sorted(texts(slack)) == ["one", "two"]


def test_a_lost_reply_is_an_error_and_the_message_is_found_at_the_next_try(slack, channel):
    fault(slack, method="chat.postMessage", kind="drop_after")
    with pytest.raises(SlackUnavailable):
        channel.post("inc-1:a", *progress("contained"))
    channel.post("inc-1:a", *progress("contained"))
    assert texts(slack) == ["contained"]


@pytest.mark.parametrize("kind", ["5xx", "drop_before"])
def test_a_message_that_slack_never_had_is_posted_at_the_next_try(slack, channel, kind):
    fault(slack, method="chat.postMessage", kind=kind)
    with pytest.raises(SlackUnavailable):
        channel.post("inc-1:a", *progress("contained"))
    assert texts(slack) == []
    channel.post("inc-1:a", *progress("contained"))
    assert texts(slack) == ["contained"]


def test_a_wrong_token_says_so_without_showing_it(slack):
    wrong = SlackChannel("xoxb-wrong", CHANNEL, f"{slack.url}/api/")
    with pytest.raises(SlackUnavailable, match="invalid_auth") as refused:
        wrong.post("inc-1:a", *progress("contained"))
    assert "xoxb-wrong" not in str(refused.value)


def test_slack_that_is_not_there_is_one_line(channel, slack):
    slack.stop()
    with pytest.raises(SlackUnavailable, match="not reached"):
        channel.post("inc-1:a", *progress("contained"))
