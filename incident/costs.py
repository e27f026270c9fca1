"""What an actor may have left running, and what it cost: the playbook's "unexpected charges".

Instances, stopped ones too, images, volumes, snapshots, functions and layers are counted where they are. Cost Explorer is asked for
the cost of each day by service and region, and each recent day is compared with the weeks before it.
https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_GetCostAndUsage.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any

from incident.family import Read
from incident.ledger import Kind, Line
from incident.network.values import mapping, structures, tags, text
from incident.plan import Plan
from incident.record import JsonObject
from incident.resources.evidence import INCIDENT_TAG

BASE_DAYS = 28
"""The weeks before, in days."""

SPIKE_TIMES, SPIKE_LEAST = 2.0, 1.0
RULE = (
    f"A day is marked where a service in a region cost more than {SPIKE_TIMES:g} times the middle (median) of its {BASE_DAYS} days "
    f"before, and at least {SPIKE_LEAST:g} more, in the bill's currency."
)
LAG = (
    "Cost Explorer is up to 24 hours behind and its newest days are estimates: what an actor started today may not be in it yet. "
    "The counts above are of now."
)
_DEAD = frozenset({"terminated", "shutting-down"})


@dataclass(frozen=True, slots=True)
class Costly:
    """One thing that costs: `whose` is `actor` where the incident's actor made it, `ours` for evidence, else empty."""

    account: str
    region: str
    kind: str
    id: str
    detail: str
    whose: str = ""


@dataclass(frozen=True, slots=True)
class DayCost:
    """What one service cost in one region on one day; `estimated` where AWS says that it may still change."""

    account: str
    day: date
    service: str
    region: str
    amount: float
    unit: str
    estimated: bool


@dataclass(frozen=True, slots=True)
class Spike:
    """A day that stands out, with what was usual before."""

    cost: DayCost
    usual: float


@dataclass(frozen=True)
class Costs:
    """All of it; `unread` says what could not be read, and why: nothing is known there, and it is not zero."""

    things: tuple[Costly, ...]
    spikes: tuple[Spike, ...]
    totals: Mapping[str, float]
    unit: str
    since: date
    unread: tuple[str, ...]

    def counts(self) -> dict[tuple[str, str], dict[str, tuple[int, int]]]:
        """By account and region, by kind: how many there are, and how many of them the actor made."""
        found: dict[tuple[str, str], dict[str, tuple[int, int]]] = defaultdict(dict)
        for one in self.things:
            number, theirs = found[one.account, one.region].get(one.kind, (0, 0))
            found[one.account, one.region][one.kind] = (number + 1, theirs + (one.whose == "actor"))
        return dict(sorted(found.items()))


# --- what is there ------------------------------------------------------------------------------------------------------------


def _instances(answer: JsonObject) -> Iterator[tuple[str, str, JsonObject]]:
    for one in [one for group in structures(answer.get("Reservations")) for one in structures(group.get("Instances"))]:
        state = text(mapping(one.get("State")).get("Name"))
        if state not in _DEAD:
            yield text(one.get("InstanceId")), f"{text(one.get('InstanceType'))}, {state}", one


def _listed(
    member: str, id_: str, describe: Callable[[JsonObject], str]
) -> Callable[[JsonObject], Iterator[tuple[str, str, JsonObject]]]:
    def read(answer: JsonObject) -> Iterator[tuple[str, str, JsonObject]]:
        for one in structures(answer.get(member)):
            yield text(one.get(id_)), describe(one), one

    return read


def _size(one: JsonObject) -> str:
    return f"{one.get('Size') or one.get('VolumeSize') or '?'} GiB, {text(one.get('State'))}"


KINDS: dict[str, tuple[Read, Callable[[JsonObject], Iterator[tuple[str, str, JsonObject]]]]] = {
    "instance": (Read("ec2", "DescribeInstances"), _instances),
    "image": (Read("ec2", "DescribeImages", {"Owners": ["self"]}), _listed("Images", "ImageId", lambda one: text(one.get("Name")))),
    "volume": (Read("ec2", "DescribeVolumes"), _listed("Volumes", "VolumeId", _size)),
    "snapshot": (Read("ec2", "DescribeSnapshots", {"OwnerIds": ["self"]}), _listed("Snapshots", "SnapshotId", _size)),
    "function": (Read("lambda", "ListFunctions"), _listed("Functions", "FunctionName", lambda one: text(one.get("Runtime")))),
    "layer": (Read("lambda", "ListLayers"), _listed("Layers", "LayerName", lambda one: text(one.get("LayerArn")))),
}
"""Each kind with the read that lists it and what shows one: its id, a few words on it, and all that is told."""


