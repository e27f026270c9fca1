"""Of the processes that work at one incident, the one that began last goes on; a dead one is told from a living one."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
from datetime import UTC, datetime
from multiprocessing.synchronize import Event

import psycopg
import pytest

from incident.ledger import Kind
from tasks.ledger import Ledger
from tasks.overtaken import Overtaken
from tasks.working import Working, is_worked_at


def _works(url: str, begun: Event) -> None:
    ledger = Ledger.open(url, lambda: datetime.now(UTC))
    with Working(ledger).on("inc-1", "run-1"):
        begun.set()
        threading.Event().wait()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres])])
def url(request, tmp_path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def shared(url):
    ledger = Ledger.open(url, lambda: datetime.now(UTC))
    yield ledger
    ledger.close()


def test_whoever_began_before_another_stops(shared):
    first, second = Working(shared), Working(shared)
    with first.on("inc-1", "run-1"):
        first.check("inc-1")
        with second.on("inc-1", "run-1"):
            second.check("inc-1")
            with pytest.raises(Overtaken, match=r"inc-1 is worked at by another process since .*; this one stops"):
                first.check("inc-1")
        with pytest.raises(Overtaken):
            first.check("inc-1")


def test_other_incidents_and_whoever_works_at_none_are_not_stopped(shared):
    first, second = Working(shared), Working(shared)
    with first.on("inc-1", "run-1"), second.on("inc-2", "run-2"):
        first.check("inc-1")
        first.check("inc-2")
        Working(shared).check("inc-1")


def test_a_killed_process_is_seen_to_be_dead(shared, url, wait_until):
    assert not is_worked_at(shared, "inc-1")
    # A fork has all imported already: what is shown here needs a process of its own, not a fresh one.
    context = multiprocessing.get_context("fork")
    begun = context.Event()
    process = context.Process(target=_works, args=(url, begun), daemon=True)
    process.start()
    assert begun.wait(30)
    assert is_worked_at(shared, "inc-1")
    process.kill()
    process.join()
    wait_until(lambda: not is_worked_at(shared, "inc-1"), 10, "the end of the killed process's sign of life")


@pytest.mark.postgres
def test_a_sign_of_life_is_taken_again_after_the_database_was_away(postgres_url, monkeypatch, wait_until):
    monkeypatch.setattr("tasks.working._ASKS_SECONDS", 0.1)
    ledger = Ledger.open(postgres_url, lambda: datetime.now(UTC))
    with Working(ledger).on("inc-1", "run-1"):
        assert is_worked_at(ledger, "inc-1")
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            ended = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            ).fetchone()
        assert ended == (1,)
        wait_until(lambda: is_worked_at(ledger, "inc-1"), 10, "a new sign of life")
    assert not is_worked_at(ledger, "inc-1")
    assert [line.body["flow_run"] for line in ledger.lines("inc-1", Kind.PROCESS)] == ["run-1"]
    ledger.close()


def test_a_command_that_only_reads_does_without_prefect():
    asked = "import sys, tasks.hands, tasks.readiness, tasks.baseline; sys.exit('prefect' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
