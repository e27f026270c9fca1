"""Load balancers, databases, functions and DNS: what their records tell is what AWS shows, and the way back is exact."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from examples import ACCOUNT, REGION, record, setting

from incident.family import Scope, Unrestorable
from incident.network.registry import family_for_event, family_for_kind
from incident.settings import Fold, Observed, SettingKey, Unknown, Value, canonical

SCOPE = Scope(ACCOUNT, REGION)
ARN = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}"
BALANCER = f"{ARN}:loadbalancer/app/web/0a1b"
LISTENER = f"{ARN}:listener/app/web/0a1b/0c1d"
RULE = f"{ARN}:listener-rule/app/web/0a1b/0c1d/0e1f"
TARGETS = f"{ARN}:targetgroup/web/aa11"
OTHERS = f"{ARN}:targetgroup/other/bb22"


@dataclass(frozen=True)
class Example:
    """A record of a service, and the answer that shows the same settings afterwards."""

    operation: str
    request: dict[str, Any]
    response: dict[str, Any] | None
    kind: str
    resource: str
    answer: dict[str, Any]
    name: str = ""
    region: str = REGION
    hidden: tuple[str, ...] = field(default=())


def forward(*targets: str) -> dict[str, Any]:
    return {"type": "forward", "targetGroupArn": targets[0], "order": 1}


EXAMPLES = [
    Example(
        "elasticloadbalancing:SetSecurityGroups",
        {"loadBalancerArn": BALANCER, "securityGroups": ["sg-2", "sg-1"]},
        {"securityGroupIds": ["sg-2", "sg-1"]},
        "load-balancer-attribute",
        BALANCER,
        {"LoadBalancers": [{"LoadBalancerArn": BALANCER, "SecurityGroups": ["sg-1", "sg-2"], "State": {"Code": "active"}}]},
        "SecurityGroups",
    ),
    Example(
        "elasticloadbalancing:SetSubnets",
        {"loadBalancerArn": BALANCER, "subnetMappings": [{"subnetId": "subnet-2"}, {"subnetId": "subnet-1"}]},
        None,
        "load-balancer-attribute",
        BALANCER,
        {
            "LoadBalancers": [
                {"LoadBalancerArn": BALANCER, "AvailabilityZones": [{"SubnetId": "subnet-1"}, {"SubnetId": "subnet-2"}]}
            ]
        },
        "Subnets",
    ),
    Example(
        "elasticloadbalancing:CreateListener",
        {"loadBalancerArn": BALANCER, "protocol": "HTTPS", "port": 443, "defaultActions": [forward(TARGETS)]},
        {
            "listeners": [
                {
                    "listenerArn": LISTENER,
                    "loadBalancerArn": BALANCER,
                    "protocol": "HTTPS",
                    "port": 443,
                    "sslPolicy": "ELBSecurityPolicy-2016-08",
                    "certificates": [{"certificateArn": "arn:aws:acm:::certificate/1"}],
                    "alpnPolicy": ["HTTP2Preferred"],
                    "defaultActions": [{"type": "forward", "targetGroupArn": TARGETS}],
                }
            ]
        },
        "listener",
        LISTENER,
        {
            "Listeners": [
                {
                    "ListenerArn": LISTENER,
                    "LoadBalancerArn": BALANCER,
                    "Port": 443,
                    "Protocol": "HTTPS",
                    "SslPolicy": "ELBSecurityPolicy-2016-08",
                    "Certificates": [{"CertificateArn": "arn:aws:acm:::certificate/1"}],
                    "AlpnPolicy": ["HTTP2Preferred"],
                    "DefaultActions": [
                        {
                            "Type": "forward",
                            "TargetGroupArn": TARGETS,
                            "Order": 1,
                            "ForwardConfig": {
                                "TargetGroups": [{"TargetGroupArn": TARGETS, "Weight": 1}],
                                "TargetGroupStickinessConfig": {"Enabled": False},
                            },
                        }
                    ],
                }
            ]
        },
    ),
    Example(
        "elasticloadbalancing:ModifyRule",
        {"ruleArn": RULE, "actions": []},
        {
            "rules": [
                {
                    "ruleArn": RULE,
                    "priority": "10",
                    "conditions": [{"field": "path-pattern", "values": ["/admin"], "pathPatternConfig": {"values": ["/admin"]}}],
                    "actions": [
                        {
                            "type": "forward",
                            "order": 1,
                            "forwardConfig": {
                                "targetGroups": [
                                    {"targetGroupArn": TARGETS, "weight": 1},
                                    {"targetGroupArn": OTHERS, "weight": 9},
                                ],
                                "targetGroupStickinessConfig": {"enabled": True, "durationSeconds": 60},
                            },
                        }
                    ],
                    "isDefault": False,
                }
            ]
        },
        "listener-rule",
        LISTENER,
        {
            "Rules": [
                {
                    "RuleArn": RULE,
                    "Priority": "10",
                    "Conditions": [{"Field": "path-pattern", "Values": ["/admin"], "PathPatternConfig": {"Values": ["/admin"]}}],
                    "Actions": [
                        {
                            "Type": "forward",
                            "Order": 1,
                            "ForwardConfig": {
                                "TargetGroups": [
                                    {"TargetGroupArn": TARGETS, "Weight": 1},
                                    {"TargetGroupArn": OTHERS, "Weight": 9},
                                ],
                                "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60},
                            },
                        }
                    ],
                    "IsDefault": False,
                },
                {"RuleArn": f"{RULE}0", "Priority": "default", "Conditions": [], "Actions": [], "IsDefault": True},
            ]
        },
        "priority 10",
    ),
    Example(
        "elasticloadbalancing:CreateLoadBalancer",
        {"name": "web", "subnets": ["subnet-2", "subnet-1"], "securityGroups": ["sg-1"]},
        {
            "loadBalancers": [
                {
                    "loadBalancerArn": BALANCER,
                    "loadBalancerName": "web",
                    "dNSName": "web-1.us-east-1.elb.amazonaws.com",
                    "type": "application",
                    "scheme": "internet-facing",
                    "vpcId": "vpc-1",
                    "ipAddressType": "ipv4",
                    "securityGroups": ["sg-1"],
                    "availabilityZones": [{"zoneName": "a", "subnetId": "subnet-2"}, {"zoneName": "b", "subnetId": "subnet-1"}],
                    "state": {"code": "provisioning"},
                }
            ]
        },
        "load-balancer",
        BALANCER,
        {
            "LoadBalancers": [
                {
                    "LoadBalancerArn": BALANCER,
                    "LoadBalancerName": "web",
                    "DNSName": "web-1.us-east-1.elb.amazonaws.com",
                    "Type": "application",
                    "Scheme": "internet-facing",
                    "VpcId": "vpc-1",
                    "IpAddressType": "ipv4",
                    "SecurityGroups": ["sg-1"],
                    "AvailabilityZones": [{"SubnetId": "subnet-1"}, {"SubnetId": "subnet-2"}],
                    "State": {"Code": "active"},
                }
            ]
        },
    ),
    Example(
        "elasticloadbalancing:ModifyTargetGroup",
        {"targetGroupArn": TARGETS, "healthCheckPath": "/mine"},
        {
            "targetGroups": [
                {
                    "targetGroupArn": TARGETS,
                    "targetGroupName": "web",
                    "protocol": "HTTP",
                    "port": 80,
                    "vpcId": "vpc-1",
                    "targetType": "instance",
                    "healthCheckEnabled": True,
                    "healthCheckPath": "/mine",
                    "healthCheckIntervalSeconds": 30,
                    "healthyThresholdCount": 5,
                    "matcher": {"httpCode": "200"},
                    "loadBalancerArns": [BALANCER],
                }
            ]
        },
        "target-group",
        TARGETS,
        {
            "TargetGroups": [
                {
                    "TargetGroupArn": TARGETS,
                    "TargetGroupName": "web",
                    "Protocol": "HTTP",
                    "Port": 80,
                    "VpcId": "vpc-1",
                    "TargetType": "instance",
                    "HealthCheckEnabled": True,
                    "HealthCheckPath": "/mine",
                    "HealthCheckIntervalSeconds": 30,
                    "HealthyThresholdCount": 5,
                    "Matcher": {"HttpCode": "200"},
                    "LoadBalancerArns": [BALANCER],
                }
            ]
        },
    ),
    Example(
        "elasticloadbalancing:RegisterTargets",
        {"targetGroupArn": TARGETS, "targets": [{"id": "198.51.100.6", "port": 8080, "availabilityZone": "all"}]},
        None,
        "target",
        TARGETS,
        {
            "TargetHealthDescriptions": [
                {
                    "Target": {"Id": "198.51.100.6", "Port": 8080, "AvailabilityZone": "all"},
                    "HealthCheckPort": "8080",
                    "TargetHealth": {"State": "initial", "Reason": "Elb.RegistrationInProgress"},
                },
                {
                    "Target": {"Id": "10.0.0.1", "Port": 80, "AvailabilityZone": "us-east-1a"},
                    "TargetHealth": {"State": "draining", "Reason": "Target.DeregistrationInProgress"},
                },
            ]
        },
        "198.51.100.6 8080",
    ),
    Example(
        "rds:ModifyDBInstance",
        {"dBInstanceIdentifier": "Shop", "publiclyAccessible": True, "vpcSecurityGroupIds": ["sg-1"], "applyImmediately": True},
        {"dBInstance": {"dBInstanceIdentifier": "shop", "publiclyAccessible": False}},
        "database-attribute",
        "shop",
        {
            "DBInstances": [
                {
                    "DBInstanceIdentifier": "shop",
                    "PubliclyAccessible": True,
                    "VpcSecurityGroups": [
                        {"VpcSecurityGroupId": "sg-1", "Status": "active"},
                        {"VpcSecurityGroupId": "sg-2", "Status": "removing"},
                    ],
                }
            ]
        },
    ),
    Example(
        "lambda:UpdateFunctionConfiguration20150331v2",
        {
            "functionName": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pay",
            "vpcConfig": {"subnetIds": ["subnet-2", "subnet-1"], "securityGroupIds": ["sg-1"]},
        },
        {"functionName": "pay"},
        "function-attribute",
        "pay",
        {
            "FunctionName": "pay",
            "VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"], "VpcId": "vpc-1"},
        },
        "VpcConfig",
    ),
    Example(
        "lambda:AddPermission20150331v2",
        {"functionName": "pay", "statementId": "all", "action": "lambda:InvokeFunctionUrl", "principal": "*"},
        {
            "statement": json.dumps(
                {
                    "Sid": "all",
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": "lambda:InvokeFunctionUrl",
                    "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pay",
                    "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
                }
            )
        },
        "function-permission",
        "pay",
        {
            "Policy": json.dumps(
                {
                    "Version": "2012-10-17",
                    "Id": "default",
                    "Statement": [
                        {
                            "Sid": "all",
                            "Effect": "Allow",
                            "Principal": "*",
                            "Action": "lambda:InvokeFunctionUrl",
                            "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pay",
                            "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}},
                        },
                        {
                            "Sid": "of-the-alias",
                            "Effect": "Allow",
                            "Principal": {"Service": "s3.amazonaws.com"},
                            "Action": "lambda:InvokeFunction",
                            "Resource": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pay:live",
                        },
                    ],
                }
            ),
            "RevisionId": "1",
        },
        "all",
    ),
    Example(
        "lambda:UpdateFunctionUrlConfig",
        {"functionName": "pay", "authType": "NONE"},
        {
            "functionUrl": "https://x.lambda-url.us-east-1.on.aws/",
            "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pay",
            "authType": "NONE",
            "cors": {"allowOrigins": ["*"]},
            "invokeMode": "BUFFERED",
        },
        "function-url",
        "pay",
        {
            "FunctionUrl": "https://x.lambda-url.us-east-1.on.aws/",
            "AuthType": "NONE",
            "Cors": {"AllowOrigins": ["*"], "AllowCredentials": False, "MaxAge": 0},
            "InvokeMode": "BUFFERED",
        },
        "$LATEST",
    ),
    Example(
        "route53:ChangeResourceRecordSets",
        {
            "hostedZoneId": "Z1",
            "changeBatch": {
                "changes": [
                    {
                        "action": "CREATE",
                        "resourceRecordSet": {
                            "name": "*.Shop.test",
                            "type": "A",
                            "tTL": 60,
                            "resourceRecords": [{"value": "192.0.2.2"}, {"value": "192.0.2.1"}],
                        },
                    },
                    {
                        "action": "UPSERT",
                        "resourceRecordSet": {
                            "name": "www.shop.test.",
                            "type": "A",
                            "setIdentifier": "blue",
                            "weight": 0,
                            "aliasTarget": {"hostedZoneId": "Z2", "dNSName": "LB.example", "evaluateTargetHealth": False},
                        },
                    },
                ]
            },
        },
        {"changeInfo": {"id": "/change/C1", "status": "PENDING"}},
        "dns-record",
        "Z1",
        {
            "ResourceRecordSets": [
                {
                    "Name": "\\052.shop.test.",
                    "Type": "A",
                    "TTL": 60,
                    "ResourceRecords": [{"Value": "192.0.2.1"}, {"Value": "192.0.2.2"}],
                },
                {
                    "Name": "www.shop.test.",
                    "Type": "A",
                    "SetIdentifier": "blue",
                    "Weight": 0,
                    "AliasTarget": {"HostedZoneId": "Z2", "DNSName": "lb.example.", "EvaluateTargetHealth": False},
                },
            ]
        },
        "www.shop.test. A blue",
        region="global",
    ),
]


def told(operation: str, request: dict[str, Any], response: dict[str, Any] | None = None, into: Fold | None = None) -> list[Any]:
    service, name = operation.split(":")
    one = record(name, service=service, request=request, response=response or {})
    family = family_for_event(one.operation)
    assert family is not None
    return (into or Fold()).read(one, family.writes)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.operation)
def test_a_record_tells_what_the_read_then_shows(example: Example):
    written = {entry.key: entry.after for entry in told(example.operation, example.request, example.response)}
    key = setting(example.kind, example.resource, example.name, example.region)
    family = family_for_kind(example.kind)
    shown = {one.key: one.value for one in family.observe(SCOPE, family.read(key), example.answer)}
    assert written
    assert {str(one): canonical(value) for one, value in written.items()} == {
        str(one): canonical(shown.get(one)) for one in written
    }


def change(key: SettingKey, live: Value, wanted: Value, **handles: str) -> list[tuple[str, dict[str, Any]]]:
    observed = None if live is None else Observed(key, live, handles)
    answer = family_for_kind(key.kind).change(key, observed, wanted)
    assert not isinstance(answer, Unrestorable), answer
    return [(f"{call.service}:{call.operation}", dict(call.parameters)) for call in answer]


def test_groups_of_a_balancer_are_set_back_whole():
    key = setting("load-balancer-attribute", BALANCER, "SecurityGroups")
    asked = {"LoadBalancerArn": BALANCER, "SecurityGroups": ["sg-1"]}
    assert change(key, ["sg-9"], ["sg-1"]) == [("elbv2:SetSecurityGroups", asked)]
    assert change(key, ["sg-1"], ["sg-1"]) == []


def test_a_listener_that_was_deleted_comes_back_and_a_changed_one_is_modified():
    key, value = setting("listener", LISTENER), {"LoadBalancerArn": BALANCER, "Protocol": "HTTP", "Port": 80}
    assert change(key, None, value) == [("elbv2:CreateListener", value)]
    modified = {"ListenerArn": LISTENER, "Protocol": "HTTP", "Port": 80}
    assert change(key, {**value, "Port": 8080}, value) == [("elbv2:ModifyListener", modified)]
    assert change(key, value, None) == [("elbv2:DeleteListener", {"ListenerArn": LISTENER})]


def test_a_rule_is_changed_by_the_arn_that_it_has_now():
    key, value = setting("listener-rule", LISTENER, "priority 10"), {"Conditions": [], "Actions": []}
    assert change(key, value, None, RuleArn=RULE) == [("elbv2:DeleteRule", {"RuleArn": RULE})]
    assert change(key, None, value) == [("elbv2:CreateRule", {"ListenerArn": LISTENER, "Priority": 10, **value})]
    old = {**value, "Conditions": [{"Field": "host-header"}]}
    assert change(key, old, value, RuleArn=RULE) == [("elbv2:ModifyRule", {"RuleArn": RULE, **value})]


def rule(priority: str, path: str, arn: str = RULE) -> dict[str, Any]:
    return {"ruleArn": arn, "priority": priority, "conditions": [{"field": "path-pattern", "values": [path]}], "actions": []}


def test_a_deleted_rule_is_known_by_what_made_it():
    fold = Fold()
    told("elasticloadbalancing:CreateRule", {"listenerArn": LISTENER}, {"rules": [rule("10", "/a")]}, fold)
    (entry,) = told("elasticloadbalancing:DeleteRule", {"ruleArn": RULE}, None, fold)
    assert entry.key == setting("listener-rule", LISTENER, "priority 10")
    assert entry.before["Conditions"] == [{"Field": "path-pattern", "Values": ["/a"]}]


def test_a_deleted_rule_that_nothing_made_known_needs_prior_state():
    (entry,) = told("elasticloadbalancing:DeleteRule", {"ruleArn": RULE})
    assert entry.key == setting("listener-rule", LISTENER, RULE)
    assert isinstance(entry.before, Unknown)
    answer = family_for_kind("listener-rule").change(entry.key, None, {"Conditions": [], "Actions": []})
    assert isinstance(answer, Unrestorable)


def test_rules_that_change_places_are_each_where_they_stand_now():
    fold, second = Fold(), f"{RULE}2"
    told("elasticloadbalancing:CreateRule", {}, {"rules": [rule("1", "/a")]}, fold)
    told("elasticloadbalancing:CreateRule", {}, {"rules": [rule("2", "/b", second)]}, fold)
    swapped = {"rules": [rule("2", "/a"), rule("1", "/b", second)]}
    entries = told("elasticloadbalancing:SetRulePriorities", {}, swapped, fold)
    assert {entry.key.name: entry.after["Conditions"][0]["Values"] for entry in entries} == {
        "priority 2": ["/a"],
        "priority 1": ["/b"],
    }
    moved = told("elasticloadbalancing:SetRulePriorities", {}, {"rules": [rule("7", "/a")]}, fold)
    assert [(entry.key.name, entry.after is None) for entry in moved] == [("priority 2", True), ("priority 7", False)]


def test_a_deleted_listener_takes_its_rules_along():
    fold = Fold()
    told("elasticloadbalancing:CreateRule", {}, {"rules": [rule("10", "/a")]}, fold)
    entries = told("elasticloadbalancing:DeleteListener", {"listenerArn": LISTENER}, None, fold)
    assert [(entry.key.kind, entry.after) for entry in entries] == [("listener", None), ("listener-rule", None)]


def balancer(subnets: list[str]) -> dict[str, Any]:
    return {
        "LoadBalancerName": "web",
        "Type": "application",
        "Scheme": "internal",
        "VpcId": "vpc-1",
        "SecurityGroups": ["sg-1"],
        "Subnets": subnets,
    }


def test_a_deleted_balancer_takes_its_listeners_and_their_rules_along():
    fold = Fold()
    made = {"listenerArn": LISTENER, "loadBalancerArn": BALANCER, "protocol": "HTTP", "port": 80, "defaultActions": []}
    other = {**made, "listenerArn": f"{LISTENER}x", "loadBalancerArn": f"{BALANCER}x"}
    told("elasticloadbalancing:CreateListener", {}, {"listeners": [made, other]}, fold)
    told("elasticloadbalancing:CreateRule", {}, {"rules": [rule("10", "/a")]}, fold)
    entries = told("elasticloadbalancing:DeleteLoadBalancer", {"loadBalancerArn": BALANCER}, None, fold)
    assert [(entry.key.kind, entry.key.resource, entry.after) for entry in entries] == [
        ("load-balancer", BALANCER, None),
        ("listener", LISTENER, None),
        ("listener-rule", LISTENER, None),
    ]


def test_a_balancer_is_made_again_with_what_it_had_and_unprotected_before_it_goes():
    key, value = setting("load-balancer", BALANCER), balancer(["subnet-1"])
    (made,) = change(key, None, value)
    asked = {"Name": "web", "Type": "application", "Scheme": "internal", "SecurityGroups": ["sg-1"], "Subnets": ["subnet-1"]}
    assert made == ("elbv2:CreateLoadBalancer", asked)
    assert [operation for operation, _ in change(key, value, None)] == [
        "elbv2:ModifyLoadBalancerAttributes",
        "elbv2:DeleteLoadBalancer",
    ]


def test_the_subnets_of_a_balancer_are_a_setting_of_their_own():
    key = setting("load-balancer", BALANCER)
    assert change(key, balancer(["subnet-9"]), balancer(["subnet-1"])) == []
    answer = family_for_kind(key.kind).change(key, Observed(key, {**balancer([]), "Scheme": "internet-facing"}), balancer([]))
    assert isinstance(answer, Unrestorable)


@pytest.mark.parametrize(
    ("operation", "request_", "response"),
    [
        ("CreateLoadBalancer", {"loadBalancerName": "old", "listeners": []}, {"dNSName": "old-1.elb.amazonaws.com"}),
        ("DeleteLoadBalancer", {"loadBalancerName": "old"}, None),
        ("ModifyLoadBalancerAttributes", {"loadBalancerName": "old", "loadBalancerAttributes": {}}, {"loadBalancerName": "old"}),
    ],
)
def test_a_classic_balancers_record_is_not_understood(operation: str, request_: dict[str, Any], response: dict[str, Any] | None):
    with pytest.raises(ValueError, match=r"load-balancer|classic"):
        told(f"elasticloadbalancing:{operation}", request_, response)


def test_a_target_without_a_port_has_that_of_its_group():
    fold = Fold()
    group = {"targetGroupArn": TARGETS, "targetGroupName": "web", "port": 80}
    told("elasticloadbalancing:CreateTargetGroup", {}, {"targetGroups": [group]}, fold)
    (entry,) = told("elasticloadbalancing:RegisterTargets", {"targetGroupArn": TARGETS, "targets": [{"id": "i-1"}]}, None, fold)
    assert entry.key.name == "i-1 80"
    with pytest.raises(ValueError, match="no port"):
        told("elasticloadbalancing:RegisterTargets", {"targetGroupArn": TARGETS, "targets": [{"id": "i-1"}]})


def test_a_target_leaves_and_returns_by_its_id_and_port():
    key = setting("target", TARGETS, "198.51.100.6 8080")
    outside = {"AvailabilityZone": "all"}
    asked = {"TargetGroupArn": TARGETS, "Targets": [{"Id": "198.51.100.6", "Port": 8080, **outside}]}
    assert change(key, outside, None) == [("elbv2:DeregisterTargets", asked)]
    assert change(key, None, outside) == [("elbv2:RegisterTargets", asked)]


def test_only_what_differs_of_a_target_groups_checks_is_set_back():
    key = setting("target-group", TARGETS)
    value = {"TargetGroupName": "web", "Protocol": "HTTP", "Port": 80, "HealthCheckPath": "/", "HealthyThresholdCount": 5}
    asked = {"TargetGroupArn": TARGETS, "HealthCheckPath": "/"}
    assert change(key, {**value, "HealthCheckPath": "/mine"}, value) == [("elbv2:ModifyTargetGroup", asked)]
    answer = family_for_kind(key.kind).change(key, Observed(key, {**value, "Port": 81}), value)
    assert isinstance(answer, Unrestorable)


def test_what_else_a_database_or_a_function_is_given_is_never_lost_from_sight():
    request = {"dBInstanceIdentifier": "shop", "masterUserPassword": "****", "publiclyAccessible": False}
    entries = told("rds:ModifyDBInstance", request)
    assert {entry.key.name: isinstance(entry.after, Unknown) for entry in entries} == {
        "MasterUserPassword": True,
        "PubliclyAccessible": False,
    }
    (entry,) = told(
        "lambda:UpdateFunctionConfiguration20150331v2", {"functionName": "pay", "environment": {}}, {"functionName": "pay"}
    )
    assert (entry.key.name, isinstance(entry.after, Unknown)) == ("Environment", True)
    assert isinstance(family_for_kind(entry.key.kind).change(entry.key, None, {}), Unrestorable)


def test_a_functions_time_limit_is_put_back():
    (entry,) = told(
        "lambda:UpdateFunctionConfiguration20150331v2", {"functionName": "pay", "timeout": 900}, {"functionName": "pay"}
    )
    assert (entry.key.name, entry.after) == ("Timeout", 900)
    assert change(entry.key, 900, 3) == [("lambda:UpdateFunctionConfiguration", {"FunctionName": "pay", "Timeout": 3})]


def test_a_database_is_closed_at_once_and_its_opening_is_an_exposure():
    key = setting("database-attribute", "shop", "PubliclyAccessible")
    asked = {"DBInstanceIdentifier": "shop", "PubliclyAccessible": False, "ApplyImmediately": True}
    assert change(key, True, False) == [("rds:ModifyDBInstance", asked)]
    assert family_for_kind(key.kind).opens(key, True)
    assert not family_for_kind(key.kind).opens(key, False)


def test_a_function_that_stood_outside_leaves_the_vpc_again():
    key = setting("function-attribute", "pay", "VpcConfig")
    outside: dict[str, list[str]] = {"SubnetIds": [], "SecurityGroupIds": []}
    inside = {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
    assert change(key, inside, outside) == [("lambda:UpdateFunctionConfiguration", {"FunctionName": "pay", "VpcConfig": outside})]


def test_who_may_call_an_alias_is_a_setting_of_the_function():
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pay:live"
    request = {"functionName": function, "statementId": "mine", "action": "lambda:InvokeFunction", "principal": "999988887777"}
    (entry,) = told("lambda:AddPermission20150331v2", request)
    key = setting("function-permission", "pay", "mine live")
    assert (entry.key, entry.before) == (key, None)
    assert family_for_kind(key.kind).opens(key, entry.after)
    asked = {"FunctionName": "pay", "Qualifier": "live", "StatementId": "mine"}
    assert change(key, entry.after, None) == [("lambda:RemovePermission", asked)]
    assert family_for_kind(key.kind).read(key).parameters == {"FunctionName": "pay", "Qualifier": "live"}


def test_a_removed_statement_comes_back_with_its_conditions_or_says_that_it_cannot():
    key = setting("function-permission", "pay", "from-bucket")
    value = {"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::orders"}
    assert change(key, None, value) == [("lambda:AddPermission", {"FunctionName": "pay", "StatementId": "from-bucket", **value})]
    assert not family_for_kind(key.kind).opens(key, value)
    answer = family_for_kind(key.kind).change(key, None, {**value, "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.1"}}})
    assert isinstance(answer, Unrestorable)


@pytest.mark.parametrize(
    ("more", "kept", "opens"),
    [
        ({"Effect": "Deny"}, {"Effect": "Deny"}, False),
        ({"NotPrincipal": {"AWS": "999988887777"}}, {"NotPrincipal": {"AWS": "999988887777"}}, True),
        (
            {"Condition": {"StringEquals": {"AWS:SourceAccount": [ACCOUNT, "999988887777"]}}},
            {"Condition": {"StringEquals": {"AWS:SourceAccount": [ACCOUNT, "999988887777"]}}},
            True,
        ),
    ],
)
def test_what_no_parameter_of_a_statement_makes_is_kept_and_never_taken_for_a_plain_leave(more, kept, opens):
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pay"
    plain = {"Sid": "s", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunctionUrl", "Resource": arn}
    family = family_for_kind("function-permission")
    key = setting("function-permission", "pay", "s")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**plain, **more}]})
    (shown,) = family.observe(SCOPE, family.read(key), {"Policy": policy})
    assert shown.value == {"Action": "lambda:InvokeFunctionUrl", "Principal": "*", **kept}
    assert family.opens(key, shown.value) is opens
    assert isinstance(family.change(key, None, shown.value), Unrestorable)
    assert change(key, shown.value, None) == [("lambda:RemovePermission", {"FunctionName": "pay", "StatementId": "s"})]


def test_a_condition_of_one_value_in_a_list_is_that_value():
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pay"
    statement = {"Sid": "s", "Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": ["lambda:InvokeFunction"], "Resource": arn}
    condition = {"StringEquals": {"AWS:SourceAccount": [ACCOUNT]}}
    family, key = family_for_kind("function-permission"), setting("function-permission", "pay", "s")
    policy = json.dumps({"Statement": [{**statement, "Condition": condition}]})
    (shown,) = family.observe(SCOPE, family.read(key), {"Policy": policy})
    assert shown.value == {"Action": "lambda:InvokeFunction", "Principal": "*", "SourceAccount": ACCOUNT}


def test_a_public_url_is_closed_and_what_it_newly_has_goes():
    key = setting("function-url", "pay", "$LATEST")
    closed, public = {"AuthType": "AWS_IAM"}, {"AuthType": "NONE", "Cors": {"AllowOrigins": ["*"]}}
    asked = {"FunctionName": "pay", "AuthType": "AWS_IAM", "Cors": {}, "InvokeMode": "BUFFERED"}
    assert change(key, public, closed) == [("lambda:UpdateFunctionUrlConfig", asked)]
    assert change(key, public, None) == [("lambda:DeleteFunctionUrlConfig", {"FunctionName": "pay"})]
    assert change(key, None, closed) == [("lambda:CreateFunctionUrlConfig", {"FunctionName": "pay", **closed})]
    assert family_for_kind(key.kind).opens(key, public)
    assert not family_for_kind(key.kind).opens(key, closed)


def dns(action: str, value: str) -> dict[str, Any]:
    told = {"name": "www.shop.test", "type": "A", "tTL": 60, "resourceRecords": [{"value": value}]}
    return {"hostedZoneId": "/hostedzone/Z1", "changeBatch": {"changes": [{"action": action, "resourceRecordSet": told}]}}


def test_a_deleted_name_proves_what_it_said_and_a_made_one_that_it_was_not_there():
    key = setting("dns-record", "Z1", "www.shop.test. A", region="global")
    value = {"TTL": 60, "ResourceRecords": ["192.0.2.1"]}
    (deleted,) = told("route53:ChangeResourceRecordSets", dns("DELETE", "192.0.2.1"))
    (made,) = told("route53:ChangeResourceRecordSets", dns("CREATE", "192.0.2.1"))
    (replaced,) = told("route53:ChangeResourceRecordSets", dns("UPSERT", "192.0.2.1"))
    assert (deleted.key, deleted.before, deleted.after) == (key, value, None)
    assert (made.before, made.after) == (None, value)
    assert isinstance(replaced.before, Unknown)


def zone_network(vpc: str) -> dict[str, Any]:
    return {"hostedZoneId": "Z1", "vPC": {"vPCRegion": REGION, "vPCId": vpc}}


def test_a_network_that_joins_or_leaves_a_zone_is_a_setting_of_it():
    key = setting("hosted-zone-network", "Z1", "vpc-1", region="global")
    value = {"VPCRegion": REGION}
    (joined,) = told("route53:AssociateVPCWithHostedZone", zone_network("vpc-1"))
    (left,) = told("route53:DisassociateVPCFromHostedZone", zone_network("vpc-1"))
    assert (joined.key, joined.after) == (key, value)
    assert (left.before, left.after) == (value, None)
    asked = {"HostedZoneId": "Z1", "VPC": {"VPCId": "vpc-1", "VPCRegion": REGION}}
    assert change(key, value, None) == [("route53:DisassociateVPCFromHostedZone", asked)]
    assert change(key, None, value) == [("route53:AssociateVPCWithHostedZone", asked)]


def test_a_zone_that_was_made_goes_and_one_that_was_deleted_is_left_to_people():
    fold = Fold()
    zone = {"id": "/hostedzone/Z1", "name": "corp.example.", "callerReference": "1", "config": {"privateZone": True}}
    request = {"name": "corp.example", "callerReference": "1", "vPC": {"vPCRegion": REGION, "vPCId": "vpc-1"}}
    made = told("route53:CreateHostedZone", request, {"hostedZone": zone}, fold)
    assert [(entry.key.kind, entry.before, entry.after) for entry in made] == [
        ("hosted-zone", None, {"Name": "corp.example."}),
        ("hosted-zone-network", None, {"VPCRegion": REGION}),
    ]
    key = setting("hosted-zone", "Z1", region="global")
    assert change(key, {"Name": "corp.example."}, None) == [("route53:DeleteHostedZone", {"Id": "Z1"})]
    deleted = told("route53:DeleteHostedZone", {"id": "Z1"}, None, fold)
    assert [(entry.key.kind, entry.after) for entry in deleted] == [("hosted-zone", None), ("hosted-zone-network", None)]
    answer = family_for_kind("hosted-zone").change(key, None, {"Name": "corp.example."})
    assert isinstance(answer, Unrestorable)
    assert "name servers" in answer.advice


@pytest.mark.parametrize(("live", "wanted", "action"), [(None, "1", "CREATE"), ("1", None, "DELETE"), ("1", "2", "UPSERT")])
def test_a_name_is_brought_back_by_the_action_that_fits(live: str | None, wanted: str | None, action: str):
    key = setting("dns-record", "Z1", "www.shop.test. A", region="global")

    def value(last: str | None) -> Value:
        return last and {"TTL": 60, "ResourceRecords": [f"192.0.2.{last}"]}

    ((operation, parameters),) = change(key, value(live), value(wanted))
    (asked,) = parameters["ChangeBatch"]["Changes"]
    assert operation == "route53:ChangeResourceRecordSets"
    assert asked == {
        "Action": action,
        "ResourceRecordSet": {
            "Name": "www.shop.test.",
            "Type": "A",
            "TTL": 60,
            "ResourceRecords": [{"Value": f"192.0.2.{wanted or live}"}],
        },
    }
