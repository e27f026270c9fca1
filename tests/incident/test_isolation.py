"""Which instances are isolated, in which steps, and when a group serves as a quarantine group."""

from __future__ import annotations

from typing import Any

import findings
import pytest
from examples import ACCOUNT, NOON, REGION, plan, record, setting
from hypothesis import given
from hypothesis import strategies as st

from incident.findings.finding import Named, parse_finding
from incident.findings.named import named_finding
from incident.guards import refusals
from incident.isolation import Suspect, isolation, still_connected, suspects
from incident.network.rules import Rule
from incident.plan import Step
from incident.planner import Unread
from incident.policy import Policy
from incident.resources.quarantine import CLOSED, OPEN, group_value, rules_at_first, rules_of, serves
from incident.settings import Reversal, Source
from incident.surroundings import Answers, Surroundings, further_reads, reads, surroundings

INSTANCE = setting("instance", "i-1")
RUN = record("RunInstances")
EXFILTRATION = "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS"
NAMED = "i-0123456789abcdef0"
ALL_OUT = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
EVERYTHING = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]

EVERY_RULE = ["ingress all all 0.0.0.0/0", "ingress all all ::/0", "egress all all 0.0.0.0/0", "egress all all ::/0"]
OTHER_RULES = ["ingress tcp 22-22 0.0.0.0/0", "egress tcp 443-443 0.0.0.0/0", "ingress all all sg-1", "egress all all 10.0.0.0/8"]


def undone(key: Any, target: Any = None, **more: Any) -> Reversal:
    return Reversal(key=key, target=target, source=Source.RECORD, written={}, by_actor=(RUN,), **more)


def answers(**more: Any) -> Answers:
    """What AWS shows of an instance with one interface and one volume that nobody else uses; `more` by operation."""
    shown: dict[str, dict[str, Any]] = {
        "DescribeInstances": {
            "Reservations": [
                {
                    "Instances": [
                        {
                            "InstanceId": "i-1",
                            "State": {"Name": "running"},
                            "BlockDeviceMappings": [
                                {"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": "vol-1", "DeleteOnTermination": True}}
                            ],
                        }
                    ]
                }
            ]
        },
        "DescribeNetworkInterfaces": {"NetworkInterfaces": [interface("eni-1")]},
        "DescribeInstanceAttribute": {"InstanceId": "i-1", "DisableApiTermination": {"Value": False}},
        "DescribeIamInstanceProfileAssociations": {"IamInstanceProfileAssociations": []},
        "DescribeAutoScalingInstances": {"AutoScalingInstances": []},
        "DescribeTargetGroups": {"TargetGroups": []},
        "DescribeLoadBalancers": {"LoadBalancerDescriptions": []},
        "DescribeVpcs": {"Vpcs": [{"VpcId": "vpc-1"}]},
        "DescribeSecurityGroups": {"SecurityGroups": [group("sg-1", "web", "", ingress=ALL_OUT)]},
    } | more
    first = [(read, shown[read.operation]) for read in reads(INSTANCE)]
    return [*first, *((read, shown[read.operation]) for read in further_reads(first))]


def interface(eni: str, *groups: str) -> dict[str, Any]:
    named = [{"GroupId": one} for one in groups or ("sg-1",)]
    return {"NetworkInterfaceId": eni, "VpcId": "vpc-1", "SubnetId": "subnet-1", "Groups": named}


def group(ident: str, name: str, purpose: str, *, ingress: list[Any] = [], egress: list[Any] = ALL_OUT) -> dict[str, Any]:  # noqa: B006
    tags = [{"Key": "countermand:quarantine", "Value": purpose}] if purpose else []
    rules = {"IpPermissions": ingress, "IpPermissionsEgress": egress}
    return {"GroupId": ident, "GroupName": name, "VpcId": "vpc-1", "OwnerId": ACCOUNT, "Tags": tags, **rules}


def around(**more: Any) -> Surroundings:
    found = surroundings(INSTANCE, answers(**more))
    assert found is not None
    return found


def steps(found: Surroundings, **more: Any) -> list[Step]:
    made, left = isolation([Suspect(INSTANCE, "the actor started it", **more)], {INSTANCE: found})
    assert left == []
    return made


# --- which instances ----------------------------------------------------------------------------------------------------------


def test_what_the_actor_started_and_what_is_chosen_to_stay():
    elsewhere = setting("instance", "i-2")
    found = suspects([undone(INSTANCE), undone(elsewhere, {"image": "ami-1"})], parse_finding(findings.finding()))
    assert [(one.key, one.records) for one in found] == [(INSTANCE, (RUN.event_id,))]


