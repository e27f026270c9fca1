"""Which flow logs there are, in every account and region, and which interfaces none of them watches."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from incident.family import Read, Scope
from incident.flow_log_places import FlowLog, Interface, coverage_gaps, read_flow_log
from tasks.aws import DENIED, Aws, AwsError

_SIDE_BY_SIDE = 8


@dataclass(frozen=True)
class Place:
    """A region of an account.

    Attributes:
        status: `covered`, `denied` or `failed`.
        why: AWS's reason where it is not covered.
        logs: the flow logs that are there.
        gaps: which interfaces none of them watches, a sentence each.
    """

    scope: Scope
    status: str
    why: str = ""
    logs: tuple[FlowLog, ...] = ()
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundLogs:
    """The flow logs of every place that was asked."""

    places: tuple[Place, ...]

    @property
    def logs(self) -> tuple[FlowLog, ...]:
        return tuple(log for place in self.places for log in place.logs)

    @property
    def gaps(self) -> tuple[str, ...]:
        unread = [f"{one.scope.account} {one.scope.region}: which flow logs there are: {one.why}" for one in self.places if one.why]
        return (*unread, *(gap for place in self.places for gap in place.gaps))


def find_flow_logs(aws: Aws, accounts: Iterable[str], region: str = "", of: str = "") -> FoundLogs:
    """Ask every region of the accounts. What AWS does not tell is a gap, and nothing is raised for it.

    Args:
        aws: who asks.
        accounts: the accounts to ask.
        region: the only region to ask; all enabled ones if empty.
        of: the VPC, subnet or interface whose traffic is asked for; everything if empty.
    """
    places: list[Place] = []
    scopes: list[Scope] = []
    for account in accounts:
        try:
            scopes += [Scope(account, name) for name in ((region,) if region else aws.regions(account).enabled)]
        except AwsError as error:
            places.append(Place(Scope(account, "all regions"), _status(error), str(error)))
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        places += pool.map(lambda scope: _place(aws, scope, of), scopes)
    return FoundLogs(tuple(places))


def _place(aws: Aws, scope: Scope, of: str) -> Place:
    try:
        pages = list(aws.read_all(scope, Read("ec2", "DescribeFlowLogs")))
    except AwsError as error:
        return Place(scope, _status(error), str(error))
    logs = [read_flow_log(scope.account, scope.region, told) for page in pages for told in page["FlowLogs"]]
    try:
        interfaces = _interfaces(aws, scope)
    except AwsError as error:
        gap = f"{scope.account} {scope.region}: which interfaces there are: {error}"
        return Place(scope, "covered", "", tuple(log for log in logs if of in ("", log.resource)), (gap,))
    if of:
        interfaces = [one for one in interfaces if of in one.watched_as]
        # A VPC's own log tells of a subnet of it; a subnet's and an interface's tell of a part of it.
        near = frozenset[str]().union({of}, *(one.watched_as for one in interfaces))
        logs = [log for log in logs if log.resource in near]
    return Place(scope, "covered", "", tuple(logs), tuple(coverage_gaps(f"{scope.account} {scope.region}", interfaces, logs)))


def _interfaces(aws: Aws, scope: Scope) -> list[Interface]:
    return [
        Interface(one["NetworkInterfaceId"], one.get("SubnetId", ""), one.get("VpcId", ""))
        for page in aws.read_all(scope, Read("ec2", "DescribeNetworkInterfaces"))
        for one in page["NetworkInterfaces"]
    ]


def _status(error: AwsError) -> str:
    return "denied" if error.code in DENIED else "failed"
