"""The gateway is killed at each boundary between the bytes arriving and the run existing: one run in the end, whatever died."""

from __future__ import annotations

import signal
from contextlib import suppress
from datetime import UTC, datetime

import httpx
import pytest
from delivering import INCIDENT, deliver
from dying_gateway import BOUNDARIES
from gateway_process import gateway

from incident.ledger import INTAKE, Kind
from tasks.ledger import Ledger

ANSWERED = BOUNDARIES.index("written, before the answer")


@pytest.mark.slow
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_gateway_killed_at_a_boundary_loses_nothing_and_starts_one_run(tmp_path, wait_until, boundary):
    (tmp_path / "runs").mkdir()
    answered = False
    with gateway(tmp_path, boundary) as (process, client):
        with suppress(httpx.TransportError):
            answered = deliver(client).status_code == 202
        assert process.wait(10) == -signal.SIGKILL, "it died there and nowhere else"
    assert not answered or BOUNDARIES.index(boundary) > ANSWERED, "nobody is answered before it is written"
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", lambda: datetime.now(UTC))
    assert ledger.verify(INTAKE) is None
    with gateway(tmp_path) as (_, client):
        if not answered:
            # EventBridge comes again with what was not answered.
            assert deliver(client).status_code == (202 if BOUNDARIES.index(boundary) < ANSWERED else 200)
        wait_until(lambda: ledger.find(INCIDENT, "run"), 10)
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [INCIDENT]
    assert len(ledger.lines(INTAKE, Kind.DELIVERY)) == len(ledger.lines(INTAKE, Kind.SORTED)) == 1
    assert len(ledger.lines(INCIDENT, Kind.RUN)) == 1
    assert set((tmp_path / "asked").read_text().split()) == {INCIDENT}, "every asking has the same key"
    assert ledger.verify(INTAKE) is None
    assert ledger.verify(INCIDENT) is None
