"""Escalation as people meet it: the commands, real mail and webhooks, and an incident through which Slack is down."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from receivers import Mailbox, MailServer, Receiver

from drill.slack.server import FakeSlack
from flows.escalate import escalate
from gateway.escalator import Escalator
from incident.ledger import ESCALATION_CHAIN, Kind
from incident.people.escalation import EscalationPolicy
from incident.people.messages import progress
from incident.people.occasions import facts
from incident.people.rehearsal import begun, next_step, result
from incident.policy import Policy
from tasks.acknowledging import Acknowledging
from tasks.config import Config
from tasks.escalating import escalating
from tasks.hands import hands, utc_now, wire
from tasks.ledger import Ledger
from tasks.outbox import Sender
from tasks.roster import Roster
from tasks.slack import SlackUnavailable, SlackWorkspace
from tests.certificates import certificate

pytestmark = pytest.mark.served

INCIDENT = "inc-0123456789ab"
OPENED = {
    "title": "Alice's key",
    "type": "Recon:IAMUser/X",
    "severity": 8.0,
    "account": "111122223333",
    "region": "us-east-1",
    "responds": True,
    "reason": "why",
    "pages": False,
    "suspects": ["arn:aws:iam::111122223333:user/mallory"],
}
ESCALATION = """
contacts:
  first: {responder: alice, email: [alice@example.com], webhook: [pager]}
  boss: {email: [boss@example.com]}
ladders:
  main:
    levels:
      - {name: on call, whom: [first], wait_minutes: 5, repeats: 1}
      - {name: boss, whom: [boss], wait_minutes: 10}
rules: [{ladder: main}]
fallback: {after_seconds: 60, whom: [boss]}
stakeholders:
  - {name: AWS Support, support_case: {}, when: {severity: 9}}
"""
POLICY = """
responders:
  - {name: alice}
  - {name: mallory, principals: ["arn:aws:iam::111122223333:user/mallory"]}
