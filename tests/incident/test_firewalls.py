"""Network firewalls: what their records tell, and by which calls, in which order, each comes back."""

from __future__ import annotations

from typing import Any

import pytest
from examples import ACCOUNT, REGION, record, setting

from incident.family import Lookup, Read, Scope, Unrestorable
from incident.network.registry import family_for_event, family_for_kind
from incident.settings import Fold, Observed, SettingKey, Unknown, Value, canonical

ARN = f"arn:aws:network-firewall:{REGION}:{ACCOUNT}"
EDGE = f"{ARN}:firewall/edge"
POLICY = f"{ARN}:firewall-policy/strict"
OPEN = f"{ARN}:firewall-policy/open"
RULES = f"{ARN}:stateful-rulegroup/domains"

FIREWALL: dict[str, Any] = {
    "FirewallName": "edge",
    "VpcId": "vpc-1",
    "FirewallPolicyArn": POLICY,
    "SubnetMappings": [{"SubnetId": "subnet-1"}],
    "DeleteProtection": True,
    "SubnetChangeProtection": True,
    "FirewallPolicyChangeProtection": True,
}


def told(name: str, request: dict[str, Any], response: dict[str, Any] | None = None, into: Fold | None = None) -> list[Any]:
    one = record(name, service="network-firewall", request=request, response=response or {})
    family = family_for_event(one.operation)
    assert family is not None
    return (into or Fold()).read(one, family.writes)


def shown(kind: str, resource: str, answer: dict[str, Any]) -> Value:
    key = setting(kind, resource)
    family = family_for_kind(kind)
    return next(one.value for one in family.observe(Scope(ACCOUNT, REGION), family.read(key), answer) if one.key == key)


def calls(key: SettingKey, live: Value, wanted: Value) -> list[tuple[str, dict[str, Any]]]:
    answer = family_for_kind(key.kind).change(key, None if live is None else Observed(key, live), wanted)
    assert not isinstance(answer, Unrestorable), answer
    resource = {"FirewallArn": key.resource}
    return [(call.operation, {name: value for name, value in call.parameters.items() if name not in resource}) for call in answer]


# --- policies and rule groups -------------------------------------------------------------------------------------------------


def test_an_updated_policy_is_what_was_asked_and_what_aws_then_shows():
    request = {
        "updateToken": "1a2b3c4d-5e6f-7a8b-9c0d-1e2f3a4b5c6d",
        "firewallPolicyArn": POLICY,
        "firewallPolicy": {
            "statelessDefaultActions": ["aws:pass"],
            "statelessFragmentDefaultActions": ["aws:pass"],
            "policyVariables": {"ruleVariables": {"home_net": {"definition": ["10.0.0.0/16"]}}},
            "statefulRuleGroupReferences": [{"resourceArn": RULES, "priority": 1}],
        },
    }
    described = {"firewallPolicyName": "strict", "firewallPolicyArn": POLICY, "firewallPolicyStatus": "ACTIVE"}
    (entry,) = told("UpdateFirewallPolicy", request, {"updateToken": "2", "firewallPolicyResponse": described})
    answer = {
        "UpdateToken": "2",
        "FirewallPolicyResponse": {
            "FirewallPolicyName": "strict",
            "FirewallPolicyArn": POLICY,
            "FirewallPolicyStatus": "ACTIVE",
            "EncryptionConfiguration": {"KeyId": "AWS_OWNED_KMS_KEY", "Type": "AWS_OWNED_KMS_KEY"},
            "NumberOfAssociations": 1,
        },
        "FirewallPolicy": {
            "StatelessDefaultActions": ["aws:pass"],
            "StatelessFragmentDefaultActions": ["aws:pass"],
            "StatelessRuleGroupReferences": [],
            "PolicyVariables": {"RuleVariables": {"home_net": {"Definition": ["10.0.0.0/16"]}}},
            "StatefulRuleGroupReferences": [{"ResourceArn": RULES, "Priority": 1}],
            "StatefulEngineOptions": {"RuleOrder": "DEFAULT_ACTION_ORDER", "StreamExceptionPolicy": "DROP"},
        },
    }
    assert isinstance(entry.before, Unknown)
    assert canonical(entry.after) == canonical(shown("firewall-policy", POLICY, answer))
    assert family_for_kind("firewall-policy").opens(entry.key, entry.after)


