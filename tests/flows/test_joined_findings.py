"""A finding that joins an open incident makes it look again at what the finding names: from the door to what is looked for."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from findings import KEY_RESOURCE, as_api, envelope, finding
from sorting import Desk

from flows import case as case_module
from flows import identify, respond
from flows.case import Case
from gateway.dispatch.waker import Waker
from incident.approvals import Answer, Standing
from incident.findings.joining import LOOKS_FOR_FINDINGS, Outcome
from incident.ledger import Kind
from incident.people.occasions import facts
from incident.people.status import status
from incident.plan import Plan
from incident.policy import Policy, Responder
from tasks.approvals import Approvals, Refused
from tasks.evidence import EvidenceStore


class NoExceptions:
    """Nobody agreed to leave anything unanswered."""

    def covering(self, finding: object) -> None:
        return None


def about_mallory(number: int, key: str) -> dict:
    details = KEY_RESOURCE["accessKeyDetails"] | {"accessKeyId": key}
    return finding(id=f"{number:032x}", resource=KEY_RESOURCE | {"accessKeyDetails": details})


@pytest.fixture
def incident(ledger, tmp_path, monkeypatch):
    """An incident whose first look has begun, and the doors through which more comes."""
    desk, told = Desk(ledger, NoExceptions()), []
    hands = SimpleNamespace(ledger=ledger, aws=desk.aws, evidence=EvidenceStore(tmp_path / "evidence", ledger))

    async def post(incident: str, key: str, message: str, blocks: object) -> None:
        told.append(message)

    monkeypatch.setattr(case_module, "hands", lambda: hands)
    monkeypatch.setattr(case_module, "get_run_logger", lambda: logging.getLogger("test"))
    monkeypatch.setattr(respond, "post", post)

    def arrives(number: int, key: str, *, known: bool = True):
        body = about_mallory(number, key)
        if known:
            desk.aws.findings[body["id"]] = as_api(body)
        (one,) = desk.sort(envelope(body))
        return one

    opened = arrives(1, "AKIAMALLORYFIRST")
    case = Case(opened.incident)
    case.begin_look(1, "first")

    def another() -> bool:
        return asyncio.run(respond._another(case, len(case.looks()), more=False))

    waker = Waker(ledger, None, None)  # pyright: ignore
    policy = Policy(responders=(Responder(name="alice"),))
    approvals = Approvals(ledger, policy, lambda: datetime(2026, 3, 1, 12, tzinfo=UTC))
    return SimpleNamespace(
        case=case, arrives=arrives, another=another, told=told, aws=desk.aws, behind=waker._amended, approvals=approvals
    )


def test_a_key_that_a_joining_finding_names_is_looked_for_in_another_look(incident):
    assert not incident.another(), "nothing joined yet"
    assert incident.behind() == []
    joined = incident.arrives(2, "AKIAMALLORYOTHER")
    assert (joined.outcome, joined.incident) == (Outcome.JOINS, incident.case.incident)
    # A run that has ended is started again for it, and one that goes on sees it after its look.
    assert incident.behind() == [(incident.case.incident, "0-1")]
    assert incident.another()
    assert incident.case.looks() == ["first", "another finding joined"]
    assert "Another finding about the same actor" in incident.told[-1]
    assert [one.access_key.access_key_id for one in identify._joined(incident.case, 2)] == ["AKIAMALLORYOTHER"]
    assert identify._joined(incident.case, 1) == [], "the first look did not know of it"
    assert incident.behind() == []
    assert not incident.another(), "once is enough"


def test_one_that_names_nothing_new_makes_no_look(incident):
    assert incident.arrives(2, "AKIAMALLORYFIRST").outcome is Outcome.JOINS
    assert incident.behind() == []
    assert not incident.another()


def test_one_that_guardduty_takes_back_counts_for_nothing(incident):
    incident.arrives(2, "AKIAMALLORYOTHER")
    incident.aws.findings.clear()
    assert incident.another()
    assert identify._joined(incident.case, 2) == []


def test_whoever_causes_findings_does_not_keep_it_looking_for_ever(incident):
    for number in range(2, 2 + LOOKS_FOR_FINDINGS):
        incident.arrives(number, f"AKIAMALLORY{number:05d}")
        assert incident.another()
    incident.arrives(99, "AKIAMALLORYLAST")
    assert not incident.another()


def question(incident, kind, look):
    plan = Plan(incident=incident.case.incident, title=f"{kind} {look}", steps=())
    return plan, incident.approvals.ask(plan, kind, look, ())


def approve(incident, plan, asked):
    said = {"person": "alice", "method": "one-time-code", "surface": "prefect", "answer": Answer.APPROVE}
    return incident.approvals.decide(plan.incident, asked.id, digest=plan.digest, **said)


def test_what_it_names_is_contained_before_anything_is_restored(incident):
    contain, restore = question(incident, "contain", 1), question(incident, "restore", 1)
    incident.arrives(2, "AKIAMALLORYOTHER")
    assert incident.approvals.standing(incident.case.incident, restore[1].id) is Standing.JOINED
    with pytest.raises(Refused, match="another finding joined"):
        approve(incident, *restore)
    approve(incident, *contain)
    assert incident.approvals.standing(incident.case.incident, contain[1].id) is Standing.APPROVED
    assert incident.another()
    assert incident.approvals.standing(incident.case.incident, restore[1].id) is Standing.JOINED, "the next look revives nothing"
    _, again = question(incident, "restore", 2)
    assert incident.approvals.waiting(incident.case.incident) == again


def test_a_restoration_that_was_approved_already_goes_on(incident):
    restore = question(incident, "restore", 1)
    approve(incident, *restore)
    incident.arrives(2, "AKIAMALLORYOTHER")
    assert incident.approvals.standing(incident.case.incident, restore[1].id) is Standing.APPROVED


def test_whoever_causes_findings_does_not_keep_a_restoration_waiting_for_ever(incident):
    for number in range(2, 2 + LOOKS_FOR_FINDINGS):
        incident.arrives(number, f"AKIAMALLORY{number:05d}")
        assert incident.another()
    _, asked = question(incident, "restore", 1 + LOOKS_FOR_FINDINGS)
    incident.arrives(99, "AKIAMALLORYLAST")
    assert incident.approvals.standing(incident.case.incident, asked.id) is Standing.WAITING


def test_a_question_of_a_ledger_that_did_not_know_looks_still_stands(incident):
    plan, asked = question(incident, "restore", 1)
    body = asked.model_copy(update={"id": "restore-of-before"}).model_dump(mode="json")
    del body["look"]
    incident.case.hands.ledger.append(plan.incident, Kind.QUESTION, "question:restore-of-before", body)
    incident.arrives(2, "AKIAMALLORYOTHER")
    assert incident.approvals.standing(plan.incident, "restore-of-before") is Standing.WAITING


def test_nobody_is_told_that_an_overtaken_question_waits(incident):
    name, ledger = incident.case.incident, incident.case.hands.ledger
    now, policy = datetime(2026, 3, 1, 12, tzinfo=UTC), Policy(responders=(Responder(name="alice"),))
    ledger.append(name, Kind.OPENED, "opened", {"responds": True})

    def waiting() -> tuple[set[str], set[str]]:
        lines = ledger.lines(name)
        known = facts(lines, now)
        assert known is not None
        called = {one.id for one in known.occasions if one.phase == "waiting" and not one.over}
        return {one.asked.id for one in status(name, lines, policy, now).waiting}, called

    restore = question(incident, "restore", 1)[1]
    assert waiting() == ({restore.id}, {f"waiting:{restore.id}"})
    incident.arrives(2, "AKIAMALLORYOTHER")
    assert waiting() == (set(), set())


@pytest.mark.parametrize("joins", [True, False])
def test_after_containment_a_finding_that_joined_comes_before_restoration_is_planned(incident, monkeypatch, joins):
    gone_through: list[str] = []

    async def phase(one, case: Case, look: int) -> None:
        gone_through.append(one.name)
        if one.name == "contain" and joins:
            incident.arrives(2, "AKIAMALLORYOTHER")

    async def yes(*asked: object) -> bool:
        return True

    monkeypatch.setattr(respond, "_phase", phase)
    monkeypatch.setattr(respond, "_agreed", yes)
    monkeypatch.setattr(respond, "_ask_for_the_rest", yes)
    monkeypatch.setattr(respond, "is_lost", lambda *asked: False)
    goes_on = asyncio.run(respond._one_look(incident.case, 1))
    assert "contain" in gone_through
    assert (respond.plan_restoration.name in gone_through, goes_on) == (not joins, not joins)
