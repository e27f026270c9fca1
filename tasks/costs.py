"""Counting what costs, in every account and region, and asking Cost Explorer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any

from incident.costs import KINDS, Costly, Costs, DayCost, as_json, costs, day_costs, made_by_actor, question, things
from incident.family import Scope
from incident.ledger import Kind
from tasks.aws import Aws, AwsError
from tasks.ledger import Ledger

# Cost Explorer has one endpoint: https://docs.aws.amazon.com/general/latest/gr/billing.html
_CE_REGION = "us-east-1"
_SIDE_BY_SIDE = 8
_NOT_ENABLED = "not enabled"


def read_costs(aws: Aws, accounts: Iterable[str], since: date, today: date, made: Collection[tuple[str, str]] = ()) -> Costs:
    """What is there and what it cost since a day. What AWS does not tell is in `unread`, and nothing is raised for it."""
    found: list[Costly] = []
    told: list[DayCost] = []
    unread: list[str] = []
    for account in accounts:
        try:
            regions = aws.regions(account).enabled
        except AwsError as error:
            unread.append(f"{account}: its regions: {error}")
            regions = ()
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            asked = [(Scope(account, region), kind) for region in regions for kind in KINDS]
            for some, problem in pool.map(lambda one: _count(aws, *one, made), asked):
                found += some
                unread += problem
        try:
            told += list(_explored(aws, account, since, today))
        except AwsError as error:
            unread.append(f"{account}: Cost Explorer is {_why(error)}")
    return costs(found, told, since, unread)


def note_costs(aws: Aws, ledger: Ledger, incident: str, look: int, now: datetime) -> None:
    """Keep what costs in the incident's ledger, for the report; once for each look."""
    key = f"costs:{look}"
    if ledger.find(incident, key) is not None:
        return
    lines = ledger.lines(incident)
    try:
        accounts, problem = aws.accounts() or (aws.own_account(),), ()
    except AwsError as error:
        accounts, problem = (), (f"which accounts there are: {error}",)
    found = read_costs(aws, accounts, lines[0].at.date(), now.date(), made_by_actor(lines))
    told = as_json(found, now)
    ledger.append(incident, Kind.COSTS, key, {**told, "unread": [*problem, *told["unread"]]})


def _count(aws: Aws, scope: Scope, kind: str, made: Collection[tuple[str, str]]) -> tuple[list[Costly], list[str]]:
    try:
        pages = list(aws.read_all(scope, KINDS[kind][0]))
    except AwsError as error:
        return [], [f"{scope.account} {scope.region}: {kind}s: {error}"]
    return [one for page in pages for one in things(scope.account, scope.region, kind, page, made)], []


def _explored(aws: Aws, account: str, since: date, today: date) -> Iterator[DayCost]:
    """Every page; boto3 has no paginator for this operation."""
    parameters: dict[str, Any] = question(since, today)
    while True:
        page = aws.call(account, _CE_REGION, "ce", "GetCostAndUsage", parameters)
        yield from day_costs(account, page)
        if not page.get("NextPageToken"):
            return
        parameters = {**parameters, "NextPageToken": page["NextPageToken"]}


def _why(error: AwsError) -> str:
    """AWS refuses both whom no policy allows and whose account has no Cost Explorer, and says which.

    https://docs.aws.amazon.com/cost-management/latest/userguide/ce-enable.html
    """
    if error.code == "DataUnavailableException" or "not enabled" in error.message.lower():
        return f"{_NOT_ENABLED}, or its data is not ready: {error}"
    return f"not readable: {error}"
