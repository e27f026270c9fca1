"""Isolation on the range: the actor's instance, and one that a finding is about, whose other uses are named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crashes import utc_now
from direct import INCIDENT, POLICY, World, apply_all, attacked, client

from drill.aws.config import bootstrap_keys
from drill.aws.range import Range
from drill.client import boto_client
from drill.scenario import load, loads
from drill.stage import range_config
from gateway.practice.configuration import granted_to
from incident.approvals import Answer
from incident.families import family_for_kind
from incident.guards import refusals
from incident.isolation import Suspect, isolation, still_connected
from incident.new_ids import step_with_new_ids
from incident.plan import Plan
from incident.release import released, to_read
from incident.resources.compute import INSTANCE
from incident.settings import SettingKey
from tasks.approvals import Approvals
from tasks.aws import observe
from tasks.executor import renamed_ids
from tasks.isolation import surroundings_of
from tasks.ledger import Ledger

pytestmark = pytest.mark.slow

REGION = "us-east-1"

INFECTED = """
name: infected
accounts: {main: "111122223333"}
regions: [us-east-1]
principals:
  owner:   {user: owner, source_ip: 203.0.113.8}
  mallory: {user: mallory, source_ip: 198.51.100.7}
estate:
  - {as: owner, call: ec2.create_vpc, with: {CidrBlock: 10.0.0.0/16}, save: {vpc: Vpc.VpcId}}
  - {as: owner, call: ec2.create_subnet, with: {VpcId: $vpc, CidrBlock: 10.0.1.0/24}, save: {subnet: Subnet.SubnetId}}
  - {as: owner, call: ec2.create_security_group, with: {GroupName: web, Description: web, VpcId: $vpc}, save: {sg: GroupId}}
  - as: owner
    call: iam.create_role
    with:
      RoleName: Web
      AssumeRolePolicyDocument: >-
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
  - {as: owner, call: iam.create_instance_profile, with: {InstanceProfileName: Web}}
  - {as: owner, call: iam.add_role_to_instance_profile, with: {InstanceProfileName: Web, RoleName: Web}}
  - as: owner
    call: ec2.create_launch_template
    with:
      LaunchTemplateName: web
      LaunchTemplateData: {ImageId: ami-0a1b2c3d4e5f60001, InstanceType: t3.micro, SecurityGroupIds: [$sg]}
    save: {template: LaunchTemplate.LaunchTemplateId}
  - as: owner
    call: autoscaling.create_auto_scaling_group
    with:
      AutoScalingGroupName: web
      MinSize: 2
      MaxSize: 4
      DesiredCapacity: 2
      VPCZoneIdentifier: $subnet
      LaunchTemplate: {LaunchTemplateId: $template, Version: "1"}
  - as: owner
    call: autoscaling.describe_auto_scaling_groups
    with: {AutoScalingGroupNames: [web]}
    save: {web: "AutoScalingGroups[0].Instances[0].InstanceId", other: "AutoScalingGroups[0].Instances[1].InstanceId"}
  - {as: owner, call: ec2.associate_iam_instance_profile, with: {InstanceId: $web, IamInstanceProfile: {Name: Web}}}
  - as: owner
    call: elbv2.create_target_group
    with: {Name: shop, Protocol: HTTP, Port: 80, VpcId: $vpc, TargetType: instance}
    save: {shop: "TargetGroups[0].TargetGroupArn"}
  - {as: owner, call: elbv2.register_targets, with: {TargetGroupArn: $shop, Targets: [{Id: $web}, {Id: $other}]}}
  - as: owner
    call: ec2.describe_instances
    with: {InstanceIds: [$web]}
    save: {address: "Reservations[0].Instances[0].PrivateIpAddress"}
  - as: owner
    call: elbv2.create_target_group
    with: {Name: direct, Protocol: HTTP, Port: 80, VpcId: $vpc, TargetType: ip}
    save: {direct: "TargetGroups[0].TargetGroupArn"}
  - as: owner
    call: elbv2.register_targets
    with: {TargetGroupArn: $direct, Targets: [{Id: $address, Port: 8080}, {Id: 10.0.1.200, Port: 8080}]}
  - as: owner
    call: elb.create_load_balancer
    with:
      LoadBalancerName: old
      Listeners: [{Protocol: http, LoadBalancerPort: 80, InstancePort: 80}]
      AvailabilityZones: [us-east-1a]
  - as: owner
    call: elb.register_instances_with_load_balancer
    with: {LoadBalancerName: old, Instances: [{InstanceId: $web}, {InstanceId: $other}]}
attack:
  - {as: owner, call: ec2.create_tags, with: {Resources: [$sg], Tags: [{Key: team, Value: shop}]}, legitimate: true}
finding: {type: "CryptoCurrency:EC2/BitcoinTool.B!DNS", principal: mallory, instance: $web, region: us-east-1, severity: 8}
expect: {restored: true}
"""


@pytest.fixture(scope="module")
def infected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A colleague's web server, which an EC2 finding is about, with the plans that isolate it carried out."""
    scenario = loads(INFECTED)
    with Range(range_config(scenario, snapshot_seconds=0, granted=granted_to(scenario.account_ids))) as aws:
        world = attacked(aws, scenario, tmp_path_factory.mktemp("infected"))
        outcomes = apply_all(world.executor(), world.plans)
        assert [outcome for outcome in outcomes if not outcome.good] == []
        yield world


