"""What no record tells, a person does: the plan is made anew from what they say, before it runs and after it ended."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playing import played

from gateway.practice.people import ScriptedResponders
from incident.approvals import Asked
from incident.ledger import Kind
from incident.plan import Plan
from tasks.hands import Hands

SCENARIO = Path(__file__).parent / "settled-by-people.yaml"
ALLOW_ALL = {"Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}


class SettlingResponders(ScriptedResponders):
    """Settles what the first restoration leaves to people, in the Prefect form; every plan after it is approved."""

    def __init__(self, incident: str, hands: Hands, *others: Any) -> None:
        super().__init__(incident, hands, *others)
        self._hands = hands

    def _answer(self, position: int, asked: Asked) -> str:
        left = self._left(asked)
        if asked.question != "restore" or not left or self._ledger.lines(self._incident, Kind.AMENDMENT):
            return super()._answer(position, asked)
        values = {"needs-prior-state": f"= {json.dumps(ALLOW_ALL)}", "conflict": "keep"}
        words = "\n".join(f"{item} {values[status]}" for item, status in left)
        return self._amend(asked, words, "asked the network team")

    def _left(self, asked: Asked) -> list[tuple[str, str]]:
        lines = [line for line in self._ledger.lines(self._incident, Kind.PLAN) if line.body["digest"] == asked.digest]
        return [(item.id, item.status) for line in lines for item in Plan.model_validate(line.body["plan"]).unplanned]

    def _amend(self, asked: Asked, words: str, reason: str) -> str:
        run = self._ledger.find(self._incident, "run")
        form = {
            "decision": "amend",
            "responder": self._in_prefect.name,
            "one_time_code": self._in_prefect.code(time.time()),
            "reason": reason,
            "strike_steps": "",
            "amendments": words,
            "plan_digest": asked.digest,
        }
        door = f"{self._prefect_api}/flow_runs/{run.body['flow_run']}/resume"
        answer = httpx.post(door, json={"run_input": form}, auth=self._prefect_auth, timeout=30)
        return "" if answer.is_success and answer.json()["status"] == "ACCEPT" else "the run is not asleep yet"

    def release(self) -> list[str]:
        """Ask, after the report, to release the containment; answers every report's status when the next is there."""
        assert self._until(lambda: self._taken(["release"]) == "")
        assert self._until(lambda: len(self._reports()) == 2)
        return self._reports()

    def keys(self) -> list[str]:
        """The status of mallory's access keys."""
        account = self._hands.config.aws.accounts[0]
        listed = self._hands.aws.call(account, "us-east-1", "iam", "ListAccessKeys", {"UserName": "mallory"})
        return [key["Status"] for key in listed["AccessKeyMetadata"]]

    def _taken(self, words: list[str]) -> str:
        person = self._in_slack
        said = {"person": person.name, "code": person.code(time.time()), "surface": "command line", "reason": "once more"}
        return self._hands.amending.take(self._incident, words, **said)

    def _reports(self) -> list[str]:
        return [str(line.body["status"]) for line in self._ledger.lines(self._incident, Kind.REPORT)]

    def _until(self, holds: Callable[[], bool]) -> bool:
        """Poll with a deadline; a code that was used already is refused until the next one."""
        poll, deadline = threading.Event(), time.monotonic() + 120
        while time.monotonic() < deadline:
            if holds():
                return True
            poll.wait(0.5)
        return False


@pytest.mark.nightly
@pytest.mark.slow
def test_people_settle_what_the_plan_leaves_to_them(tmp_path):
    arguments: list[Any] = []
    reports: list[str] = []
    keys: list[str] = []

    def responders(*given: Any) -> SettlingResponders:
        arguments.extend(given)
        return SettlingResponders(*given)

    def afterwards(addresses: dict[str, str]) -> None:
        people = SettlingResponders(*arguments)
        people.start()
        keys.extend(people.keys())
        reports.extend(people.release())
        keys.extend(people.keys())
        people.stop()

    verdict, _ = played(SCENARIO, tmp_path, responders=responders, visit=afterwards)
    assert verdict["restored"]
    assert verdict["claimed"]["complete"]
    assert reports == ["restored", "restored"]
    assert keys == ["Inactive", "Active"]
