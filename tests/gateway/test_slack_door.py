"""Approvals in Slack, over real HTTP: what counts, and everything that must not."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from drill.slack.courier import FORGERIES
from drill.slack.server import FakeSlack
from gateway.clicks import SlackDecisions
from gateway.slack import slack_app
from gateway.slack_dialog import asked_by
from incident import messages
from incident.approvals import Answer, Standing
from incident.ledger import Kind
from incident.plan import Phase, Plan, PlannedCall, Step
from incident.policy import Policy, Responder
from incident.settings import SettingKey
from tasks.approvals import Approvals
from tasks.roster import Roster

TEAM, CHANNEL, INCIDENT = "T0TEST", "C0TEST", "inc-0123456789ab"
ALICE, GUEST, FOREIGN, STRANGER = "U0ALICE", "U0GUEST", "U0FOREIGN", "U0CARL"
POLICY = Policy(
    responders=(
        Responder(name="alice", slack_team=TEAM, slack_user=ALICE),
        Responder(name="guest", slack_team=TEAM, slack_user=GUEST),
        Responder(name="foreign", slack_team=TEAM, slack_user=FOREIGN),
    )
)
CALL = PlannedCall(service="iam", operation="UpdateAccessKey", parameters={}, permissions=("iam:UpdateAccessKey",))
KEY = SettingKey("111122223333", "global", "access-key", "AKIA1", "mallory")
STEP = Step(
    id="contain-1",
    phase=Phase.CONTAIN,
    title="Deactivate <!channel> *key*",
    key=KEY,
    expects="Active",
    leaves="Inactive",
    calls=(CALL,),
)
PLAN = Plan(incident=INCIDENT, title="Contain the actor", because="A finding came in.", steps=(STEP,))


class Waker:
    def __init__(self) -> None:
        self.nudged = 0

    def nudge(self) -> None:
        self.nudged += 1


@dataclass
class Desk:
    """The door, the practice Slack, and one question that stands in it."""

    slack: FakeSlack
    approvals: Approvals
    waker: Waker
    question: str
    ts: str
    secrets: dict[str, str]
    used: set[str] = field(default_factory=set)

    def code(self, person: str = "alice") -> str:
        return pyotp.TOTP(self.secrets[person]).now()

    def control(self, door: str, **what):
        return httpx.post(f"{self.slack.url}/control/{door}", json=what, timeout=20).json()

    def click(self, user: str = ALICE, answer: str = "approve"):
        return self.control("click", user=user, channel=CHANNEL, ts=self.ts, action_id=f"countermand_{answer}")

    def dialogs(self) -> list[dict]:
        return httpx.get(f"{self.slack.url}/control/views", timeout=20).json()["views"]

    def open(self, wait_until, user: str = ALICE, answer: str = "approve") -> dict:
        known = {view["id"] for view in self.dialogs()}
        self.click(user, answer)
        wait_until(lambda: {view["id"] for view in self.dialogs()} - known, 10, "the dialog")
        return next(view for view in self.dialogs() if view["id"] not in known)

    def submit(self, view: dict, code: str, reason: str = "because", user: str = ALICE):
        return self.control("submit", user=user, view_id=view["id"], values={"code": code, "reason": reason})

    def whispers(self) -> list[str]:
        shown = httpx.get(f"{self.slack.url}/control/messages", timeout=20).json()["messages"]
        return [message["text"] for message in shown if "for" in message]

    def standing(self) -> Standing:
        return self.approvals.standing(INCIDENT, self.question)


@pytest.fixture
def desk(ledger, serve, tmp_path):
    def clock() -> datetime:
        return datetime.now(UTC)

    users = [
        {"id": ALICE, "name": "alice", "team_id": TEAM},
        {"id": STRANGER, "name": "carl", "team_id": TEAM},
        {"id": GUEST, "name": "guest", "team_id": TEAM, "guest": "single"},
        {"id": FOREIGN, "name": "foreign", "team_id": "T0ELSEWHERE"},
    ]
    approvals, roster, waker = Approvals(ledger, POLICY, clock), Roster(tmp_path / "roster", ledger, clock), Waker()
    decisions = SlackDecisions(ledger, POLICY, approvals, roster, waker)
    secrets = {name: parse_qs(urlsplit(roster.enrol(name)).query)["secret"][0] for name in ("alice", "guest", "foreign")}
    keys = {"signing_secret": "signing", "bot_token": "xoxb-test", "app_token": "xapp-test"}
    with FakeSlack(**keys, request_url="http://127.0.0.1:9/", channels=(CHANNEL,), users=users, team=TEAM) as slack:
        door = slack_app(decisions, signing_secret="signing", bot_token="xoxb-test", team=TEAM, base_url=f"{slack.url}/api/")
        address = serve(Starlette(routes=[Mount("/slack", door)]))
        slack.request_url = f"{address}/slack/events"
        ledger.append(INCIDENT, Kind.PLAN, "plan:contain:1", {"digest": PLAN.digest, "plan": PLAN.model_dump(mode="json")})
        asked = approvals.ask(PLAN, "contain", 1, ())
        text, blocks = messages.question(PLAN, asked, "http://prefect")
        posted = httpx.post(
            f"{slack.url}/api/chat.postMessage",
            json={"channel": CHANNEL, "text": text, "blocks": blocks},
            headers={"Authorization": "Bearer xoxb-test"},
            timeout=10,
        ).json()
        assert posted["ok"], posted
        yield Desk(slack, approvals, waker, asked.id, posted["ts"], secrets)


def test_a_click_a_reason_and_a_code_are_an_approval(desk, wait_until):
    view = desk.open(wait_until)
    assert PLAN.short_digest in json.dumps(view)
    assert "<!channel>" not in json.dumps(view)
    assert desk.submit(view, desk.code())["status"] == 200
    assert desk.standing() is Standing.APPROVED
    (decision,) = desk.approvals.decisions(INCIDENT, desk.question)
    assert (decision.person, decision.surface, decision.answer, decision.reason) == ("alice", "slack", Answer.APPROVE, "because")
    assert desk.waker.nudged == 1
    wait_until(desk.whispers, 10, "the confirmation")
    assert desk.whispers() == [f"Your answer counts: approve for plan {PLAN.short_digest}."]


def test_a_rejection_stops_the_plan(desk, wait_until):
    desk.submit(desk.open(wait_until, answer="reject"), desk.code())
    assert desk.standing() is Standing.REJECTED


def test_a_wrong_code_is_said_beside_the_field_and_decides_nothing(desk, wait_until):
    answer = desk.submit(desk.open(wait_until), "000000")
    assert "wrong" in json.dumps(answer)
    assert desk.standing() is Standing.WAITING


def test_a_person_answers_once(desk, wait_until):
    code = desk.code()
    desk.submit(desk.open(wait_until), code)
    again = desk.submit(desk.open(wait_until, answer="reject"), code)
    assert "already answered" in json.dumps(again)
    assert desk.standing() is Standing.APPROVED


@pytest.mark.parametrize("user", [GUEST, FOREIGN])
def test_guests_and_other_workspaces_get_no_dialog_even_if_the_policy_names_them(desk, user, wait_until):
    desk.click(user)
    wait_until(desk.whispers, 10, "the refusal")
    assert desk.dialogs() == []
    assert "decide here" in desk.whispers()[0]


def test_a_member_whom_the_policy_does_not_name_decides_nothing(desk, wait_until):
    answer = desk.submit(desk.open(wait_until, user=STRANGER), "123456", user=STRANGER)
    assert "policy" in json.dumps(answer)
    assert desk.standing() is Standing.WAITING


def test_the_same_bytes_again_have_no_second_effect(desk, wait_until):
    desk.submit(desk.open(wait_until), desk.code())
    assert desk.control("forge", how="replay")["status"] == 200
    assert len(desk.approvals.decisions(INCIDENT, desk.question)) == 1
    assert desk.waker.nudged == 1


def test_every_forgery_is_refused_before_anything_reads_it(desk):
    what = {"user": ALICE, "channel": CHANNEL, "ts": desk.ts, "action_id": "countermand_approve"}
    statuses = {how: desk.control("forge", how=how, **what)["status"] for how in FORGERIES}
    assert set(statuses.values()) == {401}, statuses
    assert desk.dialogs() == []


@pytest.mark.parametrize("value", ["", "{}", "[]", "no json", '{"approval": 7}', '{"approval": "inc-x:contain-1", "digest": "d"}'])
def test_an_edited_button_stands_for_no_question(desk, value):
    asked = asked_by({"actions": [{"action_id": "countermand_approve", "value": value}]})
    incident, _, question = asked.approval.partition(":") if asked else ("", "", "")
    assert desk.approvals.find(incident, question) is None


def test_a_plan_that_changed_since_is_not_approved(desk, ledger, wait_until):
    view = desk.open(wait_until)
    other = PLAN.model_copy(update={"title": "another plan"})
    desk.approvals.ask(other, "contain", 2, ())
    carried = json.loads(view["private_metadata"])
    assert carried["digest"] == PLAN.digest
    desk.submit(view, desk.code())
    question = f"contain-2-{other.short_digest}"
    assert desk.approvals.standing(INCIDENT, question) is Standing.WAITING
