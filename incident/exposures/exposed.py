"""What an incident opened to the internet: each of the actor's changes, against the same network without them, and as it is now.

Without them means what `incident.settings.reversals` says that each setting would be: what others opened meanwhile is theirs.
What the actor opened and closed again counts as opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from incident.actor import Actor
from incident.exposures.boxes import Boxes, common, minus, union, ways
from incident.exposures.exposure import NOT_READ, Exposure, Verdict, newly_open
from incident.exposures.inventory import exposure_json
from incident.exposures.reachability import exposures
from incident.exposures.visible import Visible
from incident.families import family_for_event
from incident.family import Scope
from incident.network.values import mapping
from incident.record import Record, in_order
from incident.settings import UNKNOWN, Entry, Fold, PriorValue, SettingKey, Unknown, Value, reversals

NEEDED = frozenset(
    {
        "subnet",
        "network-interface",
        "address",
        "route-table",
        "network-acl",
        "security-group",
        "internet-gateway",
        "nat-gateway",
        "prefix-list",
        "vpc-block-public-access",
        "load-balancer",
        "target-group",
        "classic-load-balancer",
        "database",
        "function",
        "cluster",
    }
)
"""A kind of each family whose settings the path from the internet is judged by."""


_MOST_LOOKS = 60
"""After how many of the actor's changes the paths are walked; with more of them only after the last."""

_Place = tuple[str, str, str, int]


@dataclass(frozen=True)
class Times:
    """What the internet reaches of one place, as far as it is known.

    Attributes:
        before: what it would have reached when the actor ended, without the actor. `None` where no baseline tells.
        opened: what the actor opened, at any time.
        now: what it reaches now.
        unknown: what neither records nor baseline nor reads tell, a line each.
    """

    before: list[Exposure] | None = None
    opened: list[Exposure] = field(default_factory=list[Exposure])
    now: list[Exposure] = field(default_factory=list[Exposure])
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stored:
    """A baseline: its settings, the kinds of which everything was read, and when (UTC)."""

    settings: Sequence[tuple[SettingKey, PriorValue]]
    covered: frozenset[str]
    at: datetime


def folded(
    place: Scope, stored: Stored, records: Iterable[Record], actor: Actor, approved: Callable[[Entry], bool] = lambda entry: False
) -> Times:
    """Fold a place's records over its baseline, and walk the paths after each of the actor's changes; `now` stays empty."""
    here = [one for one in in_order(records) if (one.account, one.region) == (place.account, place.region) and one.succeeded]
    changes = [number for number, one in enumerate(here) if actor.did(one) and not one.read_only]
    looked = changes[-1:] if len(changes) > _MOST_LOOKS else changes
    fold = Fold(stored.settings, lambda key: stored.at if key.kind in stored.covered else None)
    before, opened, seen = list[Exposure](), list[Exposure](), None
    problems: dict[str, str] = {}
    for number, record in enumerate(here[: changes[-1] + 1] if changes else here):
        problems |= _read(fold, record)
        if number in looked:
            seen, without = _sights(place, fold, stored, max(record.time, stored.at), problems, actor, approved)
            before, found = exposures(without), exposures(seen)
            opened = _together([*opened, *newly_open(before, found)])
    if seen is None:
        before = exposures(_sights(place, fold, stored, stored.at, problems, actor, approved)[1])
    unknown = [*problems.values(), *_untold_instances(place, fold, seen or Visible(place, (), ()))]
    if looked != changes:
        unknown.append(f"{_words(place)}: what was open between the actor's {len(changes)} changes: only the last was looked at")
    return Times(before, opened, unknown=tuple(dict.fromkeys(unknown)))


def _words(place: Scope) -> str:
    return f"{place.account} {place.region}"


def _read(fold: Fold, record: Record) -> dict[str, str]:
    """Fold a record in; where it is of a known operation and cannot be read, the kinds that it may have written."""
    family = family_for_event(record.operation)
    if family is None:
        return {}
    try:
        fold.read(record, family.writes)
    except (KeyError, ValueError, TypeError, AttributeError):
        why = f"{record.account} {record.region}: what {record.event_name} did, record {record.event_id}"
        return dict.fromkeys(family.kinds, why)
    return {}


def _sights(
    place: Scope,
    fold: Fold,
    stored: Stored,
    moment: datetime,
    problems: dict[str, str],
    actor: Actor,
    approved: Callable[[Entry], bool],
) -> tuple[Visible, Visible]:
    """The place at a moment, and as it would have been without the actor."""
    values: dict[SettingKey, Value | Unknown] = {}
    for key, history in fold.histories.items():
        if (key.account, key.region) == (place.account, place.region):
            values[key] = UNKNOWN if key.kind in problems else history.value_at(moment)[0]
    covered = stored.covered - problems.keys()
    undone = {
        one.key: one.target for one in reversals(fold, actor.did, approved) if one.key in values and one.key.kind not in problems
    }
    return Visible(place, values.items(), covered), Visible(place, (values | undone).items(), covered)


