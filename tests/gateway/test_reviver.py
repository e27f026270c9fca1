"""Runs that ended before their time are started again: after a rest, each time once, and not for ever."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gateway.reviver import MOST_REVIVALS, REST, REST_AFTER_FAILURE, Reviver
from gateway.runs import Crash, RunsUnavailable
from incident.ledger import Kind

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RUN = UUID("00000000-0000-0000-0000-000000000001")


class Prefect:
    """Stands for Prefect's view of one run."""

    def __init__(self) -> None:
        self.crash: Crash | None = None
        self.started = 0
        self.away = False

    async def crash_of(self, incident: str) -> Crash | None:
        if self.away:
            raise RunsUnavailable("away")
        return self.crash

    async def start_again(self, crash: Crash) -> None:
        self.started += 1
        self.crash = None


@pytest.fixture
def prefect() -> Prefect:
    return Prefect()


@pytest.fixture
def look(ledger, prefect):
    """Look once, `after` the given time."""
    ledger.append("inc-1", Kind.OPENED, "opened", {})

    def look_(after: timedelta) -> int:
        asyncio.run(Reviver(ledger, prefect, lambda: NOON + after).look())
        return prefect.started

    return look_


@pytest.mark.parametrize(("failed", "rest"), [(False, REST), (True, REST_AFTER_FAILURE)])
def test_it_rests_before_it_starts_again(look, prefect, failed, rest):
    prefect.crash = Crash(RUN, NOON, failed)
    assert look(rest - timedelta(seconds=1)) == 0
    assert look(rest) == 1
    assert look(rest) == 1


def test_a_run_that_goes_on_is_left_alone(look):
    assert look(REST) == 0


def test_an_incident_with_a_report_is_finished(look, prefect, ledger):
    ledger.append("inc-1", Kind.REPORT, "report:1", {"status": "restored"})
    prefect.crash = Crash(RUN, NOON, False)
    assert look(REST) == 0


def test_it_does_not_try_for_ever(look, prefect):
    for number in range(MOST_REVIVALS + 3):
        prefect.crash = Crash(RUN, NOON - timedelta(seconds=number), False)
        look(REST)
    assert prefect.started == MOST_REVIVALS


def test_prefect_away_is_waited_out(look, prefect):
    prefect.away = True
    assert look(REST) == 0


def test_a_test_of_the_escalation_has_no_run_to_start_again(look, prefect, ledger):
    ledger.append("inc-1", Kind.REPORT, "report:1", {"status": "restored"})
    ledger.append("escalation-test-1", Kind.NOTE, "escalation-test", {})
    prefect.crash = Crash(RUN, NOON, False)
    assert look(REST) == 0
