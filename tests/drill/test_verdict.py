"""The verdict, on dumps as plain data."""

from __future__ import annotations

import copy
import json
from typing import Any

from drill.verdict import Leftover, apply, differences, effects_between, flatten, key_status, leftovers, other_rights

A, R = "111122223333", "us-east-1"


def _rule(port: int, *peers: dict[str, str]) -> dict[str, Any]:
    groups = [p for p in peers if "GroupId" in p]
    ranges = [p for p in peers if "CidrIp" in p]
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": ranges, "UserIdGroupPairs": groups}


def _group(ident: str, name: str, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"GroupId": ident, "GroupName": name, "Description": name, "VpcId": "vpc-1", "IpPermissions": list(rules), **more}


def _dump(**kinds: list[Any]) -> dict[str, Any]:
    base = {
        "vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16", "State": "available", "Attributes": {"enableDnsSupport": True}}],
        "subnets": [{"SubnetId": "subnet-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24", "AvailableIpAddressCount": 251}],
        "security_groups": [_group("sg-1", "web", _rule(443, {"CidrIp": "0.0.0.0/0", "Description": "customers"}))],
        "route_tables": [
            {
                "RouteTableId": "rtb-1",
                "VpcId": "vpc-1",
                "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}],
                "Associations": [{"RouteTableAssociationId": "rtbassoc-1", "SubnetId": "subnet-1", "Main": False}],
            }
        ],
        "network_acls": [
            {
                "NetworkAclId": "acl-1",
                "VpcId": "vpc-1",
                "Entries": [
                    {"RuleNumber": 100, "Egress": False, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "10.0.0.0/8"}
                ],
                "Associations": [{"NetworkAclAssociationId": "aclassoc-1", "SubnetId": "subnet-1"}],
            }
        ],
    }
    return {A: {R: {**base, **kinds}}}


def _told(before: Any, after: Any, **options: Any) -> list[tuple[str, str, str, str]]:
    found = differences(flatten(before), flatten(after), **options)
    return [(d.resource, d.setting, d.expected, d.found) for d in found]


def test_equal_dumps_differ_in_nothing() -> None:
    assert _told(_dump(), _dump()) == []


def test_order_ids_of_associations_times_and_states_do_not_matter() -> None:
    rules = [_rule(1, {"CidrIp": "1.0.0.0/8"}, {"CidrIp": "2.0.0.0/8"}), _rule(2, {"CidrIp": "3.0.0.0/8"})]
    swapped = [_rule(2, {"CidrIp": "3.0.0.0/8"}), _rule(1, {"CidrIp": "2.0.0.0/8"}), _rule(1, {"CidrIp": "1.0.0.0/8"})]
    before = _dump(security_groups=[_group("sg-1", "web", *rules)])
    after = _dump(security_groups=[_group("sg-1", "web", *swapped)])
    after[A][R]["route_tables"][0]["Associations"][0]["RouteTableAssociationId"] = "rtbassoc-2"
    after[A][R]["network_acls"][0]["Associations"][0]["NetworkAclAssociationId"] = "aclassoc-2"
    after[A][R]["vpcs"][0]["State"] = "pending"
    after[A][R]["subnets"][0]["AvailableIpAddressCount"] = 250
    assert _told(before, after) == []


def test_rules_routes_and_entries_are_told_in_plain_words() -> None:
    after = _dump(security_groups=[_group("sg-1", "web", _rule(22, {"CidrIp": "0.0.0.0/0"}))])
    after[A][R]["route_tables"][0]["Routes"][0] = {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "active"}
    after[A][R]["network_acls"][0]["Entries"][0]["RuleAction"] = "deny"
    assert _told(_dump(), after) == [
        ("network ACL acl-1", "ingress entry 100", "allow all traffic 10.0.0.0/8", "deny all traffic 10.0.0.0/8"),
        ("route table rtb-1", "route to 0.0.0.0/0", "igw-1", "nat-1"),
        ("security group sg-1 (web)", "ingress tcp 22 from 0.0.0.0/0", "absent", "present, description ''"),
        ("security group sg-1 (web)", "ingress tcp 443 from 0.0.0.0/0", "present, description 'customers'", "absent"),
    ]


def test_a_moved_association_is_told_of_the_subnet() -> None:
    after = _dump()
    after[A][R]["route_tables"][0]["Associations"] = []
    assert _told(_dump(), after) == [("subnet subnet-1", "route table", "rtb-1", "absent")]


