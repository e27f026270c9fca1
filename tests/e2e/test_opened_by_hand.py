"""An incident that begins with a security group that somebody found open: whoever changed it is asked about, and followed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playing import played

from drill import scenario as scenarios
from gateway.practice.exercise import Exercise, Parts
from gateway.practice.people import ScriptedResponders
from incident.actor import Actor
from incident.approvals import Asked
from incident.finding import Named, incident_id, parse_finding
from incident.ledger import Kind
from incident.named import named_finding
from tasks.hands import Hands

SCENARIO = Path(scenarios.__file__).parent / "scenarios" / "open-ssh-to-world.yaml"
REGION = "us-east-1"


class RulingResponders(ScriptedResponders):
    """Rules on the two credentials that changed the group: mallory's is the actor's, the admin's is not."""

    def __init__(self, incident: str, hands: Hands, *others: Any) -> None:
        super().__init__(incident, hands, *others)
        self.hands = hands

    def code(self) -> str:
        return self._in_slack.code(time.time())

    @property
    def name(self) -> str:
        return self._in_slack.name

    def _answer(self, position: int, asked: Asked) -> str:
        if self._ledger.lines(self._incident, Kind.AMENDMENT):
            return super()._answer(position, asked)
        actor = Actor.from_json(self._ledger.lines(self._incident, Kind.ACTOR)[-1].body)
        words = [
            f"credential {one.access_key} {'theirs' if one.owner == 'mallory' else 'not-theirs'}"
            for one in actor.credentials.values()
        ]
        said = {"person": self.name, "code": self.code(), "surface": "command line", "reason": "she says it was not her"}
        return self.hands.amending.take(self._incident, words, **said)


class OpenedByHand(Exercise):
    """The finding is not GuardDuty's: a responder names the group."""

    def _delivery(self, parts: Parts) -> tuple[str, Callable[[ScriptedResponders], None]]:
        account = self.scenario.account_ids[0]
        filters = {"Filters": [{"Name": "group-name", "Values": ["web"]}]}
        group = parts.hands.aws.call(account, REGION, "ec2", "DescribeSecurityGroups", filters)["SecurityGroups"][0]["GroupId"]
        named = Named(resources=(group,), person="alice", reason="a scan found it open")
        words = {"account": account, "region": REGION, "severity": 8.0, "title": "A group that is open to the world"}
        since = datetime.now(UTC) - timedelta(minutes=30)
        content = named_finding(named, account, REGION, since, 8.0, words["title"], datetime.now(UTC))

        def open_it(people: RulingResponders) -> None:
            assert until(lambda: parts.hands.opening.open(named, since=since, code=people.code(), **words).incident)

        return incident_id(parse_finding(content, by_hand=True)), open_it


def until(holds: Callable[[], object]) -> bool:
    poll, deadline = threading.Event(), time.monotonic() + 60
    while time.monotonic() < deadline:
        if holds():
            return True
        poll.wait(0.5)
    return False


@pytest.mark.slow
def test_a_named_group_leads_to_who_changed_it_and_people_rule_on_them(tmp_path):
    verdict, _ = played(SCENARIO, tmp_path, OpenedByHand, responders=RulingResponders)
    assert verdict["restored"]
    assert verdict["claimed"]["complete"]
