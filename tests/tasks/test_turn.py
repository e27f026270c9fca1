"""Of several processes on one ledger, one has the turn until it ends or gives it back."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest

from tasks.ledger import Turn

_TAKES_AND_STAYS = """
import sys
from tasks.ledger import Turn
turn = Turn(sys.argv[1], "slack")
print(turn.take(), flush=True)
sys.stdin.read()
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres])])
def url(request, tmp_path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def test_one_has_it_until_it_gives_it_back(url):
    first, second, other = Turn(url, "slack"), Turn(url, "slack"), Turn(url, "mail")
    assert [first.take(), first.take(), second.take(), other.take()] == [True, True, False, True]
    first.give_back()
    assert [second.take(), first.take()] == [True, False]
    second.give_back()
    other.give_back()


def test_a_process_that_is_killed_gives_it_back(url, wait_until):
    command = [sys.executable, "-c", _TAKES_AND_STAYS, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        turn = Turn(url, "slack")
        assert not turn.take()
        process.kill()
        process.wait()
    wait_until(turn.take, 10, "the turn of the killed process")
    turn.give_back()


@pytest.mark.postgres
def test_a_session_that_the_database_ended_has_lost_its_turn(postgres_url):
    first, second = Turn(postgres_url, "slack"), Turn(postgres_url, "slack")
    assert first.take()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    assert not first.take()
    assert second.take() or second.take()
    second.give_back()
