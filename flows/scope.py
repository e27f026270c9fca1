"""Scope: everything the actor wrote, and every other hand on the same settings."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from prefect import flow

from flows.case import Case, once
from incident.actor import Actor
from incident.config_items import Prior, open_questions, told, unanswered
from incident.family import Scope
from incident.investigation import Investigation, investigate
from incident.ledger import Kind
from incident.people import messages
from incident.record import Record
from incident.reports.means import means
from incident.reports.story import brief_calls
from incident.resources.identity import GLOBAL
from incident.settings import SettingKey
from incident.words import counted
from tasks.aws import principal_of
from tasks.cloudtrail import distinct
from tasks.config_history import ask_config
from tasks.work import Looked, in_thread, look_up, post


@flow(name="scope", persist_result=True)
@once("scope")
async def scope(incident: str, look: int = 1) -> str:
    """Collect every record that bears on what the actor changed, and keep them as evidence."""
    case = Case(incident)
    actor = case.actor(look)
    found = case.load_records(f"records/actor-{look}.json")
    theirs = [record for record in found if actor.did(record)]
    touched = sorted({Scope(record.account, record.region) for record in theirs if not record.read_only}, key=_where)
    answers = [answer for answer in await asyncio.gather(*(_histories(case, actor, place, theirs) for place in touched)) if answer]
    before = [record for answer in answers for record in answer.records]
    # Among records of one second the order of one whole answer is better than that of several parts.
    everyone = distinct([*case.load_records(f"records/around-{look}.json"), *before, *theirs][::-1])
    own = {await in_thread(case.hands.aws.own_principal, account) for account in {place.account for place in touched}}
    kept = [record for record in everyone if principal_of(record.identity.arn) not in own]
    about = "every record on what the actor changed, other people's included, without our own calls"
    case.hands.evidence.keep_first_json(incident, f"records/look-{look}.json", [dict(record.raw) for record in kept], about)
    case.note(f"calls:{look}", {"look": look, "calls": brief_calls(found, actor)})
    case.note(f"means:{look}", {"look": look, **means(found, actor)})
    _keep_gaps(case, look, answers)
    await in_thread(_ask_config, case, look)
    shown = await in_thread(investigation, case, look)
    line = (
        f"{counted(len(shown.changes), 'change')} by the actor in {counted(len(touched), 'region')} on "
        f"{counted(len(shown.reversals), 'setting')}; {counted(len(shown.refused), 'call')} of theirs refused by AWS, "
        f"{counted(len(shown.not_undone), 'change')} not understood"
    )
    if look == 1:
        await post(incident, "scoped", *messages.progress(line))
    return line


def _where(place: Scope) -> tuple[str, str]:
    return place.account, place.region


async def _histories(case: Case, actor: Actor, place: Scope, theirs: list[Record]) -> Looked | None:
    """The history of each touched resource in a region of which no baseline is stored."""
    end, resources = case.hands.clock(), _resources(place, theirs, actor)
    if not resources or await in_thread(case.baseline, place, actor) is not None:
        return None
    return await look_up(place, "ResourceName", resources, end - case.hands.history.reach, end)


def _resources(place: Scope, theirs: list[Record], actor: Actor) -> list[str]:
    """The resources that the actor's own records in a region write."""
    local = [record for record in theirs if (record.account, record.region) == (place.account, place.region)]
    return sorted({reversal.key.resource for reversal in investigate(local, (), actor).reversals})


def _keep_gaps(case: Case, look: int, answers: list[Looked]) -> None:
    rows = [
        {"account": answer.scope.account, "region": answer.scope.region, "status": answer.gap[0], "why": answer.gap[1]}
        for answer in answers
        if answer.gap is not None
    ]
    unreadable = [event for answer in answers for event in answer.unreadable]
    body = {"what": "other people's changes", "regions": rows, "unreadable": unreadable}
    case.hands.ledger.append(case.incident, Kind.COVERAGE, f"coverage:changes:{look}", body)


def _ask_config(case: Case, look: int) -> None:
    """Ask AWS Config for the prior values that neither a record nor the baseline tells, and keep what it says as evidence."""
    name = _config_evidence(look)
    questions = open_questions(_from_records(case, look, ()).reversals)
    if not questions or case.hands.evidence.has(case.incident, name):
        return
    answers = ask_config(case.hands.aws, questions)
    about = "AWS Config's items of what the actor changed, each the newest from before the change"
    case.hands.evidence.keep_json(case.incident, name, [answer.to_json() for answer in answers], about)
    problems = {answer.question.scope: answer for answer in answers if answer.problem}
    rows = [
        {
            "account": place.account,
            "region": place.region,
            "status": "failed" if answer.recording else "not enabled",
            "why": answer.problem,
        }
        for place, answer in problems.items()
    ]
    body = {"what": "AWS Config history", "regions": rows}
    case.hands.ledger.append(case.incident, Kind.COVERAGE, f"coverage:config:{look}", body)


def _config_evidence(look: int) -> str:
    return f"config/look-{look}.json"


def investigation(case: Case, look: int) -> Investigation:
    """What the kept records and configuration items show; read from evidence, so that it is the same however often it is asked."""
    found = _from_records(case, look, ())
    if not case.hands.evidence.has(case.incident, _config_evidence(look)):
        return found
    answers = case.hands.evidence.load_json(case.incident, _config_evidence(look))
    wanted = [reversal.key for reversal in unanswered(found.reversals)]
    priors = [prior for one in answers for prior in told(one["items"], wanted, Scope(one["account"], one["region"]))]
    return _from_records(case, look, priors)


def _from_records(case: Case, look: int, more: Sequence[Prior]) -> Investigation:
    actor, records = case.actor(look), case.records(look)
    home = case.hands.aws.config.home_region
    theirs = [record for record in records if actor.did(record)]
    places = {Scope(record.account, region) for record in theirs for region in (record.region, home)}
    found = {place: case.baseline(place, actor) for place in sorted(places, key=_where)}
    stored = {(place.account, place.region): baseline for place, baseline in found.items() if baseline}

    def swept_at(key: SettingKey) -> datetime | None:
        # What is in no region is swept from the home region.
        baseline = stored.get((key.account, home if key.region == GLOBAL else key.region))
        return baseline.at if baseline and key.kind in baseline.covered else None

    priors = [prior for baseline in stored.values() for prior in baseline.settings]
    return investigate(records, [*priors, *more], actor, swept_at, case.hands.policy.ticket)
