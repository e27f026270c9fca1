"""Network firewalls on the range: the trail tells what AWS shows, and leads back to what was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from roundtrip import Network, fold, told_wrongly, undo, values

from drill.aws import Range, RangeConfig


@pytest.fixture(scope="module")
def aws() -> Iterator[Range]:
    with Range(RangeConfig(regions=("us-east-1",))) as running:
        yield running


class Edge:
    """A firewall with a strict policy, made by the owner, whose calls leave no record here."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.vpc = network.ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.subnets = [subnet["SubnetId"] for subnet in network.ec2.describe_subnets()["Subnets"]]
        client = network.client("network-firewall")
        rules = {"RulesSource": {"RulesString": "drop tls any any -> any any (sid:1;)"}}
        made = client.create_rule_group(RuleGroupName="domains", Type="STATEFUL", Capacity=10, RuleGroup=rules)
        self.rules = made["RuleGroupResponse"]["RuleGroupArn"]
        self.policies = [self.policy(client, name, action) for name, action in (("strict", "aws:drop"), ("spare", "aws:drop"))]
        made = client.create_firewall(
            FirewallName="edge",
            FirewallPolicyArn=self.policies[0],
            VpcId=self.vpc,
            SubnetMappings=[{"SubnetId": self.subnets[0]}],
            DeleteProtection=True,
            FirewallPolicyChangeProtection=True,
        )
        self.firewall = made["Firewall"]["FirewallArn"]
        client.update_logging_configuration(FirewallArn=self.firewall, LoggingConfiguration=self.logs("ALERT"))

    def policy(self, client: Any, name: str, action: str) -> str:
        document = {
            "StatelessDefaultActions": [action],
            "StatelessFragmentDefaultActions": [action],
            "StatefulRuleGroupReferences": [{"ResourceArn": self.rules}],
        }
        made = client.create_firewall_policy(FirewallPolicyName=name, FirewallPolicy=document)
        return str(made["FirewallPolicyResponse"]["FirewallPolicyArn"])

    @staticmethod
    def logs(*kinds: str) -> dict[str, Any]:
        place = {"LogDestinationType": "S3", "LogDestination": {"bucketName": "firewall-logs"}}
        return {"LogDestinationConfigs": [{"LogType": kind, **place} for kind in kinds]}


def returns(aws: Range, attack: Callable[[Edge, Any], None]) -> None:
    """What an attack does is told by the trail as AWS then shows it, and undone completely."""
    aws.reset()
    network = Network(aws)
    edge = Edge(network)
    before = network.settings()

    attack(edge, network.client("network-firewall", recorded=True))

    assert values(network.settings()) != values(before)
    folded = fold(network.records(), before)
    assert told_wrongly(folded, values(network.settings())) == {}
    assert undo(network, folded) == []
    assert values(network.settings()) == values(before)


def test_a_policy_that_lets_everything_through_is_strict_again(aws: Range):
    def attack(edge: Edge, client: Any) -> None:
        everything = {"StatelessDefaultActions": ["aws:pass"], "StatelessFragmentDefaultActions": ["aws:pass"]}
        token = client.describe_firewall_policy(FirewallPolicyArn=edge.policies[0])["UpdateToken"]
        client.update_firewall_policy(FirewallPolicyArn=edge.policies[0], UpdateToken=token, FirewallPolicy=everything)
        token = client.describe_rule_group(RuleGroupArn=edge.rules)["UpdateToken"]
        client.update_rule_group(RuleGroupArn=edge.rules, UpdateToken=token, Rules="pass ip any any -> any any (sid:1;)")

    returns(aws, attack)


def test_a_firewall_gets_its_policy_its_subnets_its_protections_and_its_logs_back(aws: Range):
    def attack(edge: Edge, client: Any) -> None:
        firewall = {"FirewallArn": edge.firewall}
        client.update_firewall_policy_change_protection(**firewall, FirewallPolicyChangeProtection=False)
        mine = edge.policy(client, "mine", "aws:pass")
        client.associate_firewall_policy(**firewall, FirewallPolicyArn=mine)
        client.associate_subnets(**firewall, SubnetMappings=[{"SubnetId": edge.subnets[1]}])
        client.disassociate_subnets(**firewall, SubnetIds=[edge.subnets[0]])
        client.update_subnet_change_protection(**firewall, SubnetChangeProtection=True)
        client.update_firewall_description(**firewall, Description="do not touch")
        client.update_logging_configuration(**firewall, LoggingConfiguration=edge.logs())
        client.update_logging_configuration(**firewall, LoggingConfiguration=edge.logs("TLS"))

    returns(aws, attack)


def test_a_firewall_that_was_deleted_returns_with_its_policy_and_its_rules(aws: Range):
    def attack(edge: Edge, client: Any) -> None:
        client.update_firewall_delete_protection(FirewallArn=edge.firewall, DeleteProtection=False)
        client.delete_firewall(FirewallArn=edge.firewall)
        for policy in edge.policies:
            client.delete_firewall_policy(FirewallPolicyArn=policy)
        client.delete_rule_group(RuleGroupArn=edge.rules)

    returns(aws, attack)


def test_what_the_actor_made_goes_though_it_is_protected(aws: Range):
    def attack(edge: Edge, client: Any) -> None:
        rules = {"RulesSource": {"RulesString": "pass ip any any -> any any (sid:1;)"}}
        client.create_rule_group(RuleGroupName="mine", Type="STATEFUL", Capacity=1, RuleGroup=rules)
        client.create_firewall(
            FirewallName="mine",
            FirewallPolicyArn=edge.policy(client, "open", "aws:pass"),
            VpcId=edge.vpc,
            SubnetMappings=[{"SubnetId": edge.subnets[0]}],
            DeleteProtection=True,
        )

    returns(aws, attack)
