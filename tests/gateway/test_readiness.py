"""`/ready` names what is missing, `/health` only says that the process lives."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from gateway import readiness
from gateway.app import Settings, create_app
from gateway.readiness import KEPT_SECONDS, Readiness, prefect_is_there, worker_is_there
from tasks.ledger import LedgerUnavailable


async def nothing(*_: object) -> None:
    """No run is started here."""


async def fine() -> str:
    return ""


def asked(ledger, folder, paths, beside=(), checks=None) -> dict[str, httpx.Response]:
    """What an open gateway answers at each path."""

    async def ask() -> dict[str, httpx.Response]:
        app = create_app(Settings(("key",), folder), ledger, nothing, beside=beside, checks=checks or {})
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client,
        ):
            return {path: await client.get(path) for path in paths}

    return asyncio.run(ask())


def test_all_there(ledger, tmp_path):
    answers = asked(ledger, tmp_path, ["/ready", "/health"], checks={"prefect": fine, "worker": fine})
    assert answers["/health"].text == "ok"
    assert answers["/ready"].status_code == 200
    assert answers["/ready"].json() == {"ready": True, "parts": {"ledger": "ok", "doors": "ok", "prefect": "ok", "worker": "ok"}}


def test_a_part_that_is_missing_is_named_and_the_doors_stay_open(ledger, tmp_path):
    async def gone() -> str:
        return "no worker of the work pool countermand is online"

    answers = asked(ledger, tmp_path, ["/ready", "/readyz"], checks={"worker": gone})
    assert answers["/readyz"].status_code == 200, "a delivery is taken without a worker"
    assert answers["/ready"].status_code == 503
    assert answers["/ready"].headers["Retry-After"] == "5"
    said = {"ledger": "ok", "doors": "ok", "worker": "no worker of the work pool countermand is online"}
    assert answers["/ready"].json()["parts"] == said


def test_a_ledger_that_is_away_is_named_here_and_shuts_the_doors(ledger, tmp_path, monkeypatch):
    def away(*_: object) -> None:
        raise LedgerUnavailable("gone")

    monkeypatch.setattr(type(ledger), "head", away)
    answers = asked(ledger, tmp_path, ["/ready", "/readyz", "/health"])
    assert answers["/readyz"].status_code == 503
    assert answers["/health"].status_code == 200
    assert (answers["/ready"].status_code, answers["/ready"].json()["parts"]["ledger"]) == (503, "the ledger is not reached")


def test_a_work_beside_the_doors_that_ended_is_named(ledger, tmp_path):
    class Waker:
        async def run(self) -> None:
            """Comes to an end, as it never should."""

    answers = asked(ledger, tmp_path, ["/ready"], beside=[Waker().run])
    assert answers["/ready"].json()["parts"]["doors"].startswith("ended: Waker;")


def test_what_does_not_answer_counts_as_missing(monkeypatch):
    async def never() -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(readiness, "CHECK_SECONDS", 0.01)
    found = asyncio.run(Readiness({"prefect": never, "ledger": fine}).look())
    assert (found.whole, found.parts["ledger"]) == (False, "ok")
    assert found.parts["prefect"].startswith("no answer within")


def test_an_answer_is_given_again_for_a_moment_only():
    times: list[float] = []

    async def counting() -> str:
        times.append(watch[0])
        return ""

    async def looks() -> None:
        seen = Readiness({"prefect": counting}, lambda: watch[0])
        await asyncio.gather(*(seen.look() for _ in range(20)))
        watch[0] += KEPT_SECONDS
        await seen.look()

    watch = [100.0]
    asyncio.run(looks())
    assert times == [100.0, 100.0 + KEPT_SECONDS]


@pytest.mark.parametrize("check", [prefect_is_there, worker_is_there])
def test_a_prefect_that_nobody_reaches_is_said_in_a_line(monkeypatch, free_port, check):
    class Away:
        async def __aenter__(self) -> httpx.AsyncClient:
            raise httpx.ConnectError("refused")

        async def __aexit__(self, *_: object) -> None:
            return None

    monkeypatch.setattr(readiness, "prefect_client", Away)
    assert "ConnectError" in asyncio.run(check())
