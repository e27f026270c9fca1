"""The doors over PostgreSQL: what its own locking and its own failures could break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from delivering import INCIDENT, deliver
from findings import envelope, finding

from incident.ledger import INTAKE
from tasks.ledger import Ledger

pytestmark = pytest.mark.postgres


@pytest.fixture
def ledger(postgres_url: str) -> Iterator[Ledger]:
    ledger = Ledger.open(postgres_url, lambda: datetime.now(UTC))
    yield ledger
    ledger.close()


def test_replays_at_both_of_two_gateways_are_one_line(
    open_doors: Any, ledger: Ledger, runs: Any, wait_until: Callable[..., None]
) -> None:
    both = [open_doors(), open_doors()]
    with ThreadPoolExecutor(10) as pool:
        codes = [answer.status_code for answer in pool.map(lambda number: deliver(both[number % 2]), range(50))]
    assert sorted(codes) == [200] * 49 + [202]
    assert len(ledger.lines(INTAKE)) == 1
    wait_until(lambda: ledger.find(INCIDENT, "run"))
    assert set(runs.asked) == {INCIDENT}
    assert ledger.verify(INTAKE) is None


def test_what_the_database_cannot_keep_as_text_is_taken(doors: httpx.Client, ledger: Ledger) -> None:
    odd = finding(id="a\x00b\ud800", title="\udfff\x00", description="\x00")
    assert [deliver(doors, envelope(odd)).status_code for _ in range(2)] == [202, 200]
    assert deliver(doors, b"\x00 not json").status_code == 202
    assert ledger.verify(INTAKE) is None


def test_when_the_database_goes_away_the_sender_is_asked_to_come_again(
    doors: httpx.Client, postgres_server: str, postgres_url: str
) -> None:
    assert deliver(doors).status_code == 202
    name = psycopg.conninfo.conninfo_to_dict(postgres_url)["dbname"]
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])
        answer = deliver(doors)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert doors.get("/readyz").status_code == 503
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    assert deliver(doors).status_code == 200
    assert doors.get("/readyz").status_code == 200
