"""What the internet reaches beside interfaces and newer load balancers: classic balancers, databases, function URLs, clusters.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_VPC.WorkingWithRDSInstanceinaVPC.html
https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, get_args

from incident.exposures.boxes import Box, Boxes, Version, common, everything, minus, network, union, ways
from incident.exposures.exposure import Exposure, Hop, Verdict, in_subnets, subnet_gates, through
from incident.exposures.gates import Gate, groups_gate
from incident.exposures.visible import Visible
from incident.network.values import identifiers, items, mapping, structures, text, whole
from incident.settings import Value

ENDPOINTS = (
    ("classic-load-balancer", "classic load balancers"),
    ("database", "databases"),
    ("function", "function URLs"),
    ("cluster", "clusters"),
)
_TCP, _HTTPS = (6, 6), (443, 443)
_URL, _NAME = "lambda:InvokeFunctionUrl", "lambda:InvokeFunction"


def endpoint_exposures(seen: Visible) -> Iterator[Exposure]:
    """Every classic load balancer, database, function URL and cluster's API of a region."""
    for name, values in seen.resources("classic-load-balancer").items():
        yield _classic(seen, name, mapping(values.get("")))
    for name, values in seen.resources("database").items():
        yield _database(seen, name, mapping(values.get("")))
    for function, values in seen.resources("function-url").items():
        for qualifier, value in values.items():
            yield from _function_url(seen, function, qualifier, text(mapping(value).get("AuthType")))
    for cluster in seen.resources("cluster"):
        yield _cluster(seen, cluster, seen.value("cluster-endpoint", cluster, "endpoint"))


def _closed(seen: Visible, what: str, resource: str, why: str) -> Exposure:
    return Exposure(seen.scope.account, seen.scope.region, what, resource, Verdict.CLOSED, path=(Hop(resource, why),))


def _ports(version: Version, ports: list[int], resource: str, words: str) -> Gate:
    boxes: Boxes = union(everything(version)._replace(protocols=_TCP, ports=(port, port)) for port in ports)
    return Gate(boxes, boxes, ((resource, words),))


# --- classic load balancers ---------------------------------------------------------------------------------------------------


def _classic(seen: Visible, name: str, told: Mapping[str, Any]) -> Exposure:
    what = "classic load balancer"
    if text(told.get("Scheme")) == "internal":
        return _closed(seen, what, name, "internal load balancer: it has no public address")
    ports = [port for one in structures(told.get("Listeners")) if (port := whole(one.get("Port"))) is not None]
    found = in_subnets(
        seen,
        identifiers(told.get("Subnets")) or [""],
        [
            _ports(4, ports, name, f"listeners TCP {', '.join(map(str, sorted(set(ports)))) or 'none'}"),
            groups_gate(seen, identifiers(told.get("SecurityGroups")), 4),
        ],
        what=what,
        resource=name,
        address=text(told.get("DNSName")),
        version=4,
        first=Hop(name, "internet-facing classic load balancer"),
    )
    behind = tuple(Hop(instance, f"instance {instance} behind it") for instance in seen.named("classic-load-balancer-member", name))
    return replace(found, behind=behind) if found.verdict in (Verdict.OPEN, Verdict.UNKNOWN) else found


# --- databases ----------------------------------------------------------------------------------------------------------------


def _database(seen: Visible, name: str, told: Mapping[str, Any]) -> Exposure:
    """A public instance stands in one of its group's subnets, and after a failover in another: only what all let in is sure."""
    public = seen.value("database-attribute", name, "PubliclyAccessible")
    if public is False:
        return _closed(seen, "database", name, "it is not publicly accessible")
    groups = seen.value("database-attribute", name, "VpcSecurityGroupIds")
    port = whole(told.get("Port"))
    gates = [groups_gate(seen, identifiers(groups) if groups is not None else None, 4), _port(name, told, port)]
    if public is None:
        gates.append(Gate([], [everything(4)], (), (f"whether {name} is publicly accessible",)))
    found = [
        through(
            seen,
            [*subnet_gates(seen, subnet, 4), *gates],
            what="database",
            resource=name,
            address=name,
            version=4,
            instance="",
            first=Hop(name, f"{text(told.get('Engine'))} database, publicly accessible"),
        )
        for subnet in identifiers(told.get("SubnetIds")) or [""]
    ]
    return _wherever(found)


def _port(name: str, told: Mapping[str, Any], port: int | None) -> Gate:
    if port is None:
        return Gate([], [everything(4)._replace(protocols=_TCP)], (), (f"the port of {name}",))
    return _ports(4, [port], name, f"{text(told.get('Engine'))} listens on TCP {port}")


def _wherever(found: list[Exposure]) -> Exposure:
    sure: Boxes = found[0].boxes
    for one in found[1:]:
        sure = common(sure, one.boxes)
    may = minus(union(box for one in found for box in (*one.boxes, *one.maybe)), sure)
    verdict = Verdict.OPEN if sure else Verdict.UNKNOWN if may else Verdict.CLOSED
    shown = min(found, key=lambda one: list(Verdict).index(one.verdict))
    unknown = shown.unknown
    if len({tuple(sorted(one.boxes)) for one in found}) > 1:
        unknown = (*unknown, f"in which of its subnets {shown.resource} stands: they are not all reached alike")
    return replace(
        shown, verdict=verdict, boxes=sure, maybe=may, reached=ways(4, sure), perhaps=ways(4, may), unknown=unknown if may else ()
    )


