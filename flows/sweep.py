"""The scheduled sweep: every network setting of every region, stored as the baseline that incidents are measured against.

What the internet reaches since the last one, and no approved change explains, is put before people; nothing is done by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from prefect import flow
from prefect.logging import get_run_logger

from flows.spreading import NOT_READ, runner_of, spread
from incident.family import Scope
from incident.people.messages import plain
from tasks.baseline import Swept
from tasks.hands import Hands, hands
from tasks.proposing import propose_new_exposures
from tasks.work import in_thread
from tasks.work import sweep as sweep_one


@flow(name="sweep", persist_result=False)
async def sweep(accounts: tuple[str, ...] = ()) -> str:
    """Sweep every enabled region; a read that fails is named, never skipped.

    Args:
        accounts: only these of `aws.accounts`, so that several workers can share a large organization; all, where none is named.

    Raises:
        ValueError: an account is not covered.
        ConfigError: the library for the cluster that the configuration names is not installed.
    """
    wired = hands()
    covered = wired.config.aws.accounts
    if strange := sorted(set(accounts) - set(covered)):
        raise ValueError(f"account {plain(strange[0], 40)} is not in aws.accounts; nothing was read")
    regions = [(account, (await in_thread(wired.aws.regions, account)).enabled) for account in accounts or covered]
    scopes = [Scope(account, region) for account, enabled in regions for region in enabled]
    at = wired.clock()
    swept = await _read(wired, scopes, at)
    settings = sum(len(region.settings) for region in swept)
    failed = [
        f"{region.scope.account}/{region.scope.region} {read}: {why}" for region in swept for read, why in region.failed.items()
    ]
    for problem in failed:
        get_run_logger().warning("not read: %s", problem)
    proposed = await asyncio.gather(*(in_thread(propose_new_exposures, wired, scope, at) for scope in scopes))
    for proposal in (one for place in proposed for one in place):
        get_run_logger().warning("new from the internet: %s", plain(proposal.exposure.in_words(), 1000))
    return f"{settings} settings in {len(scopes)} regions, {len(failed)} reads failed, {sum(map(len, proposed))} exposures proposed"


async def _read(wired: Hands, scopes: Sequence[Scope], at: datetime) -> list[Swept]:
    runner = runner_of(wired.config.sweep)
    if runner is None:
        return await asyncio.gather(*(sweep_one(scope, at) for scope in scopes))
    # A thread of its own, into which Prefect's context goes along: the nodes are waited for.
    swept = await asyncio.to_thread(spread, runner, scopes, at, wired.config.sweep.deadline_seconds)
    for place in swept:
        if NOT_READ not in place.failed:
            await in_thread(wired.baselines.keep, place)
    return swept
