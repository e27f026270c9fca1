"""An incident is closed only when nothing speaks against it, and each thing that does is named."""

from __future__ import annotations

import pytest
from examples import NOON
from told_incident import answered, told, with_more

from incident.ledger import Kind
from incident.reports.backlog import added, assigned
from incident.reports.closing import is_closed, reasons_against

ITEM = added("Log every VPC", "detective", "alice")


def against(lines, unplanned=(), waiting=()):
    return reasons_against(lines, unplanned, waiting)


def test_nothing_speaks_against_an_incident_that_is_proved_and_determined():
    lines = answered(told())
    assert against(lines) == ()
    assert not is_closed(lines)
    assert is_closed(with_more(lines, (Kind.CLOSED, "closed", {"person": "alice", "reason": "done"})))


def test_each_thing_that_is_left_is_a_reason_of_its_own():
    proof = next(line for line in told() if line.kind == Kind.PROOF).body
    lost = {"title": "deny sessions", "good": False, "by": "", "at": "", "record": "", "found": "", "detail": ""}
    lines = answered(told())
    cases = {
        "unknown region": with_more(lines, (Kind.PROOF, "p:2", {**proof, "complete": False, "unknown_regions": [{}, {}]})),
        "not complete": with_more(lines, (Kind.PROOF, "p:2", {**proof, "complete": False})),
        "containment undone": with_more(lines, (Kind.NOTE, "held:1:after", {"said": "", "undone": [lost]})),
        "without owner": with_more(lines, (Kind.BACKLOG, "b:1", dict(ITEM))),
    }
    found = {name: against(case) for name, case in cases.items()}
    assert {name: len(reasons) for name, reasons in found.items()} == dict.fromkeys(cases, 1)
    assert "2 × region is not known" in found["unknown region"][0]
    assert "not complete" in found["not complete"][0]
    assert "deny sessions" in found["containment undone"][0]
    assert "backlog item" in found["without owner"][0]
    assert "left to people" in against(lines, unplanned=[object()])[0]
    assert "evidence" in against(lines, waiting=["records/look-1.json"])[0]


def test_containment_that_was_done_again_speaks_no_more_and_an_item_with_an_owner_neither():
    lost = {"title": "deny", "good": False}
    lines = with_more(
        answered(told()),
        (Kind.NOTE, "held:1:after", {"said": "", "undone": [lost]}),
        (Kind.NOTE, "held:1:before-proof", {"said": "", "undone": [{**lost, "good": True}]}),
        (Kind.BACKLOG, "b:1", dict(ITEM)),
        (Kind.BACKLOG, "b:2", dict(assigned(str(ITEM["item"]), "bob", "", "alice"))),
    )
    assert against(lines) == ()


def test_without_a_proof_the_response_has_not_ended():
    lines = [line for line in answered(told()) if line.kind != Kind.PROOF]
    assert any("no proof" in reason for reason in against(lines))


@pytest.mark.parametrize("responds", [True, False])
def test_what_was_only_reported_needs_neither_proof_nor_determination(responds):
    opened = next(line for line in told() if line.kind == Kind.OPENED)
    lines = with_more(told()[:1], (Kind.OPENED, "opened", {**opened.body, "responds": responds, "at": NOON.isoformat()}))
    assert bool(against(lines)) is responds
