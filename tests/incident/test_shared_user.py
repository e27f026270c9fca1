"""A real attack in which the attacker and an honest Terraform run share one IAM user, one key and one address."""

from __future__ import annotations

import json

import pytest

from incident.actor import Actor, Link
from incident.attribution import followed, used_by
from incident.investigation import investigate
from incident.origin import known_by, windowed
from incident.record import Record, in_order

FILE = "cloudtrail/incident-open-ssh-to-world.jsonl"
TOOL = "stratus-red-team_"


@pytest.fixture(scope="module")
def records(corpus) -> list[Record]:
    return in_order(Record.parse(json.loads(line)) for line in (corpus / FILE).read_text().splitlines())


@pytest.fixture(scope="module")
def actor(records) -> Actor:
    """As found from the one call that a responder showed: the first that opened the group."""
    shown = next(record for record in records if record.user_agent.startswith(TOOL))
    first = known_by(Actor().with_credential(used_by(shown, Link.PROVED, "alice named it")), shown)
    return followed(windowed(first, first, shown.time, records), records)


def test_the_attackers_calls_are_theirs_and_terraforms_are_not(records, actor):
    assert {record.event_id for record in records if actor.did(record)} == {
        record.event_id for record in records if record.user_agent.startswith(TOOL)
    }


def test_the_window_opens_at_the_call_that_was_shown(records, actor):
    assert actor.since == next(record.time for record in records if record.user_agent.startswith(TOOL))


def test_terraforms_work_is_no_reversal(records, actor):
    found = investigate(records, (), actor)
    assert {record.event_name for record in found.changes} == {"AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"}
    assert all(record.user_agent.startswith(TOOL) for reversal in found.reversals for record in reversal.by_actor)
