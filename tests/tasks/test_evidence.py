"""Evidence: hashed, chained, and never silently replaced."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from incident.volatile import part_of_name
from tasks.evidence import EvidenceStore, EvidenceUnavailable
from tasks.ledger import Ledger


@pytest.fixture
def store(tmp_path) -> EvidenceStore:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db", lambda: datetime(2026, 3, 1, tzinfo=UTC))
    store = EvidenceStore(tmp_path / "evidence", ledger)
    store.keep_json("inc-1", "finding.json", {"id": 1}, "the finding")
    store.keep("inc-1", "records/look-1.json", b"[]", "records")
    return store


def test_what_was_kept_verifies_and_is_read_back(store):
    assert store.verify("inc-1") == []
    assert store.load_json("inc-1", "finding.json") == {"id": 1}
    assert [item["item"] for item in store.manifest("inc-1")] == ["finding.json", "records/look-1.json"]


def test_keeping_the_same_again_changes_nothing(store):
    store.keep("inc-1", "records/look-1.json", b"[]", "records")
    assert len(store.manifest("inc-1")) == 2


def test_other_content_under_a_taken_name_is_refused(store):
    with pytest.raises(ValueError, match="other content"):
        store.keep("inc-1", "records/look-1.json", b"[1]", "records")
    assert store.load_json("inc-1", "records/look-1.json") == []


def test_a_changed_a_missing_and_an_added_item_are_named(store, tmp_path):
    folder = tmp_path / "evidence" / "inc-1"
    (folder / "finding.json").chmod(0o600)
    (folder / "finding.json").write_text("{}")
    (folder / "records" / "look-1.json").unlink()
    (folder / "planted.json").write_text("{}")
    assert {(item.item, item.what.split(":")[0]) for item in store.verify("inc-1")} == {
        ("finding.json", "changed"),
        ("records/look-1.json", "missing"),
        ("planted.json", "added"),
    }


def test_a_phase_that_starts_again_goes_on_from_what_it_kept_the_first_time(store):
    store.keep_first_json("inc-1", "finding.json", {"id": 2}, "the finding")
    store.keep_first_json("inc-1", "new.json", {"id": 2}, "something new")
    assert store.load_json("inc-1", "finding.json") == {"id": 1}
    assert store.load_json("inc-1", "new.json") == {"id": 2}
    assert store.verify("inc-1") == []


def test_what_a_crash_left_without_a_line_is_written_again(store, tmp_path):
    left = tmp_path / "evidence" / "inc-1" / "half.json"
    left.write_text("{")
    store.keep_json("inc-1", "half.json", {"whole": True}, "whole")
    assert store.load_json("inc-1", "half.json") == {"whole": True}
    assert store.verify("inc-1") == []


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../b", "", "a b", "x\n"])
def test_a_name_that_leads_out_of_the_folder_is_refused(store, name):
    with pytest.raises(ValueError, match="no name for evidence"):
        store.keep("inc-1", name, b"", "nothing")


def test_a_gap_stands_in_the_manifest_until_the_item_is_kept_all_the_same(store):
    store.note_gap("inc-1", "instances/x/screenshot.json", "UnauthorizedOperation", "the screen")
    assert store.gaps("inc-1") == {"instances/x/screenshot.json": "UnauthorizedOperation"}
    assert store.verify("inc-1") == []
    assert store.damage("inc-1", "instances/x/screenshot.json") == "not in the manifest"
    store.keep_json("inc-1", "instances/x/screenshot.json", {}, "the screen")
    assert store.gaps("inc-1") == {}
    assert store.damage("inc-1", "instances/x/screenshot.json") == ""


def test_names_of_aws_become_names_of_items_and_stay_apart(store):
    names = ["a@b", "a%40b", "..", ".", "../../etc", "a+b=c,d", "häßlich", "plain-name_1", "~"]
    parts = [part_of_name(name) for name in names]
    assert len(set(parts)) == len(names)
    assert part_of_name("plain-name_1") == "plain-name_1"
    for part in parts:
        store.keep("inc-1", f"identities/{part}/user.json", part.encode(), "a user")
    assert store.verify("inc-1") == []


# --- while the place takes nothing ---------------------------------------------------------------------------------------------


@pytest.fixture
def shut(tmp_path) -> EvidenceStore:
    """A store in whose folder's place a file lies, so that the operating system refuses to write there."""
    (tmp_path / "shut").write_text("in the way")
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db", lambda: datetime(2026, 3, 1, tzinfo=UTC))
    return EvidenceStore(tmp_path / "shut", ledger, tmp_path / "aside")


def test_what_the_place_does_not_take_is_set_aside_and_is_no_evidence_yet(shut):
    shut.keep_json("inc-1", "records/look-1.json", [1], "records")
    assert shut.load_json("inc-1", "records/look-1.json") == [1]
    assert shut.has("inc-1", "records/look-1.json")
    assert shut.manifest("inc-1") == []
    assert shut.gaps("inc-1") == {}
    assert "make room" in shut.waiting("inc-1")["records/look-1.json"]
    assert shut.damage("inc-1", "records/look-1.json").startswith("waiting for its store: evidence folder")


def test_the_place_takes_it_in_when_it_can(shut, tmp_path):
    shut.keep("inc-1", "instances/x/screenshot.json", b"{}", "the screen")
    assert list(shut.take_in("inc-1")) == ["instances/x/screenshot.json"]
    (tmp_path / "shut").unlink()
    assert shut.take_in("inc-1") == {}
    assert shut.take_in("inc-1") == {}
    assert [item["item"] for item in shut.manifest("inc-1")] == ["instances/x/screenshot.json"]
    assert (shut.waiting("inc-1"), shut.verify("inc-1")) == ({}, [])
    assert list((tmp_path / "aside").rglob("*.json")) == []


def test_what_was_set_aside_and_changed_is_never_taken_in(shut, tmp_path):
    shut.keep("inc-1", "a.json", b"{}", "a")
    waits = tmp_path / "aside" / "inc-1" / "a.json"
    waits.chmod(0o600)
    waits.write_bytes(b"{1}")
    (tmp_path / "shut").unlink()
    assert shut.take_in("inc-1") == {"a.json": "what was set aside is missing or changed"}
    assert [one.item for one in shut.lost_aside("inc-1")] == ["a.json"]
    assert not shut.has("inc-1", "a.json")


def test_without_a_place_aside_it_is_an_error(shut, tmp_path):
    bare = EvidenceStore(tmp_path / "shut", shut._ledger)
    with pytest.raises(EvidenceUnavailable, match="mend its permissions"):
        bare.keep("inc-1", "a.json", b"{}", "a")
