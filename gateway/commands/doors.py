"""Opening the doors."""

from __future__ import annotations

import gc
import json
import sys

import typer

from gateway.commands.shell import UserError, read_config

_SWITCH_SECONDS = 0.001

app = typer.Typer()


@app.command()
def gateway() -> None:
    """Open the doors: webhook, Slack and reports."""
    import uvicorn

    from gateway.dispatch.sorting_process import sorting_apart
    from gateway.serve import build_app
    from gateway.wiring import sorter_of
    from tasks.hands import wire
    from tasks.logs import use_logs

    config = read_config()
    if not config.gateway.webhook_keys:
        raise UserError(
            "the gateway has no webhook key; set COUNTERMAND_GATEWAY__WEBHOOK_KEYS to a JSON list with one long random key"
        )
    use_logs(config)
    # What was imported stays. To look through it for rubbish takes Python a tenth of a second, in which nobody is answered.
    gc.freeze()
    with sorting_apart(lambda: sorter_of(wire(config))) as apart:
        # So long the loop that answers waits each time another thread is at work: Python's own 5 ms add up to a tenth of a second.
        sys.setswitchinterval(_SWITCH_SECONDS)
        app = build_app(config, apart)
        # Without a configuration of its own, what uvicorn logs comes out as everything else does.
        uvicorn.run(app, host=config.gateway.host, port=config.gateway.port, log_config=None, server_header=False)


@app.command()
def openapi() -> None:
    """Print the doors as an OpenAPI document; an open gateway serves it at `/openapi.json`."""
    from gateway.openapi import document

    print(json.dumps(document(), indent=2))
