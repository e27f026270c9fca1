"""Messages go from the ledger to Slack in order and once, whatever Slack does; the pinned status message is kept current."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from drill.slack.server import FakeSlack
from incident.ledger import Kind
from incident.people import messages
from incident.people.outbox import outbox, outstanding_since
from incident.policy import Policy, Responder
from tasks.config import Config
from tasks.ledger import Ledger
from tasks.outbox import Sender
from tasks.slack import SlackUnavailable, SlackWorkspace

TEAM, CHANNEL, INCIDENT, ALICE, BOB = "T0TEST", "C0TEST", "inc-0123456789ab", "U0ALICE", "U0BOB"
SCOPES = {
    "chat:write",
    "channels:history",
    "groups:history",
    "groups:read",
    "groups:write",
    "pins:write",
    "users:read",
    "commands",
}
POLICY = Policy(
    responders=(
        Responder(name="alice", slack_team=TEAM, slack_user=ALICE),
        Responder(name="bob", slack_team=TEAM, slack_user=BOB),
        Responder(name="gone", slack_team=TEAM, slack_user="U0GONE"),
        Responder(name="elsewhere", slack_team="T0OTHER", slack_user="U0OTHER"),
    )
)
OPENED = {
    "finding": "f",
    "type": "UnauthorizedAccess:EC2/SSH",
    "severity": 8.0,
    "account": "111122223333",
    "region": "us-east-1",
    "suspects": [],
    "title": "Key of <!channel> *mallory* used",
    "responds": True,
    "reason": "",
}


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


class Desk:
    """The practice Slack, the ledger of one incident, and the sender between them."""

    def __init__(self, slack: FakeSlack, ledger: Ledger, clock: Clock, place: str) -> None:
        self.slack, self.ledger, self.clock = slack, ledger, clock
        told = {"bot_token": "xoxb-test", "channel": CHANNEL, "team": TEAM, "base_url": slack.api_url, "place": place}
        self.config = Config.model_validate({"home": "/nonexistent", "slack": told})
        self.sender = self.new_sender()
        ledger.append(INCIDENT, Kind.OPENED, "opened", OPENED)

    def new_sender(self) -> Sender:
        return Sender(self.ledger, SlackWorkspace("xoxb-test", self.slack.api_url), POLICY, self.config, self.clock)

    def say(self, key: str, text: str = "") -> None:
        self.write(key, *messages.progress(text or key))

    def write(self, key: str, text: str, blocks: list) -> None:
        self.ledger.append(INCIDENT, Kind.MESSAGE, f"message:{key}", {"key": key, "text": text, "blocks": blocks})

    def send(self) -> None:
        self.sender.send(INCIDENT)

    def fails(self) -> SlackUnavailable:
        with pytest.raises(SlackUnavailable) as failed:
            self.send()
        return failed.value

    def until_sent(self, tries: int = 30) -> int:
        """Send again until nothing is outstanding; how often that failed."""
        for failures in range(tries):
            try:
                self.send()
            except SlackUnavailable:
                continue
            return failures
        raise AssertionError("it did not arrive")

    def messages(self) -> list[dict]:
        return self.slack.control.messages()

    def texts(self) -> list[str]:
        """The messages after the status message, in the order in which they stand."""
        return [message["text"] for message in self.messages()[1:]]

    def root(self) -> dict:
        return next(message for message in self.messages() if message.get("pinned_to"))

    def outbox(self):
        return outbox(self.ledger.lines(INCIDENT))


@pytest.fixture
def slack():
    users = [{"id": user, "name": user[2:].lower(), "team_id": TEAM} for user in (ALICE, BOB)]
    keys = {"bot_token": "xoxb-test", "app_token": "xapp-test"}
    with FakeSlack(**keys, channels=(CHANNEL,), users=users, team=TEAM, scopes=SCOPES, rate_limit=False) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(slack, tmp_path, clock):
    return Desk(slack, Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", clock), clock, "thread")


def words_of(message: dict) -> str:
    return str(message["blocks"])


def test_the_first_message_is_the_pinned_status_and_the_rest_follows_in_its_thread(desk):
    desk.say("opened")
    desk.say("contain-1", "3 done")
    desk.send()
    root, event = desk.messages()
    assert root["pinned_to"] == [CHANNEL]
    assert "UnauthorizedAccess:EC2/SSH" in words_of(root)
    assert "<!channel>" not in words_of(root)
    assert (event["text"], event["thread_ts"]) == ("3 done", root["ts"])
    assert desk.outbox().waiting == ()


def test_the_status_message_is_changed_when_something_happened_and_only_then(desk):
    desk.say("opened")
    desk.send()
    desk.ledger.append(INCIDENT, Kind.PHASE, "phase:identify:1:begun", {"phase": "identify", "look": 1, "state": "begun"})
    desk.send()
    desk.send()
    assert "identify" in words_of(desk.root())
    assert desk.slack.control.calls()["chat.update"] == 1
    rows = [{"account": "111122223333", "region": "eu-west-1", "status": "denied", "why": "AccessDenied"}]
    desk.ledger.append(INCIDENT, Kind.COVERAGE, "coverage:1", {"what": "events", "regions": rows})
    desk.send()
    assert "eu-west-1: denied, AccessDenied" in words_of(desk.root())
    desk.ledger.append(INCIDENT, Kind.REPORT, "report:1", {"status": "incomplete", "url": "x"})
    desk.send()
    assert "Ended · incomplete" in words_of(desk.root())


@pytest.mark.parametrize("kind", ["429", "5xx", "drop_before", "drop_after"])
@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update", "pins.add", "conversations.replies", "auth.test"])
def test_every_message_arrives_once_and_in_order_whatever_call_is_lost(desk, kind, method):
    desk.slack.control.fault(kind, method, times=2)
    for number in range(3):
        desk.say("opened" if number == 0 else f"event-{number}")
        desk.ledger.append(INCIDENT, Kind.PHASE, f"phase:{number}", {"phase": "scope", "look": number, "state": "begun"})
        desk.until_sent()
    desk.slack.control.fault("drop_after", "chat.postMessage")
    desk.say("last")
    desk.until_sent()
    assert desk.texts() == ["event-1", "event-2", "last"]
    assert len(desk.root()["pinned_to"]) == 1
    assert "look 2" in words_of(desk.root())


def test_an_outage_of_the_whole_incident_is_filled_in_afterwards_in_order(desk, clock):
    desk.slack.control.fault("down")
    desk.say("opened")
    began = clock.now
    for number in range(5):
        desk.fails()
        clock.now += timedelta(minutes=10)
        desk.say(f"event-{number}")
    assert outstanding_since(desk.ledger.lines(INCIDENT)) == began
    desk.ledger.append(INCIDENT, Kind.REPORT, "report:1", {"status": "restored", "url": "x"})
    clock.now += timedelta(minutes=10)
    desk.slack.control.clear_faults()
    desk.new_sender().send(INCIDENT)
    assert desk.texts() == [f"event-{number}" for number in range(5)]
    assert "Slack was not reached until now" in words_of(desk.messages()[1])
    assert outstanding_since(desk.ledger.lines(INCIDENT)) is None
    noted = [line.body["why"] for line in desk.ledger.lines(INCIDENT, Kind.NOTE)]
    assert len(noted) == len(set(noted)) == 1


def test_a_sender_that_was_killed_after_its_post_is_followed_by_one_that_finds_it(desk):
    desk.say("opened")
    desk.say("event")
    desk.slack.control.fault("drop_after", "chat.postMessage", times=1)
    desk.fails()
    desk.new_sender().send(INCIDENT)
    desk.new_sender().send(INCIDENT)
    assert desk.texts() == ["event"]
    assert len(desk.messages()) == 2


def test_how_long_slack_asks_to_wait_is_told(desk):
    desk.slack.control.fault("429", "chat.postMessage", retry_after=30)
    desk.say("opened")
    assert desk.fails().retry_after == 30


def test_the_limit_on_messages_into_a_channel_loses_none_and_doubles_none(slack, tmp_path, clock):
    with FakeSlack(bot_token="xoxb-test", channels=(CHANNEL,), users=[], team=TEAM, clock=lambda: clock().timestamp()) as limited:
        desk = Desk(limited, Ledger.open(f"sqlite:///{tmp_path / 'other.db'}", clock), clock, "thread")
        desk.say("opened")
        for number in range(12):
            desk.say(f"event-{number}")
        waits = [wait for _ in range(12) if (wait := wait_asked(desk))]
        assert set(waits) == {1}
        assert desk.texts() == [f"event-{number}" for number in range(12)]


def wait_asked(desk: Desk) -> float:
    """Send as far as it goes, and let the wait pass that Slack then asks for."""
    try:
        desk.send()
    except SlackUnavailable as error:
        desk.clock.now += timedelta(seconds=error.retry_after)
        return error.retry_after
    return 0


def question(desk: Desk) -> None:
    button = {"type": "button", "action_id": "countermand_approve", "text": {"type": "plain_text", "text": "Approve"}, "value": "1"}
    desk.write("question:contain-1", "decide", [messages.section("facts"), {"type": "actions", "elements": [button]}])


def test_a_question_shows_in_the_channel_too_and_loses_its_buttons_when_it_is_settled(desk):
    desk.say("opened")
    question(desk)
    desk.send()
    asked = desk.messages()[1]
    assert (asked["subtype"], asked["blocks"][-1]["type"]) == ("thread_broadcast", "actions")
    desk.say("answer:contain-1", "Contain: approved (alice in slack)")
    desk.slack.control.fault("drop_after", "chat.update")
    desk.until_sent()
    asked = desk.messages()[1]
    assert [block["type"] for block in asked["blocks"]] == ["section", "section"]
    assert "approved" in words_of(asked)
    assert "facts" in words_of(asked)


def test_a_deleted_status_message_is_replaced_and_pinned(desk):
    desk.say("opened")
    desk.send()
    desk.slack.control.remove(CHANNEL, desk.root()["ts"])
    desk.say("event")
    desk.until_sent()
    desk.send()
    root, event = desk.messages()
    assert root["pinned_to"] == [CHANNEL]
    assert (event["text"], event["thread_ts"]) == ("event", root["ts"])


def test_a_pin_that_slack_refuses_holds_no_message_back(desk):
    desk.slack.api.scopes = frozenset(SCOPES - {"pins:write"})
    desk.say("opened")
    desk.say("event")
    desk.send()
    assert desk.texts() == ["event"]
    desk.send()
    assert desk.slack.control.calls()["pins.add"] == 1


def test_a_message_over_slacks_limits_is_cut_and_keeps_its_buttons(desk):
    desk.say("opened")
    button = {"type": "button", "action_id": "countermand_approve", "text": {"type": "plain_text", "text": "Go"}, "value": "1"}
    many = [messages.section("&amp;" * 580) for _ in range(60)]
    desk.write("question:big", "x" * 50_000, [*many, {"type": "actions", "elements": [button]}])
    desk.send()
    big = desk.messages()[1]
    assert len(big["text"]) < 4000
    assert big["blocks"][-1]["type"] == "actions"
    assert "more in the report" in words_of(big)


def test_an_incident_of_its_own_channel_has_topic_pin_and_responders_in_it(slack, tmp_path, clock):
    desk = Desk(slack, Ledger.open(f"sqlite:///{tmp_path / 'l.db'}", clock), clock, "channel")
    desk.slack.control.fault("drop_after", "conversations.create")
    desk.slack.control.fault("5xx", "conversations.invite")
    desk.say("opened")
    desk.say("event")
    desk.until_sent()
    (channel,) = [one for one in slack.workspace.channels.values() if one.id != CHANNEL]
    assert channel.name == "inc-0123456789ab-unauthorizedaccess-ec2-ssh"
    assert (channel.private, channel.members) == (True, {ALICE, BOB})
    assert INCIDENT in channel.topic
    root, event = desk.messages()
    assert (root["channel"], root["pinned_to"], event["channel"]) == (channel.id, [channel.id], channel.id)
    assert "thread_ts" not in event
    assert desk.ledger.find(INCIDENT, "place").body["not_invited"] == ["U0GONE: user_not_found"]


def test_a_channel_that_somebody_else_named_first_is_not_used(slack, tmp_path, clock):
    slack.workspace.create("inc-0123456789ab-unauthorizedaccess-ec2-ssh", private=True).creator = "U0MALLORY"
    desk = Desk(slack, Ledger.open(f"sqlite:///{tmp_path / 'l.db'}", clock), clock, "channel")
    desk.say("opened")
    desk.send()
    (root,) = desk.messages()
    assert slack.workspace.channels[root["channel"]].name.endswith("-2")


def test_an_archived_channel_keeps_messages_until_it_is_back(desk):
    desk.say("opened")
    desk.send()
    desk.slack.control.archive(CHANNEL)
    desk.say("event")
    assert desk.fails().code == "is_archived"
    desk.slack.control.archive(CHANNEL, undo=True)
    desk.send()
    assert desk.texts() == ["event"]


def test_an_incident_that_ended_before_there_was_a_status_is_left_alone(desk):
    desk.say("opened")
    desk.ledger.append(INCIDENT, Kind.MESSAGE, "sent:opened", {"key": "opened", "ts": "1700000000.000100"})
    desk.ledger.append(INCIDENT, Kind.REPORT, "report:1", {"status": "restored", "url": "x"})
    desk.send()
    assert desk.slack.control.calls() == {}
