"""The scheduled sweep: every network setting of every region, stored as the baseline that incidents are measured against."""

from __future__ import annotations

import asyncio

from prefect import flow
from prefect.logging import get_run_logger

from incident.family import Scope
from tasks.hands import hands
from tasks.work import in_thread
from tasks.work import sweep as sweep_one


@flow(name="sweep", persist_result=False)
async def sweep() -> str:
    """Sweep every enabled region of every account; a read that fails is named, never skipped."""
    wired = hands()
    accounts = wired.config.aws.accounts
    regions = [(account, (await in_thread(wired.aws.regions, account)).enabled) for account in accounts]
    scopes = [Scope(account, region) for account, enabled in regions for region in enabled]
    at = wired.clock()
    swept = await asyncio.gather(*(sweep_one(scope, at) for scope in scopes))
    settings = sum(len(region.settings) for region in swept)
    failed = [
        f"{region.scope.account}/{region.scope.region} {read}: {why}" for region in swept for read, why in region.failed.items()
    ]
    for problem in failed:
        get_run_logger().warning("not read: %s", problem)
    return f"{settings} settings in {len(scopes)} regions, {len(failed)} reads failed"
