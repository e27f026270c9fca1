"""What is only shown never holds up or fails a response."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from prefect.client.schemas.actions import ArtifactCreate
from told_incident import INCIDENT, told, with_more

from flows import artifacts
from flows.artifacts import only_shows, plan_address, show_case
from incident.ledger import Kind
from incident.policy import Policy
from tasks.config import Config


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


class Server:
    """Takes what a Prefect server would."""

    def __init__(self) -> None:
        self.taken: list[ArtifactCreate] = []

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def create_artifact(self, made: ArtifactCreate) -> None:
        self.taken.append(made)


def test_only_what_changed_becomes_a_new_version_and_all_of_it_is_the_responses_runs(monkeypatch):
    server, lines = Server(), told()
    monkeypatch.setattr(artifacts, "get_client", lambda: server)
    monkeypatch.setattr(artifacts, "_shown", {})
    ledger = SimpleNamespace(lines=lambda incident: lines)
    hands = SimpleNamespace(ledger=ledger, policy=Policy(), clock=lambda: lines[-1].at, config=Config())
    case = SimpleNamespace(incident=INCIDENT, hands=hands)
    asyncio.run(show_case(case))
    asyncio.run(show_case(case))
    assert {one.key for one in server.taken} == {
        f"{INCIDENT}-{name}" for name in ("summary", "timeline", "links", "plans", "regions", "regions-read")
    }
    assert len(server.taken) == 6, "said again it is no new version"
    assert {str(one.flow_run_id) for one in server.taken} == {lines[0].body["flow_run"]}
    lines = with_more(lines, (Kind.REPORT, "report:1", {"status": "restored", "url": ""}))
    asyncio.run(show_case(case))
    assert {one.key for one in server.taken[6:]} >= {f"{INCIDENT}-summary", f"{INCIDENT}-links"}
    assert f"{INCIDENT}-regions" not in {one.key for one in server.taken[6:]}
