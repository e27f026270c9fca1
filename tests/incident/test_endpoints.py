"""Classic load balancers, public databases, function URLs and clusters: reached, closed or not known, with the path."""

from __future__ import annotations

from typing import Any

import pytest

from incident.exposures.exposure import Exposure
from incident.exposures.reachability import exposures
from tests.incident.networks import EVERYTHING, Settings, key, public_host, seen


def found(what: str, more: dict[Any, Any], covered: frozenset[str] = EVERYTHING) -> list[Exposure]:
    network: Settings = public_host(("ingress tcp 0-65535 0.0.0.0/0",)) | more
    return [one for one in exposures(seen(network, covered)) if one.what == what]


def shown(one: Exposure) -> tuple[str, list[str], list[str]]:
    return str(one.verdict), [str(way) for way in one.reached], [str(way) for way in one.perhaps]


def balancer(scheme: str = "internet-facing") -> dict[Any, Any]:
    listeners = [{"Protocol": "HTTP", "Port": 80}]
    told = {"Scheme": scheme, "Subnets": ["subnet-1"], "SecurityGroups": ["sg-1"], "Listeners": listeners, "DNSName": "a.elb"}
    return {key("classic-load-balancer", "old"): told, key("classic-load-balancer-member", "old", "i-1"): {}}


def test_a_classic_balancer_is_reached_on_its_listeners_and_its_path_is_told():
    (one,) = found("classic load balancer", balancer())
    assert shown(one) == ("open", ["tcp 80 from anywhere (IPv4)"], [])
    assert [hop.resource for hop in one.path] == ["old", "rtb-1", "igw-1", "acl-1", "old", "sg-1"]
    assert [hop.resource for hop in one.behind] == ["i-1"]


def test_an_internal_classic_balancer_is_closed():
    (one,) = found("classic load balancer", balancer("internal"))
    assert shown(one) == ("closed", [], [])


def database(public: bool | None = True, subnets: tuple[str, ...] = ("subnet-1",), port: int | None = 5432) -> dict[Any, Any]:
    told = {"Engine": "postgres", "VpcId": "vpc-1", "SubnetIds": list(subnets), "Port": port}
    made = {key("database", "db"): told, key("database-attribute", "db", "VpcSecurityGroupIds"): ["sg-1"]}
    return made | ({} if public is None else {key("database-attribute", "db", "PubliclyAccessible"): public})


def inner_subnet() -> dict[Any, Any]:
    """A subnet that leads nowhere."""
    return {
        key("subnet", "subnet-2"): {"VpcId": "vpc-1", "CidrBlock": "10.0.2.0/24"},
        key("network-acl-association", "subnet-2"): {"NetworkAclId": "acl-1"},
        key("route-table", "rtb-2"): {"VpcId": "vpc-1"},
        key("route-table-association", "subnet-2"): {"RouteTableId": "rtb-2"},
    }


POSTGRES = ["tcp 5432 from anywhere (IPv4)"]


@pytest.mark.parametrize(
    ("settings", "verdict", "reached", "perhaps"),
    [
        (database(), "open", POSTGRES, []),
        (database(False), "closed", [], []),
        (database(None), "unknown", [], POSTGRES),
        (database(port=None), "unknown", [], ["tcp from anywhere (IPv4)"]),
        (database(subnets=("subnet-1", "subnet-2")) | inner_subnet(), "unknown", [], POSTGRES),
        (database(subnets=("subnet-2",)) | inner_subnet(), "closed", [], []),
    ],
)
def test_a_database_is_reached_where_it_is_public_and_its_subnets_lead_out(settings, verdict, reached, perhaps):
    (one,) = found("database", settings)
    assert shown(one) == (verdict, reached, perhaps)
    assert bool(one.unknown) == (verdict == "unknown")


BY_URL = {"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"}
BY_NAME = {"Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": "true"}
DENY = {"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "Effect": "Deny"}


def url(auth: str, *statements: dict[str, Any]) -> dict[Any, Any]:
    policy = {key("function-permission", "f", f"s{number}"): one for number, one in enumerate(statements)}
    return {key("function", "f"): {}, key("function-url", "f", "$LATEST"): {"AuthType": auth}} | policy


@pytest.mark.parametrize(
    ("settings", "verdict"),
    [
        (url("NONE", BY_URL, BY_NAME), "open"),
        (url("NONE", BY_URL), "unknown"),
        (url("NONE", BY_URL | {"SourceAccount": "111122223333"}), "unknown"),
        (url("NONE"), "closed"),
        (url("NONE", BY_URL | {"Principal": "111122223333"}), "closed"),
        (url("AWS_IAM", BY_URL, BY_NAME), "closed"),
        (url("NONE", BY_URL, BY_NAME, DENY), "closed"),
        (url("NONE", BY_URL, BY_NAME, DENY | {"Action": "lambda:Invoke*"}), "closed"),
        (url("NONE", BY_URL, BY_NAME, DENY | {"Action": "lambda:GetFunction"}), "open"),
        (url("NONE", BY_URL, BY_NAME, DENY | {"Principal": "111122223333"}), "open"),
        (url("NONE", BY_URL, BY_NAME, DENY | {"Condition": {"NotIpAddress": {"aws:SourceIp": "198.51.100.0/24"}}}), "unknown"),
        (url("NONE", {**DENY, "Effect": "Deny"}), "closed"),
        (url("NONE", BY_URL | {"Condition": {"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}}, BY_NAME), "unknown"),
        (url("NONE", BY_URL | {"Action": ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"]}), "open"),
    ],
)
def test_a_function_url_is_reached_where_callers_need_not_sign_and_the_policy_lets_everybody(settings, verdict):
    told = found("function URL", settings)
    assert {str(one.verdict) for one in told} == {verdict}
    if verdict == "open":
        assert [shown(one)[1] for one in told] == [["tcp 443 from anywhere (IPv4)"], ["tcp 443 from anywhere (IPv6)"]]


def test_a_policy_that_was_not_read_may_let_everybody():
    told = found("function URL", url("NONE"), EVERYTHING - {"function-permission"})
    assert {str(one.verdict) for one in told} == {"unknown"}


@pytest.mark.parametrize("kind", ["classic-load-balancer", "database", "function", "cluster"])
def test_a_list_that_was_not_read_is_said(kind):
    told = exposures(seen(public_host(), EVERYTHING - {kind}))
    assert [one.resource for one in told if one.verdict == "unknown"] == ["(not read)"]


@pytest.mark.parametrize(
    ("public", "networks", "verdict", "reached"),
    [
        (True, ["0.0.0.0/0"], "open", ["tcp 443 from anywhere (IPv4)"]),
        (True, ["198.51.100.7/32", "10.0.0.0/8"], "open", ["tcp 443 from 198.51.100.7/32"]),
        (True, ["10.0.0.0/8"], "closed", []),
        (False, ["0.0.0.0/0"], "closed", []),
    ],
)
def test_a_clusters_api_is_reached_from_the_networks_that_it_names(public, networks, verdict, reached):
    endpoint = {"PublicAccess": public, "PublicAccessCidrs": networks}
    (one,) = found("cluster", {key("cluster", "shop"): {}, key("cluster-endpoint", "shop", "endpoint"): endpoint})
    assert shown(one) == (verdict, reached, [])


def test_a_cluster_that_was_not_described_may_be_reached():
    (one,) = found("cluster", {key("cluster", "shop"): {}})
    assert (shown(one)[0], one.unknown) == ("unknown", ("whether the API of shop is public",))
