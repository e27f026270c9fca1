"""What of the actor others can look for: addresses, access keys, user agents, and the techniques that their calls show."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from incident.actor import program
from incident.exposures.exposed import SECTIONS
from incident.ledger import Kind, Line
from incident.reports.attack import Technique, techniques
from incident.reports.case_file import CaseFile


@dataclass(frozen=True, slots=True)
class Indicator:
    """One value; `kind` is `address`, `access-key` or `user-agent`. `first` and `last` are when it was seen, UTC."""

    kind: str
    value: str
    first: datetime
    last: datetime
    calls: int


@dataclass(frozen=True)
class Indicators:
    """All of them, in the order in which they were first seen, with the findings' types and the programs that the agents name."""

    incident: str
    opened: datetime
    at: datetime
    head: str
    indicators: tuple[Indicator, ...]
    programs: tuple[str, ...]
    techniques: tuple[Technique, ...]
    finding_types: tuple[str, ...]


def indicators(lines: Sequence[Line], *, outsiders: bool = False) -> Indicators:
    """Gather them.

    Args:
        outsiders: leave access keys out: they are our own principals', and the account's id can be computed from one.
    """
    case = CaseFile(lines)
    found = [*_addresses(case), *([] if outsiders else _keys(case)), *_agents(case)]
    seen, _ = techniques(case.calls)
    agents = [str(one["agent"]) for one in case.means.get("agents", ())]
    return Indicators(
        incident=lines[0].incident,
        opened=lines[0].at,
        at=lines[-1].at,
        head=lines[-1].hash,
        indicators=tuple(sorted(found, key=lambda one: (one.first, one.kind, one.value))),
        programs=tuple(dict.fromkeys(filter(None, (program(agent) for agent in agents)))),
        techniques=tuple(one.technique for one in seen),
        finding_types=tuple(type_ for type_ in case.finding_types if type_),
    )


def own_addresses(lines: Iterable[Line]) -> frozenset[str]:
    """Addresses that are ours though the actor may have acted from them: the owner's, and those of our interfaces."""
    own: set[str] = set()
    for line in lines:
        if line.kind == Kind.ACTOR:
            own |= set(line.body["owner_addresses"])
        elif line.kind == Kind.EXPOSURES:
            own |= {str(one["address"]) for name in SECTIONS for one in line.body.get(name, ()) if one.get("address")}
        elif line.kind == Kind.TRAFFIC:
            own |= {str(row[end]) for row in line.body["rows"] for end in ("srcaddr", "dstaddr")} - set(line.body["addresses"])
    return frozenset(own)


def actor_addresses(lines: Sequence[Line]) -> list[str]:
    """The public addresses from which the actor's calls came, whichever of their credentials made them; none that is ours."""
    return sorted(one.value for one in _addresses(CaseFile(lines)))


def is_public(text: str) -> bool:
    """Whether a text is an IP address that is none of a private network's."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not any(address in network for network in _PRIVATE if network.version == address.version)


_PRIVATE = [
    ipaddress.ip_network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16")
] + [ipaddress.ip_network(one) for one in ("::1/128", "fc00::/7", "fe80::/10")]


def _addresses(case: CaseFile) -> list[Indicator]:
    own = own_addresses(case.lines)
    rows = [(call.address, call.at, call.until, call.count) for call in case.calls]
    return [one for one in _counted("address", rows) if is_public(one.value) and one.value not in own]


def _keys(case: CaseFile) -> list[Indicator]:
    return _counted("access-key", [(call.key, call.at, call.until, call.count) for call in case.calls])


def _agents(case: CaseFile) -> list[Indicator]:
    last = max((call.until for call in case.calls), default=None)
    rows = [
        (str(one["agent"]), datetime.fromisoformat(one["first"]), last, int(one["calls"])) for one in case.means.get("agents", ())
    ]
    return _counted("user-agent", [(value, first, last or first, calls) for value, first, last, calls in rows])


def _counted(kind: str, rows: Iterable[tuple[str, datetime, datetime, int]]) -> list[Indicator]:
    found: dict[str, Indicator] = {}
    for value, first, last, calls in rows:
        held = found.get(value)
        if value:
            first, last = (min(first, held.first), max(last, held.last)) if held else (first, last)
            found[value] = Indicator(kind, value, first, last, calls + (held.calls if held else 0))
    return list(found.values())
