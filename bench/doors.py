"""The doors: findings accepted a second, how long an answer takes, and how soon a run begins.

Run it with `make bench`. Everything is a process of its own, as `countermand serve` has it: a gateway with its ledger, Prefect's
server, and a range for what the gateway reads back. GuardDuty knows none of the findings, so all are taken, read back and told, and
none starts a response.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from bench.bare_inserts import deliveries, on_postgresql, on_sqlite
from bench.practice import practice
from drill.aws.config import DEFAULT_ACCOUNT, responder_keys
from drill.client import RangeClient
from drill.storm import Answered, storm
from gateway.practice.stack import Stack
from gateway.processes import POOL, ROOT, prefect_command
from incident.findings.finding import incident_id, parse_finding
from tests.postgres import NotInstalled, Server, running

FINDINGS, SUBMITTED = 3_000, 300
STARTED, LEDGERS = 4, 8
"""Of what GuardDuty does not know, five an hour get an incident of their own: one that warms up, and these; then a new ledger."""

CONNECTIONS = 16
A_SECOND, SECONDS = 200.0, 20
OPEN_LOOP_CONNECTIONS = 64
"""As many as the gateway takes at once: a slow answer must not hold up the next delivery."""

WRITER_AT_ONCE = 256
KEY = "a-key-of-this-bench-alone"
_PATIENCE_SECONDS = 180.0


@dataclass(frozen=True)
class Engine:
    """One database engine, with an empty database for whoever asks."""

    name: str
    folder: Path
    server: Server | None = None

    def ledger(self, name: str) -> str:
        return self.server.new_database() if self.server else f"sqlite:///{self.folder / f'{name}.db'}"

    def prefect(self) -> str:
        if self.server:
            return self.server.new_database().replace("postgresql:", "postgresql+asyncpg:", 1)
        return f"sqlite+aiosqlite:///{self.folder / 'prefect.db'}"


def main() -> None:
    with tempfile.TemporaryDirectory() as place, practice((DEFAULT_ACCOUNT,), ("us-east-1",)) as aws:
        try:
            with running(durable=True) as server:
                for engine in (Engine("SQLite", Path(place)), Engine("PostgreSQL", Path(place), server)):
                    taken_and_answered(engine, aws)
                first_tasks(Engine("PostgreSQL", Path(place), server), aws)
        except NotInstalled as missing:
            sys.exit(str(missing))


def taken_and_answered(engine: Engine, aws: RangeClient) -> None:
    """How many are taken, against the engine alone and against Prefect; then how long each waits at a fixed rate."""
    ledger = engine.ledger("ledger")
    print(f"{engine.name}: {FINDINGS:,} findings over {CONNECTIONS} connections, each durable before its answer")
    with _stack(engine, engine.name, ledger, aws) as stack:
        stack.start_prefect()
        stack.start_gateway()
        stack.wait_for_gateway()
        asyncio.run(_stormed(stack, bodies(0, 200), connections=CONNECTIONS))
        began, worked = time.perf_counter(), stack.cpu_seconds("gateway")
        asyncio.run(_stormed(stack, bodies(1_000, FINDINGS), connections=CONNECTIONS))
        taken = FINDINGS / (time.perf_counter() - began)
        worked = stack.cpu_seconds("gateway") - worked
        bare, batched, how = _bare(engine, ledger)
        _row("findings accepted", f"{taken:,.0f} a second", f"{taken / bare:.2f} × bare inserts (goal: at least 0.5)")
        _row("CPU time of the doors for each", f"{worked / FINDINGS * 1000:.2f} ms", "sorting has a process of its own")
        _row(f"the same lines inserted bare, {how}", f"{bare:,.0f} a second", "one line with each commit")
        _row(f"bare, {WRITER_AT_ONCE} with one commit", f"{batched:,.0f} a second", "what no door in front of it can reach")
        with _prefect_of(stack):
            submitted = asyncio.run(_submitted())
        _row("runs submitted straight to Prefect", f"{submitted:,.0f} a second", f"accepted: {taken / submitted:.1f} ×")
        _wait_until_sorted(stack)
        answers = asyncio.run(
            _stormed(stack, bodies(100_000, int(A_SECOND * SECONDS)), connections=OPEN_LOOP_CONNECTIONS, a_second=A_SECOND)
        )
        waited = sorted(answer.seconds * 1000 for answer in answers)
        _row(f"answer at {A_SECOND:.0f} a second, p50", f"{median(waited):.1f} ms", f"{len(waited):,} sent when they were due")
        _row("p99", f"{quantiles(waited, n=100)[98]:.1f} ms", f"slowest {waited[-1]:.0f} ms (goal: p99 under 100)")
    print()


def bodies(first: int, count: int) -> Iterator[bytes]:
    """Different findings, as EventBridge delivers them."""
    for number in range(first, first + count):
        yield json.dumps(event(number)).encode()


def event(number: int) -> dict[str, object]:
    """One finding of some two kilobytes, about a user of its own."""
    ident, at = f"{number:032x}", "2026-11-24T12:00:00.000Z"
    key = {
        "accessKeyId": f"AKIA{number:016d}",
        "principalId": f"AIDA{number:017d}",
        "userName": f"user-{number}",
        "userType": "IAMUser",
    }
    called = {
        "api": "AuthorizeSecurityGroupIngress",
        "serviceName": "ec2.amazonaws.com",
        "callerType": "Remote IP",
        "remoteIpDetails": {
            "ipAddressV4": "198.51.100.7",
            "country": {"countryName": "Nowhere"},
            "city": {"cityName": "Nowhere"},
            "geoLocation": {"lat": 0.0, "lon": 0.0},
            "organization": {"asn": "64496", "asnOrg": "Example", "isp": "Example", "org": "Example"},
        },
        "affectedResources": {"AWS::EC2::SecurityGroup": f"sg-{number:017x}"},
    }
    service = {
        "serviceName": "guardduty",
        "detectorId": "d0d0",
        "action": {"actionType": "AWS_API_CALL", "awsApiCallAction": called},
        "resourceRole": "TARGET",
        "additionalInfo": {"value": json.dumps({"unusualBehavior": "x" * 400}), "type": "default"},
        "eventFirstSeen": at,
        "eventLastSeen": at,
        "archived": False,
        "count": 1,
    }
    detail = {
        "schemaVersion": "2.0",
        "accountId": DEFAULT_ACCOUNT,
        "region": "us-east-1",
        "partition": "aws",
        "id": ident,
        "arn": f"arn:aws:guardduty:us-east-1:{DEFAULT_ACCOUNT}:detector/d0d0/finding/{ident}",
        "type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller",
        "resource": {"resourceType": "AccessKey", "accessKeyDetails": key},
        "service": service,
        "severity": 5,
        "createdAt": at,
        "updatedAt": at,
        "title": "API AuthorizeSecurityGroupIngress was invoked from a known malicious IP address.",
        "description": "An API was invoked from an IP address on a threat list. " * 3,
    }
    return {
        "version": "0",
        "id": ident,
        "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty",
        "account": DEFAULT_ACCOUNT,
        "time": at,
        "region": "us-east-1",
        "resources": [],
        "detail": detail,
    }


async def _stormed(stack: Stack, sent: Iterator[bytes], *, connections: int, a_second: float = 0.0) -> list[Answered]:
    """The answers; all of them must say that the finding was taken."""
    door = f"{stack.gateway_url}/webhooks/guardduty"
    answers = await storm(door, {"X-Countermand-Key": KEY}, sent, connections=connections, a_second=a_second)
    codes = Counter(answer.status for answer in answers)
    if set(codes) != {202}:
        raise SystemExit(f"not all were taken: {dict(codes)}; see {stack.log('gateway')}")
    return answers


def _bare(engine: Engine, ledger: str) -> tuple[float, float, str]:
    """Lines a second one by one, and as many with a commit as the gateway's writer puts together; and how the first was done."""
    rows = deliveries(ledger, FINDINGS)
    if engine.server is None:
        one, many = (on_sqlite(engine.folder / f"bare-{count}.db", rows, count) for count in (1, WRITER_AT_ONCE))
        return one, many, "one writer, as SQLite has it"
    one = on_postgresql(engine.server.new_database(), rows, connections=CONNECTIONS)
    return one, on_postgresql(engine.server.new_database(), rows, WRITER_AT_ONCE), f"{CONNECTIONS} connections"