def _ec2(world: World):
    return boto_client(world.aws.url, "ec2", REGION, bootstrap_keys(world.aws.account))


def _key(world: World, name: str) -> SettingKey:
    return SettingKey(world.aws.account, REGION, INSTANCE, world.stage.happened.names[name])


def _behind_classic(world: World) -> list[str]:
    classic = boto_client(world.aws.url, "elb", REGION, bootstrap_keys(world.aws.account))
    (balancer,) = classic.describe_load_balancers()["LoadBalancerDescriptions"]
    return [one["InstanceId"] for one in balancer["Instances"]]


def _groups(world: World, instance: str) -> list[set[str]]:
    filters = [{"Name": "attachment.instance-id", "Values": [instance]}]
    shown = _ec2(world).describe_network_interfaces(Filters=filters)["NetworkInterfaces"]
    return [{group["GroupName"] for group in one["Groups"]} for one in shown]


def test_the_steps_stand_in_order_and_name_what_others_lose(infected: World):
    titles = [step.title for step in infected.plans[1].steps]
    words = [
        "Protect instance",
        "Keep volume",
        "Lower the smallest size of Auto Scaling group web from 2 to 1",
        "on standby in Auto Scaling group web, whose capacity goes from 2 to 1",
        "from target group direct",
        "from target group shop",
        "from classic load balancer old",
        "Take instance profile",
        "Make our quarantine group countermand-quarantine-open",
        "Let everything into",
        "Make our quarantine group countermand-quarantine-closed",
        "Let nothing out of",
        "Cut interface",
    ]
    assert len(titles) == len(words), titles
    assert all(word in title for word, title in zip(words, titles, strict=True)), titles
    assert all(step.undo for step in infected.plans[1].steps)


def test_the_instance_is_cut_off_and_kept_and_its_neighbour_works_on(infected: World):
    web, other = _key(infected, "web").resource, _key(infected, "other").resource
    assert _groups(infected, web) == [{"countermand-quarantine-closed"}]
    assert _groups(infected, other) == [{"web"}]
    ec2 = _ec2(infected)
    states = {
        one["InstanceId"]: one["State"]["Name"] for all_ in ec2.describe_instances()["Reservations"] for one in all_["Instances"]
    }
    assert states == {web: "running", other: "running"}
    protected = ec2.describe_instance_attribute(InstanceId=web, Attribute="disableApiTermination")
    assert protected["DisableApiTermination"]["Value"] is True
    elb = boto_client(infected.aws.url, "elbv2", REGION, bootstrap_keys(infected.aws.account))
    targets = elb.describe_target_health(TargetGroupArn=infected.stage.happened.names["shop"])["TargetHealthDescriptions"]
    assert [one["Target"]["Id"] for one in targets] == [other]
    by_address = elb.describe_target_health(TargetGroupArn=infected.stage.happened.names["direct"])["TargetHealthDescriptions"]
    assert [one["Target"]["Id"] for one in by_address] == ["10.0.1.200"]
    assert _behind_classic(infected) == [other]
    scaling = boto_client(infected.aws.url, "autoscaling", REGION, bootstrap_keys(infected.aws.account))
    (group,) = scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    assert (group["MinSize"], group["DesiredCapacity"]) == (1, 1)
    assert {one["InstanceId"]: one["LifecycleState"] for one in group["Instances"]} == {web: "Standby", other: "InService"}


def test_what_is_isolated_needs_no_step_and_is_proved_so(infected: World):
    suspect = Suspect(_key(infected, "web"), "a finding is about it")
    around = {suspect.key: surroundings_of(client(infected.aws), suspect.key)}
    assert isolation([suspect], around) == ([], [])
    assert still_connected([suspect], around) == []
    neighbour = Suspect(_key(infected, "other"), "for comparison")
    assert still_connected([neighbour], {neighbour.key: surroundings_of(client(infected.aws), neighbour.key)}) == [
        neighbour.key.resource
    ]


def test_a_group_that_was_tampered_with_is_not_used_again(infected: World):
    ec2 = _ec2(infected)
    names = {one["GroupName"]: one["GroupId"] for one in ec2.describe_security_groups()["SecurityGroups"]}
    everyone = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.authorize_security_group_egress(GroupId=names["countermand-quarantine-closed"], IpPermissions=everyone)
    try:
        suspect = Suspect(_key(infected, "web"), "a finding is about it")
        around = {suspect.key: surroundings_of(client(infected.aws), suspect.key)}
        assert still_connected([suspect], around) == [suspect.key.resource]
        steps, _ = isolation([suspect], around)
        assert [step.leaves["GroupName"] for step in steps if step.creates] == ["countermand-quarantine-closed-2"]
    finally:
        ec2.revoke_security_group_egress(GroupId=names["countermand-quarantine-closed"], IpPermissions=everyone)


