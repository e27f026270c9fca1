"""Reading what readiness is judged by. A read that fails is a gap of its own, and never an empty list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from incident.family import Read, Scope
from incident.ledger import ESCALATION_CHAIN, Kind
from incident.posture.checks import Check, State
from incident.posture.places import LISTINGS, Gap, Listing, Place, details_of
from incident.posture.preparation import Preparation
from incident.posture.readiness import judged, not_enabled
from incident.posture.readiness_once import drills, escalation, evidence_store, role
from tasks.aws import DENIED, Aws, AwsError
from tasks.drills import DrillRecords
from tasks.hands import Hands

_AT_ONCE = 16
Things = tuple[Mapping[str, Any], ...]


def read_place(aws: Aws, scope: Scope, home: bool) -> Place:
    """Everything that readiness asks of one region."""
    told: dict[str, Things | Gap] = {}
    for name, listing in LISTINGS.items():
        if listing.home_only and not home:
            continue
        try:
            told[name] = tuple(_with_details(aws, scope, name, one) for one in _listed(aws, scope, listing))
        except AwsError as error:
            told[name] = _gap(error)
    return Place(scope.account, scope.region, home, told)


def _listed(aws: Aws, scope: Scope, listing: Listing) -> list[Mapping[str, Any]]:
    try:
        pages = list(aws.read_all(scope, listing.read))
    except AwsError as error:
        if error.code in listing.off:
            return []
        raise
    if not listing.member:
        return [_without_metadata(page) for page in pages]
    every = [one for page in pages for one in page.get(listing.member, ())]
    return [one if isinstance(one, Mapping) else {"id": str(one)} for one in every]


def _with_details(aws: Aws, scope: Scope, name: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
    """One thing with what its further read tells; without that it is not known, and the whole listing with it."""
    further = details_of(name, told)
    if further is None:
        return told
    if name == "trails" and told.get("HomeRegion") not in (None, scope.region):
        scope = Scope(scope.account, str(told["HomeRegion"]))
    pages = [_without_metadata(page) for page in aws.read_all(scope, further.read)]
    merged: dict[str, Any] = dict(told)
    for page in pages:
        for member, value in page.items():
            merged[member] = [*merged.get(member, ()), *value] if isinstance(value, list) else value
    return merged


def _without_metadata(page: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in page.items() if name != "ResponseMetadata"}


def _gap(error: AwsError) -> Gap:
    return Gap(error.code in DENIED, str(error))


# --- all places ---------------------------------------------------------------------------------------------------------------


class Readiness:
    """What was read and judged: the checks, and the places that plans can be made for."""

    def __init__(self, checks: list[Check], places: list[Place]) -> None:
        self.checks, self.places = checks, places


def read_readiness(hands: Hands, wanted: Preparation, accounts: Iterable[str], regions: Iterable[str]) -> Readiness:
    """Read and judge every chosen account and region; with none chosen, all.

    Raises:
        AwsError: the accounts are not known.
    """
    aws, only = hands.aws, frozenset(regions)
    checks: list[Check] = _once(hands)
    places: list[Scope] = []
    for account in tuple(accounts) or aws.covered():
        principal = _principal(aws, account)
        checks.append(role(account, principal))
        try:
            known = aws.regions(account)
        except AwsError as error:
            gap = _gap(error)
            state = role(account, gap).state
            checks.append(Check(account, "", "regions", state, gap.why, next="let the role read its regions, and look again"))
            continue
        places += [Scope(account, region) for region in known.enabled if not only or region in only]
        if known.opted_out:
            checks.append(not_enabled(account, known.opted_out))
        # A region that was asked for and is not enabled is said, though nothing can be there.
        unknown = sorted(only - {*known.enabled, *known.opted_out})
        checks += [
            Check(account, region, "region", State.UNKNOWN, "AWS names no such region", next="mend --region") for region in unknown
        ]
    home = aws.config.home_region
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        read = list(pool.map(lambda place: read_place(aws, place, place.region == home), places))
    checks += [check for place in read for check in judged(place, wanted)]
    return Readiness(checks, read)


def _principal(aws: Aws, account: str) -> str | Gap:
    try:
        return aws.own_principal(account)
    except AwsError as error:
        return _gap(error)


def _once(hands: Hands) -> list[Check]:
    tests = hands.ledger.lines(ESCALATION_CHAIN, Kind.NOTE)
    configured = hands.config.escalation_file is not None
    store = hands.config.evidence_store
    return [
        evidence_store(store.kind, _is_locked(hands) if store.kind == "s3" else False),
        escalation(configured, tests, hands.clock()),
        drills(*DrillRecords(hands.config.folder).read(), hands.clock()),
    ]


def _is_locked(hands: Hands) -> bool | Gap:
    store = hands.config.evidence_store
    region = store.region or hands.config.aws.home_region
    read = Read("s3", "GetObjectLockConfiguration", {"Bucket": store.bucket})
    try:
        account = store.account or hands.aws.own_account()
        answer = hands.aws.call(account, region, read.service, read.operation, read.parameters)
    except AwsError as error:
        return False if error.code == "ObjectLockConfigurationNotFoundError" else _gap(error)
    return answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"
