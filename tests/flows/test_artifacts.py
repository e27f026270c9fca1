"""What is only shown never holds up or fails a response."""

from __future__ import annotations

import asyncio

from flows import artifacts
from flows.artifacts import only_shows, plan_address


def test_a_server_that_takes_nothing_is_noted_and_the_response_goes_on(caplog):
    @only_shows
    async def show() -> None:
        raise RuntimeError("503 Service Unavailable")

    asyncio.run(show())
    assert "503 Service Unavailable" in caplog.text


def test_a_server_that_does_not_answer_is_not_waited_for(caplog, monkeypatch):
    monkeypatch.setattr(artifacts, "_PATIENCE_SECONDS", 0.05)

    @only_shows
    async def show() -> None:
        await asyncio.Event().wait()

    asyncio.run(show())
    assert "TimeoutError" in caplog.text


def test_a_key_holds_only_what_prefect_takes():
    assert plan_address("http://ui", "inc-1", "Contain: <all>", 2) == "http://ui/v2/artifacts/key/inc-1-contain-all--2"
