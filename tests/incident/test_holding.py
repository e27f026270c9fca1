"""When a containment step still stands, when it was undone, by whom, and when a credential works although it was stopped."""

from __future__ import annotations

from datetime import timedelta

import pytest
from examples import ACCOUNT, NOON, record, setting

from incident.actor import Actor, Credential, Link
from incident.containment import DENY_POLICY, containment, deny_older_sessions
from incident.holding import Contained, in_force, still_working, suspected, to_read, undoer, undone
from incident.plan import Phase, PlannedCall, Step
from incident.planner import Unread
from incident.settings import Observed

LATER = NOON + timedelta(minutes=10)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Deploy"
DENY, ROLE_ITSELF = setting("role-policy", "Deploy", DENY_POLICY, region="global"), setting("role", "Deploy", region="global")
KEY = setting("access-key", "AKIA1", "mallory", region="global")


def actor(kind: str, **more) -> Actor:
    owner, key = ("mallory", "AKIA1") if kind == "user" else (ROLE, "ASIA1")
    credential = Credential(key, owner, kind, Link.PROVED, "seen", "r-1", ACCOUNT, issued=NOON.isoformat(), **more)
    return Actor({key: credential}, since=NOON)


def denied() -> Contained:
    (step,), _ = containment(actor("role"), {DENY: None, ROLE_ITSELF: Observed(ROLE_ITSELF, {})}, LATER)
    return Contained(step, "plan-1", LATER)


def deactivated() -> Contained:
    (step,), _ = containment(actor("user"), {KEY: Observed(KEY, "Active")}, LATER)
    return Contained(step, "plan-1", LATER)


def live(policy: str | None, role: bool = True) -> dict:
    return {DENY: Observed(DENY, policy) if policy else None, ROLE_ITSELF: Observed(ROLE_ITSELF, {}) if role else None}


def test_a_deny_stands_as_it_was_put_or_as_a_later_one():
    one = denied()
    assert to_read([one]) == [DENY, ROLE_ITSELF]
    for moment in (LATER, LATER + timedelta(hours=1)):
        assert undone([one], live(deny_older_sessions(moment))) == ([], [])


@pytest.mark.parametrize(
    ("policy", "covered"),
    [(None, True), (deny_older_sessions(NOON), False), ('{"Version":"2012-10-17","Statement":[]}', False)],
)
def test_a_deny_that_is_gone_or_says_less_was_undone_and_only_what_people_saw_may_be_done_again(policy, covered):
    (found,), _ = undone([denied()], live(policy))
    assert found.covered is covered


def test_a_deny_ends_with_its_role():
    assert undone([denied()], live(None, role=False)) == ([], [])


def test_a_deny_of_whose_role_nothing_is_known_is_taken_for_undone():
    (found,), _ = undone([denied()], {DENY: None, ROLE_ITSELF: Unread("AccessDenied")})
    assert found.found == "absent"


@pytest.mark.parametrize(("status", "broken"), [("Inactive", 0), (None, 0), ("Active", 1)])
def test_a_key_is_stopped_while_it_is_inactive_or_gone(status, broken):
    found, unread = undone([deactivated()], {KEY: Observed(KEY, status) if status else None})
    assert (len(found), unread) == (broken, [])
    assert all(one.covered for one in found)


def test_what_was_not_read_is_neither_standing_nor_undone():
    found, (said,) = undone([deactivated()], {KEY: Unread("AccessDenied")})
    assert found == []
    assert "AccessDenied" in said


def test_the_last_step_on_a_setting_counts():
    first = denied()
    later = Contained(first.step.model_copy(update={"leaves": deny_older_sessions(LATER + timedelta(hours=1))}), "plan-2", LATER)
    assert in_force([first, deactivated(), later]) == [later, deactivated()]


def interface(leaves: list[str]) -> Step:
    key = setting("network-interface-attribute", "eni-1", "Groups")
    calls = tuple(
        PlannedCall(
            service="ec2",
            operation="ModifyNetworkInterfaceAttribute",
            parameters={"NetworkInterfaceId": "eni-1", "Groups": groups},
            permissions=("ec2:ModifyNetworkInterfaceAttribute",),
        )
        for groups in (["sg-open"], leaves)
    )
    return Step(id="s-1", phase=Phase.CONTAIN, title="cut", key=key, expects=["sg-web"], leaves=leaves, calls=calls, concerns="i-1")


@pytest.mark.parametrize(("groups", "covered"), [(["sg-web"], True), (["sg-other"], False)])
def test_an_interface_that_was_moved_back_goes_through_the_same_two_groups_again(groups, covered):
    one = Contained(interface(["sg-closed"]), "plan-1", LATER)
    instance = setting("instance", "i-1")
    found, _ = undone([one], {one.step.key: Observed(one.step.key, groups), instance: Observed(instance, {})})
    assert [item.covered for item in found] == [covered]
    assert undone([one], {one.step.key: Observed(one.step.key, groups), instance: None}) == ([], [])


def test_who_undid_it_is_the_last_to_write_something_else_there():
    one = denied()
    request = {"roleName": "Deploy", "policyName": DENY_POLICY}
    put = {**request, "policyDocument": deny_older_sessions(LATER)}
    records = [
        record("DeleteRolePolicy", service="iam", at=300, user="before", request=request),
        record("PutRolePolicy", service="iam", at=600, user="countermand", request=put),
        record("DeleteRolePolicy", service="iam", at=650, user="eve", key="AKIAEVE", request=request),
        record("DeleteRolePolicy", service="iam", at=660, user="refused", request=request, errorCode="AccessDenied"),
        record("DeleteRolePolicy", service="iam", at=670, user="elsewhere", request={**request, "policyName": "other"}),
    ]
    found = undoer(one, records)
    assert found is not None
    assert found.identity.name == "eve"
    (credential,) = suspected(Actor(), one, found).credentials.values()
    assert (credential.access_key, credential.link) == ("AKIAEVE", Link.SUSPECTED)
    known = Actor({"AKIAEVE": Credential("AKIAEVE", "eve", "user", Link.PROVED, "", "", ACCOUNT)})
    assert suspected(known, one, found) == known
    assert undoer(one, records[:2]) is None


@pytest.mark.parametrize(
    ("event", "at", "more", "works"),
    [
        ("DescribeInstances", 611, {}, False),
        ("DescribeInstances", 620, {}, True),
        ("DescribeInstances", 620, {"errorCode": "Client.UnauthorizedOperation"}, False),
        ("GetCallerIdentity", 620, {"eventSource": "sts.amazonaws.com"}, False),
    ],
)
def test_a_session_works_still_when_a_call_that_can_be_denied_succeeds_after_the_spread(event, at, more, works):
    calls = [record(event, at=at, key="ASIA1", readOnly=True, **more)]
    found = still_working(actor("role"), [denied()], calls, 15)
    assert [one.startswith("ASIA1 of") for one in found] == [True] * works


def test_an_inactive_key_answers_no_call_at_all_and_a_later_session_is_no_fault_of_the_deny():
    asked = [record("GetCallerIdentity", service="sts", at=700, key="AKIA1", readOnly=True)]
    assert len(still_working(actor("user"), [deactivated()], asked, 15)) == 1
    later = Actor({"ASIA1": Credential("ASIA1", ROLE, "role", Link.PROVED, "", "", ACCOUNT, issued=LATER.isoformat())})
    assert still_working(later, [denied()], [record("DescribeInstances", at=900, key="ASIA1")], 15) == []