def test_a_protected_instance_is_refused_on_every_step(infected: World):
    instance = _key(infected, "web").resource
    plan = infected.plans[1]
    for pattern in (instance, f"arn:aws:ec2:{REGION}:{infected.aws.account}:instance/{instance}"):
        refused = {one.step for one in refusals(plan, POLICY.model_copy(update={"protected_resources": (pattern,)}))}
        assert refused == {step.id for step in plan.steps if step.concerns}
        assert {step.key.kind for step in plan.steps if not step.concerns} == {"security-group", "security-group-rules"}


def test_an_instance_that_is_gone_needs_nothing(infected: World):
    gone = SettingKey(infected.aws.account, REGION, INSTANCE, "i-0123456789abcdef0")
    assert surroundings_of(client(infected.aws), gone) is None
    assert isolation([Suspect(gone, "gone")], {gone: None}) == ([], [])


def test_the_actors_instance_with_two_interfaces_is_isolated_then_gone(tmp_path: Path):
    scenario = load("mining-instance")
    with Range(range_config(scenario, snapshot_seconds=0, granted=granted_to(scenario.account_ids))) as aws:
        world = attacked(aws, scenario, tmp_path)
        runner = world.executor()
        assert all(outcome.good for outcome in apply_all(runner, world.plans[:2]))
        miner = _key(world, "miner").resource
        assert _groups(world, miner) == [{"countermand-quarantine-closed"}] * 2
        with pytest.raises(Exception, match="OperationNotPermitted"):
            _ec2(world).terminate_instances(InstanceIds=[miner])
        assert all(outcome.good for outcome in apply_all(runner, world.plans[2:]))
        judged = world.judged()
        assert (judged.differences, judged.leftovers) == ([], [])
        # The volume outlives the instance.
        assert len(_ec2(world).describe_volumes(Filters=[{"Name": "size", "Values": ["20"]}])["Volumes"]) == 1


class _Interrupted(Exception):
    pass


def test_an_interface_that_was_left_between_the_groups_is_cut_off_by_the_next_run(tmp_path: Path):
    scenario = load("mining-instance")
    with Range(range_config(scenario, snapshot_seconds=0, granted=granted_to(scenario.account_ids))) as aws:
        world = attacked(aws, scenario, tmp_path)
        cutting = [step.id for step in world.plans[1].steps if step.key.kind == "network-interface-attribute"]

        def stop(name: str) -> None:
            if name == f"{cutting[0]}: after call 0":
                raise _Interrupted

        with pytest.raises(_Interrupted):
            apply_all(world.executor(stop), world.plans[:2])
        assert {"countermand-quarantine-open"} in _groups(world, _key(world, "miner").resource)
        assert all(outcome.good for outcome in apply_all(world.executor(), world.plans[:2]))
        assert _groups(world, _key(world, "miner").resource) == [{"countermand-quarantine-closed"}] * 2


def test_a_release_puts_back_all_that_isolation_changed_and_takes_our_groups_away(tmp_path: Path):
    scenario = loads(INFECTED)
    with Range(range_config(scenario, snapshot_seconds=0, granted=granted_to(scenario.account_ids))) as aws:
        world = attacked(aws, scenario, tmp_path)
        apply_all(world.executor(), world.plans)
        ledger, reader = Ledger.open(world.ledger_url, utc_now), client(aws)
        steps = [step_with_new_ids(step, renamed_ids(ledger, INCIDENT)) for step in world.plans[1].steps]
        live = {key: observe(reader, family_for_kind(key.kind), key) for key in to_read(steps)}
        back, left = released(steps, live)
        assert left == []
        plan = Plan(incident=INCIDENT, title="release", steps=tuple(back))
        approvals = Approvals(ledger, POLICY, utc_now)
        asked = approvals.ask(plan, "release", 1, ())
        answer = {"person": "alice", "answer": Answer.APPROVE, "digest": plan.digest}
        approvals.decide(INCIDENT, asked.id, method="one-time-code", surface="prefect", **answer)
        assert [outcome for outcome in apply_all(world.executor(), [plan]) if not outcome.good] == []
        judged = world.judged()
        assert (judged.differences, judged.leftovers) == ([], [])
        names = {one["GroupName"] for one in _ec2(world).describe_security_groups()["SecurityGroups"]}
        assert not any(name.startswith("countermand-") for name in names)
        elb = boto_client(world.aws.url, "elbv2", REGION, bootstrap_keys(world.aws.account))
        shop = elb.describe_target_health(TargetGroupArn=world.stage.happened.names["shop"])["TargetHealthDescriptions"]
        assert {one["Target"]["Id"] for one in shop} == {_key(world, name).resource for name in ("web", "other")}
        associations = _ec2(world).describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
        assert [one["InstanceId"] for one in associations] == [_key(world, "web").resource]
        assert set(_behind_classic(world)) == {_key(world, name).resource for name in ("web", "other")}
        assert _groups(world, _key(world, "web").resource) == [{"web"}]