def test_rules_in_suricatas_language_are_inside_the_group_that_aws_shows():
    rules = 'pass tls any any -> any any (msg:"all"; sid:1;)'
    request = {"ruleGroupName": "domains", "rules": rules, "type": "STATEFUL", "capacity": 10}
    described = {"ruleGroupArn": RULES, "ruleGroupName": "domains", "type": "STATEFUL", "capacity": 10}
    (entry,) = told("CreateRuleGroup", request, {"updateToken": "1", "ruleGroupResponse": described})
    answer = {
        "RuleGroupResponse": {"RuleGroupArn": RULES, "RuleGroupName": "domains", "Type": "STATEFUL", "Capacity": 10},
        "RuleGroup": {"RulesSource": {"RulesString": rules}, "StatefulRuleOptions": {"RuleOrder": "DEFAULT_ACTION_ORDER"}},
    }
    assert (entry.before, canonical(entry.after)) == (None, canonical(shown("firewall-rule-group", RULES, answer)))
    assert family_for_kind("firewall-rule-group").opens(entry.key, entry.after)


def test_what_was_only_tried_changes_nothing():
    request = {"firewallPolicyArn": POLICY, "firewallPolicy": {"statelessDefaultActions": ["aws:pass"]}, "dryRun": True}
    assert told("UpdateFirewallPolicy", request, {"firewallPolicyResponse": {"firewallPolicyArn": POLICY}}) == []


def test_a_policy_is_set_back_with_the_token_of_that_moment():
    key = setting("firewall-policy", POLICY)
    value = {"FirewallPolicyName": "strict", "FirewallPolicy": {"StatelessDefaultActions": ["aws:drop"]}}
    opened = {**value, "FirewallPolicy": {"StatelessDefaultActions": ["aws:pass"]}}
    (call,) = family_for_kind(key.kind).change(key, Observed(key, opened), value)  # type: ignore[misc]
    assert (call.operation, call.permissions) == ("UpdateFirewallPolicy", ("network-firewall:UpdateFirewallPolicy",))
    assert call.parameters == {"FirewallPolicyArn": POLICY, "FirewallPolicy": {"StatelessDefaultActions": ["aws:drop"]}}
    read = Read("network-firewall", "DescribeFirewallPolicy", {"FirewallPolicyArn": POLICY})
    assert call.lookups == {"UpdateToken": Lookup(read, "UpdateToken")}


def test_a_deleted_rule_group_comes_back_under_its_old_arn_and_one_of_another_capacity_does_not_change():
    key = setting("firewall-rule-group", RULES)
    value = {"RuleGroupName": "domains", "Type": "STATEFUL", "Capacity": 10, "RuleGroup": {}}
    assert calls(key, None, value) == [("CreateRuleGroup", value)]
    assert calls(key, value, None) == [("DeleteRuleGroup", {"RuleGroupArn": RULES})]
    answer = family_for_kind(key.kind).change(key, Observed(key, {**value, "Capacity": 20}), value)
    assert isinstance(answer, Unrestorable)


# --- firewalls ----------------------------------------------------------------------------------------------------------------


def created(into: Fold) -> None:
    request = {
        "firewallName": "edge",
        "firewallPolicyArn": POLICY,
        "vpcId": "vpc-1",
        "subnetMappings": [{"subnetId": "subnet-1"}],
        "deleteProtection": True,
        "subnetChangeProtection": True,
        "firewallPolicyChangeProtection": True,
    }
    told("CreateFirewall", request, {"firewall": {**request, "firewallArn": EDGE, "firewallId": "f-1"}}, into)


