"""The sweep of all accounts, or of some, so that several workers can share them."""

from __future__ import annotations

import asyncio
import importlib
import logging
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from incident.family import Scope
from tasks.baseline import Swept
from tasks.running_config import SweepConfig

ENABLED = {"111122223333": ("eu-central-1", "us-east-1"), "444455556666": ("us-east-1",)}
sweeping = importlib.import_module("flows.sweep")


@pytest.fixture
def swept(monkeypatch) -> list[Scope]:
    """The places that were read."""
    read: list[Scope] = []

    async def one(scope: Scope, at: datetime) -> Swept:
        read.append(scope)
        return Swept(scope, at, (), {})

    hands = SimpleNamespace(
        config=SimpleNamespace(aws=SimpleNamespace(accounts=tuple(ENABLED)), sweep=SweepConfig()),
        aws=SimpleNamespace(regions=lambda account: SimpleNamespace(enabled=ENABLED[account])),
        clock=lambda: datetime(2026, 11, 30, tzinfo=UTC),
    )
    monkeypatch.setattr(sweeping, "hands", lambda: hands)
    monkeypatch.setattr(sweeping, "sweep_one", one)
    monkeypatch.setattr(sweeping, "propose_new_exposures", lambda *_: [])
    monkeypatch.setattr(sweeping, "get_run_logger", lambda: logging.getLogger("test"))
    return read


def test_without_a_name_all_are_read(swept):
    assert asyncio.run(sweeping.sweep.fn()) == "0 settings in 3 regions, 0 reads failed, 0 exposures proposed"
    assert {(scope.account, scope.region) for scope in swept} == {
        (a, region) for a, regions in ENABLED.items() for region in regions
    }


def test_workers_can_share_accounts(swept):
    asyncio.run(sweeping.sweep.fn(("444455556666",)))
    assert [scope.account for scope in swept] == ["444455556666"]


def test_an_account_that_is_not_covered_is_refused_before_anything_is_read(swept):
    with pytest.raises(ValueError, match=r"account 000000000000 is not in aws.accounts; nothing was read"):
        asyncio.run(sweeping.sweep.fn(("444455556666", "000000000000")))
    assert swept == []


def test_prefect_takes_the_accounts_as_a_list():
    assert sweeping.sweep.validate_parameters({"accounts": ["444455556666"]}) == {"accounts": ("444455556666",)}
