"""Runs that ended before their time are started again: after a rest, each time once, and not for ever."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gateway.dispatch.reviver import CLAIMED, MOST_REVIVALS, REST, REST_AFTER_FAILURE, SILENCE, Reviver
from gateway.dispatch.runs import RunsUnavailable, Stand, Standing
from incident.ledger import Kind
from tasks.ledger import Turn
from tasks.working import Working

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
RUN = UUID("00000000-0000-0000-0000-000000000001")


class Prefect:
    """Stands for Prefect's view of one run."""

    def __init__(self) -> None:
        self.standing: Standing | None = None
        self.started = 0
        self.away = False
        self.instead: list[UUID] = []

    async def standing_of(self, incident: str) -> Standing | None:
        if self.away:
            raise RunsUnavailable("away")
        return self.standing

    async def start_again(self, run: UUID) -> None:
        self.started += 1
        self.standing = None

    async def start_instead(self, incident: str, gone: UUID) -> None:
        self.instead.append(gone)
        await self.start_again(gone)


@pytest.fixture
def prefect() -> Prefect:
    return Prefect()


@pytest.fixture
def look(ledger, prefect):
    """Look once, `after` the given time."""
    ledger.append("inc-1", Kind.OPENED, "opened", {})
    now = [NOON]
    reviver = Reviver(ledger, prefect, lambda: now[0])

    def look_(after: timedelta) -> int:
        now[0] = NOON + after
        asyncio.run(reviver.look())
        return prefect.started

    return look_


@pytest.mark.parametrize(("stand", "rest"), [(Stand.CRASHED, REST), (Stand.FAILED, REST_AFTER_FAILURE), (Stand.CLAIMED, CLAIMED)])
def test_it_rests_before_it_starts_again(look, prefect, stand, rest):
    prefect.standing = Standing(RUN, NOON, stand)
    assert look(rest - timedelta(seconds=1)) == 0
    assert look(rest) == 1
    assert look(rest) == 1


def test_a_worker_that_is_slow_again_has_twice_as_long(look, prefect):
    for at, longer in ((0, 1), (1, 2), (2, 4), (3, 8), (4, 8)):
        prefect.standing = Standing(RUN, NOON + timedelta(seconds=at), Stand.CLAIMED)
        assert look(timedelta(seconds=at - 1) + longer * CLAIMED) == at
        assert look(timedelta(seconds=at) + longer * CLAIMED) == at + 1


def test_a_run_that_goes_on_is_left_alone(look):
    assert look(REST) == 0


def test_an_incident_with_a_report_is_finished(look, prefect, ledger):
    ledger.append("inc-1", Kind.REPORT, "report:1", {"status": "restored"})
    prefect.standing = Standing(RUN, NOON, Stand.CRASHED)
    assert look(REST) == 0


def test_it_does_not_try_for_ever(look, prefect):
    for number in range(MOST_REVIVALS + 3):
        prefect.standing = Standing(RUN, NOON - timedelta(seconds=number), Stand.CRASHED)
        look(REST)
    assert prefect.started == MOST_REVIVALS


def test_prefect_away_is_waited_out(look, prefect):
    prefect.away = True
    assert look(REST) == 0


def test_a_test_of_the_escalation_has_no_run_to_start_again(look, prefect, ledger):
    ledger.append("inc-1", Kind.REPORT, "report:1", {"status": "restored"})
    ledger.append("escalation-test-1", Kind.NOTE, "escalation-test", {})
    prefect.standing = Standing(RUN, NOON, Stand.CRASHED)
    assert look(REST) == 0


def test_a_running_run_is_left_alone_while_its_process_lives_and_started_again_when_it_is_dead(look, prefect, ledger):
    prefect.standing = Standing(RUN, NOON, Stand.RUNNING)
    with Working(ledger).on("inc-1", str(RUN)):
        assert look(10 * SILENCE) == 0
    assert look(11 * SILENCE) == 0, "it may have lost its sign of life for a moment only"
    assert look(12 * SILENCE - timedelta(seconds=1)) == 0
    assert look(12 * SILENCE) == 1


def test_a_running_run_whose_process_died_before_it_wrote_anything_is_started_again(look, prefect):
    prefect.standing = Standing(RUN, NOON, Stand.RUNNING)
    assert look(timedelta(seconds=1)) == 0
    assert look(SILENCE + timedelta(seconds=1)) == 1


def test_a_sign_of_life_between_two_looks_begins_the_silence_anew(look, prefect, ledger):
    prefect.standing = Standing(RUN, NOON, Stand.RUNNING)
    assert look(SILENCE / 2) == 0
    with Working(ledger).on("inc-1", str(RUN)):
        assert look(SILENCE) == 0
    assert look(2 * SILENCE) == 0
    assert look(3 * SILENCE) == 1


def test_of_two_gateways_one_starts_runs_again(ledger, prefect, tmp_path):
    ledger.append("inc-1", Kind.OPENED, "opened", {})
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    first, second = (Reviver(ledger, prefect, lambda: NOON + REST, turn=Turn(url, "reviving")) for _ in range(2))
    for reviver, started in ((first, 1), (second, 1), (first, 2)):
        prefect.standing = Standing(RUN, NOON, Stand.CRASHED)
        asyncio.run(reviver.look())
        assert prefect.started == started


def test_a_run_that_prefect_has_lost_is_replaced_by_another_after_a_while(look, prefect):
    prefect.standing = Standing(RUN, datetime.min.replace(tzinfo=UTC), Stand.GONE)
    assert look(timedelta(0)) == 0
    assert look(SILENCE - timedelta(seconds=1)) == 0
    assert look(SILENCE) == 1
    assert prefect.instead == [RUN]
