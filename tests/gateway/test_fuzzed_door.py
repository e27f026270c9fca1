"""Changed deliveries at a real gateway's door. `make fuzz` sends 100,000; a few come with every test run."""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from delivering import INCIDENT, deliver
from findings import FINDING_ID
from gateway_process import gateway
from mutating import mutation

from gateway.sorter import ONLY_TOLD
from incident.ledger import INTAKE, Kind
from tasks.ledger import Ledger

COUNT = int(os.environ.get("COUNTERMAND_FUZZ", "1500"))
SEED = int(os.environ.get("COUNTERMAND_FUZZ_SEED", "1"))
_MIB = 2**20
_GROWTH = 48 * _MIB
"""How much more the process may hold at the end than after the first fifth, however many are sent."""


def resident(process: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reading a process's memory needs /proc")
def test_changed_deliveries_break_nothing_and_start_nothing(tmp_path, wait_until):
    (tmp_path / "runs").mkdir()
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", lambda: datetime.now(UTC))
    codes: Counter[int] = Counter()
    early = 0
    with gateway(tmp_path) as (process, client):
        for number in range(COUNT):
            code = deliver(client, mutation(SEED + number)).status_code
            assert code in (200, 202, 413), f"mutation({SEED + number}) is answered with {code}"
            codes[code] += 1
            if number == COUNT // 5:
                early = resident(process.pid)
        wait_until(lambda: _unsorted(ledger) == 0, 60, "sorting")
        assert deliver(client).status_code in (200, 202), "the door is still open"
        late = resident(process.pid)
    opened = [line.body for line in ledger.lines(INTAKE, Kind.SORTED) if line.body["outcome"] == "opens"]
    print(
        f"{COUNT} changed deliveries: {dict(codes)}, "
        f"{early / _MIB:.0f} MiB early, {late / _MIB:.0f} MiB late, {len(opened)} incidents"
    )
    assert "Traceback" not in (tmp_path / "log").read_text()
    assert late - early < _GROWTH
    answered = {body["incident"] for body in opened if body["responds"] is not False}
    assert answered <= {INCIDENT}, "only what GuardDuty knows starts a response"
    assert all(body["finding"] == FINDING_ID for body in opened if body["responds"] is not False)
    assert len(opened) <= 1 + ONLY_TOLD
    assert {path.name for path in (tmp_path / "runs").iterdir()} <= {body["incident"] for body in opened}
    assert ledger.verify(INTAKE) is None


def _unsorted(ledger: Ledger) -> int:
    return len(ledger.lines(INTAKE, Kind.DELIVERY)) - len(ledger.lines(INTAKE, Kind.SORTED))
