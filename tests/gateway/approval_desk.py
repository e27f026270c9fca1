"""The Slack door with one question behind it: a real HTTP door, the practice Slack, a real ledger and roster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp
from starlette.applications import Starlette
from starlette.routing import Mount

from drill.slack.server import FakeSlack
from flows.questions import PlanDecision, _handled
from gateway.slack.app import slack_app
from gateway.slack.clicks import SlackDecisions
from incident.approvals import Asked, Standing
from incident.ledger import Kind
from incident.people import messages
from incident.plan import Phase, Plan, PlannedCall, Step
from incident.policy import ApprovalRule, Policy, Question, Responder
from incident.settings import SettingKey
from tasks.approvals import Approvals
from tasks.ledger import Ledger
from tasks.roster import Roster

TEAM, CHANNEL, INCIDENT = "T0TEST", "C0TEST", "inc-0123456789ab"
ALICE, BOB, GUEST, FOREIGN, STRANGER, MALLORY = "U0ALICE", "U0BOB", "U0GUEST", "U0FOREIGN", "U0CARL", "U0MALLORY"
SUSPECT = "arn:aws:iam::111122223333:user/mallory"
POLICY = Policy(
    responders=(
        Responder(name="alice", slack_team=TEAM, slack_user=ALICE),
        Responder(name="bob", slack_team=TEAM, slack_user=BOB),
        Responder(name="mallory", slack_team=TEAM, slack_user=MALLORY, principals=(SUSPECT,)),
        Responder(name="guest", slack_team=TEAM, slack_user=GUEST),
        Responder(name="foreign", slack_team=TEAM, slack_user=FOREIGN),
    ),
    approvals={"restore": ApprovalRule(people=2)},
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
    undo=(CALL,),
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
    hands: SimpleNamespace
    approvals: Approvals
    waker: Waker
    question: str
    ts: str
    secrets: dict[str, str]

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

    def submit(self, view: dict, code: str = "", reason: str = "because", user: str = ALICE, struck: tuple[str, ...] = ()):
        shown = {block.get("block_id") for block in view["blocks"]}
        given = {"code": code, "reason": reason, "strike": list(struck)}
        values = {block: value for block, value in given.items() if block in shown and value}
        return self.control("submit", user=user, view_id=view["id"], values=values)

    def fill_in(self, number: int = 0, **given: str) -> str:
        """The form of the Prefect UI, as the flow takes it; why it did not count."""
        usual = {"decision": "approve", "responder": "alice", "one_time_code": self.code(), "plan_digest": PLAN.digest}
        asked = self.approvals.find(INCIDENT, self.question)
        assert asked is not None
        return _handled(self.hands, PLAN, asked, number, PlanDecision(**(usual | given)))

    def permits(self) -> bool:
        """Whether the executor would run the step."""
        return self.approvals.permits(PLAN, STEP.id) == ""

    def whispers(self) -> list[str]:
        shown = httpx.get(f"{self.slack.url}/control/messages", timeout=20).json()["messages"]
        return [message["text"] for message in shown if "for" in message]

    def standing(self) -> Standing:
        return self.approvals.standing(INCIDENT, self.question)


@contextmanager
def opened_desk(ledger: Ledger, serve: Callable[..., str], folder: Path, question: Question) -> Iterator[Desk]:
    """A desk on which one question waits; its plan's only step can be taken back."""

    def clock() -> datetime:
        return datetime.now(UTC)

    users = [
        {"id": ALICE, "name": "alice", "team_id": TEAM},
        {"id": BOB, "name": "bob", "team_id": TEAM},
        {"id": MALLORY, "name": "mallory", "team_id": TEAM},
        {"id": STRANGER, "name": "carl", "team_id": TEAM},
        {"id": GUEST, "name": "guest", "team_id": TEAM, "guest": "single"},
        {"id": FOREIGN, "name": "foreign", "team_id": "T0ELSEWHERE"},
    ]
    approvals, roster, waker = Approvals(ledger, POLICY, clock), Roster(folder / "roster", ledger, clock), Waker()
    decisions = SlackDecisions(POLICY, approvals, roster, waker)
    names = ("alice", "bob", "mallory", "guest", "foreign")
    secrets = {name: parse_qs(urlsplit(roster.enrol(name)).query)["secret"][0] for name in names}
    keys = {"signing_secret": "signing", "bot_token": "xoxb-test", "app_token": "xapp-test"}
    with FakeSlack(**keys, request_url="http://127.0.0.1:9/", channels=(CHANNEL,), users=users, team=TEAM) as slack:
        door = slack_app(decisions, signing_secret="signing", bot_token="xoxb-test", team=TEAM, base_url=f"{slack.url}/api/")
        slack.request_url = f"{serve(Starlette(routes=[Mount('/slack', door)]))}/slack/events"
        ledger.append(INCIDENT, Kind.PLAN, "plan:contain:1", {"digest": PLAN.digest, "plan": PLAN.model_dump(mode="json")})
        asked = approvals.ask(PLAN, question, 1, (SUSPECT,))
        ts = _posted(slack, asked)
        hands = SimpleNamespace(ledger=ledger, approvals=approvals, roster=roster)
        yield Desk(slack, hands, approvals, waker, asked.id, ts, secrets)


def _posted(slack: FakeSlack, asked: Asked) -> str:
    text, blocks = messages.question(PLAN, asked, "http://prefect")
    message = {"channel": CHANNEL, "text": text, "blocks": blocks}
    headers = {"Authorization": "Bearer xoxb-test"}
    posted = httpx.post(f"{slack.url}/api/chat.postMessage", json=message, headers=headers, timeout=10).json()
    assert posted["ok"], posted
    return posted["ts"]