def things(account: str, region: str, kind: str, answer: JsonObject, made: Collection[tuple[str, str]]) -> Iterator[Costly]:
    """What an answer shows; `made` are the region and id of what the actor made."""
    for id_, detail, told in KINDS[kind][1](answer):
        whose = "actor" if (region, id_) in made else "ours" if INCIDENT_TAG in tags(told) else ""
        yield Costly(account, region, kind, id_, detail, whose)


def made_by_actor(lines: Iterable[Line]) -> frozenset[tuple[str, str]]:
    """The region and id of every resource that a plan of the incident deletes, or leaves to a person, because the actor made it."""
    plans = [Plan.model_validate(line.body["plan"]) for line in lines if line.kind == Kind.PLAN]
    doomed = [step.key for plan in plans for step in plan.steps if step.leaves is None and step.phase == "eradicate"]
    left = [item.key for plan in plans for item in plan.unplanned if item.key is not None and item.wanted is None]
    return frozenset((key.region, key.resource) for key in (*doomed, *left) if not key.name)


# --- what it cost -------------------------------------------------------------------------------------------------------------


def question(since: date, today: date) -> dict[str, Any]:
    """The parameters of GetCostAndUsage: each day from four weeks before `since` to today, which AWS leaves out as the end."""
    return {
        "TimePeriod": {"Start": str(since - timedelta(days=BASE_DAYS)), "End": str(today + timedelta(days=1))},
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost"],
        "GroupBy": [{"Type": "DIMENSION", "Key": "SERVICE"}, {"Type": "DIMENSION", "Key": "REGION"}],
    }


def day_costs(account: str, answer: JsonObject) -> Iterator[DayCost]:
    for one in structures(answer.get("ResultsByTime")):
        day = date.fromisoformat(text(mapping(one.get("TimePeriod")).get("Start")))
        for group in structures(one.get("Groups")):
            service, region = group["Keys"]
            cost = mapping(mapping(group.get("Metrics")).get("UnblendedCost"))
            amount, unit = float(cost.get("Amount", 0)), text(cost.get("Unit"))
            yield DayCost(account, day, text(service), text(region), amount, unit, bool(one.get("Estimated")))


def spikes(costs: Sequence[DayCost], since: date) -> list[Spike]:
    """The days from `since` on that stand out, dearest first. A day on which nothing is told cost nothing. See `RULE`."""
    series: dict[tuple[str, str, str], dict[date, float]] = defaultdict(dict)
    for one in costs:
        series[one.account, one.service, one.region][one.day] = one.amount
    found: list[Spike] = []
    for one in costs:
        before = series[one.account, one.service, one.region]
        usual = median(before.get(since - timedelta(days=back), 0.0) for back in range(1, BASE_DAYS + 1))
        if one.day >= since and one.amount > SPIKE_TIMES * usual and one.amount - usual >= SPIKE_LEAST:
            found.append(Spike(one, usual))
    return sorted(found, key=lambda spike: (spike.usual - spike.cost.amount, str(spike.cost)))


def costs(found: Iterable[Costly], told: Sequence[DayCost], since: date, unread: Iterable[str]) -> Costs:
    """All of it together."""
    totals: dict[str, float] = defaultdict(float)
    for one in told:
        if one.day >= since:
            totals[one.account] += one.amount
    unit = next((one.unit for one in told if one.unit), "USD")
    ordered = sorted(found, key=lambda one: (one.account, one.region, one.kind, one.id))
    return Costs(tuple(ordered), tuple(spikes(told, since)), dict(totals), unit, since, tuple(unread))


# --- for the ledger and for people --------------------------------------------------------------------------------------------


def as_json(found: Costs, at: datetime) -> dict[str, Any]:
    """What the ledger, the report and `--json` have."""
    return {
        "at": at.isoformat(),
        "since": str(found.since),
        "unit": found.unit,
        "rule": RULE,
        "lag": LAG,
        "totals": {account: round(amount, 2) for account, amount in sorted(found.totals.items())},
        "counts": [
            {"account": account, "region": region, "kind": kind, "number": number, "by_actor": theirs}
            for (account, region), kinds in found.counts().items()
            for kind, (number, theirs) in sorted(kinds.items())
        ],
        "by_actor": [
            {"account": one.account, "region": one.region, "kind": one.kind, "id": one.id, "detail": one.detail}
            for one in found.things
            if one.whose == "actor"
        ],
        "spikes": [
            {
                "account": one.cost.account,
                "day": str(one.cost.day),
                "service": one.cost.service,
                "region": one.cost.region,
                "amount": round(one.cost.amount, 2),
                "usual": round(one.usual, 2),
                "estimated": one.cost.estimated,
            }
            for one in found.spikes
        ],
        "unread": list(found.unread),
    }