def test_a_whole_resource_is_told_once() -> None:
    assert _told(_dump(security_groups=[]), _dump()) == [("security group sg-1 (web)", "exists", "absent", "present")]
    assert _told(_dump(), _dump(security_groups=[])) == [("security group sg-1 (web)", "exists", "present", "absent")]


def test_a_resource_made_anew_counts_as_restored_with_all_references() -> None:
    web, db = _group("sg-1", "web", _rule(443, {"CidrIp": "0.0.0.0/0"})), _group("sg-2", "db", _rule(5432, {"GroupId": "sg-1"}))
    eni = {"NetworkInterfaceId": "eni-1", "Groups": [{"GroupId": "sg-1"}], "SubnetId": "subnet-1"}
    before = _dump(security_groups=[web, db], network_interfaces=[eni])
    after = json.loads(json.dumps(before).replace("sg-1", "sg-9").replace("sg-2", "sg-8"))
    assert _told(before, after) == []
    after[A][R]["network_interfaces"][0]["Groups"] = [{"GroupId": "sg-8"}]
    assert _told(before, after) != []


def test_two_lost_resources_that_look_alike_are_told_apart_by_who_refers_to_them() -> None:
    acls = [
        {"NetworkAclId": f"acl-{i}", "VpcId": "vpc-1", "Entries": [], "Associations": [{"SubnetId": f"subnet-{i}"}]} for i in (1, 2)
    ]
    subnets = [{"SubnetId": f"subnet-{i}", "VpcId": "vpc-1", "CidrBlock": f"10.0.{i}.0/24"} for i in (1, 2)]
    before = _dump(network_acls=acls, subnets=subnets)
    crossed = copy.deepcopy(acls)
    crossed[0]["NetworkAclId"], crossed[1]["NetworkAclId"] = "acl-8", "acl-7"
    assert _told(before, _dump(network_acls=crossed[::-1], subnets=subnets)) == []


def test_what_is_gone_but_still_shown_does_not_count() -> None:
    gone = {
        "vpc_peering_connections": [{"VpcPeeringConnectionId": "pcx-1", "Status": {"Code": "deleted"}}],
        "nat_gateways": [{"NatGatewayId": "nat-1", "State": "deleted"}],
        "instances": [{"InstanceId": "i-1", "State": {"Name": "terminated"}}],
    }
    assert _told(_dump(), _dump(**gone)) == []
    assert leftovers(flatten(_dump()), flatten(_dump(**gone)), {}) == []


def test_the_responders_own_resources_and_tags_are_left_out() -> None:
    tag = {"Key": "countermand:incident", "Value": "1"}
    after = _dump(security_groups=[*_dump()[A][R]["security_groups"], _group("sg-9", "quarantine", Tags=[tag])])
    after[A][R]["vpcs"][0]["Tags"] = [tag]
    assert _told(_dump(), after, ours="countermand") == []
    assert len(_told(_dump(), after)) == 2
    anew = _dump(security_groups=[{**_dump()[A][R]["security_groups"][0], "GroupId": "sg-7", "Tags": [tag]}])
    assert _told(_dump(), anew, ours="countermand") == []


def test_a_cidr_block_that_came_and_went_leaves_no_difference() -> None:
    kept = {"CidrBlock": "10.0.0.0/16", "AssociationId": "vpc-cidr-assoc-1", "CidrBlockState": {"State": "associated"}}
    gone = {"CidrBlock": "10.5.0.0/16", "AssociationId": "vpc-cidr-assoc-2", "CidrBlockState": {"State": "disassociated"}}
    before = _dump(vpcs=[{"VpcId": "vpc-1", "CidrBlockAssociationSet": [kept]}])
    assert _told(before, _dump(vpcs=[{"VpcId": "vpc-1", "CidrBlockAssociationSet": [gone, kept]}])) == []
    back = {**gone, "CidrBlockState": {"State": "associated"}}
    assert len(_told(before, _dump(vpcs=[{"VpcId": "vpc-1", "CidrBlockAssociationSet": [back, kept]}]))) == 1


# ---- legitimate work --------------------------------------------------------------------------------------------


