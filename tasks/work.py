"""The Prefect tasks: what a flow asks of the outside world, each with its own retries.

Throttling is waited out inside a call (`tasks.aws`); the retries here are for what a call could not ride out. A task may run again
after a crash, so each is idempotent: reads by nature, steps through the executor, messages through their keys.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from prefect import task
from prefect.logging import get_run_logger

from incident.families import family_for_kind
from incident.family import Read, Scope
from incident.guards import Tagged
from incident.ledger import Kind
from incident.plan import Plan, Step
from incident.planner import Unread
from incident.record import Record
from incident.resources.brought_along import BRINGS_ALONG
from incident.resources.identity import GLOBAL
from incident.settings import Observed, Reversal, SettingKey, canonical
from incident.surroundings import Surroundings
from incident.volatile import Subject
from tasks.aws import DENIED, AwsError, observe
from tasks.baseline import Swept, sweep_region
from tasks.cloudtrail import Answered, Lookup, distinct
from tasks.evidence import EvidenceUnavailable
from tasks.executor import Outcome
from tasks.hands import hands
from tasks.isolation import surroundings_of
from tasks.launched import launched_by, with_images
from tasks.traces import traces
from tasks.volatile import Collector

_T = TypeVar("_T")
_POOL = ThreadPoolExecutor(max_workers=64, thread_name_prefix="aws")


async def in_thread(work: Callable[..., _T], *arguments: Any) -> _T:
    """Run blocking work on a pool wide enough for every region at once."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, work, *arguments)


class Looked:
    """What one region's event history answered; `gap` says why it is not known, by status (`denied`, `failed`, `incomplete`)."""

    def __init__(self, scope: Scope, records: list[Record], unreadable: list[str], gap: tuple[str, str] | None) -> None:
        self.scope, self.records, self.unreadable, self.gap = scope, records, unreadable, gap


@task(name="look up events", retries=2, retry_delay_seconds=[1, 5], persist_result=False)
async def look_up(scope: Scope, attribute: str, values: list[str], start: datetime, end: datetime) -> Looked:
    """Ask one region's event history about each value."""
    return await in_thread(_look_up, scope, attribute, values, start, end)


def _look_up(scope: Scope, attribute: str, values: list[str], start: datetime, end: datetime) -> Looked:
    records: list[Record] = []
    unreadable: list[str] = []
    gaps: dict[str, None] = {}
    try:
        for answer in hands().history.ask_all(
            [Lookup(scope.account, scope.region, attribute, value, start, end) for value in values]
        ):
            records.extend(answer.records)
            unreadable.extend(answer.unreadable)
            gaps.update(dict.fromkeys(_gaps_of(answer)))
    except AwsError as error:
        return Looked(scope, records, unreadable, ("denied" if error.code in DENIED else "failed", str(error)))
    return Looked(scope, distinct(records), list(dict.fromkeys(unreadable)), ("incomplete", "; ".join(gaps)) if gaps else None)


def _gaps_of(answer: Answered) -> list[str]:
    """What of the window the answer does not tell, a sentence each."""
    cut = f"more events than one lookup may read for {answer.lookup.attribute} {answer.lookup.value}"
    return [*([] if answer.complete else [cut]), *answer.gaps]


@task(name="ask what orders launched", retries=2, retry_delay_seconds=[1, 5], persist_result=False)
async def launched_for(incident: str, look: int, reversals: list[Reversal]) -> list[Reversal]:
    """What came along with the actor's orders, images and imports; what could not be asked for is a gap that the report names."""
    orders = [one for one in reversals if one.key.kind in BRINGS_ALONG and one.target is None]
    if not orders:
        return []
    found: list[Reversal] = []
    rows: list[dict[str, str]] = []
    for order in orders:
        place = {"account": order.key.account, "region": order.key.region}
        try:
            found += await in_thread(launched_by, hands().aws, [order])
            rows.append(place | {"status": "covered", "why": ""})
        except AwsError as error:
            rows.append(place | {"status": "denied" if error.code in DENIED else "failed", "why": str(error)})
    body = {"what": "what came along with spot requests, fleets, images and imports", "regions": rows}
    hands().ledger.append(incident, Kind.COVERAGE, f"coverage:launched:{look}:{_digest(rows)}", body)
    known = {one.key for one in reversals}
    return [one for one in found if one.key not in known]


def _digest(rows: list[dict[str, str]]) -> str:
    return hashlib.sha256(canonical(rows).encode()).hexdigest()[:12]


