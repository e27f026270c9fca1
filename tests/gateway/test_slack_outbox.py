"""The loop that drives the outbox: it rests when Slack says so, and one incident's trouble holds up no other."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

import pytest

from drill.slack.server import FakeSlack
from gateway.slack.outbox import SlackOutbox
from incident.ledger import INTAKE, Kind
from incident.people.messages import progress
from incident.policy import Policy
from tasks.config import Config
from tasks.ledger import Turn
from tasks.outbox import Sender
from tasks.slack import SlackUnavailable, SlackWorkspace

pytestmark = pytest.mark.served

FIRST, SECOND = "inc-000000000001", "inc-000000000002"


class Sending:
    """Stands for the sender: notes whom it was asked for, and fails as told."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.failing: dict[str, SlackUnavailable] = {}

    def send(self, incident: str) -> None:
        self.asked[incident] += 1
        if incident in self.failing:
            raise self.failing[incident]


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def look(loop: SlackOutbox) -> None:
    asyncio.run(loop.look())


@pytest.fixture
def turn(tmp_path):
    turn = Turn(f"sqlite:///{tmp_path / 'ledger.db'}", "slack")
    yield turn
    turn.give_back()


@pytest.fixture
def both(ledger):
    for incident in (FIRST, SECOND):
        ledger.append(incident, Kind.NOTE, "begun", {})
    ledger.append(INTAKE, Kind.DELIVERY, "delivery", {})


def test_it_asks_for_an_incident_only_when_that_has_new_lines(ledger, both, turn):
    sending = Sending()
    loop = SlackOutbox(ledger, sending, turn)
    for _ in range(3):
        look(loop)
    assert sending.asked == {FIRST: 1, SECOND: 1}
    ledger.append(FIRST, Kind.NOTE, "more", {})
    look(loop)
    assert sending.asked == {FIRST: 2, SECOND: 1}


def test_slack_that_asks_to_wait_is_left_alone_for_so_long(ledger, both, turn):
    sending, time = Sending(), Time()
    sending.failing[FIRST] = SlackUnavailable("Slack answered status 429", retry_after=30)
    loop = SlackOutbox(ledger, sending, turn, now=time)
    look(loop)
    asked = sum(sending.asked.values())
    time.now += 29
    look(loop)
    assert sum(sending.asked.values()) == asked
    time.now += 1
    sending.failing.clear()
    look(loop)
    assert sending.asked[SECOND] == 1


def test_the_rests_grow_while_slack_is_away_and_never_beyond_a_minute(ledger, both, turn):
    sending, time = Sending(), Time()
    sending.failing = dict.fromkeys((FIRST, SECOND), SlackUnavailable("Slack was not reached"))
    loop = SlackOutbox(ledger, sending, turn, now=time)
    tries: list[float] = []
    for _ in range(600):
        before = sum(sending.asked.values())
        look(loop)
        if sum(sending.asked.values()) > before:
            tries.append(time.now)
        time.now += 1
    rests = [later - earlier for earlier, later in pairwise(tries)]
    assert rests[:5] == [1, 2, 4, 8, 16]
    assert max(rests) == 60


def test_an_incident_whose_channel_is_gone_holds_up_no_other(ledger, both, turn):
    sending = Sending()
    sending.failing[FIRST] = SlackUnavailable("Slack answered channel_not_found", code="channel_not_found")
    look(SlackOutbox(ledger, sending, turn))
    assert sending.asked == {FIRST: 1, SECOND: 1}


def test_a_gateway_without_the_turn_sends_nothing_until_the_other_ends(ledger, both, turn, tmp_path):
    other = Turn(f"sqlite:///{tmp_path / 'ledger.db'}", "slack")
    assert other.take()
    sending = Sending()
    loop = SlackOutbox(ledger, sending, turn)
    look(loop)
    assert not sending.asked
    other.give_back()
    look(loop)
    assert sending.asked == {FIRST: 1, SECOND: 1}


def test_two_incidents_written_while_slack_was_down_are_both_filled_in_when_it_is_back(ledger, turn, tmp_path):
    with FakeSlack(bot_token="xoxb-test", channels=("C0TEST",), users=[], team="T0TEST", rate_limit=False) as slack:
        told = {"bot_token": "xoxb-test", "channel": "C0TEST", "team": "T0TEST", "base_url": slack.api_url}
        config = Config.model_validate({"home": tmp_path, "slack": told})
        clock = ledger._clock
        time = Time()
        loop = SlackOutbox(
            ledger, Sender(ledger, SlackWorkspace("xoxb-test", slack.api_url), Policy(), config, clock), turn, now=time
        )
        slack.control.fault("down")
        for number in range(3):
            for incident in (FIRST, SECOND):
                text, blocks = progress(f"{incident} {number}")
                ledger.append(incident, Kind.MESSAGE, f"message:{number}", {"key": str(number), "text": text, "blocks": blocks})
            look(loop)
            time.now += 100
        slack.control.clear_faults()
        look(loop)
        texts = [message["text"] for message in slack.control.messages() if "thread_ts" in message and "reply_count" not in message]
        for incident in (FIRST, SECOND):
            assert [text for text in texts if text.startswith(incident)] == [f"{incident} {number}" for number in range(3)]
        assert len(slack.workspace.channels["C0TEST"].pinned) == 2
