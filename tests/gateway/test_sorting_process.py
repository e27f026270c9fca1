"""Sorting in a process of its own: whichever of the two dies, nothing is lost and nothing is left over."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from delivering import INCIDENT, deliver
from findings import envelope, finding
from gateway_process import gateway

from incident.ledger import INTAKE, Kind
from tasks.ledger import Ledger

pytestmark = [
    pytest.mark.served,
    pytest.mark.skipif(sys.platform != "linux", reason="only on Linux does sorting have a process of its own"),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path


@pytest.fixture
def kept(place: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{place / 'ledger.db'}", lambda: datetime.now(UTC))


def sorting_of(gateway_: int) -> int:
    """The id of the process in which a gateway sorts."""
    (child,) = Path(f"/proc/{gateway_}/task/{gateway_}/children").read_text().split()
    return int(child)


def lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_other_process_sorts_and_a_run_begins(place, kept, wait_until):
    with gateway(place, "", "apart") as (process, client):
        assert deliver(client).status_code == 202
        wait_until(lambda: kept.find(INCIDENT, "run"), 10)
        assert lives(sorting_of(process.pid))
    assert (place / "log").read_text() == ""


@pytest.mark.parametrize("boundary", ["a verdict, before its commit", "a verdict, before its run"])
def test_when_it_dies_the_gateway_sorts_for_itself(place, kept, wait_until, boundary):
    with gateway(place, boundary, "apart") as (process, client):
        assert deliver(client).status_code == 202
        wait_until(lambda: kept.find(INCIDENT, "run"), 10)
        assert process.poll() is None
    assert (place / "log").read_text().count("the process that sorts has died") == 1
    assert len(kept.lines(INTAKE, Kind.SORTED)) == len(kept.lines(INCIDENT, Kind.RUN)) == 1
    assert kept.verify(INTAKE) is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_the_gateway(place, wait_until, number):
    with gateway(place, "", "apart") as (process, _):
        other = sorting_of(process.pid)
        os.kill(process.pid, number)
        process.wait(10)
        wait_until(lambda: not lives(other), 10)


def test_a_signal_for_the_whole_group_is_the_gateways(place, kept, wait_until):
    with gateway(place, "", "apart") as (process, client):
        other = sorting_of(process.pid)
        assert deliver(client).status_code == 202
        wait_until(lambda: kept.find(INCIDENT, "run"), 10)
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(other, number)
        assert deliver(client, envelope(finding(id="other"))).status_code == 202
        wait_until(lambda: len(kept.lines(INTAKE, Kind.SORTED)) == 2, 10)
        assert lives(other)


def test_a_round_that_fails_is_told_and_the_next_one_comes(place, kept, wait_until):
    with closing(sqlite3.connect(place / "ledger.db", isolation_level=None)) as connection:
        kept.append("inc-000000000000", "note", "note", {})
        connection.execute("ALTER TABLE lines RENAME TO gone")
        with gateway(place, "", "apart") as (process, client):
            wait_until(lambda: "NotSorted: LedgerUnavailable" in (place / "log").read_text(), 10)
            connection.execute("ALTER TABLE gone RENAME TO lines")
            assert deliver(client).status_code == 202
            wait_until(lambda: kept.find(INCIDENT, "run"), 10)
            assert lives(sorting_of(process.pid))