@pytest.mark.parametrize(
    ("type_", "isolated"),
    [
        ("Recon:EC2/Portscan", True),
        ("Execution:Runtime/NewBinaryExecuted", True),
        (EXFILTRATION, False),
        (findings.KEY_TYPE, False),
    ],
)
def test_an_instance_is_isolated_if_the_finding_is_about_it_and_not_about_its_session(type_: str, isolated: bool):
    resource = findings.INSTANCE_RESOURCE | (findings.KEY_RESOURCE if "IAMUser" in type_ else {})
    found = suspects([], parse_finding(findings.finding(type_, resource=resource)))
    assert [one.key.resource for one in found] == ([NAMED] if isolated else [])


def test_the_instances_that_a_responder_named_are_isolated():
    said = Named(instances=(NAMED,), person="alice", reason="it beacons")
    raw = named_finding(said, ACCOUNT, REGION, NOON, 8, "", NOON)
    (found,) = suspects([], parse_finding(raw, by_hand=True))
    assert (found.key, found.why) == (setting("instance", NAMED), "alice named it")


# --- quarantine groups --------------------------------------------------------------------------------------------------------


@given(rules=st.sets(st.sampled_from([*EVERY_RULE, *OTHER_RULES])), ipv6=st.booleans())
def test_a_group_serves_only_with_exactly_the_rules_of_its_purpose(rules: set[str], ipv6: bool):
    needed = set(EVERY_RULE) if ipv6 else set(EVERY_RULE[:3])
    assert serves(CLOSED, rules, ipv6) == (rules == set())
    assert serves(OPEN, rules, ipv6) == (needed <= rules and not rules & set(OTHER_RULES))


@given(purpose=st.sampled_from([OPEN, CLOSED]), ipv6=st.booleans())
def test_a_group_that_is_made_as_planned_serves(purpose: str, ipv6: bool):
    made = [rule for direction in ("ingress", "egress") for rule in rules_of(purpose, direction, ipv6)]
    assert serves(purpose, made, ipv6)
    assert all(Rule.named(rule).permission() for rule in made)
    assert not serves(CLOSED, rules_at_first("egress", ipv6), ipv6)


@given(st.sets(st.sampled_from(["countermand-quarantine-open", "countermand-quarantine-open-2", "web"])))
def test_a_new_group_never_has_a_name_that_is_taken(taken: set[str]):
    assert group_value(OPEN, "vpc-1", taken)["GroupName"] not in taken


OURS = [group("sg-8", "a", OPEN, ingress=EVERYTHING), group("sg-9", "b", CLOSED, egress=[])]


def test_groups_that_are_there_and_right_are_used():
    found = around(DescribeSecurityGroups={"SecurityGroups": OURS})
    cutting = steps(found)[-1]
    assert (cutting.expects, cutting.leaves, cutting.after) == (["sg-1"], ["sg-9"], ())
    assert [call.parameters["Groups"] for call in cutting.calls] == [["sg-8"], ["sg-9"]]
    assert [call.parameters["Groups"] for call in cutting.undo] == [["sg-1"]]


@pytest.mark.parametrize(
    "tampered",
    [
        group("sg-9", "countermand-quarantine-closed", CLOSED, ingress=ALL_OUT, egress=[]),
        group("sg-9", "countermand-quarantine-closed", CLOSED),
        group("sg-9", "countermand-quarantine-closed", "", egress=[]),
    ],
)
def test_a_group_of_our_name_with_other_rules_or_without_our_tag_is_not_used(tampered: dict[str, Any]):
    found = around(DescribeSecurityGroups={"SecurityGroups": [OURS[0], tampered]})
    made = steps(found)
    assert [one.leaves["GroupName"] for one in made if one.creates] == ["countermand-quarantine-closed-2"]
    assert made[-1].leaves == ["quarantine-closed-of-vpc-1"]
    assert set(made[-1].after) <= {one.id for one in made}


# --- steps --------------------------------------------------------------------------------------------------------------------


def test_the_steps_of_an_instance_that_nobody_else_uses():
    made = steps(around())
    assert [(one.key.kind, one.key.name) for one in made] == [
        ("instance-attribute", "disableApiTermination"),
        ("block-device", "/dev/xvda"),
        ("security-group", ""),
        ("security-group-rules", "ingress"),
        ("security-group", ""),
        ("security-group-rules", "egress"),
        ("network-interface-attribute", "Groups"),
    ]
    assert all(one.undo for one in made)


def test_every_interface_is_cut_off_by_itself_and_the_groups_are_made_once():
    made = steps(around(DescribeNetworkInterfaces={"NetworkInterfaces": [interface("eni-1"), interface("eni-2", "sg-2")]}))
    cutting = [one for one in made if one.key.name == "Groups"]
    assert [(one.key.resource, one.expects) for one in cutting] == [("eni-1", ["sg-1"]), ("eni-2", ["sg-2"])]
    assert {call.operation for one in cutting for call in one.calls} == {"ModifyNetworkInterfaceAttribute"}
    assert sum(bool(one.creates) for one in made) == 2


