"""Reading places on the nodes of a Dask or a Ray cluster, where they are too many for one worker's threads.

A node only reads. It needs this package, the configuration of `aws` and credentials for it; neither the ledger nor `home`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from prefect import flow, task
from prefect.task_runners import TaskRunner

from incident.family import Scope
from tasks.aws import Aws
from tasks.baseline import Swept, sweep_region
from tasks.config import ConfigError, load_config
from tasks.running_config import SweepConfig

NOT_READ = "every read"


def runner_of(config: SweepConfig) -> TaskRunner[Any] | None:
    """The cluster's task runner; none where the worker's own threads read.

    Raises:
        ConfigError: the library for that cluster is not installed.
    """
    try:
        match config.runner:
            case "threads":
                return None
            case "dask":
                from prefect_dask import DaskTaskRunner

                return DaskTaskRunner(address=config.address)
            case "ray":
                from prefect_ray import RayTaskRunner

                return RayTaskRunner(address=config.address)
    except ImportError:
        raise ConfigError(
            f"sweep.runner is {config.runner}, and prefect-{config.runner} is not installed; "
            f"run: pip install 'countermand[{config.runner}]', here and on every node"
        ) from None


def spread(runner: TaskRunner[Any], scopes: Sequence[Scope], at: datetime, seconds: float) -> list[Swept]:
    """Read each place on some node. One that none reads within so many seconds comes back as a place of which nothing is known.

    Raises:
        ConfigError: the cluster is not reached.
    """

    # What goes to a node with each task is this flow, too: it may hold nothing that cannot leave this process, such as the ledger.
    @flow(name="sweep on nodes", task_runner=runner, persist_result=False)
    def read_on_nodes() -> list[Swept]:
        until = time.monotonic() + seconds
        begun = [(scope, read_place.submit(scope, at)) for scope in scopes]
        return [_arrived(scope, at, future, until) for scope, future in begun]

    try:
        return read_on_nodes()
    except OSError:
        raise ConfigError("the cluster at sweep.address is not reached; start it, or set sweep.runner to threads") from None


@task(name="read place", retries=1, retry_delay_seconds=2, persist_result=False)
def read_place(scope: Scope, at: datetime) -> Swept:
    """Read one place, on a node."""
    return sweep_region(_aws(), scope, at)


def _arrived(scope: Scope, at: datetime, future: Any, until: float) -> Swept:
    try:
        return future.result(timeout=max(0.1, until - time.monotonic()))
    except TimeoutError:
        why = "no node answered in time"
    # Whatever went wrong on a node, the other places are read, and this one is named.
    except Exception as error:
        why = f"its node failed ({type(error).__name__})"
    return Swept(scope, at, (), {NOT_READ: why})


@lru_cache(maxsize=1)
def _aws() -> Aws:
    return Aws(load_config().aws)
