"""The parts that one host runs: gateway, Prefect server, deployment and worker, with Prefect's authentication on."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from gateway.prefect_password import for_clients, for_server, kept_password
from gateway.processes import gateway_command, prefect_of_its_own, server_command, worker_command
from gateway.supervisor import Part
from tasks.config import Config
from tasks.logs import prefect_logs

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
    server = server_command(config.serve.prefect_host, config.serve.prefect_port)
    worker = worker_command("--limit", str(config.serve.flows_at_once))
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
    return config.serve.prefect_password.get_secret_value() or kept_password(config.folder)


def _environment(config: Config, environment: Mapping[str, str]) -> dict[str, str]:
    """What every part sees. The operator's own Prefect settings hold, but for where its API is and how it is entered."""
    own = prefect_of_its_own(config.folder / "prefect", config.serve.prefect_port)
    return {
        **own,
        **prefect_logs(config),
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": _HEARTBEAT_SECONDS,
        **environment,
        "PREFECT_API_URL": f"{prefect_url(config)}/api",
        **for_clients(password(config)),
    }


def _for_server(config: Config, seen: Mapping[str, str]) -> dict[str, str]:
    more = for_server(seen)
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
