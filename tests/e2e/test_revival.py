"""A flow's process that dies, a worker that dies before it begins a run, and one that begins it late: nobody has to notice.

The same incident tells what a run shows on Prefect's pages, and whether its redacted report hides its estate.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from playing import played
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from watching import PARTS, Watched

from drill import scenario as scenarios
from gateway.dispatch.reviver import Reviver
from gateway.dispatch.runs import Runs, Stand
from gateway.practice.people import ScriptedResponders
from gateway.prefect_password import USER, kept_password
from gateway.processes import ROOT
from incident.approvals import Asked
from incident.ledger import Kind
from incident.reports.redaction import redacted
from incident.reports.report import report
from incident.reports.report_json import report_json
from tasks import render
from tasks.hands import Hands

RUNS_A_FLOW = b"gateway/worker/flow_run.py"
SCENARIO = Path(scenarios.__file__).parent / "scenarios" / "open-ssh-to-world.yaml"
_ID = re.compile(r"(?:vpc|subnet|sg|sgr|igw|rtb|acl|eni|dopt|aclassoc|rtbassoc)-[0-9a-f]{8,17}|arn:aws\S+|A[KS]IA[A-Z0-9]{12,}")
_NAMES = {"UserName", "RoleName", "GroupName", "Description"}


class KillingResponders(ScriptedResponders):
    """Kills the flow's process once, as soon as it carries out what was approved; when the run was begun again, begins it a second
    time, as a worker does that was only slow. Later lets the run stand as claimed by a worker that died before it began it.
    """

    killed = 0
    late: ClassVar[list[subprocess.Popen[bytes]]] = []
    stood: ClassVar[list[str]] = []

    def _answer(self, position: int, asked: Asked) -> str:
        if position == 1 and not self.stood:
            self._claim_and_revive()
        problem = super()._answer(position, asked)
        if not problem and not self.killed:
            self._kill_when_it_acts()
        return problem

    def _kill_when_it_acts(self) -> None:
        while not self._done.wait(0.02):
            if any(line.kind == Kind.INTENT for line in self._ledger.lines(self._incident)):
                for process in flow_processes(self._prefect_api):
                    seen, before = environment_of(process), self._begun()
                    os.kill(process, signal.SIGKILL)
                    type(self).killed += 1
                    self._begin_late(seen, before)
                return

    def _begin_late(self, seen: dict[str, str], before: int) -> None:
        while self._begun() <= before and not self._done.wait(0.02):
            continue
        self.late.append(subprocess.Popen([sys.executable, "-m", "prefect.engine"], cwd=ROOT, env=seen))

    def _begun(self) -> int:
        return len(self._ledger.lines(self._incident, Kind.PROCESS))

    def _claim_and_revive(self) -> None:
        # Until the process that was begun late has ended, it may take the run that is to stand as claimed.
        while self.late[0].poll() is None and not self._done.wait(0.1):
            continue
        run = self._ledger.lines(self._incident, Kind.RUN)[-1].body["flow_run"]
        door = f"{self._prefect_api}/flow_runs/{run}"
        claimed = {"state": {"type": "PENDING", "name": "Submitting"}, "force": True}
        httpx.post(f"{door}/set_state", json=claimed, auth=self._prefect_auth, timeout=30).raise_for_status()
        entered = {PREFECT_API_URL: self._prefect_api, PREFECT_API_AUTH_STRING: ":".join(self._prefect_auth)}
        with temporary_settings(entered):
            reviver = Reviver(self._ledger, Runs(self._ledger), lambda: datetime.now(UTC), claimed=timedelta(seconds=1))
            while Stand.CLAIMED not in self._stood_as() and not self._done.wait(0.3):
                asyncio.run(reviver.look())
        self.stood.extend(self._stood_as())

    def _stood_as(self) -> list[str]:
        notes = self._ledger.lines(self._incident, Kind.NOTE)
        return [str(line.body["stood_as"]) for line in notes if line.key.startswith("revived:")]


def environment_of(process: int) -> dict[str, str]:
    """What a flow's process sees, without its line to the worker that started it."""
    held = Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
    pairs = dict(entry.partition("=")[::2] for entry in held if entry)
    return {name: value for name, value in pairs.items() if "CONTROL" not in name}


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
        if RUNS_A_FLOW in command and f"PREFECT_API_URL={prefect_api}".encode() in environment:
            found.append(int(folder.name))
    return found


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The incident of a killed flow: its verdict, the runs that were scheduled beside it, and what was seen of it."""
    if not Path("/proc").is_dir():
        pytest.skip("finding the flow's process needs /proc")
    scheduled: list[dict[str, Any]] = []
    entered: list[tuple[str, str]] = []

    def responders(incident: str, hands: Hands, *others: Any) -> KillingResponders:
        entered.append((USER, kept_password(hands.config.folder)))
        return KillingResponders(incident, hands, *others)

    def look(addresses: dict[str, str]) -> None:
        prefect = addresses["Prefect run"].partition("/v2/")[0]
        asked = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
        door = f"{prefect}/api/flow_runs/filter"
        assert httpx.post(door, json=asked, timeout=30).status_code == 401, "whoever has no password sees no run"
        scheduled.extend(httpx.post(door, json=asked, auth=entered[0], timeout=30).raise_for_status().json())

    verdict, _ = played(SCENARIO, tmp_path_factory.mktemp("killed"), Watched, responders=responders, visit=look)
    return verdict, scheduled, Watched.seen


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_flow_is_started_again_and_the_incident_ends_well(killed):
    verdict, scheduled, _ = killed
    assert len({run["deployment_id"] for run in scheduled if run["auto_scheduled"]}) == 2, (
        "the sweep and the escalation come by themselves"
    )
    assert KillingResponders.killed
    assert KillingResponders.late[0].wait(60) == 0, "whichever of the two had to stop left the run to the other"
    # A worker reports a crash twice, and on a slow host a claim may run out twice.
    assert set(KillingResponders.stood) == {Stand.CRASHED, Stand.CLAIMED}
    assert verdict["restored"]
    assert verdict["claimed"]["complete"]
    assert len(verdict["calls"]) == len(verdict["steps"])


@pytest.mark.slow
def test_the_run_showed_each_part_as_it_went_under_keys_that_stay(killed):
    _, _, seen = killed
    assert {one["flow_run_id"] for one in seen.made} == {seen.run}
    versions = Counter(one["key"].removeprefix(f"{seen.incident}-") for one in seen.made)
    assert set(versions) == set(PARTS)
    assert versions["summary"] > 5, "made anew as the response went"
    assert f"/incidents/{seen.incident}/report" in seen.latest["links"]
    assert seen.latest["regions-read"] == 100


@pytest.mark.slow
def test_nothing_of_the_estate_is_left_in_the_redacted_report(killed):
    _, _, seen = killed
    written = report(redacted(seen.lines))
    left = render.html(written) + render.text(written) + report_json(written)
    known = set(_strings(seen.estate))
    ids = {hit for text in known for hit in _ID.findall(text)} | set(seen.keys) | set(seen.estate)
    assert len(ids) > 20, "the estate has something to be hidden"
    assert sorted(one for one in ids if one in left) == []
    names = {value for name, value in _named(seen.estate) if name in _NAMES and len(value) > 2 and value != "default"}
    assert {"mallory", "owner", "web"} <= names
    words = [one for one in names if re.search(rf"(?<![\w-]){re.escape(one)}(?![\w-])", _without_our_words(left))]
    assert sorted(words) == []


def _without_our_words(text: str) -> str:
    """The report's own words hold “owner” in a heading and in what it asks."""
    return re.sub(r"<th>owner</th>|the owner of|owner: nobody|[Oo]wner's|\"owner\":|owner_addresses|team's owner", "", text)


def _strings(value: Any):
    if isinstance(value, dict):
        for key, one in value.items():
            yield str(key)
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)
    else:
        yield str(value)


def _named(value: Any):
    if isinstance(value, dict):
        for key, one in value.items():
            if isinstance(one, str):
                yield key, one
            yield from _named(one)
    elif isinstance(value, list):
        for one in value:
            yield from _named(one)
