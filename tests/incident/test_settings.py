"""Folding: settings with histories, and the values that they would have without an actor."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from examples import NOON, record, setting
from hypothesis import given
from hypothesis import strategies as st

from incident.record import Record
from incident.settings import UNKNOWN, Fold, Known, PriorValue, Source, Unknown, Write, reversals, same

NAMES = ("a", "b", "c")
AUTHORS = ("mallory", "alice")
CHANGE = st.tuples(st.sampled_from(AUTHORS), st.sampled_from(NAMES), st.one_of(st.none(), st.integers(0, 3)))
HISTORY = st.lists(CHANGE, max_size=12)


def key(name: str):
    return setting("thing", "t-1", name)


def told(name: str, value: int | None, author: str, at: int) -> tuple[Record, Write]:
    return record("Set", at=at, user=author), Write(key(name), value)


def folded(changes: list[tuple[str, str, int | None]], baseline: dict[str, int | None] | None = None) -> Fold:
    """Changes, one a second, over a baseline of noon less an hour."""
    before = NOON - timedelta(hours=1)
    fold = Fold((key(name), PriorValue(value, before, Source.BASELINE)) for name, value in (baseline or {}).items())
    for at, (author, name, value) in enumerate(changes):
        made, write = told(name, value, author, at)

        def reader(record: Record, known: Known, write: Write = write) -> Iterable[Write]:
            return [write]

        fold.read(made, reader)
    return fold


def by_mallory(record: Record) -> bool:
    return record.identity.name == "mallory"


@given(HISTORY)
def test_a_fold_ends_with_what_was_written_last(changes):
    fold = folded(changes)
    for name in NAMES:
        mine = [value for _, written, value in changes if written == name]
        if mine:
            assert same(fold.histories[key(name)].entries[-1].after, mine[-1])


@given(HISTORY, st.fixed_dictionaries({name: st.one_of(st.none(), st.integers(0, 3)) for name in NAMES}))
def test_a_reversal_keeps_the_last_word_of_others_after_the_actors_first(changes, baseline):
    targets = {one.key.name: one.target for one in reversals(folded(changes, baseline), by_mallory)}

    for name in NAMES:
        mine = [(author, value) for author, written, value in changes if written == name]
        firsts = [at for at, (author, _) in enumerate(mine) if author == "mallory"]
        if not firsts:
            assert name not in targets
            continue
        others_before = [value for author, value in mine[: firsts[0]]]
        others_after = [value for author, value in mine[firsts[0] :] if author != "mallory"]
        expected = (others_after or others_before or [baseline[name]])[-1]
        assert same(targets[name], expected)


@given(HISTORY)
def test_without_a_baseline_the_first_value_is_unknown(changes):
    for reversal in reversals(folded(changes), by_mallory):
        first = next(author for author, name, _ in changes if name == reversal.key.name)
        others = [author for author, name, _ in changes if name == reversal.key.name and author != "mallory"]
        if first == "mallory" and not others:
            assert isinstance(reversal.target, Unknown)


def test_what_a_record_proves_counts_for_more_than_a_baseline():
    fold = Fold([(key("a"), PriorValue(1, NOON - timedelta(days=1), Source.BASELINE))])
    (entry,) = fold.read(record("Set"), lambda record, known: [Write(key("a"), 2, before=None)])
    assert (entry.before, entry.source) == (None, Source.RECORD)


def test_a_read_between_two_records_tells_the_later_one_what_was_before():
    prior = PriorValue(5, NOON + timedelta(seconds=5), Source.CONFIG)
    fold = Fold([(key("a"), prior)])
    fold.read(record("Set", at=1), lambda record, known: [Write(key("a"), 1)])
    (entry,) = fold.read(record("Set", at=9), lambda record, known: [Write(key("a"), 2)])
    assert (entry.before, entry.source) == (5, Source.CONFIG)


def test_ids_that_a_record_gave_name_the_setting_to_later_ones():
    fold = Fold()
    fold.read(record("Set"), lambda record, known: [Write(key("a"), 1, handles={"RuleId": "r-1"})])
    assert fold.alias("r-1") == key("a")
    assert fold.alias("r-2") is None
    assert fold.keys_of("thing", "t-1") == [key("a")]


def test_a_value_that_becomes_unknown_equals_nothing():
    fold = folded([("alice", "a", 1)])
    fold.read(record("Reset", at=9, user="mallory"), lambda record, known: [Write(key("a"), UNKNOWN)])
    (reversal,) = reversals(fold, by_mallory)
    assert reversal.target == 1
    assert not same(reversal.written, reversal.written)


def test_without_entries_a_fold_knows_values_and_current_ids_and_nothing_more():
    fold = Fold(keeps_entries=False)
    for at in range(3):
        handles = {"RuleId": f"r-{at}"}
        fold.read(record("Set", at=at), lambda record, known, at=at, handles=handles: [Write(key("a"), at, handles=handles)])
    assert fold.value(key("a")) == 2
    assert fold.histories[key("a")].entries == []
    assert [fold.alias(f"r-{at}") for at in range(3)] == [None, None, key("a")]
    fold.read(record("Unset", at=9), lambda record, known: [Write(key("a"), None)])
    assert fold.alias("r-2") is None


def test_a_history_keeps_who_and_when_but_no_bodies():
    (entry,) = Fold().read(record("Set", request={"a": "b"}), lambda record, known: [Write(key("a"), 1)])
    assert (entry.record.event_name, entry.record.identity.name, entry.record.time) == ("Set", "mallory", NOON)
    assert (entry.record.request, entry.record.raw) == ({}, {})