@task(name="read settings", retries=2, retry_delay_seconds=[1, 5], persist_result=False)
async def read_settings(keys: list[SettingKey]) -> dict[SettingKey, Observed | Unread | None]:
    """The live value of each setting."""
    found = await asyncio.gather(*(in_thread(_read, key) for key in keys))
    return dict(zip(keys, found, strict=True))


async def read_undone(reversals: list[Reversal]) -> dict[SettingKey, Observed | Unread | None]:
    """The live value of each setting that is to be undone, and of each snapshot whose images use it that stay."""
    live = await read_settings([one.key for one in reversals])
    return await in_thread(with_images, hands().aws, reversals, live)


def _read(key: SettingKey) -> Observed | Unread | None:
    return observe(hands().aws, family_for_kind(key.kind), key)


@task(name="instances and what they are used for", retries=2, retry_delay_seconds=[1, 5], persist_result=False)
async def look_around(instances: list[SettingKey]) -> dict[SettingKey, Surroundings | Unread | None]:
    """What is live of each instance and around it; `None` where it is gone."""
    found = await asyncio.gather(*(in_thread(surroundings_of, hands().aws, instance) for instance in instances))
    return dict(zip(instances, found, strict=True))


@task(name="volumes of instances", retries=2, retry_delay_seconds=[1, 5], persist_result=False)
async def volumes_of(instances: list[SettingKey]) -> dict[SettingKey, tuple[str, ...]]:
    """The EBS volumes that are attached to each instance; an instance that is gone has none.

    Raises:
        AwsError: AWS did not say; then nothing may be deleted.
    """
    found = await asyncio.gather(*(in_thread(_volumes, instance) for instance in instances))
    return dict(zip(instances, found, strict=True))


def _volumes(instance: SettingKey) -> tuple[str, ...]:
    filters = [{"Name": "attachment.instance-id", "Values": [instance.resource]}]
    answer = hands().aws.call(instance.account, instance.region, "ec2", "DescribeVolumes", {"Filters": filters})
    return tuple(sorted(volume["VolumeId"] for volume in answer["Volumes"]))


@task(name="progress of snapshots", persist_result=False)
async def progress_of(keys: list[SettingKey]) -> dict[str, str]:
    """How far each snapshot is that a step takes, in per cent; what AWS does not say is left out."""
    found = await asyncio.gather(*(in_thread(_progress, key) for key in keys))
    return {snapshot: shown for one in found for snapshot, shown in one.items()}


def _progress(key: SettingKey) -> dict[str, str]:
    try:
        pages = list(hands().aws.read_all(Scope(key.account, key.region), family_for_kind(key.kind).read(key)))
    except AwsError:
        return {}
    return {one["SnapshotId"]: str(one.get("Progress", "")) for page in pages for one in page.get("Snapshots", [])}


@task(name="instance stores", retries=2, retry_delay_seconds=[1, 5], persist_result=False)
async def stores_of(types: dict[SettingKey, str]) -> dict[SettingKey, int | None]:
    """The gigabytes of instance store that each instance's type has; `None` where AWS does not say."""
    found = await asyncio.gather(*(in_thread(_store, instance, named) for instance, named in types.items()))
    return dict(zip(types, found, strict=True))


def _store(instance: SettingKey, named: str) -> int | None:
    """See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceStorageInfo.html"""
    asked = {"InstanceTypes": [named]}
    try:
        answer = hands().aws.call(instance.account, instance.region, "ec2", "DescribeInstanceTypes", asked)
    except AwsError:
        return None
    return sum(int(one.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0)) for one in answer["InstanceTypes"])


@task(name="tags", persist_result=False)
async def tags_of(resources: Iterable[Tagged]) -> dict[Tagged, Mapping[str, str] | Unread]:
    """The live tags of resources; a resource that is gone has none."""
    places: dict[Scope, list[str]] = {}
    for one in sorted(resources):
        places.setdefault(Scope(one.account, one.region), []).append(one.resource)
    batches = [
        (place, names[start : start + _FILTER_VALUES])
        for place, names in places.items()
        for start in range(0, len(names), _FILTER_VALUES)
    ]
    found = await asyncio.gather(*(in_thread(_tags, *batch) for batch in batches))
    return {resource: held for one in found for resource, held in one.items()}


_FILTER_VALUES = 200
"""See https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html"""


