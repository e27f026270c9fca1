"""The parts that one host runs: gateway, Prefect server, deployment and worker, with Prefect's authentication on."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

from gateway.processes import POOL, gateway_command, prefect_command, prefect_of_its_own
from gateway.supervisor import Part
from tasks.config import Config, ConfigError
from tasks.logs import prefect_logs

PASSWORD_FILE = "prefect-password"  # noqa: S105
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104
_HEARTBEAT_SECONDS = "30"


def parts(config: Config, environment: Mapping[str, str]) -> list[Part]:
    """The parts in the order in which they end, the last first: the doors shut, then the flows end, then their server.

    The gateway waits for nobody: what it takes is in its ledger, whether Prefect is up or not.
    """
    url = prefect_url(config)
    seen = _environment(config, environment)
    seconds = config.serve.stop_seconds
    server = [*prefect_command(), "server", "start", "--host", config.serve.prefect_host, "--port", str(config.serve.prefect_port)]
    worker = [
        *prefect_command(),
        "worker",
        "start",
        "--pool",
        POOL,
        "--type",
        "process",
        "--limit",
        str(config.serve.flows_at_once),
    ]
    deploying = [sys.executable, "-m", "gateway.cli", "deploy"]
    return [
        Part("prefect-server", server, _for_server(config, seen), answers=f"{url}/api/health", stop_seconds=seconds),
        Part("deploy", deploying, seen, after=("prefect-server",), once=True, stop_seconds=seconds),
        Part("worker", worker, seen, after=("deploy",), stop_seconds=seconds),
        Part("gateway", gateway_command(), seen, answers=f"{gateway_url(config)}/healthz", stop_seconds=seconds),
    ]


def prefect_url(config: Config) -> str:
    """Where this host itself reaches its Prefect server."""
    host = config.serve.prefect_host
    return f"http://{_ANYWHERE.get(host, f'[{host}]' if ':' in host else host)}:{config.serve.prefect_port}"


def gateway_url(config: Config) -> str:
    """Where this host itself reaches its doors."""
    host = config.gateway.host
    return f"http://{_ANYWHERE.get(host, f'[{host}]' if ':' in host else host)}:{config.gateway.port}"


def is_private(config: Config) -> bool:
    """Whether Prefect's server listens to this host only."""
    return config.serve.prefect_host in _LOOPBACK


def password(config: Config) -> str:
    """The password of Prefect's API: the configured one, or one that is made once and kept beside the ledger.

    Raises:
        ConfigError: the file cannot be read or written, or holds none.
    """
    if given := config.serve.prefect_password.get_secret_value():
        return given
    file = config.folder / PASSWORD_FILE
    try:
        return _kept(file)
    except OSError as error:
        raise ConfigError(
            f"{file}: {error.strerror}; let Countermand's user read and write it, or set serve.prefect_password"
        ) from None


def _kept(file: Path) -> str:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        held = file.read_text().strip()
        if not held:
            raise ConfigError(f"{file} is empty; remove it, and a new password is made") from None
        return held
    made = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w") as writing:
        writing.write(made)
    return made


def _environment(config: Config, environment: Mapping[str, str]) -> dict[str, str]:
    """What every part sees. The operator's own Prefect settings hold, but for where its API is and how it is entered."""
    own = prefect_of_its_own(config.folder / "prefect", config.serve.prefect_port)
    return {
        **own,
        **prefect_logs(config),
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": _HEARTBEAT_SECONDS,
        **environment,
        "PREFECT_API_URL": f"{prefect_url(config)}/api",
        "PREFECT_API_AUTH_STRING": f"admin:{password(config)}",
    }


def _for_server(config: Config, seen: Mapping[str, str]) -> dict[str, str]:
    more = {"PREFECT_SERVER_API_AUTH_STRING": seen["PREFECT_API_AUTH_STRING"]}
    if database := config.serve.prefect_database_url.get_secret_value():
        more["PREFECT_API_DATABASE_CONNECTION_URL"] = database
    if redis := config.serve.redis_url.get_secret_value():
        more |= messaging_by_redis(redis)
    return {**seen, **more}


def messaging_by_redis(url: str) -> dict[str, str]:
    """What lets several Prefect servers on one database share events, leases and their own background work."""
    return {
        "PREFECT_MESSAGING_BROKER": "prefect_redis.messaging",
        "PREFECT_MESSAGING_CACHE": "prefect_redis.messaging",
        "PREFECT_SERVER_EVENTS_CAUSAL_ORDERING": "prefect_redis.ordering",
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect_redis.lease_storage",
        "PREFECT_REDIS_MESSAGING_URL": url,
        "PREFECT_SERVER_DOCKET_URL": url,
    }
