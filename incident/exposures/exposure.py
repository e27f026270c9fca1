"""An exposure: one address of one thing, what of it the internet reaches, and the path with the id of every hop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from incident.exposures.boxes import Boxes, Version, Way, common, internet, minus, union, ways
from incident.exposures.gates import Gate, acl_gate, block_gate, routes_gate
from incident.exposures.visible import Visible

NOT_READ = "(not read)"
"""Stands for the resource where not even the list of what there is was read."""


class Verdict(StrEnum):
    """Whether the internet reaches something."""

    OPEN = "open"
    UNKNOWN = "unknown"
    OUT_ONLY = "out only"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Hop:
    """One place on the way: its id and what it does there."""

    resource: str
    words: str

    def __str__(self) -> str:
        return f"{self.words} [{self.resource}]" if self.resource else self.words


@dataclass(frozen=True)
class Exposure:
    """One address of one thing, and what of it the internet reaches.

    Attributes:
        what: `interface` or `load balancer`, or what of them was not read at all.
        instance: the instance that the interface is attached to, if any.
        reached: the packets that surely arrive; `perhaps` those that may, as far as was read.
        path: from the public address inwards.
        unknown: what was not read and would be needed.
        behind: where a load balancer sends what it takes.
        boxes: `reached` as packets; `maybe` those of `perhaps`.
    """

    account: str
    region: str
    what: str
    resource: str
    verdict: Verdict
    address: str = ""
    version: Version = 4
    instance: str = ""
    reached: tuple[Way, ...] = ()
    perhaps: tuple[Way, ...] = ()
    path: tuple[Hop, ...] = ()
    unknown: tuple[str, ...] = ()
    behind: tuple[Hop, ...] = ()
    boxes: Boxes = field(default_factory=Boxes, compare=False, repr=False)
    maybe: Boxes = field(default_factory=Boxes, compare=False, repr=False)

    @property
    def place(self) -> tuple[str, str, str, int]:
        """What tells exposures apart: a public address may change while the way in stays."""
        return self.account, self.region, self.resource, self.version

    def in_words(self) -> str:
        """One line; names in it are as AWS gave them."""
        opened = "; ".join(map(str, self.reached or self.perhaps)) or "nothing"
        via = " → ".join(map(str, self.path))
        missing = f"; not known: {', '.join(self.unknown)}" if self.unknown else ""
        subject = f"{self.what} {self.resource}" + (f" of instance {self.instance}" if self.instance else "")
        return f"{subject} ({self.account} {self.region}): {self.verdict}: {opened}; {via}{missing}"


def subnet_gates(seen: Visible, subnet: str, version: Version) -> list[Gate]:
    """The gates between the internet and a subnet."""
    return [routes_gate(seen, subnet, version), block_gate(seen, subnet, version), acl_gate(seen, subnet, version)]


def through(
    seen: Visible, gates: Iterable[Gate], *, what: str, resource: str, address: str, version: Version, instance: str, first: Hop
) -> Exposure:
    """What is left of the internet's packets behind a row of gates."""
    sure: Boxes = list(internet(version))
    may: Boxes = list(internet(version))
    path, unknown = [first], list[str]()
    for gate in gates:
        sure, may = common(sure, gate.sure), common(may, gate.may)
        path += [Hop(resource, words) for resource, words in gate.hops]
        unknown += gate.unknown
    verdict = Verdict.OPEN if sure else Verdict.UNKNOWN if may else Verdict.CLOSED
    return Exposure(
        seen.scope.account,
        seen.scope.region,
        what,
        resource,
        verdict,
        address,
        version,
        instance,
        ways(version, sure),
        ways(version, minus(may, sure)),
        tuple(path),
        tuple(dict.fromkeys(unknown)) if may else (),
        boxes=sure,
        maybe=minus(may, sure),
    )


def in_subnets(
    seen: Visible,
    subnets: Iterable[str],
    gates: Sequence[Gate],
    *,
    what: str,
    resource: str,
    address: str,
    version: Version,
    first: Hop,
) -> Exposure:
    """Of what has an address in each of its subnets: the widest, for a client may take any."""
    found = [
        through(
            seen,
            [*subnet_gates(seen, subnet, version), *gates],
            what=what,
            resource=resource,
            address=address,
            version=version,
            instance="",
            first=first,
        )
        for subnet in subnets
    ]
    widest = min(found, key=lambda one: list(Verdict).index(one.verdict))
    boxes = union(box for one in found for box in one.boxes)
    maybe = minus(union(box for one in found for box in one.maybe), boxes)
    return replace(widest, boxes=boxes, maybe=maybe, reached=ways(version, boxes), perhaps=ways(version, maybe))


def newly_open(before: Iterable[Exposure], after: Iterable[Exposure]) -> list[Exposure]:
    """What is open after and was not open before, each with only the packets that are new."""
    had: dict[tuple[str, str, str, int], Boxes] = {}
    for one in before:
        had[one.place] = union([*had.get(one.place, []), *one.boxes])
    found: list[Exposure] = []
    for one in after:
        new = minus(one.boxes, had.get(one.place, []))
        if new:
            found.append(_reduced(one, new))
    return found


def _reduced(one: Exposure, boxes: Boxes) -> Exposure:
    return replace(one, boxes=boxes, reached=ways(one.version, boxes), verdict=Verdict.OPEN)