def _untold_instances(place: Scope, fold: Fold, seen: Visible) -> list[str]:
    """Instances that were started since the baseline: no record tells their interfaces and addresses."""
    attached = {mapping(values.get("")).get("InstanceId") for values in seen.resources("network-interface-attachment").values()}
    made = [key.resource for key, one in fold.histories.items() if key.kind == "instance" and one.entries and one.entries[-1].after]
    return [
        f"not known for {name} in {_words(place)}, which was started meanwhile: no record tells its addresses"
        for name in made
        if name not in attached
    ]


# --- what the report shows ----------------------------------------------------------------------------------------------------


SECTIONS = ("opened", "closed", "still_open", "before", "others", "untold", "unknown")


def summary(times: Sequence[Times], at: datetime) -> dict[str, Any]:
    """What the report shows, with the path of each.

    `opened` is what the incident opened; of it `closed` and `still_open`. `before` is what was there before and remains, `others`
    what somebody else opened meanwhile or since, `untold` what is open where no baseline tells since when, `unknown` what may be
    open now.
    """
    found: dict[str, list[Exposure]] = {
        name: [] for name in ("opened", "closed", "still_open", "before", "others", "untold", "unknown")
    }
    for place in times:
        opened, now = place.opened, place.now
        found["opened"] += opened
        found["closed"] += _closed(opened, now)
        found["still_open"] += _within(now, opened)
        found["unknown"] += [one for one in now if one.verdict == Verdict.UNKNOWN or one.maybe]
        if place.before is None:
            found["untold"] += _without(now, opened)
        else:
            found["before"] += _within(now, place.before)
            found["others"] += _without(now, [*place.before, *opened])
    told: dict[str, Any] = {name: [exposure_json(one) for one in exposed] for name, exposed in found.items()}
    unknown = (line for place in times for line in (*place.unknown, *_not_told_closed(place.opened, place.now)))
    return {"at": at.isoformat(), **told, "not_known": list(dict.fromkeys(unknown))}


def _packets(exposed: Iterable[Exposure], *, perhaps: bool = False) -> dict[_Place, Boxes]:
    found: dict[_Place, Boxes] = {}
    for one in exposed:
        found[one.place] = union([*found.get(one.place, []), *one.boxes, *(one.maybe if perhaps else ())])
    return found


def _only(one: Exposure, boxes: Boxes) -> list[Exposure]:
    """An exposure with some of its packets, if there are any."""
    told = replace(one, boxes=boxes, maybe=[], verdict=Verdict.OPEN, reached=ways(one.version, boxes), perhaps=(), unknown=())
    return [told] if boxes else []


def _within(exposed: Iterable[Exposure], those: Iterable[Exposure]) -> list[Exposure]:
    had = _packets(those)
    return [kept for one in exposed for kept in _only(one, common(one.boxes, had.get(one.place, [])))]


def _without(exposed: Iterable[Exposure], those: Iterable[Exposure]) -> list[Exposure]:
    had = _packets(those)
    return [kept for one in exposed for kept in _only(one, minus(one.boxes, had.get(one.place, [])))]


def _together(exposed: Iterable[Exposure]) -> list[Exposure]:
    """One exposure for each place, with the latest path and all packets."""
    exposed = list(exposed)
    packets = _packets(exposed)
    return [kept for one in {one.place: one for one in exposed}.values() for kept in _only(one, packets[one.place])]


def _closed(opened: Iterable[Exposure], now: list[Exposure]) -> list[Exposure]:
    """What surely is closed: neither open now, nor perhaps open, nor of what was not read."""
    had, unread = _packets(now, perhaps=True), _unread(now)
    surely = [one for one in opened if one.what not in unread or one.place in had]
    return [kept for one in surely for kept in _only(one, minus(one.boxes, had.get(one.place, [])))]


def _not_told_closed(opened: Iterable[Exposure], now: list[Exposure]) -> list[str]:
    sure, may, unread = _packets(now), _packets(now, perhaps=True), _unread(now)
    lines: list[str] = []
    for one in opened:
        maybe = minus(may.get(one.place, []), sure.get(one.place, []))
        if common(one.boxes, maybe) or (one.what in unread and one.place not in may):
            lines.append(f"{one.account} {one.region}: whether what the incident opened of {one.what} {one.resource} is closed")
    return lines


def _unread(now: Iterable[Exposure]) -> frozenset[str]:
    """The things of which not even the list was read, as `Exposure.what` names one of them."""
    return frozenset(one.what.removesuffix("s") for one in now if one.resource == NOT_READ)