def test_legitimate_work_is_expected_to_survive() -> None:
    before = _dump()
    attacked = _dump(security_groups=[_group("sg-1", "web", _rule(22, {"CidrIp": "0.0.0.0/0"}))])
    worked = _dump(
        security_groups=[_group("sg-1", "web", _rule(22, {"CidrIp": "0.0.0.0/0"}), _rule(9100, {"CidrIp": "10.0.0.0/8"}))]
    )
    effects = effects_between(flatten(attacked), flatten(worked))
    expected = apply(flatten(before), effects)
    right = _dump(
        security_groups=[
            _group(
                "sg-1",
                "web",
                _rule(9100, {"CidrIp": "10.0.0.0/8"}),
                _rule(443, {"CidrIp": "0.0.0.0/0", "Description": "customers"}),
            )
        ]
    )
    assert differences(expected, flatten(right)) == []
    assert [d.setting for d in differences(expected, flatten(before))] == ["ingress tcp 9100 from 10.0.0.0/8"]


def test_a_legitimate_removal_stays_removed() -> None:
    before, without = _dump(), _dump(security_groups=[_group("sg-1", "web")])
    expected = apply(flatten(before), effects_between(flatten(before), flatten(without)))
    assert differences(expected, flatten(without)) == []
    assert [d.expected for d in differences(expected, flatten(before))] == ["absent"]


# ---- leftovers --------------------------------------------------------------------------------------------------


def test_live_keys_running_instances_and_new_users_are_left_over() -> None:
    keys = [
        {"UserName": "mallory", "AccessKeyId": "AKIA1", "Status": "Active"},
        {"UserName": "mallory", "AccessKeyId": "AKIA2", "Status": "Inactive"},
        {"UserName": "owner", "AccessKeyId": "AKIA3", "Status": "Active"},
    ]
    before = _dump(instances=[{"InstanceId": "i-1", "State": {"Name": "running"}}])
    after = _dump(instances=[{"InstanceId": i, "State": {"Name": "running"}} for i in ("i-1", "i-2")])
    after[A]["global"] = {"access_keys": keys, "users": [{"UserName": "eve"}]}
    left = leftovers(flatten(before), flatten(after), {"mallory": ["AKIA1", "AKIA2", "AKIA9"]})
    assert left == [
        Leftover(A, "global", "access key", "AKIA1", "of mallory is Active"),
        Leftover(A, "global", "user", "eve", "was not there before"),
        Leftover(A, R, "instance", "i-2", "was not there before"),
    ]
    status = key_status(flatten(after), ["AKIA1", "AKIA2", "AKIA9"])
    assert status == {"AKIA1": "Active", "AKIA2": "Inactive", "AKIA9": "deleted"}


def _identities(**changed: Any) -> dict[str, Any]:
    told = {
        "in_force": {"Action": "s3:GetObject"},
        "versions": ["{}"],
        "attached": ["arn:a"],
        "boundary": {"Arn": "arn:a"},
        **changed,
    }
    policy = {"Arn": "arn:a", "InForce": told["in_force"], "Versions": told["versions"]}
    role = {"RoleName": "ops", "Policies": {"Inline": {}, "Attached": told["attached"]}, "Boundary": told["boundary"]}
    return {A: {"global": {"policies": [policy], "roles": [role]}, R: {}}}


def test_what_a_policy_says_and_who_has_it_is_judged() -> None:
    before = flatten(_identities())
    assert other_rights(before, flatten(_identities())) == []
    for changed in ({"in_force": {"Action": "*"}}, {"versions": []}, {"attached": ["arn:a", "arn:b"]}, {"boundary": None}):
        (told,) = other_rights(before, flatten(_identities(**changed)))
        assert told.setting == next(iter(changed)).replace("_", " ")


def test_new_policies_images_and_snapshots_are_left_over_but_for_our_evidence() -> None:
    made = {"images": [{"ImageId": "ami-1", "State": "available"}], "snapshots": [{"SnapshotId": "snap-1", "State": "completed"}]}
    evidence = {"SnapshotId": "snap-2", "State": "completed", "Tags": [{"Key": "countermand:incident", "Value": "inc-1"}]}
    made["snapshots"].append(evidence)
    after = {A: {"global": {"policies": [{"Arn": "arn:b"}]}, R: made}}
    left = leftovers(flatten({A: {"global": {}, R: {}}}), flatten(after), {}, "countermand")
    assert [item.resource for item in left] == ["arn:b", "ami-1", "snap-1"]
