"""Who is told when: nobody skipped, nobody twice, and a process that starts again goes on where the ladder stood."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from escalating import INCIDENT, NOON, Book, policy
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.approvals import Answer, Asked, Decision
from incident.ledger import Kind
from incident.people.escalation import faults
from incident.people.ladder import holds

NIGHT = NOON + timedelta(hours=12)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@pytest.fixture
def book() -> Book:
    book = Book(policy())
    book.open()
    return book


def told(book: Book, climb: str = "opened") -> list[tuple[float, int, int]]:
    return [((at - NOON).total_seconds() / 60, level, telling) for at, level, telling in book.told(climb)]


def test_each_level_has_its_time_and_then_the_next_is_told(book):
    book.sleep_until(NOON, NIGHT)
    assert told(book) == [(0, 0, 1), (5, 0, 2), (10, 1, 1), (20, 2, 1)]
    assert book.view(NIGHT).exhausted == ("opened",)


def test_an_ack_stops_and_an_expired_one_resumes_at_the_level_that_stood(book):
    book.sleep_until(NOON, NOON + minutes(11))
    book.ack(NOON + minutes(12), minutes=60)
    assert book.view(NOON + minutes(13)).taken_by == "alice"
    book.sleep_until(NOON + minutes(12), NIGHT)
    assert told(book)[3:] == [(72, 1, 1), (82, 2, 1)]
    (why,) = [line.body["why"] for line in book.lines if line.key == "rung:opened:4"]
    assert why.startswith("alice took it until 13:12 UTC, and nobody has since")


def test_an_ack_in_time_keeps_the_first_level_from_being_told_again(book):
    book.tick(NOON)
    book.ack(NOON + minutes(1), minutes=10)
    book.ack(NOON + minutes(10), minutes=50)
    book.sleep_until(NOON + minutes(1), NOON + minutes(59))
    assert told(book) == [(0, 0, 1)]


def test_an_ack_holds_no_longer_than_the_policy_says(book):
    book.tick(NOON)
    book.ack(NOON + minutes(1), minutes=10_000)
    book.sleep_until(NOON + minutes(1), NOON + minutes(61))
    assert told(book)[1:] == [(61, 0, 1)]


def test_an_ack_that_nobody_can_read_is_held_to_the_policys_time(book):
    book.write(NOON, (INCIDENT, Kind.ACK, "ack:x", {"person": "alice", "surface": "slack", "until": "soon"}))
    (hold,) = holds(book.policy, book.lines)
    assert hold.until == NOON + minutes(60)


def test_a_call_for_help_tells_the_next_level_at_once_and_ends_what_was_taken(book):
    book.tick(NOON)
    book.ack(NOON + minutes(1))
    book.call(NOON + minutes(2))
    book.sleep_until(NOON + minutes(2), NIGHT)
    assert told(book) == [(0, 0, 1), (2, 1, 1), (12, 2, 1)]


def test_a_call_at_the_top_tells_the_top_again(book):
    book.sleep_until(NOON, NIGHT)
    book.call(NIGHT)
    book.tick(NIGHT)
    assert [level for _, level, _ in told(book)] == [0, 0, 1, 2, 2]


def test_two_calls_are_two_levels_and_none_is_answered_twice(book):
    book.call(NOON + minutes(1))
    book.call(NOON + minutes(2))
    book.tick(NOON + minutes(3))
    book.tick(NOON + minutes(3))
    assert [level for _, level, _ in told(book)] == [0, 1]


def test_a_driver_that_was_away_tells_one_level_and_gives_it_its_time(book):
    book.tick(NOON)
    late = NOON + timedelta(hours=3)
    book.sleep_until(late, NIGHT)
    assert told(book)[1:] == [(180, 0, 2), (185, 1, 1), (195, 2, 1)]


def test_the_deadline_that_stands_in_the_ledger_counts_and_not_a_policy_edited_since(book):
    book.tick(NOON)
    faster = {"levels": [{"name": "one", "whom": ["a"], "wait_minutes": 1}, {"name": "two", "whom": ["b"]}]}
    book.policy = policy(ladders={"main": faster})
    assert book.tick(NOON + minutes(1)) == NOON + minutes(5)
    book.tick(NOON + minutes(5))
    assert told(book) == [(0, 0, 1), (5, 1, 1)]


def test_a_report_ends_it(book):
    book.tick(NOON)
    book.write(NOON + minutes(1), (INCIDENT, Kind.REPORT, "report:1", {"status": "restored"}))
    assert book.tick(NOON + minutes(30)) is None
    assert told(book) == [(0, 0, 1)]


# ---- phases -----------------------------------------------------------------------------------------------------


def ask(book: Book, at, *, people: int = 1, minutes_: float = 240) -> Asked:
    asked = Asked(
        id="contain-1-abc",
        question="contain",
        digest="d" * 64,
        asked_at=at,
        expires_at=at + minutes(minutes_),
        people=people,
    )
    book.write(at, (INCIDENT, Kind.QUESTION, f"question:{asked.id}", asked.model_dump(mode="json")))
    return asked


def decide(book: Book, at, person: str) -> None:
    decision = Decision(
        question="contain-1-abc",
        person=person,
        method="one-time-code",
        surface="prefect",
        answer=Answer.APPROVE,
        digest="d" * 64,
        decided_at=at,
        expires_at=at + minutes(60),
    )
    book.write(at, (INCIDENT, Kind.DECISION, f"decision:{person}", decision.model_dump(mode="json")))


WAITING_ONLY = [{"phases": ["waiting", "expired"], "ladder": "main", "after_minutes": 2}, {"phases": ["opened"], "ladder": "none"}]


@pytest.fixture
def waiting() -> Book:
    book = Book(policy(rules=[*WAITING_ONLY, {"ladder": "main"}]))
    book.open()
    return book


def test_a_question_is_climbed_for_until_it_is_answered(waiting):
    ask(waiting, NOON)
    waiting.sleep_until(NOON, NOON + minutes(8))
    decide(waiting, NOON + minutes(8), "alice")
    waiting.sleep_until(NOON + minutes(8), NIGHT)
    assert told(waiting, "waiting:contain-1-abc") == [(2, 0, 1), (7, 0, 2)]
    assert not told(waiting, "expired:contain-1-abc")


def test_one_of_two_people_does_not_stop_the_call_for_the_second(waiting):
    ask(waiting, NOON, people=2)
    waiting.sleep_until(NOON, NOON + minutes(3))
    decide(waiting, NOON + minutes(3), "alice")
    waiting.sleep_until(NOON + minutes(3), NOON + minutes(15))
    assert told(waiting, "waiting:contain-1-abc") == [(2, 0, 1), (7, 0, 2), (12, 1, 1)]


def test_a_question_that_expires_calls_people_for_itself(waiting):
    ask(waiting, NOON, minutes_=4)
    waiting.sleep_until(NOON, NIGHT)
    assert told(waiting, "waiting:contain-1-abc") == [(2, 0, 1)]
    assert [level for _, level, _ in told(waiting, "expired:contain-1-abc")] == [0, 0, 1, 2]
    assert told(waiting, "expired:contain-1-abc")[0][0] == 6


def test_an_approval_that_lapses_after_it_was_given_is_no_unanswered_question(waiting):
    ask(waiting, NOON, minutes_=4)
    decide(waiting, NOON + minutes(1), "alice")
    waiting.sleep_until(NOON, NIGHT)
    assert [line.key for line in waiting.lines if line.key.startswith("rung:")] == []


def test_root_credentials_page_until_somebody_takes_it_even_after_the_report():
    book = Book(policy(rules=[{"phases": ["opened"], "ladder": "none"}, {"ladder": "main"}]))
    book.open(pages=True)
    book.tick(NOON)
    book.write(NOON + minutes(1), (INCIDENT, Kind.REPORT, "report:1", {"status": "restored"}))
    book.tick(NOON + minutes(5))
    book.ack(NOON + minutes(6))
    book.sleep_until(NOON + minutes(6), NIGHT)
    assert told(book, "must-act") == [(0, 0, 1), (5, 0, 2)]


def coverage(status: str) -> dict[str, object]:
    return {"what": "events", "regions": [{"account": "111122223333", "region": "eu-west-1", "status": status}]}


def test_an_unknown_region_calls_until_it_is_known():
    book = Book(policy(rules=[{"phases": ["opened"], "ladder": "none"}, {"ladder": "main"}]))
    book.open()
    book.write(NOON + minutes(1), (INCIDENT, Kind.COVERAGE, "coverage:events:1", coverage("denied")))
    book.tick(NOON + minutes(1))
    (line,) = [line for line in book.lines if line.key.startswith("notice:")]
    assert "not known: 111122223333/eu-west-1 (denied)" in line.body["text"]
    book.write(NOON + minutes(2), (INCIDENT, Kind.COVERAGE, "coverage:events:2", coverage("covered")))
    book.sleep_until(NOON + minutes(2), NIGHT)
    assert told(book, "gap") == [(1, 0, 1)]


def test_a_step_that_failed_calls_until_it_is_done():
    book = Book(policy(rules=[{"phases": ["opened"], "ladder": "none"}, {"ladder": "main"}]))
    book.open()
    body = {"step": "s1", "title": "Deactivate AKIA1", "result": "failed"}
    book.write(NOON, (INCIDENT, Kind.OUTCOME, "outcome:1", body))
    book.tick(NOON)
    book.write(NOON + minutes(2), (INCIDENT, Kind.OUTCOME, "outcome:2", body | {"result": "done"}))
    book.sleep_until(NOON + minutes(2), NIGHT)
    assert told(book, "trouble") == [(0, 0, 1)]


def test_a_call_where_no_rule_tells_anybody_still_reaches_somebody():
    book = Book(policy(rules=[{"phases": ["opened"], "ladder": "none"}, {"ladder": "main"}]))
    book.open()
    book.call(NOON + minutes(1))
    book.sleep_until(NOON + minutes(1), NIGHT)
    assert [level for _, level, _ in told(book, "called")] == [0, 0, 1, 2]


def test_severity_chooses_the_ladder():
    quick = {"levels": [{"name": "boss", "whom": ["c"]}]}
    both = policy().model_dump()["ladders"] | {"quick": quick}
    book = Book(policy(ladders=both, rules=[{"severity": 8, "ladder": "quick"}, {"ladder": "main"}]))
    book.open()
    book.tick(NOON)
    assert [line.body["ladder"] for line in book.lines if line.key.startswith("rung:")] == ["quick"]


# ---- stakeholders -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "after"),
    [
        ({}, 0),
        ({"severity": 8}, 0),
        ({"severity": 8.5}, None),
        ({"phases": ["must-act"]}, None),
        ({"findings": ["*IAMUser*"]}, 0),
        ({"findings": ["*EC2*"]}, None),
        ({"accounts": ["111122223333"], "minutes": 7}, 7),
        ({"accounts": ["444455556666"]}, None),
        ({"level": 2}, 10),
        ({"phases": ["reported"]}, None),
    ],
)
def test_a_stakeholder_is_called_in_once_when_the_condition_holds(when, after):
    book = Book(policy(stakeholders=[{"name": "legal", "whom": ["law"], "when": when}]))
    book.open()
    book.sleep_until(NOON, NIGHT)
    called = [(line.at - NOON).total_seconds() / 60 for line in book.lines if line.key == "stakeholder:legal"]
    assert called == ([] if after is None else [after])


def test_an_ack_does_not_keep_a_stakeholder_away():
    book = Book(policy(stakeholders=[{"name": "legal", "whom": ["law"], "when": {"minutes": 7}}]))
    book.open()
    book.ack(NOON)
    book.sleep_until(NOON, NOON + minutes(30))
    assert [line.at for line in book.lines if line.key == "stakeholder:legal"] == [NOON + minutes(7)]


# ---- quiet hours ------------------------------------------------------------------------------------------------


def test_while_a_whole_level_sleeps_the_ladder_waits_and_skips_nobody():
    quiet = [{"zone": "UTC", "from": "11:00", "until": "13:00", "below_severity": 9}]
    contacts = policy().model_dump(by_alias=True)["contacts"]
    contacts["a"] |= {"quiet": quiet}
    book = Book(policy(contacts=contacts))
    book.open()
    book.sleep_until(NOON, NIGHT)
    assert told(book) == [(60, 0, 1), (65, 0, 2), (70, 1, 1), (80, 2, 1)]


def test_whoever_is_awake_is_told_in_place_of_who_sleeps():
    contacts = policy().model_dump(by_alias=True)["contacts"]
    contacts["a"] |= {"quiet": [{"zone": "UTC", "from": "11:00", "until": "13:00", "below_severity": 9}]}
    ladders = {"main": {"levels": [{"name": "one", "whom": ["a", "b"]}]}}
    book = Book(policy(contacts=contacts, ladders=ladders))
    book.open()
    book.tick(NOON)
    assert [line.body["contacts"] for line in book.lines if line.key.startswith("rung:")] == [["b"]]


def test_a_call_for_help_wakes_everybody():
    contacts = policy().model_dump(by_alias=True)["contacts"]
    contacts["a"] |= {"quiet": [{"zone": "UTC", "from": "11:00", "until": "13:00", "below_severity": 9}]}
    book = Book(policy(contacts=contacts))
    book.open()
    book.call(NOON)
    book.tick(NOON)
    assert told(book) == [(0, 0, 1)]


# ---- properties -------------------------------------------------------------------------------------------------

EVENTS = st.lists(st.tuples(st.integers(0, 90), st.sampled_from(["ack", "call"]), st.integers(1, 40)), max_size=5)


def played(events, ticks) -> Book:
    """An incident in which people ack and call at whole minutes, looked at when `ticks` says."""
    book = Book(policy(ack_minutes=20))
    book.open()
    for minute in range(181):
        for at, kind, length in events:
            if at == minute:
                book.ack(NOON + minutes(minute), minutes=length) if kind == "ack" else book.call(NOON + minutes(minute))
        if minute in ticks:
            book.tick(NOON + minutes(minute))
    return book


def sleeping(events) -> Book:
    """The same, but looked at only when the last look said so, or something was written."""
    book = Book(policy(ack_minutes=20))
    book.open()
    wake = NOON
    for minute in range(181):
        now, before = NOON + minutes(minute), len(book.lines)
        for at, kind, length in events:
            if at == minute:
                book.ack(now, minutes=length) if kind == "ack" else book.call(now)
        if len(book.lines) > before or (wake is not None and wake <= now):
            wake = book.tick(now)
    return book


@settings(max_examples=40)
@given(EVENTS, st.sets(st.integers(0, 180), min_size=1))
def test_no_level_is_skipped_and_none_is_told_twice_whenever_somebody_looks(events, ticks):
    book = played(events, ticks)
    climbed = book.told()
    assert not climbed or climbed[0][1] == 0
    for (_, before, first), (_, after, second) in pairwise(climbed):
        assert after in (before, before + 1)
        assert second == first + 1 or second == 1
    keys = [line.key for line in book.lines]
    assert len(keys) == len(set(keys))


@settings(max_examples=40)
@given(EVENTS, st.sets(st.integers(0, 180), min_size=1))
def test_nobody_is_told_while_somebody_has_it_unless_they_were_called(events, ticks):
    book = played(events, ticks)
    for number, line in enumerate(book.lines):
        if line.key.startswith("rung:") and not line.body["cause"]:
            earlier = holds(book.policy, book.lines[:number])
            assert not any(hold.since <= line.at < hold.until for hold in earlier)


@settings(max_examples=40)
@given(EVENTS)
def test_looking_only_when_told_to_gives_the_same_as_looking_always(events):
    assert sleeping(events).told() == played(events, range(181)).told()


@settings(max_examples=40)
@given(EVENTS, st.sets(st.integers(0, 180)))
def test_however_the_looks_fell_the_ladder_is_climbed_to_its_end_once_people_are_silent(events, ticks):
    book = played(events, ticks)
    book.sleep_until(NOON + minutes(181), NOON + timedelta(days=2))
    assert book.told()[-1][1] == 2
    assert book.view(NOON + timedelta(days=2)).exhausted == ("opened",)


def test_the_sample_policy_of_these_tests_has_no_fault():
    assert not list(faults(policy()))