async def _submitted() -> float:
    """Runs a second that Prefect's server takes over as many connections; they belong to no work pool, so that nobody runs them."""
    async with get_client() as client:
        deployment = await client.create_deployment(await client.create_flow_from_name("submitted"), "submitted")
        numbers = iter(range(SUBMITTED))

        async def sender() -> None:
            for number in numbers:
                await _submitted_one(client, deployment, str(number))

        began = time.perf_counter()
        await asyncio.gather(*(sender() for _ in range(CONNECTIONS)))
        return SUBMITTED / (time.perf_counter() - began)


async def _submitted_one(client: PrefectClient, deployment: UUID, name: str) -> None:
    """One run, asked for again while Prefect answers 503: its SQLite is locked when several write at once."""
    while True:
        with _again_when_busy():
            await client.create_flow_run_from_deployment(deployment, idempotency_key=name, name=name)
            return


@contextmanager
def _again_when_busy() -> Iterator[None]:
    try:
        yield
    except PrefectHTTPStatusError as error:
        if error.response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            raise


def first_tasks(engine: Engine, aws: RangeClient) -> None:
    """From the POST to the response's first task, and from submitting an empty flow to its own, in turn."""
    times = STARTED * LEDGERS
    print(f"From the start to the first task, {times} times each in turn; Prefect on {engine.name}, one process worker on the pool")
    with _stack(engine, "starts", engine.ledger("starts"), aws) as stack:
        stack.start_prefect()
        stack.deploy()
        flow = f"{ROOT / 'bench' / 'empty_flow.py'}:empty"
        stack.run("deploy", [*prefect_command(), "--no-prompt", "deploy", flow, "--name", "empty", "--pool", POOL])
        stack.start_worker()
        found: list[tuple[float, float]] = []
        for place in range(LEDGERS):
            stack.add_environment({"COUNTERMAND_LEDGER_URL": engine.ledger(f"starts-{place}")})
            stack.start_gateway()
            stack.wait_for_gateway()
            with _prefect_of(stack):
                numbers = range(place * (STARTED + 1), (place + 1) * (STARTED + 1))
                # The first of each warms what is new, and does not count.
                found += [asyncio.run(_both_started(stack, number)) for number in numbers][1:]
            stack.kill("gateway")
    empty, ours = (sorted(one[which] for one in found) for which in (0, 1))
    _row("empty flow, median", f"{median(empty):.2f} s", f"{empty[0]:.2f} to {empty[-1]:.2f}")
    ratio = f"{median(ours) / median(empty):.2f} × the empty flow (goal: at most 1.3)"
    _row("response, median", f"{median(ours):.2f} s", f"{ours[0]:.2f} to {ours[-1]:.2f}; {ratio}")
    print()


