"""A second finding names another key while restoration waits for people: that key is contained before anything is restored."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from playing import played

from drill.aws.config import bootstrap_keys
from drill.client import boto_client
from drill.finding import finding_as_event
from gateway.practice.configuration import WEBHOOK_KEY
from gateway.practice.exercise import Exercise, Parts
from gateway.practice.people import ScriptedResponders
from incident.approvals import Asked, Standing

SCENARIO = Path(__file__).parents[2] / "drill" / "scenarios" / "open-ssh-to-world.yaml"


class JoinedExercise(Exercise):
    """Lets its responders reach the parts."""

    def _people(self, incident: str, parts: Parts) -> ScriptedResponders:
        self._responders = lambda *given: JoiningResponders(parts, *given)
        return super()._people(incident, parts)


class JoiningResponders(ScriptedResponders):
    """Before the first restoration is answered, GuardDuty finds another key of the same user, which is in use."""

    seen: ClassVar[list[Standing]] = []
    told: ClassVar[list[str]] = []

    def __init__(self, parts: Parts, *given: Any) -> None:
        super().__init__(*given)
        self._parts, self._overtaken = parts, ""

    def _answer(self, position: int, asked: Asked) -> str:
        if asked.question != "restore" or self._overtaken:
            return super()._answer(position, asked)
        self._overtaken = asked.id
        _find_another_key(self._parts)
        return ""

    def stop(self) -> None:
        self.seen[:] = [self._approvals.standing(self._incident, self._overtaken)]
        self.told[:] = [
            str(line.body["text"]) for line in [self._ledger.find(self._incident, f"message:answer:{self._overtaken}")] if line
        ]
        super().stop()


def _find_another_key(parts: Parts) -> None:
    report = parts.stage.finding()
    account = parts.stage.scenario.account_ids[0]
    iam = boto_client(parts.aws.url, "iam", "us-east-1", bootstrap_keys(account))
    found = deepcopy(report.api)
    found["Id"] = "f" * 32
    found["Resource"]["AccessKeyDetails"]["AccessKeyId"] = iam.create_access_key(UserName="mallory")["AccessKey"]["AccessKeyId"]
    parts.stage.range.add_finding(found)
    door = f"{parts.stack.gateway_url}/webhooks/guardduty"
    headers = {"X-Countermand-Key": WEBHOOK_KEY}
    httpx.post(door, json=finding_as_event(found), headers=headers, timeout=10).raise_for_status()


@pytest.mark.nightly
@pytest.mark.slow
def test_what_another_finding_names_is_contained_before_restoration(tmp_path):
    verdict, told = played(SCENARIO, tmp_path, kind=JoinedExercise)
    assert JoiningResponders.seen == [Standing.JOINED]
    (answer,) = JoiningResponders.told
    assert "overtaken by another finding" in answer, "its buttons go"
    assert verdict["restored"]
    assert verdict["claimed"]["complete"]
    assert told.count("Deactivate access key") == 2
    assert told.rindex("Deactivate access key") < told.index("Remove security group rule")
