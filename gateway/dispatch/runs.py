"""Runs of the `respond` deployment: started exactly once for an incident, and woken when somebody decided."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import httpx
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.states import AwaitingRetry
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random_exponential

from gateway.dispatch.prefect_client import prefect_client
from incident.findings.finding import Finding
from incident.ledger import Kind, Line
from tasks.ledger import Ledger

DEPLOYMENT = "respond/respond"
_AGAIN = retry(
    retry=retry_if_exception_type(httpx.TransportError),
    wait=wait_random_exponential(multiplier=0.2, max=5),
    stop=stop_after_delay(30),
    reraise=True,
)


class RunsUnavailable(Exception):
    """Prefect did not take the call; the message says why in one line. The dispatcher tries again."""


class Stand(StrEnum):
    """What may keep a run from going on."""

    CRASHED = "crashed"
    FAILED = "failed"
    CLAIMED = "claimed by a worker and not begun"
    RUNNING = "running"
    GONE = "gone from Prefect"


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands, and since when (UTC); of one that is gone nobody knows since when."""

    run: UUID
    at: datetime
    stand: Stand


_EVER = datetime.min.replace(tzinfo=UTC)


_STANDS = {
    StateType.CRASHED: Stand.CRASHED,
    StateType.FAILED: Stand.FAILED,
    StateType.PENDING: Stand.CLAIMED,
    StateType.RUNNING: Stand.RUNNING,
}


class Runs:
    """Prefect, as far as the gateway needs it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def start(self, incident: str, finding: Finding, delivery: Line) -> None:
        """Start the incident's run. However often and from wherever this is called, one run exists: the incident id is its key.

        Raises:
            RunsUnavailable: Prefect is not reached, or has no such deployment.
        """
        try:
            run = await _create_run(incident, incident)
        except ObjectNotFound:
            raise RunsUnavailable(f"Prefect has no deployment {DEPLOYMENT}; run `prefect deploy --all`") from None
        except (PrefectException, httpx.HTTPError) as error:
            raise RunsUnavailable(f"Prefect did not start the run: {type(error).__name__}") from None
        await self._note(incident, Kind.RUN, "run", {"flow_run": str(run), "delivery": delivery.key})

    async def go_on(self, incident: str, added: str) -> None:
        """Start another run of an incident whose run has ended, for what a responder added since; the same number starts one run.

        Raises:
            RunsUnavailable: Prefect is not reached.
        """
        run = await self._run_of(incident)
        try:
            if run is None or not await _has_ended(run):
                return
            another = await _create_run(incident, f"{incident}-{added}")
        except (PrefectException, httpx.HTTPError) as error:
            raise RunsUnavailable(f"Prefect did not start another run of {incident}: {type(error).__name__}") from None
        await self._note(incident, Kind.RUN, f"run-again:{added}", {"flow_run": str(another)})

    async def wake(self, incident: str, digest: str) -> None:
        """Wake the incident's run so that it reads the decision in the ledger. One that is not asleep needs no waking.

        Raises:
            RunsUnavailable: Prefect is not reached; the run wakes at the next attempt, for the decision is in the ledger.
        """
        run = await self._run_of(incident)
        if run is None:
            return
        answer = {
            "decision": "look again",
            "responder": "",
            "one_time_code": "",
            "reason": "",
            "strike_steps": "",
            "amendments": "",
            "plan_digest": digest,
        }
        try:
            await _resume(run, answer)
        except (PrefectException, httpx.HTTPError) as error:
            raise RunsUnavailable(f"Prefect did not wake the run: {type(error).__name__}") from None

    async def standing_of(self, incident: str) -> Standing | None:
        """How the incident's run stands; nothing where it waits for its time or for people, or has ended well.

        Raises:
            RunsUnavailable: Prefect is not reached.
        """
        run = await self._run_of(incident)
        if run is None:
            return None
        try:
            async with prefect_client() as client:
                state = (await client.read_flow_run(run)).state
        except ObjectNotFound:
            return Standing(run, _EVER, Stand.GONE)
        except (PrefectException, httpx.HTTPError) as error:
            raise RunsUnavailable(f"Prefect does not show the run of {incident}: {type(error).__name__}") from None
        stand = _STANDS.get(state.type) if state is not None else None
        return Standing(run, state.timestamp, stand) if state is not None and stand is not None else None

    async def start_again(self, run: UUID) -> None:
        """Schedule a run again, under the same id.

        Raises:
            RunsUnavailable: Prefect is not reached.
        """
        try:
            async with prefect_client() as client:
                await client.set_flow_run_state(run, AwaitingRetry(), force=True)
        except (PrefectException, httpx.HTTPError) as error:
            raise RunsUnavailable(f"Prefect did not start run {run} again: {type(error).__name__}") from None

    async def start_instead(self, incident: str, gone: UUID) -> None:
        """Start another run in place of one that Prefect has lost; however often this is called for it, one is started.

        Raises:
            RunsUnavailable: Prefect is not reached, or has no such deployment.
        """
        try:
            another = await _create_run(incident, f"{incident}-after-{gone}")
        except (PrefectException, httpx.HTTPError) as error:
            raise RunsUnavailable(f"Prefect did not start another run of {incident}: {type(error).__name__}") from None
        await self._note(incident, Kind.RUN, f"run-again:after:{gone}", {"flow_run": str(another)})

    async def _note(self, incident: str, kind: Kind, key: str, body: Mapping[str, str]) -> None:
        """Write without keeping the loop: the doors answer in it, and a disk may be slow."""
        await asyncio.to_thread(self._ledger.append, incident, kind, key, body)

    async def _run_of(self, incident: str) -> UUID | None:
        """The newest run of an incident."""
        lines = await asyncio.to_thread(self._ledger.lines, incident, Kind.RUN)
        return UUID(str(lines[-1].body["flow_run"])) if lines else None


@_AGAIN
async def _create_run(incident: str, key: str) -> UUID:
    async with prefect_client() as client:
        deployment = await client.read_deployment_by_name(DEPLOYMENT)
        run = await client.create_flow_run_from_deployment(
            deployment.id, parameters={"incident": incident}, idempotency_key=key, name=incident
        )
    return run.id


@_AGAIN
async def _has_ended(run: UUID) -> bool:
    """Whether a run came to its end or is gone; one that crashed is somebody else's to start again."""
    async with prefect_client() as client:
        try:
            state = (await client.read_flow_run(run)).state
        except ObjectNotFound:
            return True
    return state is not None and (state.is_completed() or state.is_cancelled())


@_AGAIN
async def _resume(run: UUID, answer: dict[str, str]) -> bool:
    """Whether this call woke the run; a lost race is no error, for somebody else woke it."""
    async with prefect_client() as client:
        result = await client.resume_flow_run(run, run_input=answer)
    return result.status is SetStateStatus.ACCEPT
