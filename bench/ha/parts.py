"""The parts: PostgreSQL, Redis, two Prefect API servers, two of its background services, two gateways, two workers."""

from __future__ import annotations

import glob
import json
import os
import pwd
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg

from bench.ha.balancer import Balancer
from bench.ha.network import HERE, Namespace
from gateway.host import messaging_by_redis
from gateway.practice.stack import free_port
from gateway.prefect_password import USER, for_clients, for_server
from gateway.processes import gateway_command, kill, prefect_command, prefect_of_its_own, started, worker_command

_PATH = os.pathsep.join([*sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True), os.environ["PATH"]])
_PASSWORD = secrets.token_urlsafe(16)
AUTH = (USER, _PASSWORD)


@dataclass
class Part:
    """A process that can be killed and started again."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    is_up: Callable[[], bool] = lambda: True
    process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = 180.0) -> None:
        self.process = started(self.command, self.environment, self.log)
        deadline = time.monotonic() + seconds
        while not self.is_up():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}; see {self.log}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} is not up after {seconds:.0f} s; see {self.log}")
            time.sleep(0.2)

    def kill(self) -> None:
        if self.process is not None:
            kill(self.process)


class Parts:
    """All of them, on one machine.

    Args:
        folder: for state and logs.
        range_url: the AWS that they work on.
        namespace: where the second worker lives.
        own: the environment that makes them Countermand's; `{host}` in it stands for where the others are reached.
    """

    def __init__(self, folder: Path, range_port: int, namespace: Namespace, own: Callable[[str, int], dict[str, str]]) -> None:
        self.folder, self._own, self._namespace = folder, own, namespace
        self.database, self.redis = free_port(), free_port()
        self._apis, self._doors = (free_port(), free_port()), (free_port(), free_port())
        local = "127.0.0.1"
        self.api = Balancer((local, 0), [(local, port) for port in self._apis]).begin()
        self.doors = Balancer((local, 0), [(local, port) for port in self._doors]).begin()
        # The namespace reaches the others through these, at the same ports.
        for port in (self.api.port, self.database, range_port):
            Balancer((HERE, port), [(local, port)]).begin()
        (folder / "logs").mkdir()
        self.all = self._made(range_port)

    def ledger_url(self, host: str) -> str:
        return f"postgresql://postgres@{host}:{self.database}/countermand"

    def start(self) -> None:
        """Start all, in order, and deploy."""
        by_name = {part.name: part for part in self.all}
        self._initialize()
        for name in ("postgres", "redis"):
            by_name[name].start()
        for database in ("countermand", "prefect"):
            with psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.database}/postgres", autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {database}")
        server = by_name["api-1"].environment
        upgrade = [*prefect_command(), "server", "database", "upgrade", "--yes"]
        subprocess.run(upgrade, env=dict(server), check=True, capture_output=True)
        for name in ("api-1", "api-2", "gateway-1", "gateway-2", "services-1", "services-2"):
            by_name[name].start()
        worker = by_name["worker-1"]
        deploy = [gateway_command()[0], "-m", "gateway.cli", "deploy"]
        subprocess.run(deploy, env=dict(worker.environment), check=True, cwd=Path(__file__).resolve().parents[2])
        for name in ("worker-1", "worker-2"):
            by_name[name].start()

    def stop(self) -> None:
        for part in reversed(self.all):
            part.kill()

    def _initialize(self) -> None:
        data = self.folder / "database"
        user = pwd.getpwnam("postgres")
        data.mkdir()
        os.chown(data, user.pw_uid, user.pw_gid)
        os.chmod(self.folder, 0o711)
        command = [
            shutil.which("initdb", path=_PATH) or "initdb",
            "-D",
            str(data),
            "-U",
            "postgres",
            "-A",
            "trust",
            "--locale=C",
            "-E",
            "UTF8",
        ]
        subprocess.run(command, user=user.pw_uid, group=user.pw_gid, check=True, capture_output=True, cwd="/")

    def _made(self, range_port: int) -> list[Part]:
        data = self.folder / "database"
        postgres = [shutil.which("postgres", path=_PATH) or "postgres", "-D", str(data), "-p", str(self.database)]
        postgres += ["-c", "max_connections=300", "-c", f"unix_socket_directories={data}"]
        as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        redis = ["redis-server", "--port", str(self.redis), "--bind", "127.0.0.1", "--dir", str(self.folder), "--appendonly", "yes"]
        redis += ["--appendfsync", "always"]
        plain = {"PATH": os.environ["PATH"]}
        made = [
            self._part("postgres", [*as_postgres, *postgres], plain, self._database_is_up),
            self._part("redis", redis, plain, lambda: _listens(self.redis)),
        ]
        server = self._prefect("127.0.0.1") | self._of_server()
        for number, port in enumerate(self._apis, 1):
            command = [*prefect_command(), "server", "start", "--no-services", "--port", str(port)]
            made.append(
                self._part(f"api-{number}", command, server, lambda port=port: _answers(f"http://127.0.0.1:{port}/api/health"))
            )
        services = [*prefect_command(), "server", "services", "start"]
        made += [self._part(f"services-{number}", services, server) for number in (1, 2)]
        for number, port in enumerate(self._doors, 1):
            seen = self._countermand("127.0.0.1", range_port, port)
            made.append(
                self._part(
                    f"gateway-{number}", gateway_command(), seen, lambda port=port: _answers(f"http://127.0.0.1:{port}/health")
                )
            )
        for number, host, before in ((1, "127.0.0.1", []), (2, HERE, self._namespace.inside)):
            worker = [*before, *worker_command("--name", f"worker-{number}")]
            made.append(self._part(f"worker-{number}", worker, self._countermand(host, range_port, self._doors[0])))
        return made

    def _part(self, name: str, command: Sequence[str], seen: Mapping[str, str], is_up: Callable[[], bool] = lambda: True) -> Part:
        return Part(name, command, seen, self.folder / "logs" / f"{name}.log", is_up)

    def _prefect(self, host: str) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "COUNTERMAND_", "AWS_"))},
            **prefect_of_its_own(self.folder / "prefect", self.api.port),
            "PREFECT_API_URL": f"http://{host}:{self.api.port}/api",
            **for_clients(_PASSWORD),
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        }

    def _of_server(self) -> dict[str, str]:
        url = f"postgresql+asyncpg://postgres@127.0.0.1:{self.database}/prefect"
        redis = f"redis://127.0.0.1:{self.redis}/0"
        auth = {**for_server(for_clients(_PASSWORD)), "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false"}
        return {"PREFECT_SERVER_DATABASE_CONNECTION_URL": url, **auth, **messaging_by_redis(redis)}

    def _countermand(self, host: str, range_port: int, door: int) -> dict[str, str]:
        return self._prefect(host) | self._own(host, door) | {"COUNTERMAND_LEDGER_URL": self.ledger_url(host)}

    def _database_is_up(self) -> bool:
        try:
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.database}/postgres", connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as asking:
        asking.settimeout(1)
        return asking.connect_ex(("127.0.0.1", port)) == 0


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=3, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def as_variables(config: Mapping[str, object]) -> dict[str, str]:
    """Settings as an operator gives them by the environment."""
    return {f"COUNTERMAND_{name.upper()}": value if isinstance(value, str) else json.dumps(value) for name, value in config.items()}