# --- function URLs ------------------------------------------------------------------------------------------------------------


def _function_url(seen: Visible, function: str, qualifier: str, auth: str) -> Iterator[Exposure]:
    resource = function if qualifier == "$LATEST" else f"{function}:{qualifier}"
    if auth != "NONE":
        yield _closed(seen, "function URL", resource, f"its callers must sign: AuthType {auth}")
        return
    for version in get_args(Version):
        at = Box(_TCP, everything(version).addresses, _HTTPS)
        yield through(
            seen,
            [
                Gate([at], [at], ((resource, "HTTPS on TCP 443, AuthType NONE: callers need not sign"),)),
                _policy_gate(seen, function, qualifier, version),
            ],
            what="function URL",
            resource=resource,
            address="",
            version=version,
            instance="",
            first=Hop(resource, "function URL on the internet"),
        )


def _policy_gate(seen: Visible, function: str, qualifier: str, version: Version) -> Gate:
    """Whether the function's policy lets everybody call. URLs made since October 2025 need leave for the function as well."""
    every = [everything(version)]
    if not seen.read_all_of("function-permission"):
        return Gate([], every, (), (f"the policy of {function}",))
    named = "" if qualifier == "$LATEST" else qualifier
    found = {
        name.partition(" ")[0]: mapping(value)
        for name, value in seen.named("function-permission", function).items()
        if name.partition(" ")[2] == named and _may_be_anybody(mapping(value))
    }
    refusing = {name: value for name, value in found.items() if value.get("Effect") == "Deny" and _is_about(value, _URL, _NAME)}
    if any(map(_holds_for_all, refusing.values())):
        return Gate([], [], ((function, f"its policy denies everybody: {', '.join(refusing)}"),))
    allowing = {name: value for name, value in found.items() if value.get("Effect") != "Deny"}
    by_url = [name for name, value in allowing.items() if _is_about(value, _URL) and _holds_for_all(value)]
    by_name = [name for name, value in allowing.items() if _is_about(value, _NAME) and _holds_for_all(value)]
    hops = tuple((function, f"its policy lets everybody call: {name}") for name in by_url)
    narrowed = [name for name, value in allowing.items() if _is_about(value, _URL)]
    if not narrowed:
        return Gate([], [], ((function, "its policy lets nobody call without signing"),))
    if refusing or not by_url:
        return Gate([], every, hops, (f"what the conditions of {', '.join([*refusing, *narrowed])} let through",))
    if by_name:
        return Gate(every, every, hops)
    why = f"whether the URL of {function} is older than October 2025, and so needs no leave for the function itself"
    return Gate([], every, hops, (why,))


def _may_be_anybody(statement: Mapping[str, Any]) -> bool:
    """Whether a caller who does not sign may be one of its principals; an exception of somebody is everybody else."""
    return statement.get("Principal") == "*" or "*" in identifiers(statement.get("Principal")) or "NotPrincipal" in statement


def _is_about(statement: Mapping[str, Any], *actions: str) -> bool:
    """Whether a statement speaks of one of the actions, by name or by a pattern."""
    if "NotAction" in statement:
        return any(not _names(statement["NotAction"], action) for action in actions)
    return any(_names(statement.get("Action"), action) for action in actions)


def _names(told: Any, action: str) -> bool:
    return any(fnmatchcase(action.lower(), text(one).lower()) for one in (items(told) or [told]))


def _holds_for_all(statement: Mapping[str, Any]) -> bool:
    """Whether no condition or exception narrows a statement to less than every caller of the URL."""
    rest = {name: value for name, value in statement.items() if name not in ("Action", "Effect", "NotAction", "Principal")}
    return (
        rest.pop("FunctionUrlAuthType", "NONE") == "NONE" and text(rest.pop("InvokedViaFunctionUrl", "true")) == "true" and not rest
    )


# --- clusters -----------------------------------------------------------------------------------------------------------------


def _cluster(seen: Visible, name: str, endpoint: Value) -> Exposure:
    """A cluster's API is reached from the networks that it names; whoever comes must still authenticate."""
    told = mapping(endpoint)
    if told.get("PublicAccess") is False:
        return _closed(seen, "cluster", name, "its API has no public endpoint")
    if not told:
        gate = Gate([], [everything(4)._replace(protocols=_TCP, ports=_HTTPS)], (), (f"whether the API of {name} is public",))
    else:
        named = identifiers(told.get("PublicAccessCidrs"))
        ranges = [found[1] for cidr in named if (found := network(cidr)) is not None and found[0] == 4]
        boxes: Boxes = union(Box(_TCP, addresses, _HTTPS) for addresses in ranges)
        gate = Gate(boxes, boxes, ((name, f"it lets in {', '.join(named)}"),))
    first = Hop(name, "Kubernetes API on a public endpoint, TCP 443")
    return through(seen, [gate], what="cluster", resource=name, address="", version=4, instance="", first=first)
