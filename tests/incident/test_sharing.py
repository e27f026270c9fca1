"""Before a deny is approved, people see whom else it cuts off."""

from __future__ import annotations

from datetime import timedelta

import pytest
from examples import ACCOUNT, NOON, plan, record, setting

from incident.actor import Actor, Credential, Link
from incident.approvals import Asked
from incident.containment import DENY_POLICY, containment
from incident.people.messages import approval_form, question
from incident.record import Record
from incident.settings import Observed
from incident.sharing import RoleUse, cut_off

NOW = NOON + timedelta(minutes=30)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Deploy"
THEIRS = "ASIATHEIRS"
ACTOR = Actor({THEIRS: Credential(THEIRS, ROLE, "role", Link.PROVED, "seen", "r-1", ACCOUNT, issued=NOON.isoformat())}, since=NOON)
DENY, ROLE_ITSELF = setting("role-policy", "Deploy", DENY_POLICY, region="global"), setting("role", "Deploy", region="global")


def steps() -> list:
    return containment(ACTOR, {DENY: None, ROLE_ITSELF: Observed(ROLE_ITSELF, {})}, NOW)[0]


def assumed(at: int, user: str, key: str, role: str = ROLE, **more) -> Record:
    given = {"credentials": {"accessKeyId": key}}
    request = {"roleArn": role, "roleSessionName": "work", **more.pop("request", {})}
    return record("AssumeRole", service="sts", at=at, key=f"AKIA{user}", user=user, request=request, response=given, **more)


def told(*records: Record, **more) -> list[str]:
    (step,) = steps()
    return cut_off([step], {step.id: ROLE}, {ROLE: RoleUse(records, **more)}, ACTOR, NOW)


def test_others_sessions_that_may_live_are_named_by_their_caller():
    found = told(
        assumed(60, "alice", "ASIA1"),
        assumed(600, "alice", "ASIA2"),
        assumed(700, "bob", "ASIA3", role=ROLE + "2"),
        assumed(-4000, "carol", "ASIA4"),
        assumed(-4000, "dora", "ASIA5", request={"durationSeconds": 7200}),
        assumed(800, "eve", "ASIA6", errorCode="AccessDenied"),
        assumed(900, "mallory", THEIRS),
    )
    assert found == [
        f"role Deploy: arn:aws:iam::{ACCOUNT}:user/dora with 1 session, the newest from 2026-03-01 10:53 UTC",
        f"role Deploy: arn:aws:iam::{ACCOUNT}:user/alice with 2 sessions, the newest from 2026-03-01 12:10 UTC",
    ]


def test_a_service_renews_its_sessions_so_that_an_old_one_counts():
    identity = {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
    (line,) = told(assumed(-20000, "x", "ASIA7", userIdentity=identity))
    assert line.startswith("role Deploy: ec2.amazonaws.com for work with 1 session")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "no session of anybody else"),
        ({"last_used": "2026-03-01 12:20 UTC in us-east-1"}, "last used 2026-03-01 12:20 UTC"),
        ({"gaps": ("eu-west-1: AccessDenied",)}, "is not known: eu-west-1: AccessDenied"),
    ],
)
def test_nobody_else_and_what_is_not_known_are_said(more, words):
    assert words in " ".join(told(**more))


def test_a_role_that_was_not_read_is_not_taken_for_unused():
    (step,) = steps()
    assert cut_off([step], {step.id: ROLE}, {}, ACTOR, NOW) == ["role Deploy: who else uses it was not read"]


def test_people_read_it_before_they_approve():
    shown = plan(*steps()).model_copy(update={"cut_off": ("role Deploy: arn:x:user/<!channel> with 1 session",)})
    asked = Asked(id="q", question="contain", digest=shown.digest, asked_at=NOW, expires_at=NOW + timedelta(hours=1), people=1)
    _, blocks = question(shown, asked, "http://ui")
    (section,) = [block["text"]["text"] for block in blocks if "Who else is cut off" in str(block)]
    assert "&lt;!channel&gt;" in section
    assert "**Who else is cut off**" in approval_form(shown, asked)
    assert shown.digest != plan(*steps()).digest
