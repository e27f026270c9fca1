"""The processes of one practice: a Prefect server, its worker and the gateway, each with a log of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import httpx

from gateway.practice.prefect_database import give_tables
from gateway.prefect_password import USER, for_clients, for_server, kept_password
from gateway.processes import (
    POOL,
    ROOT,
    end,
    gateway_command,
    kill,
    prefect_command,
    prefect_of_its_own,
    server_command,
    started,
    worker_command,
)

_START_DEADLINE = 90.0
_END_SECONDS = 5.0


class StackFailed(Exception):
    """A process did not start or died; the message names its log."""


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Stack:
    """Starts processes in order and ends them all, whatever happens.

    Args:
        folder: where their state and their logs go.
        environment: what they see beside the caller's own environment.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.prefect_port, self.gateway_port = free_port(), free_port()
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        self.prefect_password = kept_password(folder)
        self._environment = {
            **_without_prefect(os.environ),
            **prefect_of_its_own(folder / "prefect", self.prefect_port),
            **for_clients(self.prefect_password),
            **environment,
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def prefect_url(self) -> str:
        return f"http://127.0.0.1:{self.prefect_port}"

    @property
    def prefect_auth(self) -> tuple[str, str]:
        """User and password of Prefect's API, as HTTP's basic authentication has them."""
        return USER, self.prefect_password

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.gateway_port}"

    @property
    def environment(self) -> dict[str, str]:
        """What a further process of the same practice must see."""
        return dict(self._environment)

    def add_environment(self, more: Mapping[str, str]) -> None:
        self._environment.update(more)

    def start_prefect(self) -> None:
        """Start the server and wait until it answers."""
        give_tables(self._environment)
        self.start("prefect-server", server_command("127.0.0.1", self.prefect_port), for_server(self._environment))
        self.wait_for("prefect-server", f"{self.prefect_url}/api/health")

    def make_pool(self) -> None:
        """Make the work pool; the worker that starts gives it its template, as it does for a pool made in the UI.

        Raises:
            StackFailed: the server did not take it.
        """
        deadline = time.monotonic() + _START_DEADLINE
        while time.monotonic() < deadline:
            door, pool = f"{self.prefect_url}/api/work_pools/", {"name": POOL, "type": "process"}
            answer = httpx.post(door, json=pool, auth=self.prefect_auth, timeout=30)
            if answer.is_success or answer.status_code == httpx.codes.CONFLICT:
                return
            # Prefect answers 503 while its database is busy.
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.1)
        raise StackFailed(f"the work pool was not made: {answer.status_code}; see {self.log('prefect-server')}")

    def deploy(self) -> None:
        """Make the work pool and deploy everything that `prefect.yaml` names, as an operator would."""
        self.make_pool()
        self.run("deploy", [*prefect_command(), "--no-prompt", "deploy", "--all"])

    def start_worker(self) -> None:
        self.start("worker", worker_command("--name", "practice"))

    def start_gateway(self) -> None:
        """Start the doors."""
        self.start("gateway", gateway_command())

    def wait_for_gateway(self) -> None:
        """Wait until the doors are open."""
        self.wait_for("gateway", f"{self.gateway_url}/healthz")

    def start(self, name: str, command: Sequence[str], more: Mapping[str, str] | None = None) -> None:
        """Start a process in a group of its own, so that what it starts ends with it; `more` is what it alone sees."""
        self._processes[name] = started(command, {**self._environment, **(more or {})}, self.log(name))

    def run(self, name: str, command: Sequence[str]) -> None:
        """Run a command to its end.

        Raises:
            StackFailed: it did not succeed.
        """
        with self.log(name).open("ab") as log:
            ended = subprocess.run(  # noqa: S603
                list(command), cwd=ROOT, env=self._environment, stdout=log, stderr=subprocess.STDOUT, check=False
            )
        if ended.returncode:
            raise StackFailed(f"{name} ended with {ended.returncode}; see {self.log(name)}")

    def wait_for(self, name: str, url: str) -> None:
        """Wait until an address answers.

        Raises:
            StackFailed: the process ended, or did not answer in time.
        """
        deadline = time.monotonic() + _START_DEADLINE
        while time.monotonic() < deadline:
            self.check()
            try:
                if httpx.get(url, timeout=2).status_code < 500:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise StackFailed(f"{name} did not answer within {_START_DEADLINE:.0f} s; see {self.log(name)}")

    def kill(self, name: str) -> None:
        """End a process and all that it started at once, as a power cut would."""
        kill(self._processes.pop(name))

    def check(self) -> None:
        """Raise if a process that must live has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise StackFailed(f"{name} ended with {process.returncode}; see {self.log(name)}")

    def cpu_seconds(self, name: str) -> float:
        """The CPU time that a process has had, which the machine's other work does not change."""
        fields = Path(f"/proc/{self._processes[name].pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"

    def stop(self) -> None:
        """End every process: asked first, then made to."""
        end([process for process in self._processes.values() if process.poll() is None], _END_SECONDS)
        self._processes.clear()

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _without_prefect(environment: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment without what would point at another Prefect, AWS or Countermand."""
    foreign = ("PREFECT_", "COUNTERMAND_", "AWS_")
    return {name: value for name, value in environment.items() if not name.startswith(foreign)}