async def _both_started(stack: Stack, number: int) -> tuple[float, float]:
    async with get_client() as client:
        deployment = await client.read_deployment_by_name("empty/empty")
        # The worker looks for work once a second. Without a shift, each would always come at the same moment of its second.
        await asyncio.sleep(number * 0.37 % 1)
        since = time.time()
        run = await client.create_flow_run_from_deployment(deployment.id, idempotency_key=f"empty-{number}")
        empty = await _until_first_task(client, run, since)
        await asyncio.sleep(number * 0.37 % 1)
        body, since = event(200_000 + number), time.time()
        headers = {"X-Countermand-Key": KEY}
        async with httpx.AsyncClient(trust_env=False) as door:
            (await door.post(f"{stack.gateway_url}/webhooks/guardduty", json=body, headers=headers)).raise_for_status()
        run = await _run_of(client, incident_id(parse_finding(body)))
        return empty, await _until_first_task(client, run, since)


async def _run_of(client: PrefectClient, incident: str) -> FlowRun:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        for run in await client.read_flow_runs():
            if run.parameters == {"incident": incident}:
                return run
        await asyncio.sleep(0.1)
    raise SystemExit(f"{incident} was not started")


async def _until_first_task(client: PrefectClient, run: FlowRun, since: float) -> float:
    """Seconds from a moment (since 1970) to when the run's first task began; returns when the run has ended."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    of = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
    while time.monotonic() < deadline:
        state = (await client.read_flow_run(run.id)).state
        begun = [task.start_time.timestamp() for task in await client.read_task_runs(flow_run_filter=of) if task.start_time]
        if begun and state is not None and state.is_final():
            return min(begun) - since
        # Rarely, for the server that is asked is the one that is measured.
        await asyncio.sleep(0.5)
    raise SystemExit(f"the run {run.name} did not end")


def _prefect_of(stack: Stack) -> AbstractContextManager[Any]:
    return temporary_settings({PREFECT_API_URL: f"{stack.prefect_url}/api", PREFECT_API_AUTH_STRING: ":".join(stack.prefect_auth)})


def _wait_until_sorted(stack: Stack) -> None:
    """Wait until what was taken is sorted too, so that the next figure begins with a gateway at rest."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        told = httpx.get(f"{stack.gateway_url}/metrics", timeout=30, trust_env=False).text
        if 'countermand_queue_waiting{queue="sorting"} 0.0' in told:
            return
        time.sleep(1)
    raise SystemExit("what was taken was not sorted")


def _stack(engine: Engine, name: str, ledger: str, aws: RangeClient) -> Stack:
    keys = responder_keys(DEFAULT_ACCOUNT)
    stack = Stack(engine.folder / name, {})
    door = {"port": stack.gateway_port, "webhook_keys": [KEY], "reconcile_seconds": 0}
    seen = {
        "COUNTERMAND_HOME": str(engine.folder / name),
        "COUNTERMAND_GATEWAY": json.dumps(door),
        "PREFECT_API_DATABASE_CONNECTION_URL": engine.prefect(),
        "COUNTERMAND_LEDGER_URL": ledger,
        "COUNTERMAND_AWS": json.dumps({"accounts": [DEFAULT_ACCOUNT], "endpoint_url": aws.url, "delivery_lag_seconds": 0}),
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret,
        "AWS_SESSION_TOKEN": keys.token,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    stack.add_environment(seen)
    return stack


def _row(what: str, figure: str, remark: str) -> None:
    print(f"  {what:<52} {figure:>16}   {remark}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
