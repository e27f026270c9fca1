"""What the internet reaches in one region, and by which path.

A packet from the internet reaches an interface where it has a public address, the answer is routed to the internet gateway of its
VPC, no public access block forbids it, the subnet's network ACL lets it in and lets the answer out, and a security group lets it
in. Each is a gate: the packets that it surely lets through, and those that it may let through as far as was read. A gate that was
not read may let everything through: the verdict is then `unknown`, never `closed`.

The client chooses its own port, so an ACL that lets the answer out to any port lets it out. What is sent without hope of an answer
is not counted.
https://docs.aws.amazon.com/vpc/latest/userguide/VPC_Internet_Gateway.html
https://docs.aws.amazon.com/vpc/latest/userguide/vpc-network-acls.html
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.exposures.balancers import balancer_exposures
from incident.exposures.boxes import Version, common, internet, network
from incident.exposures.endpoints import ENDPOINTS, endpoint_exposures
from incident.exposures.exposure import NOT_READ, Exposure, Hop, Verdict, subnet_gates, through
from incident.exposures.gates import groups_gate, leads_out
from incident.exposures.visible import Visible
from incident.network.values import identifiers, mapping, text

_ADDRESSES = ("network-interface-public-address", "address-association", "network-interface-address")


def exposures(seen: Visible) -> list[Exposure]:
    """Everything of a region that may be reached, with what the internet reaches of it, the open ones first."""
    found = [*_interfaces(seen), *balancer_exposures(seen), *endpoint_exposures(seen), *_not_read(seen)]
    return sorted(found, key=lambda one: (list(Verdict).index(one.verdict), one.what, one.resource, one.version))


# --- interfaces ---------------------------------------------------------------------------------------------------------------


def _interfaces(seen: Visible) -> Iterator[Exposure]:
    for interface in seen.resources("network-interface"):
        public = [*_public_addresses(seen, interface)]
        for address, version, hop in public:
            yield _judged(seen, interface, address, version, hop)
        # With an IPv6 address it may still have one of IPv4 that was not read.
        read = all(map(seen.read_all_of, _ADDRESSES))
        if not public or (not read and all(version != 4 for _, version, _ in public)):
            yield _without_address(seen, interface)


def _public_addresses(seen: Visible, interface: str) -> Iterator[tuple[str, Version, Hop]]:
    """The addresses by which the internet can name an interface: one of each version is enough to judge by."""
    instance = seen.told("network-interface-attachment", interface, "InstanceId")
    four = list[tuple[str, Version, Hop]]()
    elastic = {seen.told("address", allocation, "PublicIp") for allocation in seen.resources("address")}
    for value in seen.named("network-interface-public-address", interface).values():
        public = text(mapping(value).get("PublicIp"))
        if public not in elastic:
            four.append((public, 4, Hop(interface, f"public address {public}, which AWS assigned")))
    for allocation, values in seen.resources("address-association").items():
        where = mapping(values.get(""))
        if interface == where.get("NetworkInterfaceId") or (instance and instance == where.get("InstanceId")):
            public = seen.told("address", allocation, "PublicIp")
            four.append((public, 4, Hop(allocation, f"Elastic IP address {public}")))
    yield from sorted(four, key=lambda one: one[0])[:1]
    six = sorted(name for name in seen.named("network-interface-address", interface) if ":" in name and _is_global(name))
    for name in six[:1]:
        yield name, 6, Hop(interface, f"IPv6 address {name}")


def _is_global(address: str) -> bool:
    found = network(address)
    return found is not None and found[0] == 6 and bool(common(internet(6), [internet(6)[0]._replace(addresses=found[1])]))


def _judged(seen: Visible, interface: str, address: str, version: Version, hop: Hop) -> Exposure:
    subnet = seen.told("network-interface", interface, "SubnetId")
    groups = seen.value("network-interface-attribute", interface, "Groups")
    gates = [*subnet_gates(seen, subnet, version), groups_gate(seen, identifiers(groups) if groups is not None else None, version)]
    return through(
        seen,
        gates,
        what="interface",
        resource=interface,
        address=address,
        version=version,
        instance=seen.told("network-interface-attachment", interface, "InstanceId"),
        first=hop,
    )


def _without_address(seen: Visible, interface: str) -> Exposure:
    """Nobody on the internet can name it; it may still reach out through a NAT gateway."""
    subnet = seen.told("network-interface", interface, "SubnetId")
    missing = tuple(f"the public addresses ({kind}) of {interface}" for kind in _ADDRESSES if not seen.read_all_of(kind))
    instance = seen.told("network-interface-attachment", interface, "InstanceId")
    where = (seen.scope.account, seen.scope.region, "interface", interface)
    if missing:
        return Exposure(*where, Verdict.UNKNOWN, instance=instance, unknown=missing)
    way_out = leads_out(seen, subnet)
    if way_out:
        return Exposure(*where, Verdict.OUT_ONLY, instance=instance, path=tuple(Hop(*hop) for hop in way_out))
    return Exposure(*where, Verdict.CLOSED, instance=instance, path=(Hop(interface, "no public address"),))


_LISTED = (("network-interface", "interfaces"), ("load-balancer", "load balancers"), *ENDPOINTS)
"""The kinds whose resources are judged, and how many of them are called."""


def _not_read(seen: Visible) -> Iterator[Exposure]:
    """Where not even the list of what there is was read, and addresses of interfaces that the list does not show."""
    for kind, what in _LISTED:
        if not seen.read_all_of(kind):
            unknown = (f"which {what} there are: not all of them were read",)
            yield Exposure(seen.scope.account, seen.scope.region, what, NOT_READ, Verdict.UNKNOWN, unknown=unknown)
    natted = {text(mapping(values.get("")).get("AllocationId")) for values in seen.resources("nat-gateway").values()}
    natted |= {name for values in seen.resources("nat-gateway-address").values() for name in values}
    for allocation, values in seen.resources("address-association").items():
        interface = text(mapping(values.get("")).get("NetworkInterfaceId"))
        if interface and allocation not in natted and interface not in seen.resources("network-interface"):
            public = seen.told("address", allocation, "PublicIp")
            hop = Hop(allocation, f"Elastic IP address {public} on {interface}")
            unknown = (f"{interface}: an AWS service manages it, or it is not read; look at the service",)
            where = (seen.scope.account, seen.scope.region, "interface", interface)
            yield Exposure(*where, Verdict.UNKNOWN, address=public, path=(hop,), unknown=unknown)
