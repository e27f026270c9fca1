"""The scripted responders of a drill: one answers in Slack, the other in the Prefect form, each with their own code."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import httpx
import pyotp

from gateway.practice.configuration import SLACK_CHANNEL
from gateway.prefect_password import USER, kept_password
from incident.approvals import Answer, Asked, Standing
from incident.ledger import Kind
from tasks.hands import Hands
from tasks.roster import Roster

_POLL_SECONDS = 0.25
_RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Person:
    """A responder of the practice: the name in the policy, the Slack user, the authenticator's secret."""

    name: str
    slack_user: str
    secret: str

    @classmethod
    def enrolled(cls, roster: Roster, name: str, slack_user: str) -> Person:
        address = roster.enrol(name)
        return cls(name, slack_user, parse_qs(urlsplit(address).query)["secret"][0])

    def code(self, at: float) -> str:
        return pyotp.TOTP(self.secret).at(int(at))


class ScriptedResponders(threading.Thread):
    """Answers every open question: the first, third, … in Slack, the others through the Prefect API.

    Args:
        slack_url: the practice Slack, with its control doors.
        prefect_url: the Prefect server.
    """

    def __init__(self, incident: str, hands: Hands, people: tuple[Person, Person], slack_url: str, prefect_url: str) -> None:
        super().__init__(name="responders", daemon=True)
        self._incident, self._ledger, self._approvals = incident, hands.ledger, hands.approvals
        self._in_slack, self._in_prefect = people
        self._slack_control, self._prefect_api = slack_url, f"{prefect_url}/api"
        self._prefect_auth = USER, kept_password(hands.config.folder)
        self._done = threading.Event()
        self.problems: list[str] = []

    def stop(self) -> None:
        self._done.set()

    def run(self) -> None:
        tried: dict[str, float] = {}
        while not self._done.wait(_POLL_SECONDS):
            for number, asked in enumerate(self._open_questions()):
                if time.monotonic() - tried.get(asked.id, -_RETRY_SECONDS) < _RETRY_SECONDS:
                    continue
                tried[asked.id] = time.monotonic()
                problem = self._answer(self._position(asked) or number, asked)
                if problem:
                    self.problems.append(problem)

    def _open_questions(self) -> list[Asked]:
        every = (Asked.model_validate(line.body) for line in self._ledger.lines(self._incident, Kind.QUESTION))
        return [asked for asked in every if self._approvals.standing(self._incident, asked.id) is Standing.WAITING]

    def _position(self, asked: Asked) -> int:
        ids = [str(line.body["id"]) for line in self._ledger.lines(self._incident, Kind.QUESTION)]
        return ids.index(asked.id)

    def _answer(self, position: int, asked: Asked) -> str:
        try:
            return self._click(asked) if position % 2 == 0 else self._fill_in(asked)
        except (httpx.HTTPError, KeyError, ValueError) as error:
            return f"{type(error).__name__}: {error}"

    def _fill_in(self, asked: Asked) -> str:
        """The form of the Prefect UI, filled in through the same API."""
        runs = self._ledger.lines(self._incident, Kind.RUN)
        if not runs:
            return "the incident has no run yet"
        form = {
            "decision": str(Answer.APPROVE),
            "responder": self._in_prefect.name,
            "one_time_code": self._in_prefect.code(time.time()),
            "reason": "drill",
            "strike_steps": "",
            "plan_digest": asked.digest,
        }
        door = f"{self._prefect_api}/flow_runs/{runs[-1].body['flow_run']}/resume"
        answer = httpx.post(door, json={"run_input": form}, auth=self._prefect_auth, timeout=30)
        accepted = answer.is_success and answer.json().get("status") == "ACCEPT"
        return "" if accepted else "the run is not asleep yet"

    def _click(self, asked: Asked) -> str:
        """The button in Slack, then the dialog that it opens."""
        sent = self._ledger.find(self._incident, f"sent:question:{asked.id}")
        if sent is None:
            return "the question has not reached Slack yet"
        user = self._in_slack.slack_user
        click = {"user": user, "ts": sent.body["ts"], "channel": SLACK_CHANNEL, "action_id": "countermand_approve"}
        before = self._views()
        answered = httpx.post(f"{self._slack_control}/control/click", json=click, timeout=15).raise_for_status().json()
        view = self._opened(before)
        if not view:
            return f"the click opened no dialog: {json.dumps(answered)[:200]}"
        values = _filled(view, self._in_slack.code(time.time()))
        submit = {"user": user, "view_id": view["id"], "values": values}
        httpx.post(f"{self._slack_control}/control/submit", json=submit, timeout=15).raise_for_status()
        return ""

    def _views(self) -> set[str]:
        return {view["id"] for view in httpx.get(f"{self._slack_control}/control/views", timeout=15).json()["views"]}

    def _opened(self, before: set[str]) -> dict[str, object]:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            views = httpx.get(f"{self._slack_control}/control/views", timeout=15).json()["views"]
            new = [view for view in views if view["id"] not in before]
            if new:
                return dict(new[-1])
            self._done.wait(0.05)
        return {}


def _filled(view: dict[str, object], code: str) -> dict[str, dict[str, str]]:
    """The dialog's text fields, the code where it asks for one; no step is struck."""
    values: dict[str, dict[str, str]] = {}
    blocks = view["blocks"]
    for block in blocks if isinstance(blocks, list) else []:
        if block.get("type") == "input" and block["element"]["type"] == "plain_text_input":
            action = block["element"]["action_id"]
            values[block["block_id"]] = {action: code if re.search("code", f"{action} {block['block_id']}") else "drill"}
    return values
