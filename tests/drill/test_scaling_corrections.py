"""Members of Auto Scaling groups on standby keep running, and a group may end a member that is protected from termination."""

from __future__ import annotations

from typing import Any

import pytest

from tests.drill.conftest import Clients, code_of

IMAGE = "ami-0a1b2c3d4e5f60001"


@pytest.fixture
def scaling(ec2: Any, client: Clients) -> Any:
    """A group of two, which may shrink to one."""
    data = {"ImageId": IMAGE, "InstanceType": "t3.micro"}
    template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)["LaunchTemplate"]
    made = client("autoscaling")
    made.create_auto_scaling_group(
        AutoScalingGroupName="web",
        MinSize=1,
        MaxSize=3,
        DesiredCapacity=2,
        AvailabilityZones=["us-east-1a"],
        LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"], "Version": "1"},
    )
    return made


def _members(scaling: Any) -> dict[str, str]:
    (group,) = scaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    return {one["InstanceId"]: one["LifecycleState"] for one in group["Instances"]}


def _states(ec2: Any) -> list[str]:
    found = ec2.describe_instances()["Reservations"]
    return sorted(one["State"]["Name"] for reservation in found for one in reservation["Instances"])


def _standby(scaling: Any, instance: str) -> None:
    scaling.enter_standby(AutoScalingGroupName="web", InstanceIds=[instance], ShouldDecrementDesiredCapacity=True)


def test_standby_keeps_every_member_running_and_stops_at_the_smallest_size(ec2: Any, scaling: Any) -> None:
    first, second = sorted(_members(scaling))
    _standby(scaling, first)
    assert _members(scaling) == {first: "Standby", second: "InService"}
    assert _states(ec2) == ["running", "running"]
    assert code_of(lambda: _standby(scaling, second)) == "ValidationError"
    scaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=2)
    scaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=1)
    assert _members(scaling)[first] == "Standby"
    assert len(_members(scaling)) == 2
    scaling.exit_standby(AutoScalingGroupName="web", InstanceIds=[first])
    assert set(_members(scaling).values()) == {"InService"}


def test_a_group_ends_its_members_on_standby_and_those_that_the_api_may_not_end(ec2: Any, scaling: Any) -> None:
    first, second = sorted(_members(scaling))
    _standby(scaling, first)
    ec2.modify_instance_attribute(InstanceId=second, DisableApiTermination={"Value": True})
    assert code_of(lambda: ec2.terminate_instances(InstanceIds=[second])) == "OperationNotPermitted"
    scaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
    assert set(_states(ec2)) == {"terminated"}
