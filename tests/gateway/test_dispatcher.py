"""What was delivered is started: once, whatever fails, and also after a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
from delivering import INCIDENT, deliver
from findings import envelope, finding

from incident.finding import incident_id, parse_finding
from incident.ledger import Kind
from tasks.ledger import Ledger


def test_one_incident_that_cannot_be_started_holds_up_no_other(
    doors: httpx.Client, ledger: Ledger, runs: Any, wait_until: Callable[..., None]
) -> None:
    stuck = incident_id(parse_finding(finding(id="stuck")))
    runs.failing.add(stuck)
    assert deliver(doors, envelope(finding(id="stuck"))).status_code == 202
    assert deliver(doors).status_code == 202
    wait_until(lambda: ledger.find(INCIDENT, "run"))
    wait_until(lambda: runs.asked.count(stuck) >= 3, what="trying again")
    runs.failing.clear()
    wait_until(lambda: ledger.find(stuck, "run"), what="starting what had failed")
    assert runs.asked.count(INCIDENT) == 1


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
