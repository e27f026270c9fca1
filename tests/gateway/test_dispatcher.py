"""What was delivered is started: once, whatever fails, and also after a crash."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from delivering import INCIDENT, deliver
from findings import envelope, finding

from gateway.dispatch.dispatcher import Dispatcher
from gateway.dispatch.runs import RunsUnavailable
from gateway.dispatch.waker import Waker
from incident.findings.finding import incident_id, parse_finding
from incident.ledger import INTAKE, Kind
from tasks.ledger import Ledger, LedgerUnavailable


@pytest.mark.parametrize("error", [RunsUnavailable("away"), LedgerUnavailable("away"), ConnectionError(), ValueError("a mistake")])
def test_one_incident_that_cannot_be_started_holds_up_no_other(
    doors: httpx.Client, ledger: Ledger, runs: Any, wait_until: Callable[..., None], error: Exception
) -> None:
    runs.error = error
    stuck = incident_id(parse_finding(finding(id="stuck")))
    runs.failing.add(stuck)
    assert deliver(doors, envelope(finding(id="stuck"))).status_code == 202
    assert deliver(doors).status_code == 202
    wait_until(lambda: ledger.find(INCIDENT, "run"))
    wait_until(lambda: runs.asked.count(stuck) >= 3, what="trying again")
    runs.failing.clear()
    wait_until(lambda: ledger.find(stuck, "run"), what="starting what had failed")
    assert runs.asked.count(INCIDENT) == 1


def test_a_start_that_hangs_holds_up_no_later_delivery(
    open_doors: Any, ledger: Ledger, runs: Any, wait_until: Callable[..., None]
) -> None:
    stuck, hanging = incident_id(parse_finding(finding(id="stuck"))), list[str]()

    async def start(incident: str, *more: object) -> None:
        if incident == stuck:
            hanging.append(incident)
            await asyncio.Event().wait()
        await runs(incident, *more)

    doors = open_doors(start=start)
    assert deliver(doors, envelope(finding(id="stuck"))).status_code == 202
    wait_until(lambda: hanging)
    assert deliver(doors).status_code == 202
    wait_until(lambda: ledger.find(INCIDENT, "run"))
    assert hanging == [stuck], "what is being started is not started beside it"


def test_a_start_that_failed_rests_however_often_something_is_delivered(
    open_doors: Any, ledger: Ledger, runs: Any, wait_until: Callable[..., None]
) -> None:
    stuck = incident_id(parse_finding(finding(id="stuck")))
    runs.failing.add(stuck)
    doors = open_doors(poll_seconds=60)
    assert deliver(doors, envelope(finding(id="stuck"))).status_code == 202
    wait_until(lambda: runs.asked == [stuck])
    for number in range(3):
        other = envelope(finding(id=f"other-{number}"))
        assert deliver(doors, other).status_code == 202
        wait_until(lambda other=other: ledger.find(incident_id(parse_finding(other)), "run"))
    assert runs.asked.count(stuck) == 1


def test_what_was_delivered_before_a_crash_is_started_after_it(
    open_doors: Any, ledger: Ledger, runs: Any, wait_until: Callable[..., None]
) -> None:
    runs.failing.add("*")
    assert deliver(open_doors(poll_seconds=60)).status_code == 202
    wait_until(lambda: runs.asked)
    runs.failing.clear()
    open_doors(poll_seconds=60)
    wait_until(lambda: ledger.find(INCIDENT, "run"), what="the second gateway starting what the first could not")


def test_an_incident_that_another_gateway_started_is_not_started_again(
    open_doors: Any, ledger: Ledger, runs: Any, wait_until: Callable[..., None]
) -> None:
    ledger.append(INCIDENT, Kind.RUN, "run", {"flow_run": "elsewhere"})
    doors = open_doors()
    assert deliver(doors).status_code == 202
    other = envelope(finding(id="other"))
    assert deliver(doors, other).status_code == 202
    wait_until(lambda: ledger.find(incident_id(parse_finding(other)), "run"))
    assert INCIDENT not in runs.asked


def test_a_delivery_that_somebody_changed_in_the_database_holds_up_no_other(
    open_doors: Any, ledger: Ledger, runs: Any, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    planted = ["[]", "{}", "not json", '{"incident": 7}', '{"incident": "inc-000000000000"}', "null"]
    for number in range(len(planted)):
        ledger.append(INTAKE, Kind.DELIVERY, f"delivery:{number}", {})
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.executemany("UPDATE lines SET body = ? WHERE position = ?", [(body, at) for at, body in enumerate(planted, 1)])
    assert deliver(open_doors()).status_code == 202
    wait_until(lambda: ledger.find(INCIDENT, "run"))
    assert runs.asked == [INCIDENT]


def test_a_ledger_that_is_away_for_a_while_stops_no_later_start(
    open_doors: Any, ledger: Ledger, tmp_path: Path, wait_until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as connection:
        connection.execute("ALTER TABLE lines RENAME TO gone")
        doors = open_doors()
        wait_until(lambda: "the deliveries cannot be looked at" in caplog.text)
        connection.execute("ALTER TABLE gone RENAME TO lines")
    assert deliver(doors).status_code == 202
    wait_until(lambda: ledger.find(INCIDENT, "run"))


@pytest.mark.parametrize("kind", ["dispatcher", "waker"])
def test_one_that_is_woken_while_it_is_told_to_end_ends(ledger: Ledger, kind: str) -> None:
    async def start(*given: object) -> None:
        raise AssertionError("there is nothing to start")

    async def ended() -> bool:
        if kind == "dispatcher":
            worker: Any = Dispatcher(ledger, start, 60)
            woken = worker._wake
        else:
            worker = Waker(ledger, None, None, 60)  # pyright: ignore[reportArgumentType]
            woken = worker._nudged
        task = asyncio.create_task(worker.run())
        async with asyncio.timeout(10):
            while not woken._waiters:
                await asyncio.sleep(0)
        worker.nudge()
        task.cancel()
        await asyncio.wait([task], timeout=5)
        return task.done()

    assert asyncio.run(ended())