def _tags(place: Scope, names: list[str]) -> dict[Tagged, Mapping[str, str] | Unread]:
    """See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeTags.html"""
    asked = [Tagged(place.account, place.region, name) for name in names]
    read = Read("ec2", "DescribeTags", {"Filters": [{"Name": "resource-id", "Values": names}]})
    held: dict[str, dict[str, str]] = {name: {} for name in names}
    try:
        for page in hands().aws.read_all(place, read):
            for tag in page["Tags"]:
                held[tag["ResourceId"]][tag["Key"]] = tag.get("Value", "")
    except AwsError as error:
        return dict.fromkeys(asked, Unread(str(error)))
    return {one: held[one.resource] for one in asked}


@task(name="last use of role", persist_result=False)
async def last_use_of(account: str, role: str) -> str:
    """When and where IAM says that a role was last used, in words; empty where it does not say.

    See https://docs.aws.amazon.com/IAM/latest/APIReference/API_RoleLastUsed.html
    """
    return await in_thread(_last_use, account, role)


def _last_use(account: str, role: str) -> str:
    try:
        found = hands().aws.call(account, GLOBAL, "iam", "GetRole", {"RoleName": role})["Role"].get("RoleLastUsed", {})
    except AwsError:
        return ""
    when = found.get("LastUsedDate")
    return f"{when:%Y-%m-%d %H:%M} UTC in {found.get('Region', 'an unknown region')}" if when else ""


@task(name="keep facts", task_run_name="keep facts of {subject.name}", retries=2, retry_delay_seconds=[1, 5], persist_result=False)
async def keep_facts_of(incident: str, subject: Subject) -> None:
    """Keep what dies with a resource, or note what could not be kept.

    Where the evidence store takes nothing the response goes on: what is not in the manifest lets nothing be deleted.
    """
    own = hands()
    try:
        await in_thread(Collector(own.aws, own.evidence, own.clock).collect, incident, subject)
    except EvidenceUnavailable as error:
        get_run_logger().warning("%s: %s", subject.name, error)


@task(name="take in evidence", retries=2, retry_delay_seconds=[1, 5], persist_result=False)
async def take_in_evidence(incident: str) -> dict[str, str]:
    """Give the evidence store what it did not take before; what still waits for it, with the reason."""
    return await in_thread(hands().evidence.take_in, incident)


@task(name="apply step", task_run_name="{step.title}", retries=2, retry_delay_seconds=[1, 5], persist_result=False)
async def apply_step(plan: Plan, step: Step) -> Outcome:
    """Run one step through the executor; the run's log says what takes long."""
    named = {
        "countermand.step": step.id,
        "countermand.phase": step.phase,
        "cloud.account.id": step.account,
        "cloud.region": step.region,
    }
    with traces(hands().config.traces).span("step", plan.incident, named) as span:
        outcome = await in_thread(hands().executor.apply, plan, step, get_run_logger().info)
        if span is not None:
            span.set_attribute("countermand.result", str(outcome.result))
    return outcome


@task(name="apply step again", task_run_name="again: {step.title}", retries=2, retry_delay_seconds=[1, 5], persist_result=False)
async def apply_step_again(plan: Plan, step: Step, name: str) -> Outcome:
    """Run a step that somebody undid once more, under a name of its own."""
    return await in_thread(hands().executor.again(name).apply, plan, step)


@task(name="begin step", task_run_name="begin: {step.title}", retries=2, retry_delay_seconds=[1, 5], persist_result=False)
async def begin_step(plan: Plan, step: Step) -> None:
    """Let one step begin through the executor, without waiting for its end."""
    await in_thread(hands().executor.begin, plan, step)


@task(name="sweep region", retries=1, retry_delay_seconds=2, persist_result=False)
async def sweep(scope: Scope, at: datetime) -> Swept:
    """Read and store one region's baseline."""
    swept = await in_thread(sweep_region, hands().aws, scope, at)
    hands().baselines.keep(swept)
    return swept


@task(name="tell people", persist_result=False)
async def post(incident: str, key: str, text: str, blocks: list[dict[str, Any]]) -> None:
    """Put a message into the incident's outbox, once. The gateway sends it: the response never waits for Slack."""
    body = {"key": key, "text": text, "blocks": blocks}
    await in_thread(hands().ledger.append, incident, Kind.MESSAGE, f"message:{key}", body)


def by_region(keys: Iterable[SettingKey]) -> list[list[SettingKey]]:
    """Keys grouped so that each group is read in one place."""
    groups: dict[tuple[str, str], list[SettingKey]] = {}
    for key in keys:
        groups.setdefault((key.account, key.region), []).append(key)
    return list(groups.values())
