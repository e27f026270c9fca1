"""Identification: close over what the actor commands, from what the finding names, in every enabled region of every account."""

from __future__ import annotations

import hashlib

from prefect import flow

from flows.case import Case, once
from flows.holding import undoers, with_undoers
from flows.inquiry import Inquiry
from flows.seeds import seeded_by_all
from incident import holding
from incident.actor import Actor
from incident.attribution import Question, followed, minted, questions, suspects
from incident.family import Scope
from incident.findings.finding import Finding
from incident.ledger import Kind
from incident.origin import identified, origin, windowed
from incident.people import messages
from incident.record import Record
from incident.words import counted
from tasks.aws import AwsError
from tasks.read_back import Reader
from tasks.work import in_thread, post

_TEMPORARY = "ASIA"


@flow(name="identify", persist_result=True)
@once("identify")
async def identify(incident: str, look: int = 1) -> str:
    """Find everything that traces back to the finding; answers in one line what was found."""
    case = Case(incident)
    scopes, gaps = await in_thread(_scopes, case)
    inquiry = Inquiry(case, scopes)
    actor = await _closed(case, look, inquiry)
    gaps += inquiry.gaps
    _keep_coverage(case, look, scopes, gaps)
    _keep_records(case, f"records/actor-{look}.json", inquiry.records, "every record found for what the actor commands")
    about = "everybody's changes in the regions that the actor changed, from before the window on"
    _keep_records(case, f"records/around-{look}.json", inquiry.around, about)
    case.hands.ledger.append(incident, Kind.ACTOR, f"actor:{look}", actor.to_json())
    line = _in_words(actor, inquiry.records, scopes, gaps)
    if look == 1:
        await post(incident, "identified", *messages.progress(line))
    keys = ", ".join(credential.access_key for credential in actor.proved)
    return f"{line} ({keys or 'no key'})"


async def _closed(case: Case, look: int, inquiry: Inquiry) -> Actor:
    """Ask about all that the actor is known by, follow what the answers show, and ask again until they show nothing new."""
    finding, said = case.finding, case.amendments(look)
    others = await in_thread(_joined, case, look)
    first = await seeded_by_all([finding, *others], inquiry)
    first = await _with_undoers(first, case, look, inquiry)
    since = min(one.first_seen for one in (finding, *others))
    actor = said.applied_to(await _with_origin(first, finding, inquiry))
    while True:
        await inquiry.ask(questions(actor, inquiry.records))
        actor = windowed(identified(actor, inquiry.records), first, since, inquiry.records)
        actor = followed(said.applied_to(actor), inquiry.records)
        if inquiry.answers(questions(actor, inquiry.records)):
            around = await inquiry.look_around(actor)
            actor = suspects(actor, around)
            if inquiry.answers(questions(actor, inquiry.records)):
                return actor


def _joined(case: Case, look: int) -> list[Finding]:
    """The findings that joined, as AWS tells them. What AWS does not know, or not any more, counts for nothing, and is noted."""
    joined = case.joined(look)
    # What a responder named stands for itself, as it does where it opens an incident.
    believed = [finding for finding in joined if finding.named is not None]
    for answer in Reader(case.hands.aws).many([finding for finding in joined if finding.named is None]):
        name = f"{answer.finding.origin}:{answer.finding.id}"
        if answer.problem:
            case.note(f"not-believed:{look}:{name}"[:500], {"finding": answer.finding.id[:400], "why": answer.problem})
            continue
        kept = hashlib.sha256(name.encode()).hexdigest()[:16]
        about = f"a finding that joined, as {answer.asked} answered it"
        case.hands.evidence.keep_first_json(case.incident, f"findings/{kept}.json", answer.raw, about)
        believed.append(answer.finding)
    return believed


async def _with_undoers(actor: Actor, case: Case, look: int, inquiry: Inquiry) -> Actor:
    """Whoever undid our containment is a suspect, until a responder says that they are or are not the actor."""
    steps = undoers(case, look)
    if not steps:
        return actor
    own = {await in_thread(case.hands.aws.own_principal, account) for account in {one.step.account for one in steps}}
    records = await inquiry.ask(holding.questions(steps, case.hands.config.aws.home_region))
    return with_undoers(case, look, actor, records, frozenset(own))


async def _with_origin(actor: Actor, finding: Finding, inquiry: Inquiry) -> Actor:
    """A temporary key came from somewhere: find the call that handed it out, and the one before, as far as it goes."""
    remote_ips, searched = frozenset(finding.remote_ips), set[str]()
    while new := [key for key in actor.credentials if key.startswith(_TEMPORARY) and key not in searched]:
        searched.update(new)
        # CloudTrail lists the key that a call handed out among the call's resources.
        calls = await inquiry.ask(Question("ResourceName", key) for key in new)
        if not any((one := minted(call)) and one.access_key in new for call in calls):
            calls = await inquiry.ask([Question("EventSource", "sts.amazonaws.com")])
        actor = origin(actor, calls, remote_ips)
    return actor


def _scopes(case: Case) -> tuple[list[Scope], list[tuple[Scope, str, str]]]:
    """Every enabled region of every account; an account whose regions cannot be listed is a gap."""
    scopes: list[Scope] = []
    gaps: list[tuple[Scope, str, str]] = []
    try:
        accounts = case.hands.aws.accounts() or (case.finding.account,)
    except AwsError as error:
        accounts = case.hands.config.aws.accounts or (case.finding.account,)
        gaps.append((Scope("the organization", "every region"), "failed", f"its accounts could not be listed: {error}"))
    for account in accounts:
        try:
            regions = case.hands.aws.regions(account)
        except AwsError as error:
            gaps.append((Scope(account, "every region"), "failed", str(error)))
            continue
        scopes += [Scope(account, region) for region in regions.enabled]
        gaps += [(Scope(account, region), "not enabled", "opted out, holds no resources") for region in regions.opted_out]
    return scopes, gaps


def _keep_records(case: Case, name: str, records: list[Record], about: str) -> None:
    case.hands.evidence.keep_first_json(case.incident, name, [dict(record.raw) for record in records], about)


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
    suspected = sum(1 for credential in actor.credentials.values() if credential not in actor.proved)
    more = f"; {counted(suspected, 'credential')} suspected" if suspected else ""
    if not actor.proved:
        return f"The finding names no credential, so nobody is proved to be the actor; a person must look{more}"
    theirs = [record for record in records if actor.did(record)]
    regions = {record.region for record in theirs}
    unknown = sum(1 for gap in gaps if gap[1] != "not enabled")
    owner = actor.credentials[actor.seed].owner if actor.seed in actor.credentials else actor.proved[0].owner
    tail = f", {counted(unknown, 'region')} unknown" if unknown else ""
    return (
        f"The actor uses {owner} with {counted(len(actor.proved), 'credential')}: {counted(len(theirs), 'recorded call')} in "
        f"{counted(len(regions), 'region')}, {counted(len(scopes), 'region')} looked at{tail}{more}"
    )
