"""A flow's process that dies under a living worker: the gateway starts the run again, and nobody has to notice."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest
from playing import played

from drill import scenario as scenarios
from gateway.practice.people import ScriptedResponders
from incident.approvals import Asked
from incident.ledger import Kind

SCENARIO = Path(scenarios.__file__).parent / "scenarios" / "open-ssh-to-world.yaml"


class KillingResponders(ScriptedResponders):
    """Kills the flow's process once, as soon as it carries out what was approved."""

    killed = 0

    def _answer(self, position: int, asked: Asked) -> str:
        problem = super()._answer(position, asked)
        if not problem and not self.killed:
            self._kill_when_it_acts()
        return problem

    def _kill_when_it_acts(self) -> None:
        while not self._done.wait(0.02):
            if any(line.kind == Kind.INTENT for line in self._ledger.lines(self._incident)):
                for process in flow_processes(self._prefect_api):
                    os.kill(process, signal.SIGKILL)
                    type(self).killed += 1
                return


def flow_processes(prefect_api: str) -> list[int]:
    """The processes that run a flow of this Prefect server."""
    found: list[int] = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue
        if b"prefect.engine" in command and f"PREFECT_API_URL={prefect_api}".encode() in environment:
            found.append(int(folder.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finding the flow's process needs /proc")
def test_a_killed_flow_is_started_again_and_the_incident_ends_well(tmp_path):
    scheduled: list[dict[str, Any]] = []

    def look(addresses: dict[str, str]) -> None:
        prefect = addresses["Prefect run"].partition("/v2/")[0]
        asked = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
        scheduled.extend(httpx.post(f"{prefect}/api/flow_runs/filter", json=asked, timeout=30).raise_for_status().json())

    verdict, _ = played(SCENARIO, tmp_path, responders=KillingResponders, visit=look)
    assert len({run["deployment_id"] for run in scheduled if run["auto_scheduled"]}) == 2, (
        "the sweep and the escalation come by themselves"
    )
    assert KillingResponders.killed
    assert verdict["restored"]
    assert verdict["claimed"]["complete"]
    assert len(verdict["calls"]) == len(verdict["steps"])
