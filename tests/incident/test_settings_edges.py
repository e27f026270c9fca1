"""Folding at its edges: equal moments, sweeps that show nothing, unknown values, and who relies on what."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest
from examples import NOON, record, setting

from incident.record import Record
from incident.settings import UNKNOWN, Fold, History, PriorValue, Reversal, Source, Value, Write, reversals, same

HOUR = timedelta(hours=1)
THING = setting("thing", "t-1")
SIZE = setting("thing", "t-1", "size")
USER = setting("gadget", "g-1", "uses")


def write(fold: Fold, *writes: Write, at: int = 0, user: str = "mallory") -> None:
    fold.read(record("Set", at=at, user=user), lambda record, known: writes)


def told(*changes: tuple[str, Write]) -> Reversal:
    """What undoes mallory after changes, one a second, each by its author."""
    fold = Fold()
    for at, (author, made) in enumerate(changes):
        write(fold, made, at=at, user=author)
    return next(one for one in reversals(fold, by_mallory))


def by_mallory(record: Record) -> bool:
    return record.identity.name == "mallory"


def swept_at_ten(key):
    """A sweep two hours before noon that listed all of what `t-1` has, and nothing else."""
    return NOON - 2 * HOUR if key.resource == "t-1" else None


# --- what was known at a moment -----------------------------------------------------------------------------------------------


def test_a_value_that_was_read_at_the_very_moment_counts():
    history = History(SIZE, [PriorValue(3, NOON, Source.CONFIG)])
    assert history.value_at(NOON) == (3, Source.CONFIG)
    assert history.value_at(NOON - timedelta(seconds=1)) == (UNKNOWN, Source.NOTHING)


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_reads_at_one_moment_the_more_trusted_counts(turned):
    reads = [PriorValue(1, NOON, Source.BASELINE), PriorValue(2, NOON, Source.CONFIG)]
    assert History(SIZE, reads[::-1] if turned else reads).value_at(NOON) == (2, Source.CONFIG)


def test_of_two_equally_trusted_reads_at_one_moment_the_first_stands():
    reads = [PriorValue(1, NOON, Source.CONFIG), PriorValue(2, NOON, Source.CONFIG)]
    assert History(SIZE, reads).value_at(NOON) == (1, Source.CONFIG)


def test_a_record_that_left_the_value_unknown_tells_nothing():
    history = History(SIZE, written=UNKNOWN, written_at=NOON)
    assert history.value_at(NOON) == (UNKNOWN, Source.NOTHING)


def test_before_the_first_record_no_read_counts_yet():
    fold = Fold([(SIZE, PriorValue(3, NOON, Source.BASELINE))])
    assert fold.value(SIZE) is UNKNOWN


def test_the_reader_of_a_record_finds_what_named_a_resource_just_before_it():
    fold = Fold([(USER, PriorValue({"thing": "t-1"}, NOON, Source.BASELINE))])
    found = []
    for at in (-1, 1):
        fold.read(record("Look", at=at), lambda record, known: found.append(known.keys_naming("gadget", "t-1")) or [])
    assert found == [[], [USER]]
    assert fold.keys_naming("gadget", "t-2") == []
    assert fold.keys_naming("thing", "t-1") == []


# --- sweeps -------------------------------------------------------------------------------------------------------------------


def test_what_a_sweep_of_its_kind_did_not_show_was_absent():
    fold = Fold(swept_at=swept_at_ten)
    seen = []
    fold.read(record("Look"), lambda record, known: seen.extend([known.value(SIZE), known.value(USER)]) or [])
    assert seen == [None, UNKNOWN]


def test_a_sweep_tells_nothing_of_the_time_before_it():
    fold = Fold(swept_at=lambda key: NOON + HOUR)
    fold.read(record("Look"), lambda record, known: [])
    assert fold.value(SIZE) is UNKNOWN


def test_a_first_write_over_what_a_sweep_did_not_show_replaced_nothing():
    fold = Fold(swept_at=swept_at_ten)
    write(fold, Write(SIZE, 1), Write(USER, 1))
    size, user = (fold.histories[key].entries[0] for key in (SIZE, USER))
    assert (size.before, size.source) == (None, Source.BASELINE)
    assert (user.before, user.source) == (UNKNOWN, Source.NOTHING)


def test_a_sweep_does_not_count_against_what_was_read_of_a_setting():
    fold = Fold([(SIZE, PriorValue(7, NOON - 3 * HOUR, Source.CONFIG))], swept_at_ten)
    write(fold, Write(SIZE, 8))
    assert fold.histories[SIZE].entries[0].before == 7


# --- what a fold keeps --------------------------------------------------------------------------------------------------------


def test_a_record_that_writes_nothing_keeps_its_bodies_for_whoever_reads_on():
    seen = record("Look", request={"a": "b"})
    assert Fold().read(seen, lambda record, known: []) == []
    assert seen.request == {"a": "b"}


def test_two_settings_that_shared_an_id_let_go_of_it_one_after_the_other():
    fold = Fold(keeps_entries=False)
    write(fold, Write(SIZE, 1, handles={"Id": "r-1"}))
    write(fold, Write(USER, 1, handles={"Id": "r-1"}), at=1)
    write(fold, Write(SIZE, None), at=2)
    write(fold, Write(USER, None), at=3)
    assert fold.alias("r-1") is None


def test_the_unknown_value_is_one_also_after_a_journey():
    assert pickle.loads(pickle.dumps(UNKNOWN)) is UNKNOWN
    assert repr(UNKNOWN) == "UNKNOWN"


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (None, None, True),
        (None, "null", False),
        (None, 0, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        (["a", "b"], ["b", "a"], False),
        ("UNKNOWN", UNKNOWN, False),
        (UNKNOWN, UNKNOWN, False),
        (UNKNOWN, None, False),
    ],
)
def test_values_are_equal_whatever_the_order_of_their_members_and_the_unknown_equals_nothing(left, right, equal):
    assert same(left, right) is equal
    assert same(right, left) is equal


# --- what one setting must be again -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "target", "source"),
    [(4, 4, Source.RECORD), (None, None, Source.RECORD), (UNKNOWN, UNKNOWN, Source.NOTHING)],
)
def test_a_reversal_says_what_tells_its_value(before: Value, target: Value, source: Source):
    reversal = told(("mallory", Write(SIZE, 5, before=before)))
    assert (reversal.target, reversal.source) == (target, source)


def test_a_value_that_somebody_left_unknown_after_the_actor_comes_from_nothing():
    reversal = told(("mallory", Write(SIZE, 5, before=4)), ("alice", Write(SIZE, UNKNOWN)))
    assert (reversal.target, reversal.source) == (UNKNOWN, Source.NOTHING)


def test_a_value_of_somebody_else_comes_from_an_earlier_record():
    reversal = told(("mallory", Write(SIZE, 5, before=4)), ("alice", Write(SIZE, 6)), ("mallory", Write(SIZE, 7)))
    assert (reversal.target, reversal.source, reversal.since) == (6, Source.EARLIER_RECORD, ())


def test_of_those_who_changed_in_place_what_the_actor_made_the_last_one_relies_on_it():
    changes = [("mallory", Write(SIZE, 1, before=None)), ("alice", Write(SIZE, 2)), ("bob", Write(SIZE, 3))]
    reversal = told(*changes)
    assert [entry.record.identity.name for entry in reversal.since] == ["alice", "bob"]
    assert [entry.record.identity.name for entry in reversal.relying] == ["bob"]


@pytest.mark.parametrize("gone", [(("alice", Write(SIZE, None)), ("alice", Write(SIZE, 3))), (("alice", Write(SIZE, None)),)])
def test_who_made_it_anew_relies_on_nothing_of_the_actors(gone):
    assert told(("mallory", Write(SIZE, 1, before=None)), *gone).relying == ()


# --- who relies on a resource of the actor's making ---------------------------------------------------------------------------


def relying_on_the_made(*writes: tuple[str, Write], prior: tuple[Write, ...] = ()) -> list[str]:
    fold = Fold((one.key, PriorValue(one.after, NOON - HOUR, Source.BASELINE)) for one in prior)
    write(fold, Write(THING, {}, before=None))
    for at, (author, made) in enumerate(writes, start=1):
        write(fold, made, at=at, user=author)
    (made,) = [one for one in reversals(fold, by_mallory) if one.key == THING]
    return [entry.record.identity.name for entry in made.relying]


def test_whoever_names_what_the_actor_made_relies_on_it():
    assert relying_on_the_made(("alice", Write(USER, {"thing": "t-1"}))) == ["alice"]


def test_a_setting_whose_name_is_the_resource_relies_on_it():
    assert relying_on_the_made(("alice", Write(setting("gadget", "g-1", "t-1"), {}))) == ["alice"]


@pytest.mark.parametrize(
    ("author", "made"),
    [
        ("mallory", Write(USER, {"thing": "t-1"})),
        ("mallory", Write(USER, UNKNOWN)),
        ("alice", Write(USER, None)),
        ("alice", Write(USER, {"thing": "t-2"})),
        ("alice", Write(setting("gadget", "g-1", "t-1"), None)),
        ("alice", Write(setting("gadget", "g-1", "t-1"), UNKNOWN)),
    ],
)
def test_what_the_actor_wrote_what_is_gone_and_what_is_unknown_relies_on_nothing(author, made):
    assert relying_on_the_made((author, made)) == []


def test_what_only_a_read_showed_does_not_stop_the_search_for_who_relies():
    assert relying_on_the_made(("alice", Write(USER, {"thing": "t-1"})), prior=(Write(SIZE, 3),)) == ["alice"]


def test_a_resource_does_not_rely_on_itself():
    assert relying_on_the_made(("alice", Write(SIZE, {"of": "t-1"}))) == []


def test_nobody_is_asked_about_a_resource_that_was_there_before():
    fold = Fold([(THING, PriorValue({}, NOON - HOUR, Source.BASELINE))])
    write(fold, Write(THING, {"color": "red"}))
    write(fold, Write(USER, {"thing": "t-1"}), at=1, user="alice")
    (reversal,) = reversals(fold, by_mallory)
    assert reversal.relying == ()
