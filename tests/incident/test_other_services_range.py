"""Load balancers, databases, functions and DNS on the range: the trail tells what AWS shows, and leads back to what was."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from roundtrip import Network, fold, told_wrongly, undo, values

from drill.aws import Range, RangeConfig

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def aws() -> Iterator[Range]:
    with Range(RangeConfig(regions=("us-east-1",))) as running:
        yield running


class Shop:
    """A network with one of each, made by the owner, whose calls leave no record here."""

    def __init__(self, network: Network) -> None:
        self.network = network
        ec2 = network.ec2
        self.subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
        self.vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.groups = [
            ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)["GroupId"] for name in ("one", "two")
        ]

    def balancer(self) -> None:
        elb = self.network.client("elbv2")
        made = elb.create_load_balancer(Name="web", Subnets=self.subnets[:2], SecurityGroups=self.groups[:1])
        self.arn = made["LoadBalancers"][0]["LoadBalancerArn"]
        self.targets = [
            elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=self.vpc)["TargetGroups"][0]["TargetGroupArn"]
            for name in ("good", "bad")
        ]
        made = elb.create_listener(LoadBalancerArn=self.arn, Protocol="HTTP", Port=80, DefaultActions=self.to(0))
        self.listener = made["Listeners"][0]["ListenerArn"]
        made = elb.create_rule(ListenerArn=self.listener, Priority=10, Conditions=self.path("/pay"), Actions=self.to(0))
        self.rule = made["Rules"][0]["RuleArn"]

    def to(self, target: int) -> list[dict[str, Any]]:
        return [{"Type": "forward", "TargetGroupArn": self.targets[target]}]

    @staticmethod
    def path(where: str) -> list[dict[str, Any]]:
        return [{"Field": "path-pattern", "Values": [where]}]


def returns(aws: Range, build: Callable[[Shop], None], attack: Callable[[Shop], None]) -> None:
    """What an attack does is told by the trail as AWS then shows it, and undone completely."""
    aws.reset()
    network = Network(aws)
    shop = Shop(network)
    build(shop)
    before = network.settings()

    attack(shop)

    assert values(network.settings()) != values(before)
    folded = fold(network.records(), before)
    assert told_wrongly(folded, values(network.settings())) == {}
    assert undo(network, folded) == []
    expected = {network.current(key): network.current_value(value) for key, value in values(before).items()}
    assert values(network.settings()) == expected


def test_a_balancers_groups_listeners_and_rules_return(aws: Range):
    def attack(shop: Shop) -> None:
        elb = shop.network.client("elbv2", recorded=True)
        elb.set_security_groups(LoadBalancerArn=shop.arn, SecurityGroups=shop.groups[1:])
        elb.set_subnets(LoadBalancerArn=shop.arn, Subnets=shop.subnets[:3])
        elb.modify_listener(ListenerArn=shop.listener, DefaultActions=shop.to(1))
        elb.modify_rule(RuleArn=shop.rule, Conditions=shop.path("/"), Actions=shop.to(1))
        opened = elb.create_listener(LoadBalancerArn=shop.arn, Protocol="HTTP", Port=8080, DefaultActions=shop.to(1))
        listener = opened["Listeners"][0]["ListenerArn"]
        elb.create_rule(ListenerArn=listener, Priority=1, Conditions=shop.path("/x"), Actions=shop.to(1))
        elb.create_rule(ListenerArn=shop.listener, Priority=5, Conditions=shop.path("/y"), Actions=shop.to(1))

    returns(aws, Shop.balancer, attack)


def test_a_rule_that_was_moved_or_deleted_returns_to_its_place(aws: Range):
    def attack(shop: Shop) -> None:
        elb = shop.network.client("elbv2", recorded=True)
        elb.set_rule_priorities(RulePriorities=[{"RuleArn": shop.rule, "Priority": 3}])
        elb.delete_rule(RuleArn=shop.rule)

    returns(aws, Shop.balancer, attack)


def test_a_balancer_that_was_deleted_returns_with_its_listeners_and_rules(aws: Range):
    def attack(shop: Shop) -> None:
        elb = shop.network.client("elbv2", recorded=True)
        elb.delete_load_balancer(LoadBalancerArn=shop.arn)
        for targets in shop.targets:
            elb.delete_target_group(TargetGroupArn=targets)

    returns(aws, Shop.balancer, attack)


def test_a_balancer_that_the_actor_made_goes_though_it_is_protected(aws: Range):
    def attack(shop: Shop) -> None:
        elb = shop.network.client("elbv2", recorded=True)
        made = elb.create_load_balancer(Name="mine", Subnets=shop.subnets[:2], SecurityGroups=shop.groups)
        arn = made["LoadBalancers"][0]["LoadBalancerArn"]
        elb.set_subnets(LoadBalancerArn=arn, Subnets=shop.subnets[1:3])
        protected = [{"Key": "deletion_protection.enabled", "Value": "true"}]
        elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=protected)
        mine = elb.create_target_group(Name="mine", Protocol="HTTP", Port=80, VpcId=shop.vpc, TargetType="ip")
        targets = mine["TargetGroups"][0]["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=targets, Targets=[{"Id": "198.51.100.6", "Port": 8080, "AvailabilityZone": "all"}])
        actions = [{"Type": "forward", "TargetGroupArn": targets}]
        elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=actions)

    returns(aws, Shop.balancer, attack)


def test_traffic_goes_to_the_targets_that_it_went_to(aws: Range):
    def build(shop: Shop) -> None:
        shop.balancer()
        elb = shop.network.client("elbv2")
        made = elb.create_target_group(Name="addresses", Protocol="HTTP", Port=80, VpcId=shop.vpc, TargetType="ip")
        shop.members = made["TargetGroups"][0]["TargetGroupArn"]
        elb.register_targets(TargetGroupArn=shop.members, Targets=[{"Id": "10.0.0.1"}, {"Id": "10.0.0.2", "Port": 8080}])

    def attack(shop: Shop) -> None:
        elb = shop.network.client("elbv2", recorded=True)
        elb.register_targets(TargetGroupArn=shop.members, Targets=[{"Id": "198.51.100.6"}])
        elb.deregister_targets(TargetGroupArn=shop.members, Targets=[{"Id": "10.0.0.1"}, {"Id": "10.0.0.2", "Port": 8080}])
        elb.modify_target_group(TargetGroupArn=shop.members, HealthCheckPath="/mine", HealthCheckIntervalSeconds=300)
        sticky = [{"Key": "stickiness.enabled", "Value": "true"}]
        elb.modify_target_group_attributes(TargetGroupArn=shop.members, Attributes=sticky)

    returns(aws, build, attack)


def test_a_database_is_closed_again(aws: Range):
    def build(shop: Shop) -> None:
        shop.network.client("rds").create_db_instance(
            DBInstanceIdentifier="shop",
            DBInstanceClass="db.t3.micro",
            Engine="mysql",
            MasterUsername="admin",
            MasterUserPassword="correct horse",
            AllocatedStorage=20,
            PubliclyAccessible=False,
            VpcSecurityGroupIds=shop.groups[:1],
        )

    def attack(shop: Shop) -> None:
        asked = {"PubliclyAccessible": True, "VpcSecurityGroupIds": shop.groups[1:], "ApplyImmediately": True}
        shop.network.client("rds", recorded=True).modify_db_instance(DBInstanceIdentifier="shop", **asked)

    returns(aws, build, attack)


def function(shop: Shop) -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = shop.network.client("iam").create_role(RoleName="pay", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("pay.py", "")
    shop.network.client("lambda").create_function(
        FunctionName="pay",
        Runtime="python3.12",
        Role=role,
        Handler="pay.pay",
        Code={"ZipFile": archive.getvalue()},
        VpcConfig={"SubnetIds": shop.subnets[:1], "SecurityGroupIds": shop.groups[:1]},
    )


def test_a_function_stands_where_it_stood(aws: Range):
    def attack(shop: Shop) -> None:
        elsewhere = {"SubnetIds": shop.subnets[1:3], "SecurityGroupIds": shop.groups[1:]}
        shop.network.client("lambda", recorded=True).update_function_configuration(FunctionName="pay", VpcConfig=elsewhere)

    returns(aws, function, attack)


def test_only_those_may_call_a_function_who_could(aws: Range):
    allowed = {"FunctionName": "pay", "StatementId": "from-bucket", "Action": "lambda:InvokeFunction"}
    bucket = {"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::orders", "SourceAccount": "111122223333"}

    def build(shop: Shop) -> None:
        function(shop)
        client = shop.network.client("lambda")
        client.add_permission(**allowed, **bucket)
        client.create_function_url_config(FunctionName="pay", AuthType="AWS_IAM")

    def attack(shop: Shop) -> None:
        client = shop.network.client("lambda", recorded=True)
        client.remove_permission(FunctionName="pay", StatementId="from-bucket")
        client.add_permission(**{**allowed, "StatementId": "mine", "Principal": "999988887777"})
        public = {"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"}
        client.add_permission(**{**allowed, "StatementId": "all", **public})
        client.update_function_url_config(FunctionName="pay", AuthType="NONE")

    returns(aws, build, attack)


@pytest.mark.parametrize("first", ["create", "delete"])
def test_a_functions_url_goes_or_comes_back(aws: Range, first: str):
    def build(shop: Shop) -> None:
        function(shop)
        if first == "delete":
            cors = {"AllowOrigins": ["https://shop.example"]}
            shop.network.client("lambda").create_function_url_config(FunctionName="pay", AuthType="AWS_IAM", Cors=cors)

    def attack(shop: Shop) -> None:
        client = shop.network.client("lambda", recorded=True)
        if first == "delete":
            client.delete_function_url_config(FunctionName="pay")
        else:
            client.create_function_url_config(FunctionName="pay", AuthType="NONE")

    returns(aws, build, attack)


def test_names_point_again_to_where_they_pointed(aws: Range):
    def change(client: Any, zone: str, action: str, name: str, address: str) -> None:
        told = {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": address}]}
        client.change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": told}]}
        )

    def build(shop: Shop) -> None:
        dns = shop.network.client("route53")
        shop.zone = dns.create_hosted_zone(Name="shop.test", CallerReference="1")["HostedZone"]["Id"]
        change(dns, shop.zone, "CREATE", "www.shop.test", "192.0.2.1")
        change(dns, shop.zone, "CREATE", "mail.shop.test", "192.0.2.2")

    def attack(shop: Shop) -> None:
        dns = shop.network.client("route53", recorded=True)
        change(dns, shop.zone, "UPSERT", "www.shop.test", "198.51.100.6")
        change(dns, shop.zone, "DELETE", "mail.shop.test", "192.0.2.2")
        change(dns, shop.zone, "CREATE", "login.shop.test", "198.51.100.6")

    returns(aws, build, attack)


def test_a_private_zone_is_seen_from_where_it_was_seen_and_the_actors_zone_goes(aws: Range):
    def build(shop: Shop) -> None:
        dns = shop.network.client("route53")
        shop.other = shop.network.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        here = {"VPCRegion": "us-east-1", "VPCId": shop.vpc}
        made = dns.create_hosted_zone(Name="corp.test", CallerReference="1", VPC=here, HostedZoneConfig={"PrivateZone": True})
        shop.zone = made["HostedZone"]["Id"]

    def attack(shop: Shop) -> None:
        dns = shop.network.client("route53", recorded=True)
        there = {"VPCRegion": "us-east-1", "VPCId": shop.other}
        dns.associate_vpc_with_hosted_zone(HostedZoneId=shop.zone, VPC=there)
        dns.disassociate_vpc_from_hosted_zone(HostedZoneId=shop.zone, VPC={"VPCRegion": "us-east-1", "VPCId": shop.vpc})
        config = {"PrivateZone": True}
        mine = dns.create_hosted_zone(Name="shop.test", CallerReference="2", VPC=there, HostedZoneConfig=config)["HostedZone"]["Id"]
        record = {"Name": "www.shop.test", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "198.51.100.6"}]}
        batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        dns.change_resource_record_sets(HostedZoneId=mine, ChangeBatch=batch)

    returns(aws, build, attack)