"""


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def box(paper, monkeypatch):
    mailbox = Mailbox()
    with MailServer(mailbox, paper) as server:
        for name, value in (
            ("HOST", "localhost"),
            ("PORT", str(server.port)),
            ("SENDER", "countermand@example.com"),
            ("CA_FILE", str(paper[0])),
        ):
            monkeypatch.setenv(f"COUNTERMAND_EMAIL__{name}", value)
        yield mailbox


@pytest.fixture
def pager(monkeypatch):
    with Receiver() as receiver:
        hooks = {"pager": {"url": receiver.url, "key": "a-secret-key", "proxy": False}}
        monkeypatch.setenv("COUNTERMAND_WEBHOOKS", json.dumps(hooks))
        yield receiver


@pytest.fixture
def configured(box, pager, monkeypatch, tmp_path):
    """A configuration with a policy, mail and a webhook."""
    monkeypatch.setenv("COUNTERMAND_HOME", str(tmp_path / "home"))
    for name, text in (("ESCALATION", ESCALATION), ("POLICY", POLICY)):
        file = tmp_path / f"{name.lower()}.yaml"
        file.write_text(text)
        monkeypatch.setenv(f"COUNTERMAND_{name}_FILE", str(file))
    (tmp_path / "home").mkdir()
    return Config()


@pytest.fixture
def book(configured) -> Ledger:
    return Ledger.open(configured.ledger, utc_now)


@pytest.fixture
def code(configured, book):
    """A fresh one-time code of a person."""

    def code_(person: str) -> str:
        roster = Roster(configured.folder / "roster", book, utc_now)
        return pyotp.parse_uri(roster.enrol(person)).now()

    return code_


def test_show_prints_the_ladder_with_its_times(run, configured):
    ended, out, _ = run("escalation", "show", "--severity", "8")
    assert ended == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if " min" in line and "│" in line]
    assert [(row[0], row[1]) for row in rows] == [("0 min", "1 on call"), ("5 min", "again"), ("10 min", "2 boss")]
    assert "not at this severity: severity 9" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("escalation", "show", "--phase", "lunch"), "there is no phase 'lunch'; give one of opened,"),
        (("ack", "inc-none", "--as", "alice", "--code", "1"), "the ledger knows no incident inc-none"),
        (("escalate", "inc-none", "--as", "alice", "--code", "1", "--reason", "x"), "the ledger knows no incident inc-none"),
    ],
)
def test_a_mistake_is_one_line(run, configured, arguments, says):
    ended, _, err = run(*arguments)
    assert ended == 2
    assert says in " ".join(err.split())


def test_without_a_policy_the_commands_say_how_to_get_one(run):
    for command in (("escalation", "show"), ("escalation", "test", "--as", "alice")):
        ended, _, err = run(*command)
        assert ended == 2
        assert "copy deployments/escalation.example.yaml" in " ".join(err.split())


def test_a_policy_with_a_mistake_is_one_line_with_its_line(run, configured):
    configured.escalation_file.write_text(ESCALATION.replace("whom: [boss], wait", "whom: [nobody], wait"))
    ended, _, err = run("escalation", "show")
    assert ended == 2
    assert "escalation.yaml:9: there is no contact 'nobody'; name one of boss, first" in " ".join(err.split())


def test_ack_takes_the_incident_for_whoever_proves_who_they_are(run, configured, book, code):
    book.append(INCIDENT, Kind.OPENED, "opened", OPENED)
    assert run("ack", INCIDENT, "--as", "alice", "--code", "000000")[0] == 2
    assert run("ack", INCIDENT, "--as", "mallory", "--code", code("mallory"))[0] == 2
    assert not book.lines(INCIDENT, Kind.ACK)
    ended, out, _ = run("ack", INCIDENT, "--as", "alice", "--code", code("alice"))
    assert ended == 0
    assert "It is yours until" in out
    (line,) = book.lines(INCIDENT, Kind.ACK)
    assert (line.body["person"], line.body["surface"]) == ("alice", "command line")
    taken, until = (datetime.fromisoformat(line.body[name]) for name in ("at", "until"))
    assert until - taken == timedelta(hours=1)


def test_escalate_calls_the_next_level(run, configured, book, code, box):
    book.append(INCIDENT, Kind.OPENED, "opened", OPENED)
    escalating(wire(configured)).look()
    assert run("escalate", INCIDENT, "--as", "alice", "--code", code("alice"), "--reason", "two regions at once")[0] == 0
    escalating(wire(configured)).look()
    assert box.recipients == ["alice@example.com", "boss@example.com"]
    assert "alice called you in: two regions at once" in box.mails[1].get_content()


def test_the_test_walks_the_ladder_and_says_who_was_silent(run, configured, book, box, pager):
    """Alice acknowledges from her pager; the boss sleeps."""
    desk = Acknowledging(book, Roster(configured.folder / "roster", book, utc_now), Policy(), utc_now)

    def acknowledge(received) -> int:
        desk.taken(received.json["incident"], "alice", "slack")
        return 202

    pager.answer = acknowledge
    ended, out, _ = run("escalation", "test", "--as", "alice", "--severity", "8", "--within", "0.03")
    assert ended == 1
    assert "did not answer: boss" in out
    (line,) = book.lines(ESCALATION_CHAIN)
    assert line.body["unanswered"] == ["boss"]
    assert line.body["undelivered"] == []
    assert not line.body["passed"]
    one, two = line.body["levels"]
    assert {way["way"].partition(":")[0] for way in one["contacts"][0]["told"]} == {"email", "webhook"}
    assert one["contacts"][0]["answered_at"]
    assert two["contacts"][0]["answered_at"] is None
    assert box.recipients == ["alice@example.com", "boss@example.com"]
    assert all("[TEST]" in mail["Subject"] and "This is a TEST" in mail.get_content() for mail in box.mails)
    assert "a-secret-key" not in str([each.body for each in book.lines(line.body["test"])])


def test_a_test_in_which_everybody_answers_passes(run, configured, book, pager):
    file = configured.escalation_file
    file.write_text(file.read_text().replace("      - {name: boss, whom: [boss], wait_minutes: 10}\n", ""))
    desk = Acknowledging(book, Roster(configured.folder / "roster", book, utc_now), Policy(), utc_now)
    pager.answer = lambda one: desk.taken(one.json["incident"], "alice", "slack") and 202
    assert run("escalation", "test", "--as", "alice", "--within", "1")[0] == 0
    assert book.lines(ESCALATION_CHAIN)[0].body["passed"]


def test_a_test_says_what_was_not_delivered(run, configured, book, box, pager, monkeypatch):
    monkeypatch.setattr("gateway.commands.escalation._DELIVERY_GRACE", timedelta(0))
    box.answers["RCPT"] = "550 no such user"
    assert run("escalation", "test", "--as", "alice", "--within", "0.01")[0] == 1
    (failed,) = book.lines(ESCALATION_CHAIN)[0].body["undelivered"]
    assert failed.startswith("first: email:1: the mail server refused alice@example.com with 550")


def test_the_gateways_loop_tells_once_though_it_is_ended_and_started_again(configured, book, box, pager, wait_until):
    book.append(INCIDENT, Kind.OPENED, "opened", OPENED)

    async def for_a_while(done) -> None:
        loop = asyncio.create_task(Escalator(escalating(wire(configured)), 0.02).run())
        await asyncio.to_thread(wait_until, done)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)

    def delivered() -> int:
        return len([line for line in book.lines(INCIDENT, Kind.NOTICE) if line.key.startswith("result:")])

    asyncio.run(for_a_while(lambda: delivered() == 2))
    book.append(INCIDENT, Kind.ESCALATE, "escalate:1", {"person": "alice", "surface": "slack", "reason": "help"})
    asyncio.run(for_a_while(lambda: delivered() == 3))
    assert box.recipients == ["alice@example.com", "boss@example.com"]
    assert len(pager.received) == 1


@pytest.fixture
def fresh_hands():
    """The hands of this process are wired anew, before and after."""
    hands.cache_clear()
    yield
    hands.cache_clear()


@pytest.mark.usefixtures("fresh_hands")
def test_the_scheduled_net_tells_as_the_gateway_does_and_nobody_again(configured, book, box, pager):
    book.append(INCIDENT, Kind.OPENED, "opened", OPENED)
    assert asyncio.run(escalate.fn()).startswith("next look due at ")
    assert asyncio.run(escalate.fn()).startswith("next look due at ")
    assert (box.recipients, len(pager.received)) == (["alice@example.com"], 1)


class Time:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def slack():
    with FakeSlack(
        signing_secret="secret",
        bot_token="xoxb-test",
        app_token="xapp-test",
        request_url="http://127.0.0.1:9/",
        channels=("C0TEST",),
        users=[{"id": "U0ALICE", "name": "alice", "team_id": "T0TEST"}],
        team="T0TEST",
    ) as running:
        yield running


def sender_to(slack: FakeSlack, configured: Config, book: Ledger, clock) -> Sender:
    config = configured.model_copy(update={"slack": configured.slack.model_copy(update={"channel": "C0TEST"})})
    return Sender(book, SlackWorkspace("xoxb-test", slack.api_url), Policy(), config, clock)


def test_a_test_reaches_people_in_slack_too(configured, book, slack):
    policy = EscalationPolicy.model_validate(
        {
            "contacts": {"first": {"slack": ["U0ALICE"]}},
            "ladders": {"main": {"levels": [{"name": "on call", "whom": ["first"]}]}},
            "rules": [{"ladder": "main"}],
        }
    )
    test = "escalation-test-1"
    book.append(*begun(test, "alice", 8, "main", None))
    book.append_all(next_step(policy, facts(book.lines(test), utc_now()), book.lines(test), utc_now()).entries)
    sender_to(slack, configured, book, utc_now).send(test)
    assert any("<@U0ALICE>" in str(message["blocks"]) and "TEST" in message["text"] for message in slack.control.messages())
    assert result(policy, book.lines(test), utc_now())[3]["undelivered"] == []


def test_through_an_incident_without_slack_mail_carries_every_message_once_and_the_thread_is_filled_in_after(
    configured, box, pager, slack
):
    clock = Time()
    hands = wire(configured, clock)
    driver = escalating(hands)
    sender = sender_to(slack, configured, hands.ledger, clock)
    slack.api.faults.order({"kind": "down"})
    hands.ledger.append(INCIDENT, Kind.OPENED, "opened", OPENED)
    for number in (1, 2, 3):
        text, blocks = progress(f"Containment {number}")
        body = {"key": f"contain-{number}", "text": text, "blocks": blocks}
        hands.ledger.append(INCIDENT, Kind.MESSAGE, f"message:contain-{number}", body)
        with pytest.raises(SlackUnavailable):
            sender.send(INCIDENT)
        driver.look()
        clock.now += timedelta(seconds=61)
    driver.look()
    driver.look()
    told = [mail.get_content() for mail in box.mails if "Slack is down" in mail["Subject"]]
    assert [text.count("Containment") for text in told] == [1, 1, 1]
    slack.api.faults.clear()
    sender.send(INCIDENT)
    posted = [message["text"] for message in slack.control.messages()]
    assert [sum(f"Containment {number}" in text for text in posted) for number in (1, 2, 3)] == [1, 1, 1]
    clock.now += timedelta(minutes=1)
    driver.look()
    assert len([mail for mail in box.mails if "Slack is down" in mail["Subject"]]) == 3
