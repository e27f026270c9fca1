"""A finding that joins an open incident makes it look again at what the finding names: from the door to what is looked for."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import pytest
from findings import KEY_RESOURCE, as_api, envelope, finding
from sorting import Desk

from flows import case as case_module
from flows import identify, respond
from flows.case import Case
from gateway.waker import Waker
from incident.findings.joining import Outcome
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
    return SimpleNamespace(case=case, arrives=arrives, another=another, told=told, aws=desk.aws, behind=waker._amended)


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
    for number in range(2, 2 + respond.LOOKS_FOR_FINDINGS):
        incident.arrives(number, f"AKIAMALLORY{number:05d}")
        assert incident.another()
    incident.arrives(99, "AKIAMALLORYLAST")
    assert not incident.another()
