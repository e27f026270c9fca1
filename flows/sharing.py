"""Who else uses a role whose sessions are to be denied: read before anybody is asked to approve the deny."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from flows.case import Case
from incident.actor import Actor
from incident.containment import wanted_settings
from incident.family import Scope
from incident.plan import Step
from incident.resources.identity import ROLE_POLICY
from incident.sharing import LONGEST_SESSION, RoleUse, cut_off
from tasks.aws import AwsError
from tasks.work import in_thread, last_use_of, look_up


async def who_is_cut_off(case: Case, steps: Sequence[Step], actor: Actor, now: datetime) -> tuple[str, ...]:
    """Every other user of each role that the steps deny, a line each; what could not be read is said."""
    wanted = wanted_settings(actor, now)
    roles = {step.id: wanted[step.key][1].owner for step in steps if step.key.kind == ROLE_POLICY and step.key in wanted}
    accounts = {step.id: step.account for step in steps}
    asked = {arn: accounts[step] for step, arn in roles.items()}
    found = await asyncio.gather(*(_use(case, account, arn, now) for arn, account in asked.items()))
    return tuple(cut_off(steps, roles, dict(zip(asked, found, strict=True)), actor, now))


async def _use(case: Case, account: str, arn: str, now: datetime) -> RoleUse:
    """A session is recorded in the region whose STS was asked."""
    try:
        regions = (await in_thread(case.hands.aws.regions, account)).enabled
    except AwsError as error:
        return RoleUse(gaps=(str(error),))
    places = [Scope(account, region) for region in regions]
    answers = await asyncio.gather(*(look_up(place, "ResourceName", [arn], now - LONGEST_SESSION, now) for place in places))
    gaps = [f"{answer.scope.region}: {answer.gap[1]}" for answer in answers if answer.gap is not None]
    records = [record for answer in answers for record in answer.records]
    return RoleUse(records, await last_use_of(account, arn.rpartition("/")[2]), tuple(gaps))
