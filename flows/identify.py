"""Identification: close over the actor's credentials, from the finding's own, in every enabled region of every account."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from prefect import flow

from flows.case import Case, once
from incident import messages
from incident.actor import Actor, Credential, Link, followed, minted, opened, origin
from incident.family import Scope
from incident.finding import Finding
from incident.ledger import Kind
from incident.record import Record
from incident.words import counted
from tasks.aws import AwsError
from tasks.cloudtrail import distinct
from tasks.work import Looked, in_thread, look_up, post

HISTORY = timedelta(days=90)
"""How far back CloudTrail's event history goes."""

_TEMPORARY = "ASIA"


@flow(name="identify", persist_result=True)
@once("identify")
async def identify(incident: str, look: int = 1) -> str:
    """Find every credential that traces back to the finding; answers in one line what was found."""
    case = Case(incident)
    finding = case.finding
    scopes, gaps = await in_thread(_scopes, case)
    seeds = _seed(finding)
    actor, records, looked = await _closed(case, finding, seeds, scopes)
    gaps += [(look.scope, *look.gap) for look in looked if look.gap is not None]
    _keep_coverage(case, look, scopes, gaps)
    keys = [credential.access_key for credential in actor.proved]
    raw = [dict(record.raw) for record in records]
    case.hands.evidence.keep_first_json(
        incident, f"records/actor-{look}.json", raw, "every record found for the actor's credentials"
    )
    case.hands.ledger.append(incident, Kind.ACTOR, f"actor:{look}", actor.to_json())
    line = _in_words(actor, records, scopes, gaps)
    if look == 1:
        await post(incident, "identified", *messages.progress(line))
    return f"{line} ({', '.join(keys) or 'no key'})"


def _seed(finding: Finding) -> Actor:
    """The actor as the finding alone names them."""
    key = finding.access_key
    if key is None or not key.access_key_id:
        return Actor(since=finding.first_seen, since_reason="the finding's first sign")
    kind = "role" if key.user_type == "AssumedRole" else "user"
    owner = f"arn:aws:iam::{finding.account}:role/{key.user_name}" if kind == "role" else key.user_name
    seed = Credential(key.access_key_id, owner, kind, Link.PROVED, "the finding names it", "", finding.account)
    return Actor({seed.access_key: seed}, finding.first_seen, "the finding's first sign", seed.access_key)


def _scopes(case: Case) -> tuple[list[Scope], list[tuple[Scope, str, str]]]:
    """Every enabled region of every account; an account whose regions cannot be listed is a gap."""
    accounts = case.hands.config.aws.accounts or (case.finding.account,)
    scopes: list[Scope] = []
    gaps: list[tuple[Scope, str, str]] = []
    for account in accounts:
        try:
            regions = case.hands.aws.regions(account)
        except AwsError as error:
            gaps.append((Scope(account, "every region"), "failed", str(error)))
            continue
        scopes += [Scope(account, region) for region in regions.enabled]
        gaps += [(Scope(account, region), "not enabled", "opted out, holds no resources") for region in regions.opted_out]
    return scopes, gaps


async def _closed(case: Case, finding: Finding, actor: Actor, scopes: list[Scope]) -> tuple[Actor, list[Record], list[Looked]]:
    """Look up each new credential everywhere until the records hand out no more."""
    remote_ips = frozenset(finding.remote_ips)
    asked: set[str] = set()
    records: list[Record] = []
    looked: list[Looked] = []
    if actor.seed.startswith(_TEMPORARY):
        actor, answers = await _with_origin(case, actor, scopes, remote_ips)
        looked += answers
    while new := [credential.access_key for credential in actor.proved if credential.access_key not in asked]:
        answers = await _everywhere(case, scopes, "AccessKeyId", new)
        asked.update(new)
        looked += answers
        records = distinct(records + [record for answer in answers for record in answer.records][::-1])
        actor = opened(actor, records, finding.first_seen, remote_ips) if len(asked) == len(new) else actor
        actor = followed(actor, records)
    return actor, records, looked


async def _with_origin(case: Case, actor: Actor, scopes: list[Scope], remote_ips: frozenset[str]) -> tuple[Actor, list[Looked]]:
    """A temporary key came from somewhere: find the call that handed it out, and the one before, as far as it goes."""
    looked: list[Looked] = []
    answers = await _everywhere(case, scopes, "EventSource", ["sts.amazonaws.com"])
    looked += answers
    calls = [record for answer in answers for record in answer.records if minted(record) is not None]
    while True:
        wider = origin(actor, calls, remote_ips)
        if len(wider.credentials) == len(actor.credentials):
            return actor, looked
        actor = wider


async def _everywhere(case: Case, scopes: Iterable[Scope], attribute: str, values: list[str]) -> list[Looked]:
    end = case.hands.clock()
    return list(await asyncio.gather(*(look_up(scope, attribute, values, end - HISTORY, end) for scope in scopes)))


def _keep_coverage(case: Case, look: int, scopes: list[Scope], gaps: list[tuple[Scope, str, str]]) -> None:
    """Unknown is not clean: each region is covered, or the reason why not stands beside it."""
    unknown = {(gap[0].account, gap[0].region): gap[1:] for gap in gaps}
    rows = [{"account": scope.account, "region": scope.region, "status": "covered", "why": ""} for scope in scopes]
    rows = [row for row in rows if (row["account"], row["region"]) not in unknown]
    rows += [
        {"account": account, "region": region, "status": status, "why": why} for (account, region), (status, why) in unknown.items()
    ]
    case.hands.ledger.append(
        case.incident, Kind.COVERAGE, f"coverage:events:{look}", {"what": "CloudTrail event history", "regions": rows}
    )


def _in_words(actor: Actor, records: list[Record], scopes: list[Scope], gaps: list[tuple[Scope, str, str]]) -> str:
    if not actor.proved:
        return "The finding names no credential, so nobody is proved to be the actor; a person must look"
    theirs = [record for record in records if actor.did(record)]
    regions = {record.region for record in theirs}
    unknown = sum(1 for gap in gaps if gap[1] != "not enabled")
    owner = actor.credentials[actor.seed].owner if actor.seed in actor.credentials else actor.proved[0].owner
    tail = f", {counted(unknown, 'region')} unknown" if unknown else ""
    return (
        f"The actor uses {owner} with {counted(len(actor.proved), 'credential')}: {counted(len(theirs), 'recorded call')} in "
        f"{counted(len(regions), 'region')}, {counted(len(scopes), 'region')} looked at{tail}"
    )
