"""While the evidence store takes nothing the phases go on, and people are told what waits, for what, and what does not."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from flows import facts
from flows.case import Case
from incident.ledger import Kind
from incident.volatile import Of, Subject, items_of
from tasks import work
from tasks.evidence import EvidenceStore

INCIDENT = "inc-1"
INSTANCE = Subject(Of.INSTANCE, "111122223333", "us-east-1", "i-0123456789abcdef0")


class Answering:
    """An AWS that answers every read with nothing."""

    config = SimpleNamespace(endpoint_url=None)

    def act_for(self, incident: str) -> None:
        """Nothing here tells incidents apart."""

    def read_all(self, scope, read):
        yield {}

    def own_principal(self, account: str) -> str:
        return "arn:aws:sts::111122223333:assumed-role/CountermandResponder"


@pytest.fixture
def desk(ledger, tmp_path, monkeypatch):
    (tmp_path / "evidence").write_text("in the way")
    posted: dict[str, str] = {}

    async def post(incident, key, message, blocks):
        posted[key] = blocks[0]["text"]["text"]

    def with_store(aside) -> SimpleNamespace:
        store = EvidenceStore(tmp_path / "evidence", ledger, aside)
        hands = SimpleNamespace(ledger=ledger, aws=Answering(), evidence=store, clock=lambda: datetime(2026, 3, 1, tzinfo=UTC))
        monkeypatch.setattr(work, "hands", lambda: hands)
        monkeypatch.setattr(work, "get_run_logger", lambda: logging.getLogger("test"))
        monkeypatch.setattr(facts, "post", post)
        monkeypatch.setattr(facts, "take_in_evidence", work.take_in_evidence.fn)
        return SimpleNamespace(case=Case(INCIDENT, hands), posted=posted, store=store)

    return with_store


def told(desk, when: str) -> list[str]:
    return asyncio.run(facts.tell_what_waits(desk.case, when, items_of(INSTANCE)))


@pytest.mark.parametrize("aside", [True, False], ids=["set aside", "not even set aside"])
def test_facts_that_cannot_be_stored_stop_nothing_and_are_no_gap(desk, ledger, tmp_path, aside):
    desk = desk(tmp_path / "aside" if aside else None)
    asyncio.run(work.keep_facts_of.fn(INCIDENT, INSTANCE))
    assert set(told(desk, "facts-1")) == set(items_of(INSTANCE))
    assert "Containment goes on. Nothing that rests on this evidence is deleted." in desk.posted["evidence-waits-facts-1"]
    assert desk.store.gaps(INCIDENT) == {}, "a gap would let the deletion go on without it"
    assert all(desk.store.damage(INCIDENT, name) for name in items_of(INSTANCE))


def test_a_store_that_was_mended_has_everything_and_nobody_is_told_again(desk, ledger, tmp_path):
    desk = desk(tmp_path / "aside")
    asyncio.run(work.keep_facts_of.fn(INCIDENT, INSTANCE))
    (tmp_path / "evidence").unlink()
    assert told(desk, "evidence-1") == []
    assert desk.posted == {}
    assert {str(line.body["item"]) for line in ledger.lines(INCIDENT, Kind.EVIDENCE) if "sha256" in line.body} >= set(
        items_of(INSTANCE)
    )
