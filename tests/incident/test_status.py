"""Where an incident stands, told from its ledger lines: nothing that is not known is called clean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from incident.approvals import Asked, Decision
from incident.ledger import Kind, Line
from incident.people.status import status
from incident.people.status_message import status_message
from incident.policy import Policy, Responder

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
INCIDENT = "inc-0123456789ab"
SUSPECT = "arn:aws:iam::111122223333:user/mallory"
POLICY = Policy(
    responders=(Responder(name="alice"), Responder(name="bob"), Responder(name="mallory", principals=(SUSPECT,))),
)
OPENED = {"type": "T", "severity": 8.0, "account": "111122223333", "region": "us-east-1", "title": "<!here>", "responds": True}


class Book:
    """Lines as the ledger would give them."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def add(self, kind: Kind, key: str, body: dict) -> Book:
        self.lines.append(Line(INCIDENT, len(self.lines) + 1, key, kind, NOW, body, "", ""))
        return self

    def at(self, now: datetime = NOW):
        return status(INCIDENT, self.lines, POLICY, now)


def asked(book: Book, people: int = 2) -> Asked:
    question = Asked(
        id="contain-1-aa",
        question="contain",
        digest="d" * 64,
        asked_at=NOW,
        expires_at=NOW + timedelta(hours=4),
        people=people,
        suspects=(SUSPECT,),
    )
    book.add(Kind.PLAN, "plan:contain:1", {"digest": question.digest, "plan": {"title": "Contain the actor"}})
    book.add(Kind.QUESTION, f"question:{question.id}", question.model_dump(mode="json"))
    return question


def decided(book: Book, question: Asked, person: str, answer: str = "approve") -> None:
    decision = Decision(
        question=question.id,
        person=person,
        method="one-time-code",
        surface="slack",
        answer=answer,
        digest=question.digest,
        decided_at=NOW,
        expires_at=NOW + timedelta(hours=1),
    )
    book.add(Kind.DECISION, f"decision:{question.id}:{person}", decision.model_dump(mode="json"))


def test_an_incident_that_is_only_taken_in_says_so():
    shown = Book().at()
    assert (shown.type, shown.ended, shown.waiting) == ("the finding is being read", "", ())
    text, blocks = status_message(shown, "", "")
    assert "none read yet" in str(blocks)
    assert INCIDENT in text


def test_a_question_waits_for_those_who_may_still_answer_it():
    book = Book().add(Kind.OPENED, "opened", OPENED)
    question = asked(book)
    (waiting,) = book.at().waiting
    assert (waiting.title, waiting.needed, waiting.people) == ("Contain the actor", 2, ("alice", "bob"))
    decided(book, question, "alice")
    (waiting,) = book.at().waiting
    assert (waiting.needed, waiting.people) == (1, ("bob",))
    assert book.at().deadline == (question.expires_at, "the question about “Contain the actor” expires")
    decided(book, question, "bob")
    assert (book.at().waiting, book.at().deadline) == ((), None)


def test_a_question_that_expired_was_rejected_overtaken_or_void_waits_for_nobody():
    for how in ("expired", "rejected", "amended", "void"):
        book = Book().add(Kind.OPENED, "opened", OPENED)
        question = asked(book)
        if how == "rejected":
            decided(book, question, "alice", "reject")
        if how == "amended":
            book.add(Kind.AMENDMENT, "amendment:1", {})
        if how == "void":
            book.add(Kind.VOID, f"void:{question.id}", {})
        assert book.at(NOW + timedelta(hours=5) if how == "expired" else NOW).waiting == (), how


def test_a_region_that_was_not_read_is_named_with_why():
    rows = [
        {"account": "1", "region": "us-east-1", "status": "covered", "why": ""},
        {"account": "1", "region": "eu-west-1", "status": "denied", "why": "<@U1> said no"},
        {"account": "1", "region": "af-south-1", "status": "not enabled", "why": ""},
    ]
    shown = Book().add(Kind.OPENED, "opened", OPENED).add(Kind.COVERAGE, "c", {"what": "events", "regions": rows}).at()
    blocks = str(status_message(shown, "", "")[1])
    assert "1 of 2 regions read, 1 not" in blocks, "a region that the account has not enabled is none of its regions"
    assert "eu-west-1: denied" in blocks
    assert "<@U1>" not in blocks
    assert "<!here>" not in blocks


def test_a_report_ends_it_until_a_responder_adds_something():
    book = Book().add(Kind.OPENED, "opened", OPENED).add(Kind.REPORT, "report:1", {"status": "restored"})
    assert book.at().ended == "restored"
    assert book.add(Kind.AMENDMENT, "amendment:1", {}).at().ended == ""


def test_an_acknowledgement_that_ran_out_is_said_to_have_lapsed():
    until = (NOW + timedelta(hours=1)).isoformat()
    book = Book().add(Kind.ACK, "ack:alice:1", {"person": "alice", "surface": "slack", "until": until})
    assert book.at().acknowledged == "by alice, until 2026-11-24 04:00 UTC"
    assert "lapsed" in book.at(NOW + timedelta(hours=2)).acknowledged
