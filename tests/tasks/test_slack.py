"""Messages reach Slack once, whatever is lost on the way, against the practice Slack."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from slack_sdk import WebClient

from drill.slack.server import FakeSlack
from incident.people.messages import progress
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


def test_a_reply_lost_in_a_thread_is_found_there(slack, channel):
    root = channel.post("inc-1:opened", *progress("opened"))
    fault(slack, method="chat.postMessage", kind="drop_after")
    with pytest.raises(SlackUnavailable):
        channel.post("inc-1:a", *progress("contained"), root)
    (reply,) = [message for message in slack.control.messages() if message["ts"] != root]
    assert channel.post("inc-1:a", *progress("contained"), root) == reply["ts"]
    assert texts(slack) == ["opened", "contained"]


def test_another_process_finds_what_the_first_one_posted(slack, channel):
    first = channel.post("inc-1:a", *progress("contained"))
    after_a_restart = SlackChannel("xoxb-test", CHANNEL, f"{slack.url}/api/")
    assert after_a_restart.post("inc-1:a", *progress("contained")) == first
    assert texts(slack) == ["contained"]


def test_a_message_is_found_behind_many_later_ones(slack):
    slack.api.limit = None
    channel = SlackChannel("xoxb-test", CHANNEL, f"{slack.url}/api/")
    first = channel.post("inc-1:a", *progress("contained"))
    web = WebClient("xoxb-test", base_url=slack.api_url)
    for number in range(450):
        web.chat_postMessage(channel=CHANNEL, text=f"later {number}")
    assert channel.post("inc-1:a", *progress("contained")) == first
    assert texts(slack).count("contained") == 1


def test_threads_that_post_the_same_key_at_once_post_one_message(slack, channel):
    together = threading.Barrier(8)

    def post(_: int) -> str:
        together.wait(10)
        return channel.post("inc-1:a", *progress("contained"))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(post, range(8)))) == 1
    assert texts(slack) == ["contained"]


def test_somebody_elses_message_with_our_key_keeps_ours_from_nobody(slack, channel):
    """Another app in the channel may write the same metadata; it must not silence a question."""
    metadata = {"event_type": "countermand_message", "event_payload": {"key": "inc-1:question"}}
    theirs = WebClient("xoxb-test", base_url=slack.api_url).chat_postMessage(channel=CHANNEL, text="nothing", metadata=metadata)
    slack.workspace.message(CHANNEL, theirs["ts"]).update(user="U0OTHERAPP", bot_id="B0OTHERAPP")
    assert channel.post("inc-1:question", *progress("decide")) != theirs["ts"]
    assert texts(slack) == ["nothing", "decide"]


def test_a_rate_limit_is_told_with_its_wait_and_nothing_is_sent_meanwhile(slack, channel):
    fault(slack, method="chat.postMessage", kind="429", retry_after=7)
    with pytest.raises(SlackUnavailable, match="429") as told:
        channel.post("inc-1:a", *progress("contained"))
    assert (told.value.retry_after, told.value.code) == (7, "")
    assert slack.control.calls()["chat.postMessage"] == 1
    channel.post("inc-1:a", *progress("contained"))
    assert texts(slack) == ["contained"]


def test_an_update_takes_the_buttons_away(slack, channel):
    button = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}, "value": "1"}
    ts = channel.post("inc-1:a", "decide", [{"type": "actions", "elements": [button]}])
    channel.update(ts, *progress("decided"))
    (message,) = slack.control.messages()
    assert [block["type"] for block in message["blocks"]] == ["section"]
    assert message["metadata"]["event_payload"] == {"key": "inc-1:a"}
    assert channel.post("inc-1:a", *progress("decided")) == ts


def test_a_message_whose_blocks_slack_refuses_arrives_as_text(slack, channel):
    ts = channel.post("inc-1:a", "hello", [{"type": "blink"}])
    (message,) = slack.control.messages()
    assert (message["text"], message.get("blocks")) == ("hello", None)
    assert channel.post("inc-1:a", "hello", [{"type": "blink"}]) == ts
    channel.update(ts, "bye", [{"type": "blink"}])
    assert texts(slack) == ["bye"]


def test_a_message_that_slack_refuses_says_why(slack):
    elsewhere = SlackChannel("xoxb-test", "C0NOWHERE", f"{slack.url}/api/")
    with pytest.raises(SlackUnavailable, match="channel_not_found") as refused:
        elsewhere.post("inc-1:a", *progress("contained"), look=False)
    assert refused.value.code == "channel_not_found"


def test_a_wrong_token_says_so_without_showing_it(slack):
    wrong = SlackChannel("xoxb-wrong", CHANNEL, f"{slack.url}/api/")
    with pytest.raises(SlackUnavailable, match="invalid_auth") as refused:
        wrong.post("inc-1:a", *progress("contained"))
    assert "xoxb-wrong" not in str(refused.value)


def test_slack_that_is_not_there_is_one_line(channel, slack):
    slack.stop()
    with pytest.raises(SlackUnavailable, match="not reached"):
        channel.post("inc-1:a", *progress("contained"))


def test_an_answer_that_breaks_off_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_badly() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{")

        server = threading.Thread(target=answer_badly)
        server.start()
        channel = SlackChannel("xoxb-test", CHANNEL, f"http://127.0.0.1:{listener.getsockname()[1]}/api/")
        with pytest.raises(SlackUnavailable, match="IncompleteRead") as refused:
            channel.post("inc-1:a", *progress("contained"))
        server.join(10)
    assert "\n" not in str(refused.value)
