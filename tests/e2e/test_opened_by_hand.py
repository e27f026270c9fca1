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
from incident.findings.finding import Named, incident_id, parse_finding
from incident.findings.notes import note_finding
from incident.ledger import Kind
from tasks.hands import Hands
from tasks.opening import NotOpened

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
    """The finding is not GuardDuty's: a note comes in, and when people have read it a responder names the group."""

    def _delivery(self, parts: Parts) -> tuple[str, Callable[[ScriptedResponders], None]]:
        account = self.scenario.account_ids[0]
        filters = {"Filters": [{"Name": "group-name", "Values": ["web"]}]}
        group = parts.hands.aws.call(account, REGION, "ec2", "DescribeSecurityGroups", filters)["SecurityGroups"][0]["GroupId"]
        named = Named(resources=(group,), person="alice", reason="a scan found it open")
        words = {"account": account, "region": REGION, "severity": 8.0, "title": "A group that is open to the world"}
        since = datetime.now(UTC) - timedelta(minutes=30)
        note = f"Your {group} lets everybody in. A friend"
        incident = incident_id(parse_finding(note_finding(note, "alice", "", "", since), by_hand=True))
        opening, ledger = parts.hands.opening, parts.hands.ledger

        def open_it(people: RulingResponders) -> None:
            assert opening.note(note, person="alice", account="", region="", code=people.code()).incident == incident
            assert until(lambda: ledger.find(incident, "report:0"))
            assert (("--resource", group),) == tuple(map(tuple, ledger.find(incident, "opened").body["offered"]))
            assert until(lambda: taken(lambda: opening.open(named, since=since, code=people.code(), joins=incident, **words)))

        return incident, open_it


def taken(said: Callable[[], object]) -> bool:
    """Whether it was taken; a code counts once, so the next thing said waits for the next one."""
    try:
        said()
    except NotOpened as refused:
        if "used already" not in str(refused):
            raise
        return False
    return True


def until(holds: Callable[[], object]) -> bool:
    poll, deadline = threading.Event(), time.monotonic() + 60
    while time.monotonic() < deadline:
        if holds():
            return True
        poll.wait(0.5)
    return False


@pytest.mark.nightly
@pytest.mark.slow
def test_a_named_group_leads_to_who_changed_it_and_people_rule_on_them(tmp_path):
    verdict, _ = played(SCENARIO, tmp_path, OpenedByHand, responders=RulingResponders)
    assert verdict["restored"]
    assert verdict["claimed"]["complete"]
