"""`/incident` over HTTP and over Socket Mode: who may do what, and what only they see."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pyotp
import pytest
from approval_desk import ALICE, CHANNEL, FOREIGN, GUEST, INCIDENT, MALLORY, PLAN, POLICY, STRANGER, SUSPECT, TEAM, Waker
from background import in_a_thread
from starlette.applications import Starlette
from starlette.routing import Mount

from drill.slack.server import FakeSlack
from gateway.slack.app import bolt_app, run_socket_mode, slack_app
from gateway.slack.clicks import SlackDecisions
from gateway.slack.commands import SlackCommands
from incident.approvals import Standing
from incident.ledger import Kind
from tasks.acknowledging import Acknowledging
from tasks.approvals import Approvals
from tasks.config import Config
from tasks.ledger import Ledger
from tasks.roster import Roster

OPENED = {
    "type": "UnauthorizedAccess:EC2/SSH",
    "severity": 8.0,
    "account": "111122223333",
    "region": "us-east-1",
    "suspects": [SUSPECT],
    "title": "Key of <!channel> used",
    "responds": True,
    "reason": "",
}
OTHER = "inc-0aaaaaaaaaaa"
EVERYTHING = ("list", "show", "ack", "escalate why", "approve", "report", "help")


def clock() -> datetime:
    return datetime.now(UTC)


class Desk:
    """The practice Slack, the ledger with one open incident, and the commands between them."""

    def __init__(self, slack: FakeSlack, ledger: Ledger, folder: Any, wait_until: Callable[..., None]) -> None:
        self.slack, self.ledger, self.wait_until = slack, ledger, wait_until
        self.approvals, self.roster = Approvals(ledger, POLICY, clock), Roster(folder / "roster", ledger, clock)
        config = Config.model_validate({"home": folder, "gateway": {"public_url": "https://gate.example"}})
        self.decisions = SlackDecisions(POLICY, self.approvals, self.roster, Waker())
        desk = Acknowledging(ledger, self.roster, POLICY, clock)
        self.commands = SlackCommands(ledger, POLICY, self.approvals, desk, config, clock)
        ledger.append(INCIDENT, Kind.OPENED, "opened", OPENED)

    def ask(self) -> str:
        self.ledger.append(INCIDENT, Kind.PLAN, "plan:contain:1", {"digest": PLAN.digest, "plan": PLAN.model_dump(mode="json")})
        return self.approvals.ask(PLAN, "contain", 1, (SUSPECT,)).id

    def type(self, text: str, user: str = ALICE, channel: str = CHANNEL) -> dict[str, Any]:
        """What only whoever typed it sees."""
        before = len(self.whispers())
        receipt = self.slack.control.command(user, channel, "/incident", text)
        assert (receipt["status"], receipt["error"]) == (200, "")
        self.wait_until(lambda: len(self.whispers()) > before, 10, "the answer")
        (whisper,) = self.whispers()[before:]
        assert (whisper["for"], whisper["channel"]) == (user, channel)
        return whisper

    def whispers(self) -> list[dict[str, Any]]:
        return [message for message in self.slack.control.messages() if message.get("is_ephemeral")]


@pytest.fixture(params=["http", "socket"])
def desk(request, ledger, serve, tmp_path, wait_until) -> Iterator[Desk]:
    keys = {"signing_secret": "signing", "bot_token": "xoxb-test", "app_token": "xapp-test"}
    users = [
        {"id": ALICE, "name": "alice", "team_id": TEAM},
        {"id": MALLORY, "name": "mallory", "team_id": TEAM},
        {"id": STRANGER, "name": "carl", "team_id": TEAM},
        {"id": GUEST, "name": "guest", "team_id": TEAM, "guest": "single"},
        {"id": FOREIGN, "name": "foreign", "team_id": "T0ELSEWHERE"},
    ]
    with FakeSlack(**keys, channels=(CHANNEL,), users=users, team=TEAM, commands=("/incident",)) as slack:
        desk = Desk(slack, ledger, tmp_path, wait_until)
        options = {"bot_token": "xoxb-test", "team": TEAM, "base_url": slack.api_url}
        if request.param == "http":
            door = slack_app(desk.decisions, desk.commands, signing_secret="signing", **options)
            slack.request_url = serve(Starlette(routes=[Mount("/slack", door)])) + "/slack/events"
            yield desk
            return
        app = bolt_app(desk.decisions, desk.commands, signing_secret="", **options)
        with in_a_thread(lambda: run_socket_mode(app, "xapp-test")):
            wait_until(lambda: slack.control.sockets() == 1, 10, "the connection")
            yield desk


@pytest.mark.parametrize("user", [STRANGER, GUEST, FOREIGN])
def test_guests_foreigners_and_people_without_a_role_learn_and_do_nothing(desk, user):
    desk.ask()
    lines = len(desk.ledger.lines(INCIDENT))
    for command in EVERYTHING:
        said = desk.type(command, user)
        assert INCIDENT not in str(said)
        assert (
            "may" in said["text"] or "do not decide" in said["text"] or "Only members" in said["text"] or "policy" in said["text"]
        )
    assert len(desk.ledger.lines(INCIDENT)) == lines
    assert desk.slack.control.views(closed=True) == []


def test_a_responder_sees_the_open_incidents_and_where_each_stands(desk):
    desk.ledger.append(OTHER, Kind.OPENED, "opened", OPENED | {"type": "Old:Thing"})
    desk.ledger.append(OTHER, Kind.REPORT, "report:1", {"status": "restored", "url": "x"})
    desk.ask()
    listed = str(desk.type("list")["blocks"])
    assert INCIDENT in listed
    assert "Contain the actor" in listed
    assert OTHER not in listed
    shown = str(desk.type("show")["blocks"])
    assert "1 of alice, bob, guest, foreign" in shown
    assert "<!channel>" not in shown


def test_an_incident_is_named_by_its_first_letters_and_must_be_named_where_it_is_not_clear(desk):
    desk.ledger.append(OTHER, Kind.OPENED, "opened", OPENED)
    assert "name it" in desk.type("show")["text"]
    assert OTHER in desk.type("show inc-0a")["text"]
    assert "More than one" in desk.type("show inc-0")["text"]
    assert "No incident begins with" in desk.type("show inc-<!channel>")["text"]
    desk.ledger.append(OTHER, Kind.MESSAGE, "place", {"channel": CHANNEL, "not_invited": []})
    assert OTHER in desk.type("show")["text"]


def test_ack_and_escalate_stand_in_the_ledger_with_who_and_where(desk):
    assert "is yours" in desk.type("ack")["text"]
    (ack,) = desk.ledger.lines(INCIDENT, Kind.ACK)
    assert (ack.body["person"], ack.body["surface"]) == ("alice", "slack")
    assert datetime.fromisoformat(ack.body["until"]) > ack.at
    assert "Say why" in desk.type("escalate")["text"]
    assert desk.ledger.lines(INCIDENT, Kind.ESCALATE) == []
    desk.type("escalate inc-01 nobody   answers <!here>")
    (asked,) = desk.ledger.lines(INCIDENT, Kind.ESCALATE)
    assert (asked.body["person"], asked.body["reason"]) == ("alice", "nobody answers <!here>")
    assert "Acknowledged by alice" in str(desk.type("show")["blocks"])
    assert "<!here>" not in str(desk.type("show")["blocks"])


def test_the_same_command_delivered_again_acts_once(desk):
    desk.type("escalate once")
    assert desk.slack.control.forge("replay")["status"] == 200
    assert len(desk.ledger.lines(INCIDENT, Kind.ESCALATE)) == 1


def test_whoever_the_finding_names_may_not_silence_it(desk):
    desk.ask()
    for command in ("ack", "escalate help me", "approve"):
        assert "named in the finding" in desk.type(command, MALLORY)["text"]
    assert desk.ledger.lines(INCIDENT, Kind.ACK) == []
    assert desk.slack.control.views(closed=True) == []


def test_approve_opens_the_dialog_of_the_button_and_the_answer_counts(desk):
    assert "no question" in desk.type("approve")["text"]
    question = desk.ask()
    (channel,) = desk.slack.workspace.channels.values()
    channel.joined = False  # the bot need not be where somebody types a command
    desk.slack.control.command(ALICE, CHANNEL, "/incident", "approve")
    desk.wait_until(desk.slack.control.views, 10, "the dialog")
    (view,) = desk.slack.control.views()
    assert "Contain the actor" in str(view["blocks"])
    told = len(desk.whispers())
    values = {"reason": "because"}
    if "code" in {block["block_id"] for block in view["blocks"]}:
        secret = desk.roster.enrol("alice").partition("secret=")[2].partition("&")[0]
        values["code"] = pyotp.TOTP(secret).now()
    desk.slack.control.submit(ALICE, view["id"], values)
    desk.wait_until(lambda: len(desk.whispers()) > told, 10, "the confirmation")
    assert "Your answer counts" in desk.whispers()[-1]["text"]
    assert desk.approvals.standing(INCIDENT, question) is Standing.APPROVED


def test_report_links_to_it_and_says_when_there_is_none(desk):
    assert "no report yet" in desk.type("report")["text"]
    desk.ledger.append(INCIDENT, Kind.REPORT, "report:1", {"status": "incomplete", "url": "x"})
    said = desk.type(f"report {INCIDENT}")["text"]
    assert "*incomplete*" in said
    assert f"<https://gate.example/incidents/{INCIDENT}/report|" in said


@pytest.mark.parametrize("text", ["", "help", "frobnicate inc-1", "x" * 3000, "```", "\u202egnirts"])
def test_anything_else_is_answered_with_help(desk, text):
    assert "/incident list" in str(desk.type(text)["blocks"])


def test_a_trouble_behind_the_door_is_no_silence(desk, monkeypatch):
    def fails(*_: object) -> None:
        raise RuntimeError("the database is away")

    monkeypatch.setattr(desk.commands, "_answer", fails)
    assert "could not be done" in desk.type("list")["text"]


def test_slack_that_does_not_say_who_it_is_gets_nothing_done(desk):
    desk.slack.control.fault("5xx", "users.info")
    assert "who you are" in desk.type("ack")["text"]
    assert desk.ledger.lines(INCIDENT, Kind.ACK) == []


def test_an_answer_that_takes_long_comes_by_the_response_url(desk, monkeypatch):
    import time

    quick = desk.commands._answer
    monkeypatch.setattr(desk.commands, "_answer", lambda *given: time.sleep(2.6) or quick(*given))
    assert "/incident list" in str(desk.type("help")["blocks"])
