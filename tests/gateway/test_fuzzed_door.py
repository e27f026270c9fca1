"""Changed deliveries at a real gateway's door. `make fuzz` sends 100,000; a few come with every test run."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from delivering import DOOR, INCIDENT, KEY, deliver
from findings import FINDING_ID
from gateway_process import gateway
from mutating import mutation

from drill.storm import Answered, storm
from gateway.dispatch.sorter import ONLY_TOLD
from incident.ledger import INTAKE, Kind
from tasks.ledger import Ledger

COUNT = int(os.environ.get("COUNTERMAND_FUZZ", "1500"))
SEED = int(os.environ.get("COUNTERMAND_FUZZ_SEED", "1"))
CONNECTIONS = 8
_MIB = 2**20
_GROWTH = 48 * _MIB
"""How much more the process may hold at the end than after the first fifth, however many are sent."""


def resident(process: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.timeout(300 + COUNT // 10)
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reading a process's memory needs /proc")
def test_changed_deliveries_break_nothing_and_start_nothing(tmp_path, wait_until):
    (tmp_path / "runs").mkdir()
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", lambda: datetime.now(UTC))
    codes: Counter[int] = Counter()
    held: list[int] = []
    began = time.monotonic()
    with gateway(tmp_path) as (process, client):

        def heard(answered: Answered) -> None:
            assert answered.status in (200, 202, 413), f"mutation({SEED + answered.number}) is answered with {answered.status}"
            codes[answered.status] += 1
            if codes.total() % (COUNT // 5) == 0:
                held.append(resident(process.pid))

        bodies = (mutation(SEED + number) for number in range(COUNT))
        asyncio.run(storm(f"{str(client.base_url).rstrip('/')}{DOOR}", KEY, bodies, connections=CONNECTIONS, heard=heard))
        took = time.monotonic() - began
        wait_until(lambda: _unsorted(ledger) == 0, 60 + COUNT / 200, "sorting")
        assert deliver(client).status_code in (200, 202), "the door is still open"
        held.append(resident(process.pid))
    opened = [line.body for line in ledger.lines(INTAKE, Kind.SORTED) if line.body["outcome"] == "opens"]
    outcomes = Counter(line.body["outcome"] for line in ledger.lines(INTAKE, Kind.SORTED))
    print(
        f"\n{COUNT} changed deliveries in {took:.0f} s, sorted after {time.monotonic() - began:.0f} s: answers {dict(codes)}; "
        f"{len(ledger.lines(INTAKE, Kind.DELIVERY))} taken, {len(ledger.lines(INTAKE, Kind.QUARANTINE))} quarantined, "
        f"sorted {dict(outcomes)}, {len(opened)} incidents; MiB after each fifth and at the end: "
        f"{[round(one / _MIB) for one in held]}"
    )
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert held[-1] - held[0] < _GROWTH
    answered = {body["incident"] for body in opened if body["responds"] is not False}
    assert answered <= {INCIDENT}, "only what GuardDuty knows starts a response"
    assert all(body["finding"] == FINDING_ID for body in opened if body["responds"] is not False)
    assert len(opened) <= 1 + ONLY_TOLD
    assert {path.name for path in (tmp_path / "runs").iterdir()} <= {body["incident"] for body in opened}
    assert ledger.verify(INTAKE) is None


def _unsorted(ledger: Ledger) -> int:
    return len(ledger.lines(INTAKE, Kind.DELIVERY)) - len(ledger.lines(INTAKE, Kind.SORTED))
