"""Instances behind classic load balancers, as far as isolation needs them: records of these balancers are not understood.

https://docs.aws.amazon.com/elasticloadbalancing/2012-06-01/APIReference/API_DeregisterInstancesFromLoadBalancer.html
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Acts, Change, Read, Scope
from incident.network.kinds import Kind, family, seen
from incident.network.service import Service
from incident.network.values import identifiers, structures
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value

CLASSIC_ELB = Service("elb", "elasticloadbalancing")
MEMBER = "classic-load-balancer-member"


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for balancer in structures(answer.get("LoadBalancerDescriptions")):
        for instance in identifiers(balancer.get("Instances"), "InstanceId"):
            yield seen(scope, MEMBER, balancer.get("LoadBalancerName"), {}, instance)


def _read(key: SettingKey) -> Read:
    return CLASSIC_ELB.read("DescribeLoadBalancers", LoadBalancerNames=[key.resource])


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    operation = "DeregisterInstancesFromLoadBalancer" if wanted is None else "RegisterInstancesWithLoadBalancer"
    return CLASSIC_ELB.call(operation, {"LoadBalancerName": key.resource, "Instances": [{"InstanceId": key.name}]})


CLASSIC_BALANCERS = family(
    Kind(MEMBER, 11, _read, _change),
    service=CLASSIC_ELB.source,
    readers={},
    observers={"DescribeLoadBalancers": _observe},
    inventory=(),
    absent_codes=("LoadBalancerNotFound", "AccessPointNotFound"),
    acts={
        MEMBER: Acts(
            sets=("elasticloadbalancing:RegisterInstancesWithLoadBalancer",),
            removes=("elasticloadbalancing:DeregisterInstancesFromLoadBalancer",),
        )
    },
)
