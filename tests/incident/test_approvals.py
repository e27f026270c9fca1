"""Decisions: what counts, what does not, and what is enough."""

from __future__ import annotations

from datetime import timedelta

import pytest
from examples import NOON

from incident.approvals import Answer, Asked, Decision, Standing, objection, standing, struck
from incident.policy import Policy, Responder

MALLORY = "arn:aws:iam::111122223333:user/mallory"
POLICY = Policy(responders=(Responder(name="alice"), Responder(name="bob"), Responder(name="mallory", principals=(MALLORY,))))


def asked(people: int = 1) -> Asked:
    return Asked(
        id="contain-1-abc",
        question="contain",
        digest="d1",
        asked_at=NOON,
        expires_at=NOON + timedelta(hours=4),
        people=people,
        suspects=(MALLORY,),
    )


def says(person: str, answer: Answer = Answer.APPROVE, digest: str = "d1", **more) -> Decision:
    fields = {"decided_at": NOON, "expires_at": NOON + timedelta(hours=1), **more}
    return Decision(
        question="contain-1-abc", person=person, method="one-time-code", surface="prefect", answer=answer, digest=digest, **fields
    )


@pytest.mark.parametrize(
    ("person", "digest", "minutes", "words"),
    [
        ("eve", "d1", 0, "not among the responders"),
        ("mallory", "d1", 0, "named in the finding"),
        ("alice", "d2", 0, "plan has changed"),
        ("alice", "d1", 240, "expired"),
        ("bob", "d1", 1, "already answered"),
    ],
)
def test_an_answer_that_does_not_count_says_why(person, digest, minutes, words):
    assert words in objection(asked(), person, digest, NOON + timedelta(minutes=minutes), POLICY, [says("bob")])


def test_an_answer_that_counts_has_no_objection():
    assert objection(asked(), "alice", "d1", NOON, POLICY, []) == ""


@pytest.mark.parametrize(
    ("people", "decisions", "minutes", "stands"),
    [
        (1, [], 0, Standing.WAITING),
        (1, [], 240, Standing.EXPIRED),
        (1, [says("alice")], 0, Standing.APPROVED),
        (1, [says("alice")], 61, Standing.EXPIRED),
        (2, [says("alice")], 0, Standing.WAITING),
        (2, [says("alice"), says("alice")], 0, Standing.WAITING),
        (2, [says("alice"), says("bob")], 0, Standing.APPROVED),
        (2, [says("alice"), says("bob", Answer.REJECT)], 0, Standing.REJECTED),
        (1, [says("alice"), says("bob", Answer.REJECT)], 0, Standing.REJECTED),
        (1, [says("alice", digest="other")], 0, Standing.WAITING),
    ],
)
def test_where_a_question_stands(people, decisions, minutes, stands):
    assert standing(asked(people), decisions, NOON + timedelta(minutes=minutes)) is stands


def test_a_step_that_one_approver_struck_is_struck():
    assert struck(asked(2), [says("alice", struck=("s1",)), says("bob")]) == frozenset({"s1"})
