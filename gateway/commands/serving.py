"""Running everything on one host."""

from __future__ import annotations

import os
import signal
import socket
from threading import Event
from typing import Annotated, Any

import typer

from gateway.commands.shell import UserError, read_config

app = typer.Typer()


@app.command()
def serve() -> None:
    """Run gateway, Prefect server and worker together, and start again what dies. SIGTERM ends all of them."""
    import logging

    from gateway.host import is_private, parts
    from gateway.supervisor import Supervisor
    from tasks.logs import use_logs

    config = read_config()
    if not config.gateway.webhook_keys:
        raise UserError(
            "the gateway has no webhook key; set COUNTERMAND_GATEWAY__WEBHOOK_KEYS to a JSON list with one long random key"
        )
    _must_be_free(config.serve.prefect_host, config.serve.prefect_port, "serve.prefect_port")
    _must_be_free(config.gateway.host, config.gateway.port, "gateway.port")
    use_logs(config)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    log = logging.getLogger("countermand.serve")
    if not is_private(config):
        log.warning(
            "Prefect's server listens on %s with one shared password and no TLS: let only a private network reach it",
            config.serve.prefect_host,
        )
    Supervisor(parts(config, os.environ)).run(stop)
    log.info("everything has ended")


@app.command()
def worker(
    name: Annotated[str, typer.Option(help="How Prefect's page calls this worker.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many runs it has under way at once.")] = 20,
) -> None:
    """Take runs from Prefect's work pool on a further host. `countermand serve` has a worker of its own."""
    import sys

    from gateway.processes import worker_command

    read_config()
    named = ["--name", name] if name else []
    os.execv(sys.executable, worker_command("--limit", str(limit), *named))  # noqa: S606


@app.command()
def deploy() -> None:
    """Make Prefect's work pool, deployments, schedules and automations; what is there already is brought up to date."""
    import asyncio

    from gateway.deploying import NotDeployed
    from gateway.deploying import deploy as deploy_all

    try:
        asyncio.run(deploy_all())
    except NotDeployed as error:
        raise UserError(f"{error}; see that PREFECT_API_URL and PREFECT_API_AUTH_STRING are right") from None


def _must_be_free(host: str, port: int, setting: str) -> None:
    """Refuse a port that somebody listens on before anything is started."""
    try:
        found: Any = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(found[0], socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(found[4])
    except OSError as error:
        raise UserError(f"{host}:{port} cannot be listened on ({error.strerror}); end what uses it, or change {setting}") from None
