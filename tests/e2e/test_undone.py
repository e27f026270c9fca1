"""The actor undoes our containment while people decide: it is seen, told, done again, and whoever did it is a suspect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playing import played

from drill import scenario as scenarios
from drill.aws.config import KeyPair, bootstrap_keys
from drill.client import boto_client
from gateway.practice.people import ScriptedResponders
from incident.approvals import Asked
from incident.ledger import Kind
from incident.plan import Plan
from tasks.hands import Hands

SCENARIO = Path(scenarios.__file__).parent / "scenarios" / "open-ssh-to-world.yaml"


class Besieged(ScriptedResponders):
    """While they think about the first restoration, somebody whose key nobody knows activates the actor's key again."""

    def __init__(self, incident: str, hands: Hands, *others: Any) -> None:
        super().__init__(incident, hands, *others)
        self._hands, self._undid = hands, False

    def _answer(self, position: int, asked: Asked) -> str:
        if asked.question == "restore" and not self._undid:
            self._undid = True
            self._undo()
        return super()._answer(position, asked)

    def _undo(self) -> None:
        account = self._hands.config.aws.accounts[0]
        iam = self._iam(bootstrap_keys(account))
        iam.create_user(UserName="sleeper")
        iam.attach_user_policy(UserName="sleeper", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
        made = iam.create_access_key(UserName="sleeper")["AccessKey"]
        sleeper = self._iam(KeyPair(made["AccessKeyId"], made["SecretAccessKey"]))
        (plan,) = [line for line in self._ledger.lines(self._incident, Kind.PLAN) if line.key == "plan:contain:1"]
        (step,) = [one for one in Plan.model_validate(plan.body["plan"]).steps if one.key.kind == "access-key"]
        sleeper.update_access_key(UserName=step.key.name, AccessKeyId=step.key.resource, Status="Active")

    def _iam(self, keys: KeyPair) -> Any:
        return boto_client(str(self._hands.config.aws.endpoint_url), "iam", "us-east-1", keys)


@pytest.mark.nightly
@pytest.mark.slow
def test_a_key_that_is_activated_again_is_deactivated_again_and_the_report_says_so(tmp_path):
    kept: list[Any] = []

    def responders(*given: Any) -> Besieged:
        kept.extend(given[:2])
        return Besieged(*given)

    told: dict[str, Any] = {}

    def look(addresses: dict[str, str]) -> None:
        incident, hands = kept
        notes = hands.ledger.lines(incident, Kind.NOTE)
        told["undone"] = [item for line in notes if line.key.startswith("held:") for item in line.body["undone"]]
        told["said"] = [line.body["text"] for line in hands.ledger.lines(incident, Kind.MESSAGE) if "text" in line.body]
        told["suspects"] = [
            one["link"] for line in hands.ledger.lines(incident, Kind.ACTOR)[-1:] for one in line.body["credentials"]
        ]
        told["page"] = (hands.config.reports / f"{incident}.md").read_text()

    verdict, _ = played(SCENARIO, tmp_path, responders=responders, visit=look)
    assert verdict["restored"]
    assert verdict["claimed"]["complete"]
    (item,) = told["undone"]
    assert (item["good"], item["by"].rpartition("/")[2]) == (True, "sleeper")
    assert any("user/sleeper; contained again" in text for text in told["said"])
    assert "suspected" in told["suspects"]
    assert "Containment that somebody undid" in told["page"]
