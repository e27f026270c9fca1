"""Sets of packets as boxes: a range of protocols, of addresses on the far side, and of ports on ours.

Ranges are inclusive. For ICMP the port is the type. Every function takes and gives lists whose boxes do not overlap.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Literal, NamedTuple

Version = Literal[4, 6]
Range = tuple[int, int]

PORTS: Range = (0, 65535)
PROTOCOLS: Range = (0, 255)
_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 58: "icmpv6"}
_NOT_THE_INTERNET = ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")


class Box(NamedTuple):
    """Packets by protocol, far address (as a number) and own port."""

    protocols: Range
    addresses: Range
    ports: Range


Boxes = list[Box]


def network(cidr: str) -> tuple[Version, Range] | None:
    """The IP version and the addresses of a network; `None` where the text is none."""
    try:
        found = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return None
    return (4 if found.version == 4 else 6), (int(found.network_address), int(found.broadcast_address))


@cache
def everything(version: Version) -> Box:
    """Every packet of one IP version, wherever it comes from."""
    return Box(PROTOCOLS, (0, (1 << (32 if version == 4 else 128)) - 1), PORTS)


@cache
def internet(version: Version) -> tuple[Box, ...]:
    """Every packet whose sender can be on the internet: no private, local or multicast address; of IPv6 the global unicast ones."""
    if version == 6:
        low = int(ipaddress.ip_address("2000::"))
        return (Box(PROTOCOLS, (low, 2 * low - 1), PORTS),)
    outside = [Box(PROTOCOLS, ranged[1], PORTS) for ranged in map(network, (*_NOT_THE_INTERNET, "224.0.0.0/3")) if ranged]
    return tuple(minus([everything(4)], outside))


def _common_range(one: Range, other: Range) -> Range | None:
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low <= high else None


def meet(one: Box, other: Box) -> Box | None:
    """What two boxes have in common."""
    protocols = _common_range(one.protocols, other.protocols)
    addresses = _common_range(one.addresses, other.addresses)
    ports = _common_range(one.ports, other.ports)
    return Box(protocols, addresses, ports) if protocols and addresses and ports else None


def _cut(box: Box, hole: Box) -> Boxes:
    """A box without another one, in at most six pieces."""
    inner = meet(box, hole)
    if inner is None:
        return [box]
    pieces: Boxes = []
    rest = box
    for side in ("protocols", "addresses", "ports"):
        (low, high), (start, end) = getattr(rest, side), getattr(inner, side)
        if low < start:
            pieces.append(rest._replace(**{side: (low, start - 1)}))
        if end < high:
            pieces.append(rest._replace(**{side: (end + 1, high)}))
        rest = rest._replace(**{side: (start, end)})
    return pieces


def minus(boxes: Iterable[Box], holes: Iterable[Box]) -> Boxes:
    """What is in the first set and not in the second."""
    rest = list(boxes)
    for hole in holes:
        rest = [piece for box in rest for piece in _cut(box, hole)]
    return rest


def common(boxes: Iterable[Box], others: Sequence[Box]) -> Boxes:
    """What is in both sets. The second one's boxes may overlap."""
    rest, found = list(boxes), list[Box]()
    for other in others:
        found += [inner for box in rest if (inner := meet(box, other))]
        rest = minus(rest, [other])
    return found


def union(boxes: Iterable[Box]) -> Boxes:
    """The same packets in boxes that do not overlap."""
    found: Boxes = []
    for box in boxes:
        found += minus([box], found)
    return found


class Way(NamedTuple):
    """Packets as a person reads them: `tcp`, `22` or `80-443`, and the networks that they may come from."""

    protocol: str
    ports: str
    sources: tuple[str, ...]

    def __str__(self) -> str:
        shown = ", ".join(self.sources[:4]) + (f" and {len(self.sources) - 4} more" if len(self.sources) > 4 else "")
        return f"{self.protocol}{f' {self.ports}' if self.ports else ''} from {shown}"


def ways(version: Version, boxes: Iterable[Box]) -> tuple[Way, ...]:
    """Packets in words, those of one protocol and range of ports together."""
    together: dict[tuple[Range, Range], list[Range]] = {}
    for box in boxes:
        together.setdefault((box.protocols, box.ports), []).append(box.addresses)
    world = sorted(box.addresses for box in internet(version))
    found: list[Way] = []
    for (protocols, ports), ranges in sorted(together.items()):
        joined = _joined(ranges)
        anywhere = joined == _joined(world)
        sources = (f"anywhere (IPv{version})",) if anywhere else tuple(cidr for one in joined for cidr in _cidrs(version, one))
        found.append(Way(_protocol_name(protocols), _ports_name(protocols, ports), sources))
    return tuple(found)


def _joined(ranges: Iterable[Range]) -> list[Range]:
    found: list[Range] = []
    for low, high in sorted(ranges):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], high))
        else:
            found.append((low, high))
    return found


def _cidrs(version: Version, addresses: Range) -> list[str]:
    if version == 4:
        first4, last4 = (ipaddress.IPv4Address(one) for one in addresses)
        return [str(one) for one in ipaddress.summarize_address_range(first4, last4)]
    first6, last6 = (ipaddress.IPv6Address(one) for one in addresses)
    return [str(one) for one in ipaddress.summarize_address_range(first6, last6)]


def _protocol_name(protocols: Range) -> str:
    if protocols == PROTOCOLS:
        return "every protocol"
    if protocols[0] == protocols[1]:
        return _NAMES.get(protocols[0], f"protocol {protocols[0]}")
    return f"protocols {protocols[0]}-{protocols[1]}"


def _ports_name(protocols: Range, ports: Range) -> str:
    if ports == PORTS:
        return ""
    shown = f"{ports[0]}" if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"
    return f"type {shown}" if protocols in ((1, 1), (58, 58)) else shown
