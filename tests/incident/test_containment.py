"""What stops each kind of credential, what cannot be stopped, and what a read must show before anybody says that it is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from examples import ACCOUNT, NOON, setting
from hypothesis import given
from hypothesis import strategies as st

from incident.actor import Actor, Credential, Link
from incident.containment import DENY_POLICY, containment, deny_older_sessions, settings_to_read, still_open
from incident.planner import Unread
from incident.resources.iam import compact
from incident.settings import Observed

LATER = NOON + timedelta(hours=1)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Deploy"
DENY = setting("role-policy", "Deploy", DENY_POLICY, region="global")
ROLE_ITSELF = setting("role", "Deploy", region="global")
KEY = setting("access-key", "AKIA1", "mallory", region="global")


def actor(kind: str = "role", owner: str = ROLE, **more) -> Actor:
    credential = Credential(
        "ASIA1" if kind != "user" else "AKIA1", owner, kind, Link.PROVED, "seen", "r-1", ACCOUNT, issued=NOON.isoformat(), **more
    )
    return Actor({credential.access_key: credential}, since=NOON)


def live(policy: str | None = None, role: bool = True) -> dict:
    shown = None if policy is None else Observed(DENY, policy)
    return {DENY: shown, ROLE_ITSELF: Observed(ROLE_ITSELF, {}) if role else None}


def test_a_session_is_stopped_by_a_deny_of_what_was_handed_out_before():
    (step,), left = containment(actor(), live(), LATER)
    assert (step.key, step.leaves, left) == (DENY, deny_older_sessions(LATER), [])
    assert still_open(actor(), live(), LATER) == ["ASIA1"]
    assert still_open(actor(), live(deny_older_sessions(LATER)), LATER) == []


def test_a_deny_that_is_younger_than_the_session_is_enough():
    standing = deny_older_sessions(NOON + timedelta(minutes=5))
    assert containment(actor(), live(standing), LATER) == ([], [])


def test_a_session_that_was_handed_out_after_the_deny_is_open_again():
    standing = deny_older_sessions(NOON - timedelta(minutes=5))
    assert still_open(actor(), live(standing), LATER) == ["ASIA1"]
    (step,), _ = containment(actor(), live(standing), LATER)
    assert step.leaves == deny_older_sessions(LATER)


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"},
        {"Effect": "Deny", "Action": "*", "Resource": "arn:aws:s3:::none"},
    ],
)
def test_a_policy_with_our_name_and_words_but_another_meaning_stops_nobody(statement):
    moment = {"DateLessThan": {"aws:TokenIssueTime": "2030-01-01T00:00:00Z"}}
    decoy = compact({"Version": "2012-10-17", "Statement": [{**statement, "Condition": moment}]})
    assert still_open(actor(), live(decoy), LATER) == ["ASIA1"]
    (step,), _ = containment(actor(), live(decoy), LATER)
    assert (step.expects, step.leaves) == (decoy, deny_older_sessions(LATER))


@given(st.text(max_size=60))
def test_no_text_but_the_deny_itself_is_taken_for_it(text):
    for decoy in (text, deny_older_sessions(LATER) + text, text + deny_older_sessions(LATER)):
        if decoy != deny_older_sessions(LATER):
            assert still_open(actor(), live(decoy), LATER) == ["ASIA1"]


def test_sessions_of_a_role_that_is_gone_ended_with_it():
    assert containment(actor(), live(role=False), LATER) == ([], [])
    assert still_open(actor(), live(role=False), LATER) == []


def test_sessions_of_a_user_who_is_gone_ended_with_them():
    planted = actor("session", "svc")
    gone = dict.fromkeys(settings_to_read(planted, LATER))
    assert setting("user", "svc", region="global") in gone
    assert containment(planted, gone, LATER) == ([], [])
    assert still_open(planted, gone, LATER) == []


def test_what_was_not_read_is_not_stopped():
    assert still_open(actor(), {}, LATER) == ["ASIA1"]
    assert still_open(actor(), {DENY: Unread("AccessDenied"), ROLE_ITSELF: Unread("AccessDenied")}, LATER) == ["ASIA1"]


@pytest.mark.parametrize(("status", "still"), [("Active", ["AKIA1"]), ("Inactive", []), (None, [])])
def test_a_key_is_stopped_when_it_is_inactive_or_gone(status, still):
    found = {KEY: None if status is None else Observed(KEY, status)}
    assert still_open(actor("user", "mallory"), found, LATER) == still


def test_roots_key_is_open_until_a_person_took_care_of_it():
    root = actor("root", "root")
    steps, (item,) = containment(root, {}, LATER)
    assert (steps, item.status) == ([], "beyond-us")
    assert still_open(root, {}, LATER) == ["ASIA1"]
    assert still_open(root, {}, LATER, by_hand={item.id}) == []


def test_a_suspected_credential_is_asked_about_in_words_that_can_be_typed():
    held = actor().credentials["ASIA1"]
    suspected = Actor({"ASIA1": Credential(held.access_key, held.owner, held.kind, Link.SUSPECTED, held.how, held.record, ACCOUNT)})
    steps, (item,) = containment(suspected, {}, LATER)
    assert steps == []
    assert "credential ASIA1 theirs" in item.advice


@pytest.mark.parametrize("made", [True, False])
def test_containment_deletes_no_key_whoever_made_it(made):
    (step,), _ = containment(actor("user", "mallory", made=made), {KEY: Observed(KEY, "Active")}, LATER)
    assert (step.expects, step.leaves, step.reversible) == ("Active", "Inactive", True)
    assert [call.operation for call in step.calls] == ["UpdateAccessKey"]
