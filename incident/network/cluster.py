"""EKS clusters: whether the internet reaches a cluster's API, and from which networks.

Read only: what changes one is listed by name, and its owner sets it back.
https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Change, Read, Scope, Unrestorable
from incident.network.kinds import Kind, family, immutable, seen
from incident.network.service import Service
from incident.network.values import flag, items, mapping, text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value

EKS = Service("eks", "eks")
CLUSTER = "cluster"
ENDPOINT = "cluster-endpoint"


def _read(key: SettingKey) -> Read:
    return EKS.read("DescribeCluster", name=key.resource)


def _list(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for name in items(answer.get("clusters")):
        yield seen(scope, CLUSTER, text(name), {})


def _endpoint(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    cluster = mapping(answer.get("cluster"))
    name, told = text(cluster.get("name")), mapping(cluster.get("resourcesVpcConfig"))
    if not name:
        return
    # Where none are told, AWS lets every network in.
    networks = sorted(map(text, items(told.get("publicAccessCidrs")))) or ["0.0.0.0/0"]
    value = {"PublicAccess": flag(told.get("endpointPublicAccess")), "PublicAccessCidrs": networks}
    yield seen(scope, CLUSTER, name, {})
    yield seen(scope, ENDPOINT, name, value, "endpoint", settled=text(cluster.get("status")) != "UPDATING")


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    return Unrestorable("a cluster's endpoint is not set by a plan", "Set it by hand: aws eks update-cluster-config.")


CLUSTERS = family(
    Kind(CLUSTER, 60, _read, lambda key, live, wanted: immutable(key.resource), details=lambda key: (_read(key),)),
    Kind(
        ENDPOINT,
        10,
        _read,
        _change,
        part_of=CLUSTER,
        opens=lambda key, value: mapping(value).get("PublicAccess") is True,
    ),
    service=EKS.source,
    readers={},
    observers={"ListClusters": _list, "DescribeCluster": _endpoint},
    inventory=(EKS.read("ListClusters"),),
    absent_codes=("ResourceNotFoundException",),
)
