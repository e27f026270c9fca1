"""Reads everybody's network changes from CloudTrail, everywhere, and holds them against the approved requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from incident.family import Scope
from incident.policy import ApprovedChange
from incident.reconciling import Known, Reconciliation, reconcile
from incident.record import Record
from incident.settings import PriorValue, SettingKey
from tasks.aws import AwsError
from tasks.baseline import Baseline
from tasks.cloudtrail import Lookup
from tasks.hands import Hands

_SIDE_BY_SIDE = 16


def reconciled(
    hands: Hands,
    since: datetime,
    until: datetime,
    *,
    accounts: Sequence[str] = (),
    regions: Sequence[str] = (),
    requests: Iterable[ApprovedChange] = (),
    own: Callable[[str], tuple[str, ...]] = lambda account: (),
) -> Reconciliation:
    """Every change of a window, with its class. What could not be read is a gap, and then no request is called never made.

    Args:
        accounts, regions: only these; empty means all that the configuration covers.
        requests: further ones, beside the policy's and those that the ledger keeps.
        own: the ARNs under which our own calls appear in an account.

    Raises:
        LedgerUnavailable: the ledger cannot be read.
    """
    places, gaps = _places(hands, accounts, regions)
    records: list[Record] = []
    with ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="changes") as pool:
        for found, missing in pool.map(lambda place: _asked(hands, place, since, until), places):
            records += found
            gaps += missing
    policy = hands.known_policy.knowing(requests)
    return reconcile(records, policy, since, until, _known(hands, places, since, own, gaps))


def _places(hands: Hands, accounts: Sequence[str], regions: Sequence[str]) -> tuple[list[Scope], list[str]]:
    places: list[Scope] = []
    gaps: list[str] = []
    try:
        covered = list(accounts or hands.aws.covered())
    except AwsError as error:
        return [], [f"the accounts are not known: {error}"]
    for account in covered:
        try:
            enabled = hands.aws.regions(account).enabled
        except AwsError as error:
            gaps.append(f"{account}: its regions are not known: {error}")
            continue
        places += [Scope(account, region) for region in enabled if not regions or region in regions]
        gaps += [f"{account} {region}: not an enabled region" for region in regions if region not in enabled]
    return places, gaps


def _asked(hands: Hands, place: Scope, since: datetime, until: datetime) -> tuple[list[Record], list[str]]:
    where = f"{place.account} {place.region}"
    try:
        answer = hands.history.ask(Lookup(place.account, place.region, "ReadOnly", "false", since, until))
    except AwsError as error:
        return [], [f"{where}: its changes were not read: {error}"]
    gaps = [f"{where}: {one}" for one in (*answer.unreadable, *answer.gaps)]
    if not answer.complete:
        gaps.append(f"{where}: only the newest {len(answer.records)} changes were read; give a shorter time")
    return list(answer.records), gaps


def _known(
    hands: Hands, places: Iterable[Scope], since: datetime, own: Callable[[str], tuple[str, ...]], gaps: Sequence[str]
) -> Known:
    stored = {place: hands.baselines.newest(place, since) for place in places}
    baseline: list[tuple[SettingKey, PriorValue]] = [one for held in stored.values() if held for one in held.settings]

    def tags(account: str, region: str, vpc: str) -> dict[str, str] | None:
        return _tags(stored.get(Scope(account, region)), vpc)

    return Known(baseline, own, tags, tuple(gaps))


def _tags(held: Baseline | None, vpc: str) -> dict[str, str] | None:
    """A VPC's tags as the baseline has them; not known where it has not read tags, or not the VPC."""
    if held is None or "tag" not in held.covered or not any(key.kind == "vpc" and key.resource == vpc for key, _ in held.settings):
        return None
    return {key.name: str(prior.value) for key, prior in held.settings if key.kind == "tag" and key.resource == vpc}
