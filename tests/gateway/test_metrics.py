"""`/metrics`: true after a restart, and with no label that an attacker can name."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import httpx
from findings import finding
from prometheus_client.parser import text_string_to_metric_families

from gateway.app import Settings, create_app
from gateway.metrics import Metrics
from incident.ledger import INTAKE, Kind
from tasks.ledger import Ledger, LedgerUnavailable

KEY = "the-key"


def utc() -> datetime:
    return datetime.now(UTC)


async def nothing(*_: object) -> None:
    """No run is started here."""


def scraped(ledger: Ledger, folder, posts=()) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The numbers of a gateway that was just started, after some posts."""

    async def ask() -> str:
        app = create_app(Settings((KEY,), folder), ledger, nothing, metrics=Metrics(ledger, utc))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client,
        ):
            for body, key in posts:
                await client.post("/webhooks/guardduty", content=body, headers={"X-Countermand-Key": key})
            answer = await client.get("/metrics")
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/plain")
            return answer.text

    families = text_string_to_metric_families(asyncio.run(ask()))
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for family in families for sample in family.samples}


def test_what_the_doors_answer_and_what_the_ledger_holds(ledger, tmp_path):
    body = json.dumps(finding())
    numbers = scraped(ledger, tmp_path, [(body, KEY), (body, KEY), ("no finding", KEY), (body, "wrong")])
    door = "countermand_deliveries_total"
    assert numbers[door, (("door", "webhook"), ("outcome", "taken"))] == 2
    assert numbers[door, (("door", "webhook"), ("outcome", "duplicate"))] == 1
    assert numbers[door, (("door", "webhook"), ("outcome", "refused"))] == 1
    assert numbers["countermand_findings_total", (("outcome", "accepted"),)] == 1
    assert numbers["countermand_findings_total", (("outcome", "quarantined"),)] == 1
    assert numbers["countermand_delivery_seconds_count", ()] == 4
    again = scraped(ledger, tmp_path)
    assert again["countermand_findings_total", (("outcome", "accepted"),)] == 1, "another process counts the same"
    assert again["countermand_queue_waiting", (("queue", "sorting"),)] == 1


def test_lines_that_come_later_are_counted_once(ledger):
    metrics = Metrics(ledger, utc)

    def steps() -> float:
        families = text_string_to_metric_families(metrics.text().decode())
        return sum(sample.value for family in families for sample in family.samples if sample.name == "countermand_steps_total")

    ledger.append("inc-1", Kind.OUTCOME, "outcome:1", {"phase": "contain", "result": "done"})
    assert (steps(), steps()) == (1, 1)
    ledger.append("inc-1", Kind.OUTCOME, "outcome:2", {"phase": "contain", "result": "done"})
    ledger.append("inc-2", Kind.OUTCOME, "outcome:1", {"phase": "contain", "result": "failed"})
    assert steps() == 3


def test_no_label_holds_what_an_attacker_named(ledger, tmp_path):
    evil = 'x"} 1\ncountermand_evil{a="'
    ledger.append("inc-1", Kind.OUTCOME, "outcome:1", {"phase": evil, "result": evil})
    ledger.append(INTAKE, Kind.SORTED, f"sorted:{evil}", {"delivery": evil, "outcome": evil, "incident": evil})
    ledger.append("inc-1", Kind.NOTICE, "result:1", {"result": evil})
    numbers = scraped(ledger, tmp_path)
    assert not any("evil" in name or "evil" in str(labels) for name, labels in numbers)
    assert numbers["countermand_steps_total", (("phase", "other"), ("result", "other"))] == 1


def test_a_ledger_that_is_away_is_said(ledger, tmp_path, monkeypatch):
    def away(*_: object) -> None:
        raise LedgerUnavailable("gone")

    async def ask() -> httpx.Response:
        app = create_app(Settings((KEY,), tmp_path), ledger, nothing, metrics=Metrics(ledger, utc))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            monkeypatch.setattr(Ledger, "heads", away)
            return await client.get("/metrics")

    assert asyncio.run(ask()).status_code == 503