@pytest.mark.parametrize(
    ("operation", "part", "changed"),
    [
        ("AssociateFirewallPolicy", {"firewallPolicyArn": OPEN}, {"FirewallPolicyArn": OPEN}),
        ("UpdateFirewallDeleteProtection", {"deleteProtection": False}, {"DeleteProtection": False}),
        ("UpdateSubnetChangeProtection", {"subnetChangeProtection": False}, {"SubnetChangeProtection": False}),
        (
            "UpdateFirewallPolicyChangeProtection",
            {"firewallPolicyChangeProtection": False},
            {"FirewallPolicyChangeProtection": False},
        ),
        ("UpdateFirewallDescription", {"description": "mine"}, {"Description": "mine"}),
        (
            "AssociateSubnets",
            {"subnetMappings": [{"subnetId": "subnet-2", "iPAddressType": "IPV4"}, {"subnetId": "subnet-1"}]},
            {"SubnetMappings": [{"SubnetId": "subnet-1"}, {"SubnetId": "subnet-2"}]},
        ),
        ("DisassociateSubnets", {"subnetMappings": []}, {"SubnetMappings": []}),
    ],
)
def test_a_part_that_changes_leaves_the_rest_as_it_was(operation: str, part: dict[str, Any], changed: dict[str, Any]):
    fold = Fold()
    created(fold)
    (entry,) = told(operation, {"firewallArn": EDGE, **part}, {"firewallArn": EDGE, "firewallName": "edge", **part}, fold)
    assert (entry.before, entry.after) == (FIREWALL, {**FIREWALL, **changed})


def test_a_part_of_a_firewall_that_nothing_tells_is_unknown():
    (entry,) = told("AssociateFirewallPolicy", {"firewallPolicyArn": OPEN, "firewallName": "edge"}, {"firewallArn": EDGE})
    assert (entry.key, isinstance(entry.after, Unknown)) == (setting("firewall", EDGE), True)


def test_a_firewall_is_shown_as_its_parameters():
    firewall = {**FIREWALL, "FirewallArn": EDGE, "FirewallId": "f-1", "SubnetMappings": [{"SubnetId": "subnet-1"}]}
    answer = {"Firewall": firewall, "FirewallStatus": {"Status": "READY"}, "UpdateToken": "1"}
    assert shown("firewall", EDGE, answer) == FIREWALL
    assert shown("firewall", EDGE, {**answer, "FirewallStatus": {"Status": "DELETING"}}) is None


def test_protections_in_the_way_go_off_first_and_are_as_wanted_in_the_end():
    moved = {**FIREWALL, "FirewallPolicyArn": OPEN, "SubnetMappings": [{"SubnetId": "subnet-2"}]}
    assert calls(setting("firewall", EDGE), moved, FIREWALL) == [
        ("UpdateSubnetChangeProtection", {"SubnetChangeProtection": False}),
        ("UpdateFirewallPolicyChangeProtection", {"FirewallPolicyChangeProtection": False}),
        ("AssociateFirewallPolicy", {"FirewallPolicyArn": POLICY}),
        ("AssociateSubnets", {"SubnetMappings": [{"SubnetId": "subnet-1"}]}),
        ("DisassociateSubnets", {"SubnetIds": ["subnet-2"]}),
        ("UpdateSubnetChangeProtection", {"SubnetChangeProtection": True}),
        ("UpdateFirewallPolicyChangeProtection", {"FirewallPolicyChangeProtection": True}),
    ]


def test_a_protected_firewall_that_the_actor_made_can_be_deleted():
    assert calls(setting("firewall", EDGE), FIREWALL, None) == [
        ("UpdateFirewallDeleteProtection", {"DeleteProtection": False}),
        ("DeleteFirewall", {}),
    ]


def logs(kind: str, bucket: str) -> dict[str, Any]:
    return {"LogType": kind, "LogDestinationType": "S3", "LogDestination": {"bucketName": bucket}}


def test_a_destination_of_logs_keeps_its_own_names():
    config = {"logType": "ALERT", "logDestinationType": "S3", "logDestination": {"bucketName": "logs"}}
    request = {"firewallArn": EDGE, "loggingConfiguration": {"logDestinationConfigs": [config]}}
    (entry,) = told("UpdateLoggingConfiguration", request, {"firewallArn": EDGE})
    assert entry.after == [logs("ALERT", "logs")]
    (off,) = told("UpdateLoggingConfiguration", {"firewallArn": EDGE}, {"firewallArn": EDGE})
    assert off.after == []


def test_destinations_of_logs_change_one_in_each_call():
    key = setting("firewall-logging", EDGE)
    now, wanted = [logs("ALERT", "mine"), logs("TLS", "logs")], [logs("ALERT", "logs"), logs("FLOW", "logs")]
    asked = [parameters["LoggingConfiguration"]["LogDestinationConfigs"] for _, parameters in calls(key, now, wanted)]
    assert asked == [
        [logs("ALERT", "mine")],
        [logs("ALERT", "logs")],
        [logs("ALERT", "logs"), logs("FLOW", "logs")],
    ]