def test_what_is_isolated_already_needs_no_step():
    device = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": "vol-1", "DeleteOnTermination": False}}
    instance = {"InstanceId": "i-1", "State": {"Name": "running"}, "BlockDeviceMappings": [device]}
    found = around(
        DescribeInstances={"Reservations": [{"Instances": [instance]}]},
        DescribeInstanceAttribute={"InstanceId": "i-1", "DisableApiTermination": {"Value": True}},
        DescribeNetworkInterfaces={"NetworkInterfaces": [interface("eni-1", "sg-9")]},
        DescribeSecurityGroups={"SecurityGroups": OURS},
    )
    assert steps(found) == []
    assert still_connected([Suspect(INSTANCE, "")], {INSTANCE: found}) == []


MEMBER = {
    "DescribeAutoScalingInstances": {
        "AutoScalingInstances": [{"InstanceId": "i-1", "AutoScalingGroupName": "web", "LifecycleState": "InService"}]
    },
}


def sized(lowest: int, desired: int) -> dict[str, Any]:
    shown = {"AutoScalingGroupName": "web", "MinSize": lowest, "MaxSize": 4, "DesiredCapacity": desired}
    return {"DescribeAutoScalingGroups": {"AutoScalingGroups": [shown]}}


@pytest.mark.parametrize(("lowest", "operations"), [(1, ["EnterStandby"]), (2, ["UpdateAutoScalingGroup", "EnterStandby"])])
def test_a_member_goes_on_standby_with_room_for_the_smaller_capacity(lowest: int, operations: list[str]):
    made = steps(around(**MEMBER, **sized(lowest, 2)))
    calls = [call for one in made for call in one.calls if call.service == "autoscaling"]
    assert [call.operation for call in calls] == operations
    assert calls[-1].parameters["ShouldDecrementDesiredCapacity"] is True


def test_a_member_of_the_actors_own_group_goes_with_the_group():
    made = steps(around(**MEMBER, **sized(1, 2)), their_groups=frozenset({"web"}))
    assert not any(call.service == "autoscaling" for one in made for call in one.calls)


def test_other_uses_are_named_in_the_titles():
    arn = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/shop/0123456789abcdef"
    healthy = {"TargetHealth": {"State": "healthy"}}
    both = [{"Target": {"Id": "i-1", "Port": 80}, **healthy}, {"Target": {"Id": "i-2", "Port": 80}, **healthy}]
    made = steps(
        around(
            DescribeTargetGroups={"TargetGroups": [{"TargetGroupArn": arn, "VpcId": "vpc-1"}]},
            DescribeTargetHealth={"TargetHealthDescriptions": both},
        )
    )
    (deregistered,) = [one for one in made if one.key.kind == "target"]
    assert deregistered.key.name == "i-1 80"
    assert "from target group shop" in deregistered.title


def test_a_spot_instance_has_no_termination_protection():
    spot = answers()[0][1]
    spot["Reservations"][0]["Instances"][0]["InstanceLifecycle"] = "spot"
    assert "disableApiTermination" not in {one.key.name for one in steps(around(DescribeInstances=spot))}


def test_an_interface_that_was_released_is_left_alone():
    key = setting("network-interface-attribute", "eni-1", "Groups")
    suspect, found = Suspect(INSTANCE, ""), around()
    made, _ = isolation([suspect], {INSTANCE: found}, {key})
    assert {one.key.kind for one in made} == {"instance-attribute", "block-device"}
    assert still_connected([suspect], {INSTANCE: found}, {key}) == []


def test_a_protected_instance_is_refused_on_every_step_that_concerns_it():
    made = steps(around())
    refused = {one.step for one in refusals(plan(*made), Policy(protected_resources=("i-1",)))}
    assert refused == {one.id for one in made if one.key.kind not in ("security-group", "security-group-rules")}


# --- unknown and gone ---------------------------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_left_to_people_and_not_clean():
    suspect = Suspect(INSTANCE, "the actor started it")
    (left,) = isolation([suspect], {INSTANCE: Unread("denied")})[1]
    assert left.status == "unread"
    assert still_connected([suspect], {INSTANCE: Unread("denied")}) == ["i-1"]
    assert still_connected([suspect], {}) == ["i-1"]


def test_an_unread_use_is_said_and_the_instance_is_isolated_all_the_same():
    found = surroundings(INSTANCE, answers(), ["DescribeTargetGroups: AccessDenied"])
    made, left = isolation([Suspect(INSTANCE, "")], {INSTANCE: found})
    assert made[-1].key.name == "Groups"
    assert "AccessDenied" in left[0].why


@pytest.mark.parametrize("state", ["terminated", "shutting-down"])
def test_an_instance_that_ends_is_gone(state: str):
    ended = {"Reservations": [{"Instances": [{"InstanceId": "i-1", "State": {"Name": state}}]}]}
    assert surroundings(INSTANCE, answers(DescribeInstances=ended)) is None
    assert still_connected([Suspect(INSTANCE, "")], {INSTANCE: None}) == []
