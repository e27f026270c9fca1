"""The numbers for a monitor, counted from lines; whatever stands in the lines, their names are a few."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from incident.ledger import GENESIS, INTAKE, Kind, Line, chained
from incident.tally import BY_PERSON, BY_TIME, OTHER, STEP_RESULTS, Tally
from tasks.executor import Result

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)


def line(chain: str, kind: str, key: str, body: object = None, minutes_ago: float = 0) -> Line:
    return chained(chain, 1, key, kind, NOW - timedelta(minutes=minutes_ago), body or {}, GENESIS)


def tally(*lines: Line) -> Tally:
    counted = Tally()
    counted.take(lines)
    return counted


def sorted_(delivery: str, outcome: str, incident: str = "inc-1") -> Line:
    return line(INTAKE, Kind.SORTED, f"sorted:{delivery}", {"delivery": delivery, "outcome": outcome, "incident": incident})


def test_a_delivery_waits_until_it_is_sorted_and_an_incident_until_it_runs():
    counted = tally(line(INTAKE, Kind.DELIVERY, "d1", minutes_ago=4), line(INTAKE, Kind.DELIVERY, "d2", minutes_ago=2))
    assert (counted.arrivals["accepted"], counted.unsorted, counted.oldest_unsorted(NOW)) == (2, 2, 240)
    counted.take([sorted_("d1", "opens")])
    assert (counted.unsorted, counted.oldest_unsorted(NOW)) == (1, 120)
    assert (counted.unstarted, counted.oldest_unstarted(NOW)) == (1, 240)
    counted.take([sorted_("d2", "joins")])
    counted.take([line("inc-1", Kind.RUN, "run"), line("inc-1", Kind.RUN, "run:4b1e"), line("inc-1", Kind.RUN, "run-again:2")])
    assert (counted.runs, counted.unstarted, counted.oldest_unstarted(NOW)) == (2, 0, 0)
    assert counted.sorted == {"opens": 1, "joins": 1}


def test_a_run_that_is_read_before_its_delivery_is_waited_for_by_nobody():
    """Chains are read one after the other; what is written meanwhile may be read in another order."""
    counted = tally(line("inc-1", Kind.RUN, "run"), line(INTAKE, Kind.DELIVERY, "d1"), sorted_("d1", "opens"))
    assert counted.unstarted == 0


def test_an_incident_is_open_until_its_report_and_again_when_it_looks_again():
    counted = tally(
        line("inc-1", Kind.OPENED, "opened"), line("inc-2", Kind.OPENED, "opened"), line("inc-1", Kind.REPORT, "report:1")
    )
    assert counted.open_incidents == 1
    counted.take([line("inc-1", Kind.AMENDMENT, "amendment:1")])
    assert counted.open_incidents == 2


def test_messages_wait_until_slack_has_them():
    counted = tally(
        line("inc-1", Kind.MESSAGE, "message:question:q1", minutes_ago=3),
        line("inc-2", Kind.MESSAGE, "message:question:q1", minutes_ago=1),
        line("inc-1", Kind.MESSAGE, "sent:question:q1"),
    )
    assert (counted.unsent, counted.oldest_unsent(NOW)) == (1, 60)


def test_steps_escalations_and_notices():
    counted = tally(
        line("inc-1", Kind.OUTCOME, "outcome:1", {"phase": "contain", "result": "done"}),
        line("inc-1", Kind.OUTCOME, "outcome:2", {"phase": "recover", "result": "not confirmed"}),
        line("inc-1", Kind.NOTICE, "rung:1"),
        line("inc-1", Kind.ESCALATE, "escalate:Alice"),
        line("inc-1", Kind.NOTICE, "result:n1:1", {"result": "failed"}),
        line("inc-1", Kind.NOTICE, "attempt:n1:1"),
        line("escalation-test-1", Kind.NOTICE, "rung:1"),
    )
    assert counted.steps == {("contain", "done"): 1, ("recover", "not confirmed"): 1}
    assert counted.escalations == {BY_TIME: 1, BY_PERSON: 1}, "a test of the escalation is none"
    assert counted.notices == {"failed": 1}


def test_every_result_of_a_step_has_its_name():
    assert set(STEP_RESULTS) == {str(result) for result in Result}


_TEXT = st.text(max_size=20)
_BODIES = st.dictionaries(
    st.sampled_from(["phase", "result", "outcome", "delivery", "incident"]), _TEXT | st.integers() | st.none()
)
_KEYS = st.sampled_from(["run", "rung:", "result:", "message:", "sent:", "d", ""]).flatmap(lambda start: _TEXT.map(start.__add__))


@given(st.lists(st.tuples(st.sampled_from([INTAKE, "inc-1"]), st.sampled_from(list(Kind)), _KEYS, _BODIES), max_size=30))
def test_no_name_in_the_numbers_comes_from_a_line(lines):
    counted = tally(*(line(chain, kind, key, body) for chain, kind, key, body in lines))
    assert set(counted.arrivals) <= {"accepted", "quarantined"}
    assert set(counted.sorted) <= {"opens", "joins", "version", "suppressed", "noted", OTHER}
    assert {result for _, result in counted.steps} <= {*STEP_RESULTS, OTHER}
    assert {phase for phase, _ in counted.steps} <= {"evidence", "contain", "eradicate", "recover", "prepare", "release", OTHER}
    assert set(counted.notices) <= {"delivered", "failed", "refused", OTHER}
