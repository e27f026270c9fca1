"""`countermand serve`, the whole of one host: real processes, real Prefect with its authentication on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.host import parts, password
from gateway.prefect_password import PASSWORD_FILE
from tasks.config import Config

KEY = "a-webhook-key-of-some-length"
_UP_SECONDS = 150.0


def ports(number: int) -> list[int]:
    held = [socket.socket() for _ in range(number)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    found = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return found


def test_the_password_is_made_once_and_only_we_may_read_it(tmp_path):
    config = Config.model_validate({"home": tmp_path})
    made = password(config)
    assert len(made) >= 40
    assert password(config) == made
    assert (tmp_path / PASSWORD_FILE).stat().st_mode & 0o777 == 0o600
    assert password(Config.model_validate({"home": tmp_path, "serve": {"prefect_password": "given by hand"}})) == "given by hand"


def test_the_doors_wait_for_nobody_and_the_flows_for_their_deployment(tmp_path):
    made = {part.name: part for part in parts(Config.model_validate({"home": tmp_path}), {"PREFECT_WORKER_QUERY_SECONDS": "3"})}
    assert list(made) == ["prefect-server", "deploy", "worker", "gateway"], "the last of these ends first"
    assert made["gateway"].after == ()
    assert made["worker"].after == ("deploy",)
    for part in made.values():
        assert part.environment["PREFECT_API_AUTH_STRING"] == f"admin:{password(Config.model_validate({'home': tmp_path}))}"
        assert part.environment["PREFECT_WORKER_QUERY_SECONDS"] == "3", "the operator's own settings hold"
        assert password(Config.model_validate({"home": tmp_path})) not in " ".join(part.command), "a secret in a process list"
    assert "PREFECT_SERVER_API_AUTH_STRING" in made["prefect-server"].environment
    assert made["prefect-server"].command[-4:] == ["--host", "127.0.0.1", "--port", "4200"]


def served(folder: Path, prefect: int, doors: int) -> subprocess.Popen[bytes]:
    own = {
        "COUNTERMAND_HOME": str(folder / "home"),
        "COUNTERMAND_SERVE__PREFECT_PORT": str(prefect),
        "COUNTERMAND_GATEWAY__PORT": str(doors),
        "COUNTERMAND_GATEWAY__WEBHOOK_KEYS": json.dumps([KEY]),
        "COUNTERMAND_GATEWAY__RECONCILE_SECONDS": "0",
        "COUNTERMAND_LOG__FORMAT": "json",
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith(("COUNTERMAND_", "PREFECT_"))}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve"], env=others | own, stdout=log, stderr=log, start_new_session=True
        )


def said(folder: Path) -> list[dict[str, Any]]:
    """What was logged; Prefect greets in its own words."""
    lines = (folder / "log").read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith('{"at"')]


def left_over(home: Path) -> list[str]:
    """The processes that have this home in their environment."""
    found: list[str] = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"COUNTERMAND_HOME={home}\0".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, int]]:
    prefect, doors = ports(2)
    process = served(tmp_path, prefect, doors)
    try:
        yield process, prefect, doors
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        finally:
            process.kill()


def process_of(folder: Path, name: str) -> int:
    started = [line["message"] for line in said(folder) if line["message"].startswith(f"{name} is started")]
    return int(started[-1].rpartition(" ")[2].rstrip(")")) if started else 0


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finding what is left over needs /proc")
def test_one_command_runs_all_and_starts_again_what_dies_and_ends_it(serving, tmp_path, wait_until):
    process, prefect, doors = serving
    api, gateway = f"http://127.0.0.1:{prefect}/api", f"http://127.0.0.1:{doors}"

    def ready() -> dict[str, Any]:
        assert process.poll() is None, (tmp_path / "log").read_text()
        try:
            return httpx.get(f"{gateway}/ready", timeout=10, trust_env=False).json()["parts"]
        except httpx.HTTPError:
            return {}

    all_there = {"ledger": "ok", "doors": "ok", "prefect": "ok", "worker": "ok"}
    wait_until(lambda: ready() == all_there, _UP_SECONDS, "all parts")
    secret = (tmp_path / "home" / PASSWORD_FILE).read_text()
    assert httpx.post(f"{api}/flows/count", trust_env=False).status_code == 401, "Prefect lets in who has no password"
    with httpx.Client(base_url=api, auth=("admin", secret), timeout=20, trust_env=False) as client:

        def names(kind: str) -> list[str]:
            return sorted(one["name"] for one in client.post(f"{kind}/filter", json={}).json())

        assert names("deployments") == ["drill", "escalate", "respond", "sweep"]
        assert names("automations") == ["countermand-crashed-without-a-word"]
        # A schedule is worth nothing unless Prefect makes runs of it.
        scheduled = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
        wait_until(lambda: client.post("flow_runs/count", json=scheduled).json() > 0, 60, "a scheduled run")
    killed = process_of(tmp_path, "gateway")
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: process_of(tmp_path, "gateway") != killed and ready().get("ledger") == "ok", 60, "another gateway")
    warned = [line["message"] for line in said(tmp_path) if line["level"] == "warning"]
    assert "gateway ended with signal SIGKILL; it is started again in 1 s" in warned
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    ended = [line["message"] for line in said(tmp_path) if line["message"].endswith("has ended")]
    assert ended == ["gateway has ended", "worker has ended", "prefect-server has ended", "everything has ended"]
    assert left_over(tmp_path / "home") == []
    assert secret not in (tmp_path / "log").read_text()
    assert KEY not in (tmp_path / "log").read_text()


def test_a_port_that_is_taken_is_said_before_anything_is_started(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = served(tmp_path, taken.getsockname()[1], ports(1)[0])
        assert process.wait(60) == 2
    assert "cannot be listened on" in (tmp_path / "log").read_text()
    assert "change serve.prefect_port" in " ".join((tmp_path / "log").read_text().split())
