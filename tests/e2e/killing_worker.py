"""A worker whose children die: it starts what is due, and starts again what was killed, as the zombie automation does."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx

from gateway.practice.stack import Stack
from gateway.processes import ROOT

_CHILD = Path(__file__).parent / "killed_flow.py"


class KillingWorker(threading.Thread):
    """Runs due flow runs one after the other in children that kill themselves; `kills` counts how often one did."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(name="killing-worker", daemon=True)
        self._stack = stack
        self._api = f"{stack.prefect_url}/api"
        self._passed = stack.folder / "passed-boundaries"
        self._done = threading.Event()
        self.kills = 0

    def stop(self) -> None:
        self._done.set()

    def run(self) -> None:
        while not self._done.wait(0.2):
            try:
                for run in self._due():
                    self._execute(run)
            except httpx.HTTPError:
                # The server is on its way up, or down.
                continue

    def _due(self) -> list[str]:
        due = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
        answer = httpx.post(f"{self._api}/flow_runs/filter", json=due, auth=self._stack.prefect_auth, timeout=30)
        return [run["id"] for run in answer.json() if run["parent_task_run_id"] is None and run["parameters"].get("incident")]

    def _execute(self, run: str) -> None:
        command = [sys.executable, str(_CHILD), run, str(self._passed)]
        with self._stack.log("worker").open("ab") as log:
            ended = subprocess.run(
                command, cwd=ROOT, env=self._stack.environment, stdout=log, stderr=subprocess.STDOUT, check=False
            )
        if ended.returncode == -signal.SIGKILL:
            self.kills += 1
            state = {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}, "force": True}
            door = f"{self._api}/flow_runs/{run}/set_state"
            httpx.post(door, json=state, auth=self._stack.prefect_auth, timeout=30).raise_for_status()
