"""Whether all that a response needs is there: the ledger, Prefect with the deployment, a worker, and the doors.

That the doors may shut only without the ledger is `/readyz`: what is delivered while Prefect is away is kept. This is for whoever
watches over the whole.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import httpx
from prefect.client.schemas.objects import WorkerStatus
from prefect.exceptions import ObjectNotFound, PrefectException

from gateway.dispatch.prefect_client import prefect_client
from gateway.dispatch.runs import DEPLOYMENT
from gateway.processes import POOL

Check = Callable[[], Awaitable[str]]
"""Why a part is not there, in one line; empty when it is."""

CHECK_SECONDS = 4.0
KEPT_SECONDS = 2.0
"""How long an answer is given again: whoever asks often must not make Prefect busy."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What was found, part by part: `ok`, or why it is not there."""

    parts: Mapping[str, str]

    @property
    def whole(self) -> bool:
        return all(state == "ok" for state in self.parts.values())


class Readiness:
    """Asks every part, each within a few seconds.

    Args:
        checks: by the name of the part.
        timer: seconds that only grow.
    """

    def __init__(self, checks: Mapping[str, Check], timer: Callable[[], float] = time.monotonic) -> None:
        self._checks, self._timer = dict(checks), timer
        self._asking = asyncio.Lock()
        self._held: tuple[float, Ready] | None = None

    async def look(self) -> Ready:
        async with self._asking:
            if self._held is None or self._timer() - self._held[0] >= KEPT_SECONDS:
                found = await asyncio.gather(*(_asked(check) for check in self._checks.values()))
                parts = {name: problem or "ok" for name, problem in zip(self._checks, found, strict=True)}
                self._held = (self._timer(), Ready(parts))
            return self._held[1]


async def _asked(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:.0f} s"


async def prefect_is_there() -> str:
    """Prefect's server answers us and has the deployment that responses run as."""
    try:
        async with prefect_client() as client:
            await client.read_deployment_by_name(DEPLOYMENT)
    except ObjectNotFound:
        return f"it has no deployment {DEPLOYMENT}; run `countermand deploy`"
    except httpx.HTTPStatusError as error:
        return f"it answers {error.response.status_code}; see PREFECT_API_AUTH_STRING"
    except (PrefectException, httpx.HTTPError, RuntimeError) as error:
        return f"it is not reached ({type(error).__name__})"
    return ""


async def worker_is_there() -> str:
    """At least one worker has said within its last heartbeats that it takes work of the pool where responses run."""
    pool = POOL
    try:
        async with prefect_client() as client:
            pool = (await client.read_deployment_by_name(DEPLOYMENT)).work_pool_name or POOL
            if (await client.read_work_pool(pool)).is_paused:
                return f"the work pool {pool} is paused; run `prefect work-pool resume {pool}`"
            workers = await client.read_workers_for_work_pool(pool)
    except ObjectNotFound:
        return f"there is no work pool {pool} with the deployment {DEPLOYMENT}; run `countermand deploy`"
    except (PrefectException, httpx.HTTPError, RuntimeError) as error:
        return f"Prefect does not say ({type(error).__name__})"
    return "" if any(worker.status is WorkerStatus.ONLINE for worker in workers) else f"no worker of the work pool {pool} is online"


def prefect_checks() -> dict[str, Check]:
    """The checks that ask Prefect."""
    return {"prefect": prefect_is_there, "worker": worker_is_there}
