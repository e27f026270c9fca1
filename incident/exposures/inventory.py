"""The inventory of exposed assets: what is there by kind and place, what the internet reaches of it, and what changed since.

The eleven kinds are those of the playbook's preparation. A kind that was not read whole has no count: it is `None`, not nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from incident.exposures.exposure import Exposure, Verdict, newly_open
from incident.exposures.reachability import exposures
from incident.exposures.visible import Visible
from incident.families import family_for_kind
from incident.network.registry import FAMILIES
from incident.settings import SettingKey, Value, same

KINDS: dict[str, tuple[str, ...]] = {
    "VPCs": ("vpc",),
    "network ACLs": ("network-acl",),
    "security groups": ("security-group",),
    "route tables": ("route-table",),
    "network interfaces": ("network-interface",),
    "internet gateways": ("internet-gateway",),
    "peering connections": ("vpc-peering",),
    "NAT gateways": ("nat-gateway",),
    "endpoints": ("vpc-endpoint",),
    "customer gateways and VPNs": ("customer-gateway", "vpn-gateway", "vpn-connection"),
    "Elastic IP addresses": ("address",),
}
"""What the playbook counts, by the kinds of settings whose resources they are."""

_NETWORK = frozenset(kind for family in FAMILIES for kind in family.kinds)


@dataclass(frozen=True)
class Sight:
    """One place as it was read at one moment (UTC)."""

    at: datetime
    seen: Visible
    settings: Mapping[SettingKey, Value]
    covered: frozenset[str]
    failed: Mapping[str, str]
    passed_over: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int | None]:
        """How many there are, by the playbook's names; `None` where not all were read."""
        return {name: self._count(kinds) for name, kinds in KINDS.items()}

    def _count(self, kinds: Iterable[str]) -> int | None:
        if not all(map(self.seen.read_all_of, kinds)):
            return None
        return sum(len(self.seen.resources(kind)) for kind in kinds)


@dataclass(frozen=True, slots=True)
class Difference:
    """One network setting that is not as it was."""

    key: SettingKey
    before: Value
    after: Value

    @property
    def verb(self) -> str:
        return "added" if self.before is None else "removed" if self.after is None else "changed"


def differences(before: Sight, after: Sight) -> tuple[list[Difference], list[str]]:
    """What changed between two sights of one place, and the kinds that cannot be compared since one of them was not read whole."""
    comparable = {kind for kind in _NETWORK if kind in before.covered and kind in after.covered}
    keys = sorted({*before.settings, *after.settings})
    found = [
        Difference(key, before.settings.get(key), after.settings.get(key))
        for key in keys
        if key.kind in comparable and not same(before.settings.get(key), after.settings.get(key))
    ]
    shown = {key.kind for key in keys} | {kind for kinds in KINDS.values() for kind in kinds}
    return found, sorted((shown & _NETWORK) - comparable)


def changed_exposures(before: Sight, after: Sight) -> tuple[list[Exposure], list[Exposure]]:
    """What the internet reaches now and did not before, and what it reached before and does not now."""
    was, now = exposures(before.seen), exposures(after.seen)
    return newly_open(was, now), newly_open(now, was)


def as_json(now: Sequence[Sight], earlier: Sequence[Sight], unswept: Iterable[str]) -> dict[str, Any]:
    """The whole inventory as JSON values; `unswept` are places of which nothing is stored, in words."""
    before = {sight.seen.scope: sight for sight in earlier}
    return {
        "places": [_place(sight) for sight in now],
        "exposures": [exposure_json(one) for sight in now for one in exposures(sight.seen) if one.verdict != Verdict.CLOSED],
        "changes": [_changes(before[sight.seen.scope], sight) for sight in now if sight.seen.scope in before],
        "not_known": [*unswept, *(line for sight in now for line in not_known(sight)), *_never_read(now)],
    }


def _never_read(now: Sequence[Sight]) -> list[str]:
    """What may be on the internet and no sweep reads, by account."""
    what = "API gateways, CloudFront distributions and Global Accelerators are not read: the internet may reach some"
    return [f"{account}: {what}; --prowler looks at them" for account in sorted({sight.seen.scope.account for sight in now})]


def not_known(sight: Sight) -> list[str]:
    """What of a place was not read, a line each."""
    place = f"{sight.seen.scope.account} {sight.seen.scope.region}"
    lines = [f"{place}: {read} was not read: {why}" for read, why in sorted(sight.failed.items())]
    lines += [f"{place}: the stored baseline {name} is not as it was written, or is gone" for name in sight.passed_over]
    here = [kind for kind in _NETWORK if (family := family_for_kind(kind)).inventory and not family.home_only]
    failed_kinds = sorted(kind for kind in here if kind not in sight.covered)
    if failed_kinds and not sight.failed:
        lines.append(f"{place}: the baseline is older than the reading of {', '.join(failed_kinds)}; sweep again")
    return lines


def _place(sight: Sight) -> dict[str, Any]:
    scope = sight.seen.scope
    return {"account": scope.account, "region": scope.region, "at": sight.at.isoformat(), "counts": sight.counts}


def exposure_json(one: Exposure) -> dict[str, Any]:
    """An exposure with its path, hop by hop."""
    return {
        "account": one.account,
        "region": one.region,
        "what": one.what,
        "resource": one.resource,
        "instance": one.instance,
        "address": one.address,
        "verdict": str(one.verdict),
        "reached": [str(way) for way in one.reached],
        "perhaps": [str(way) for way in one.perhaps],
        "path": [{"resource": hop.resource, "words": hop.words} for hop in one.path],
        "behind": [{"resource": hop.resource, "words": hop.words} for hop in one.behind],
        "not_known": list(one.unknown),
    }


def _changes(before: Sight, after: Sight) -> dict[str, Any]:
    changed, uncompared = differences(before, after)
    opened, closed = changed_exposures(before, after)
    return {
        "account": after.seen.scope.account,
        "region": after.seen.scope.region,
        "from": before.at.isoformat(),
        "to": after.at.isoformat(),
        "settings": [
            {
                "change": one.verb,
                "kind": one.key.kind,
                "resource": one.key.resource,
                "name": one.key.name,
                "before": one.before,
                "after": one.after,
            }
            for one in changed
        ],
        "opened": [exposure_json(one) for one in opened],
        "closed": [exposure_json(one) for one in closed],
        "not_compared": uncompared,
    }
