"""Classic load balancers as they are, and the instances behind them: records of these balancers are not understood.

https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DeregisterInstancesFromLoadBalancer.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Read, Scope
from incident.network.kinds import Kind, family, immutable, seen
from incident.network.service import Service
from incident.network.values import identifiers, mapping, structures, text, whole
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value

CLASSIC_ELB = Service("elb", "elasticloadbalancing")
BALANCER = "classic-load-balancer"
MEMBER = "classic-load-balancer-member"


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for balancer in structures(answer.get("LoadBalancerDescriptions")):
        yield seen(scope, BALANCER, balancer.get("LoadBalancerName"), _balancer(balancer))
        for instance in identifiers(balancer.get("Instances"), "InstanceId"):
            yield seen(scope, MEMBER, balancer.get("LoadBalancerName"), {}, instance)


def _balancer(told: JsonObject) -> dict[str, Any]:
    """What the way from the internet is judged by."""
    listeners = [mapping(one.get("Listener")) for one in structures(told.get("ListenerDescriptions"))]
    ports = [{"Protocol": text(one.get("Protocol")), "Port": whole(one.get("LoadBalancerPort"))} for one in listeners]
    lists = {name: sorted(identifiers(told.get(name))) for name in ("Subnets", "SecurityGroups")}
    plain = {"Scheme": text(told.get("Scheme")), "DNSName": text(told.get("DNSName")), "VpcId": text(told.get("VPCId"))}
    return {**plain, **lists, "Listeners": sorted(ports, key=str)}


def _read(key: SettingKey) -> Read:
    return CLASSIC_ELB.read("DescribeLoadBalancers", LoadBalancerNames=[key.resource])


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    operation = "DeregisterInstancesFromLoadBalancer" if wanted is None else "RegisterInstancesWithLoadBalancer"
    return CLASSIC_ELB.call(operation, {"LoadBalancerName": key.resource, "Instances": [{"InstanceId": key.name}]})


CLASSIC_BALANCERS = family(
    Kind(BALANCER, 60, _read, lambda key, live, wanted: immutable(key.resource)),
    Kind(MEMBER, 11, _read, _change),
    service=CLASSIC_ELB.source,
    readers={},
    observers={"DescribeLoadBalancers": _observe},
    inventory=(CLASSIC_ELB.read("DescribeLoadBalancers"),),
    absent_codes=("LoadBalancerNotFound", "AccessPointNotFound"),
    acts={
        MEMBER: Acts(
            sets=("elasticloadbalancing:RegisterInstancesWithLoadBalancer",),
            removes=("elasticloadbalancing:DeregisterInstancesFromLoadBalancer",),
        )
    },
)
