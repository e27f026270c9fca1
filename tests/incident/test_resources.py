"""Services and identities: what their records tell is what AWS shows, and the way back is the call that it must be."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from examples import ACCOUNT, REGION, plan, record, setting, step

from incident.collection import resting_on_evidence
from incident.families import family_for_event, family_for_kind
from incident.family import Call, Lookup, Scope, Unrestorable
from incident.guards import refusals
from incident.plan import Phase
from incident.planner import ordered
from incident.policy import Policy
from incident.resources.recognized import advice_for, named
from incident.settings import UNKNOWN, Entry, Fold, Observed, SettingKey, Unknown, Value, canonical

SCOPE = Scope(ACCOUNT, REGION)
WEB = "autoScalingGroupName/web"
LT = "lt-0a1b2c3d4e5f60001"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": []})
ENCODED = "%7B%22Version%22%3A%20%222012-10-17%22%2C%20%22Statement%22%3A%20%5B%5D%7D"
COMPACT = '{"Statement":[],"Version":"2012-10-17"}'
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
PROFILE = f"arn:aws:iam::{ACCOUNT}:instance-profile/web"


def told(operation: str, request: dict[str, Any], response: dict[str, Any] | None = None, into: Fold | None = None) -> list[Entry]:
    service, name = operation.split(":")
    one = record(name, service=service, request=request, response=response or {})
    family = family_for_event(one.operation)
    assert family is not None
    return (into or Fold()).read(one, family.writes)


def change(key: SettingKey, live: Value, wanted: Value, **handles: str) -> list[tuple[str, dict[str, Any]]]:
    return [(call.operation, dict(call.parameters)) for call in calls(key, live, wanted, **handles)]


def calls(key: SettingKey, live: Value, wanted: Value, **handles: str) -> tuple[Call, ...]:
    observed = None if live is None else Observed(key, live, handles)
    answer = family_for_kind(key.kind).change(key, observed, wanted)
    assert not isinstance(answer, Unrestorable), answer
    return answer


def left(key: SettingKey, live: Value, wanted: Value) -> Unrestorable:
    answer = family_for_kind(key.kind).change(key, None if live is None else Observed(key, live), wanted)
    assert isinstance(answer, Unrestorable)
    return answer


def iam(kind: str, resource: str, name: str = "") -> SettingKey:
    return setting(kind, resource, name, "global")


@dataclass(frozen=True)
class Example:
    """A record, and the answer that shows the same settings afterwards."""

    operation: str
    request: dict[str, Any]
    response: dict[str, Any] | None
    key: SettingKey
    answer: dict[str, Any]


GROUP_SHOWN = {
    "AutoScalingGroupName": "web",
    "AutoScalingGroupARN": f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:33c7:autoScalingGroupName/web",
    "LaunchTemplate": {"LaunchTemplateId": LT, "LaunchTemplateName": "web", "Version": "1"},
    "MinSize": 1,
    "MaxSize": 4,
    "DesiredCapacity": 1,
    "VPCZoneIdentifier": "subnet-1,subnet-2",
    "AvailabilityZones": ["us-east-1a", "us-east-1b"],
}

EXAMPLES = [
    Example(
        "autoscaling:CreateAutoScalingGroup",
        {
            "autoScalingGroupName": "web",
            "launchTemplate": {"launchTemplateId": LT, "version": "1"},
            "minSize": 1,
            "maxSize": 4,
            "vPCZoneIdentifier": "subnet-2, subnet-1",
        },
        None,
        setting("auto-scaling-group", WEB),
        {"AutoScalingGroups": [GROUP_SHOWN]},
    ),
    Example(
        "autoscaling:SetDesiredCapacity",
        {"autoScalingGroupName": "web", "desiredCapacity": 1, "honorCooldown": False},
        None,
        setting("auto-scaling-group-attribute", WEB, "DesiredCapacity"),
        {"AutoScalingGroups": [GROUP_SHOWN]},
    ),
    Example(
        "ec2:CreateLaunchTemplate",
        {
            "CreateLaunchTemplateRequest": {
                "LaunchTemplateName": "web",
                "LaunchTemplateData": {"UserData": "<sensitiveDataRemoved>"},
            }
        },
        {
            "CreateLaunchTemplateResponse": {
                "requestId": "1",
                "launchTemplate": {"launchTemplateId": LT, "launchTemplateName": "web", "defaultVersionNumber": 1},
            }
        },
        setting("launch-template", LT),
        {
            "LaunchTemplates": [{"LaunchTemplateId": LT, "LaunchTemplateName": "web", "DefaultVersionNumber": 1}],
            "LaunchTemplateVersions": [{"LaunchTemplateId": LT, "VersionNumber": 1, "DefaultVersion": True}],
        },
    ),
    Example(
        "ec2:ModifyLaunchTemplate",
        {"ModifyLaunchTemplateRequest": {"LaunchTemplateId": LT, "SetDefaultVersion": 2}},
        {"ModifyLaunchTemplateResponse": {"launchTemplate": {"launchTemplateId": LT, "defaultVersionNumber": 2}}},
        setting("launch-template-default", LT, "default"),
        {"LaunchTemplates": [{"LaunchTemplateId": LT, "LaunchTemplateName": "web", "DefaultVersionNumber": 2}]},
    ),
    Example(
        "lambda:CreateFunction20150331",
        {"functionName": "pay", "role": f"arn:aws:iam::{ACCOUNT}:role/pay", "code": {}},
        {"functionName": "pay", "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pay", "codeSha256": "abc="},
        setting("function", "pay"),
        {"FunctionName": "pay", "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:pay", "CodeSha256": "abc="},
    ),
    Example(
        "iam:CreateRole",
        {"roleName": "web", "path": "/services/", "assumeRolePolicyDocument": TRUST},
        {"role": {"roleName": "web", "path": "/services/", "assumeRolePolicyDocument": ENCODED}},
        iam("role", "web"),
        {"Role": {"RoleName": "web", "Path": "/services/", "AssumeRolePolicyDocument": json.loads(TRUST)}},
    ),
    Example(
        "iam:PutRolePolicy",
        {"roleName": "web", "policyName": "all", "policyDocument": TRUST},
        None,
        iam("role-policy", "web", "all"),
        {"RoleName": "web", "PolicyName": "all", "PolicyDocument": json.loads(TRUST)},
    ),
    Example(
        "iam:AddUserToGroup",
        {"groupName": "admins", "userName": "bob"},
        None,
        iam("group-membership", "bob", "admins"),
        {"Groups": [{"GroupName": "admins", "Path": "/"}]},
    ),
    Example(
        "iam:AddRoleToInstanceProfile",
        {"instanceProfileName": "web", "roleName": "web"},
        None,
        iam("instance-profile-role", "web", "web"),
        {"InstanceProfile": {"InstanceProfileName": "web", "Path": "/", "Roles": [{"RoleName": "web"}]}},
    ),
    Example(
        "ec2:AssociateIamInstanceProfile",
        {"AssociateIamInstanceProfileRequest": {"InstanceId": "i-1", "IamInstanceProfile": {"Name": "web"}}},
        {
            "AssociateIamInstanceProfileResponse": {
                "iamInstanceProfileAssociation": {
                    "associationId": "iip-assoc-1",
                    "instanceId": "i-1",
                    "iamInstanceProfile": {"arn": PROFILE, "id": "AIPA1"},
                    "state": "associating",
                }
            }
        },
        setting("instance-profile-association", "i-1", "profile"),
        {
            "IamInstanceProfileAssociations": [
                {"AssociationId": "iip-assoc-1", "InstanceId": "i-1", "IamInstanceProfile": {"Arn": PROFILE}, "State": "associated"}
            ]
        },
    ),
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.operation)
def test_a_record_tells_what_the_read_then_shows(example: Example):
    written = {entry.key: entry.after for entry in told(example.operation, example.request, example.response)}
    family = family_for_kind(example.key.kind)
    reads = (family.read(example.key), *family.details(example.key))
    shown = {one.key: one.value for read in reads for one in family.observe(SCOPE, read, example.answer)}
    assert example.key in written
    assert {str(key): canonical(value) for key, value in written.items()} == {
        str(key): canonical(shown.get(key)) for key in written
    }


# --- Auto Scaling -------------------------------------------------------------------------------------------------------------


def group_made(fold: Fold, **more: Any) -> list[Entry]:
    asked = {"autoScalingGroupName": "web", "minSize": 1, "maxSize": 4, "vPCZoneIdentifier": "subnet-1", **more}
    return told("autoscaling:CreateAutoScalingGroup", asked, None, fold)


def test_a_group_in_deletion_is_there_until_it_is_gone():
    family, key = family_for_kind("auto-scaling-group"), setting("auto-scaling-group", WEB)
    going = {"AutoScalingGroups": [{**GROUP_SHOWN, "Status": "Delete in progress"}]}
    shown = {one.key: one for one in family.observe(SCOPE, family.read(key), going)}
    assert shown[key].value is not None
    assert not shown[key].settled
    assert change(key, {"MinSize": 1}, None) == [("DeleteAutoScalingGroup", {"AutoScalingGroupName": "web", "ForceDelete": True})]


def test_a_template_that_is_named_is_known_by_its_id_or_not_at_all():
    fold, key = Fold(), setting("auto-scaling-group-attribute", WEB, "LaunchTemplate")
    named = {"launchTemplate": {"launchTemplateName": "web", "version": "3"}}
    unknown = {entry.key: entry.after for entry in group_made(fold, **named)}
    assert isinstance(unknown[key], Unknown)
    assert isinstance(unknown[setting("auto-scaling-group", WEB)], Unknown)
    made = {"CreateLaunchTemplateResponse": {"launchTemplate": {"launchTemplateId": LT, "launchTemplateName": "web"}}}
    told("ec2:CreateLaunchTemplate", {"CreateLaunchTemplateRequest": {"LaunchTemplateName": "web"}}, made, fold)
    assert {entry.key: entry.after for entry in group_made(fold, **named)}[key] == {"LaunchTemplateId": LT, "Version": "3"}


def test_a_new_bound_that_moves_the_desired_size_along_writes_it_too():
    fold = Fold()
    group_made(fold, desiredCapacity=3)
    entries = told("autoscaling:UpdateAutoScalingGroup", {"autoScalingGroupName": "web", "maxSize": 2}, None, fold)
    written = {entry.key.name: (entry.before, entry.after) for entry in entries if entry.key.name}
    assert written == {"MaxSize": (4, 2), "DesiredCapacity": (3, 2)}


def test_what_a_group_launches_from_is_one_thing():
    fold = Fold()
    group_made(fold, launchTemplate={"launchTemplateId": LT})
    request = {"autoScalingGroupName": "web", "launchConfigurationName": "old"}
    entries = told("autoscaling:UpdateAutoScalingGroup", request, None, fold)
    written = {entry.key.name: entry.after for entry in entries}
    assert written["LaunchConfigurationName"] == "old"
    assert written["LaunchTemplate"] is None
    assert written[""] == {"MinSize": 1, "MaxSize": 4, "LaunchConfigurationName": "old", "VPCZoneIdentifier": ["subnet-1"]}
    assert change(setting("auto-scaling-group-attribute", WEB, "LaunchConfigurationName"), "old", None) == []


def test_what_else_a_group_is_given_is_never_lost_from_sight():
    (entry,) = told("autoscaling:UpdateAutoScalingGroup", {"autoScalingGroupName": "web", "healthCheckType": "ELB"})
    assert (entry.key.name, entry.after) == ("HealthCheckType", UNKNOWN)


def test_a_group_is_made_again_into_its_subnets():
    key, value = setting("auto-scaling-group", WEB), {"MinSize": 1, "MaxSize": 4, "VPCZoneIdentifier": ["subnet-1", "subnet-2"]}
    (call,) = calls(key, None, value)
    asked = {"AutoScalingGroupName": "web", "MinSize": 1, "MaxSize": 4, "VPCZoneIdentifier": "subnet-1,subnet-2"}
    assert (call.operation, call.parameters) == ("CreateAutoScalingGroup", asked)
    assert "scaling policies" in call.loses
    assert "iam:PassRole" in call.permissions


@pytest.mark.parametrize(
    ("found", "wanted", "order"),
    [
        ((0, 0, 0), (2, 10, 4), ["MaxSize", "DesiredCapacity", "MinSize"]),
        ((10, 20, 15), (1, 4, 2), ["MinSize", "DesiredCapacity", "MaxSize"]),
    ],
)
def test_a_bound_gives_room_before_the_size_moves_and_takes_it_afterwards(found: Any, wanted: Any, order: list[str]):
    names = ("MinSize", "MaxSize", "DesiredCapacity")
    key = setting("auto-scaling-group-attribute", WEB)
    steps = [step(key._replace(name=name), expects=now, leaves=then) for name, now, then in zip(names, found, wanted, strict=True)]
    assert [one.key.name for one in ordered(steps)] == order


def gone(kind: str, resource: str, value: Value, region: str = REGION) -> Any:
    return step(setting(kind, resource, "", region), expects=value, phase=Phase.ERADICATE)


def test_a_group_goes_first_though_everything_has_its_name():
    steps = [
        gone("security-group", "sg-1", {"GroupName": "jobs"}),
        gone("launch-template", LT, {"LaunchTemplateName": "jobs"}),
        gone("instance", "i-1", {"image": "ami-1"}),
        gone("auto-scaling-group", "autoScalingGroupName/jobs", {"LaunchTemplate": {"LaunchTemplateId": LT, "Version": "1"}}),
        gone("role", "jobs", {}, "global"),
        gone("instance-profile", "jobs", {}, "global"),
        gone("user", "jobs", {}, "global"),
        gone("group", "jobs", {}, "global"),
        gone("key-pair", "jobs", {}),
        gone("function", "jobs", {}),
    ]
    order = [one.key.kind for one in ordered(steps)]
    assert order[0] == "auto-scaling-group"
    assert order.index("instance") < order.index("launch-template") < order.index("security-group")
    assert order.index("instance-profile") < order.index("role")


def test_a_group_rests_on_the_evidence_of_every_instance_where_it_is():
    taken = [
        step(setting("evidence-snapshots", instance, "inc-1", region), leaves={"vol-1": "completed"}, phase=Phase.EVIDENCE)
        for instance, region in (("i-1", REGION), ("i-2", REGION), ("i-3", "eu-central-1"))
    ]
    steps = (gone("auto-scaling-group", WEB, {}), gone("instance", "i-1", {}), gone("launch-template", LT, {}))
    group, instance, template = resting_on_evidence(steps, plan(*taken))
    assert group.evidence == (taken[0].id, taken[1].id)
    assert instance.evidence == (taken[0].id,)
    assert template.evidence == ()


# --- launch templates ---------------------------------------------------------------------------------------------------------


def test_a_version_of_the_actors_goes_after_the_default_is_back():
    made = {
        "launchTemplateVersion": {"launchTemplateId": LT, "versionNumber": 2, "launchTemplateData": {"instanceType": "c5.large"}}
    }
    (entry,) = told("ec2:CreateLaunchTemplateVersion", {}, {"CreateLaunchTemplateVersionResponse": made})
    key = setting("launch-template-version", LT, "2")
    assert (entry.key, entry.before, entry.after) == (key, None, {})
    assert change(key, {}, None) == [("DeleteLaunchTemplateVersions", {"LaunchTemplateId": LT, "Versions": ["2"]})]
    default = setting("launch-template-default", LT, "default")
    assert change(default, f"{LT}/2", f"{LT}/1") == [("ModifyLaunchTemplate", {"LaunchTemplateId": LT, "DefaultVersion": "1"})]
    steps = [step(key, expects={}, phase=Phase.ERADICATE), step(default, expects=f"{LT}/2", leaves=f"{LT}/1")]
    assert [one.key.kind for one in ordered(steps)] == ["launch-template-default", "launch-template-version"]


def test_deleted_templates_and_versions_are_left_to_people():
    response = {"launchTemplate": {"launchTemplateId": LT, "launchTemplateName": "web"}}
    (entry,) = told("ec2:DeleteLaunchTemplate", {}, {"DeleteLaunchTemplateResponse": response})
    assert (entry.before, entry.after) == ({"LaunchTemplateName": "web"}, None)
    assert "web" in left(entry.key, None, entry.before).reason
    deleted = {"item": {"launchTemplateId": LT, "versionNumber": 3}}
    response = {"successfullyDeletedLaunchTemplateVersionSet": deleted}
    (entry,) = told("ec2:DeleteLaunchTemplateVersions", {}, {"DeleteLaunchTemplateVersionsResponse": response})
    assert entry.key == setting("launch-template-version", LT, "3")
    assert "not given twice" in left(entry.key, None, {}).reason


# --- functions ----------------------------------------------------------------------------------------------------------------


def test_a_function_goes_and_says_that_its_code_does():
    (call,) = calls(setting("function", "pay"), {}, None)
    assert (call.operation, call.parameters) == ("DeleteFunction", {"FunctionName": "pay"})
    assert "code" in call.irreversible
    assert "Deploy it again" in left(setting("function", "pay"), None, {}).advice


def test_overwritten_code_is_never_needs_prior_state():
    response = {"functionName": "pay", "codeSha256": "new="}
    (entry,) = told("lambda:UpdateFunctionCode20150331v2", {"functionName": "pay"}, response)
    assert entry.after == {"CodeSha256": "new="}
    assert not isinstance(entry.before, Unknown)
    assert "published version" in left(entry.key, entry.after, entry.before).advice


def test_a_deleted_version_of_a_function_is_not_its_end():
    (entry,) = told("lambda:DeleteFunction20150331", {"functionName": "pay", "qualifier": "3"})
    assert (entry.key, entry.before, entry.after) == (setting("function-version", "pay", "3"), {}, None)
    assert "not given twice" in left(entry.key, None, {}).reason


# --- identities ---------------------------------------------------------------------------------------------------------------


def taken_away(key: SettingKey) -> dict[str, Lookup]:
    """The calls of a deletion that take away whatever a read shows just then, by operation."""
    *before, last = calls(key, {}, None)
    assert not last.lookups
    found = {call.operation: lookup for call in before for lookup in call.lookups.values()}
    assert all(lookup.each for lookup in found.values())
    return found


def test_a_role_goes_with_what_it_has_at_that_moment():
    assert list(taken_away(iam("role", "jobs"))) == ["RemoveRoleFromInstanceProfile", "DetachRolePolicy", "DeleteRolePolicy"]


def test_a_user_goes_with_what_it_has_at_that_moment():
    found = taken_away(iam("user", "eve"))
    assert set(found) == {
        "DeleteAccessKey",
        "DeleteLoginProfile",
        "DeleteSigningCertificate",
        "DeleteSSHPublicKey",
        "DeleteServiceSpecificCredential",
        "DeactivateMFADevice",
        "RemoveUserFromGroup",
        "DetachUserPolicy",
        "DeleteUserPolicy",
    }
    assert found["DeleteAccessKey"].read.parameters == {"UserName": "eve"}


def test_a_deletion_needs_the_permissions_of_its_reads():
    needed = {permission for call in calls(iam("group", "admins"), {}, None) for permission in call.permissions}
    assert {"iam:DeleteGroup", "iam:GetGroup", "iam:ListAttachedGroupPolicies", "iam:RemoveUserFromGroup"} <= needed


def test_whom_a_role_trusts_is_a_setting_and_what_makes_it_again():
    fold, key = Fold(), iam("role", "web")
    told("iam:CreateRole", {"roleName": "web", "assumeRolePolicyDocument": "{}"}, {}, fold)
    entries = told("iam:UpdateAssumeRolePolicy", {"roleName": "web", "policyDocument": TRUST}, None, fold)
    assert {entry.key.kind: (entry.before, entry.after) for entry in entries} == {
        "role-trust": ("{}", COMPACT),
        "role": ({"AssumeRolePolicyDocument": "{}"}, {"AssumeRolePolicyDocument": COMPACT}),
    }
    asked = {"RoleName": "web", "PolicyDocument": "{}"}
    assert change(iam("role-trust", "web", "trust"), COMPACT, "{}") == [("UpdateAssumeRolePolicy", asked)]
    deleted = told("iam:DeleteRole", {"roleName": "web"}, None, fold)
    assert [entry.key.kind for entry in deleted] == ["role", "role-trust"]
    made = {"RoleName": "web", "AssumeRolePolicyDocument": COMPACT}
    assert change(key, None, deleted[0].before) == [("CreateRole", made)]


def test_a_deleted_role_that_nothing_tells_of_needs_prior_state():
    (entry,) = told("iam:DeleteRole", {"roleName": "web"})
    assert isinstance(entry.before, Unknown)


def test_one_read_shows_every_policy_of_every_role():
    family = family_for_kind("role")
    (read,) = family.inventory
    role = {
        "RoleName": "web",
        "Path": "/",
        "AssumeRolePolicyDocument": json.loads(TRUST),
        "RolePolicyList": [{"PolicyName": "all", "PolicyDocument": json.loads(TRUST)}],
        "AttachedManagedPolicies": [{"PolicyName": "AdministratorAccess", "PolicyArn": ADMIN}],
    }
    shown = {one.key: one.value for one in family.observe(SCOPE, read, {"RoleDetailList": [role]})}
    assert shown == {
        iam("role", "web"): {"AssumeRolePolicyDocument": COMPACT},
        iam("role-trust", "web", "trust"): COMPACT,
        iam("role-policy", "web", "all"): COMPACT,
        iam("attached-role-policy", "web", ADMIN): {},
    }


@pytest.mark.parametrize("owner", ["User", "Role", "Group"])
def test_an_attached_policy_is_detached_and_a_detached_one_was_attached(owner: str):
    name = f"{owner.lower()}Name"
    (attached,) = told(f"iam:Attach{owner}Policy", {name: "web", "policyArn": ADMIN})
    (detached,) = told(f"iam:Detach{owner}Policy", {name: "web", "policyArn": ADMIN})
    assert isinstance(attached.before, Unknown)
    assert detached.before == {}
    asked = {f"{owner}Name": "web", "PolicyArn": ADMIN}
    assert change(attached.key, {}, None) == [(f"Detach{owner}Policy", asked)]
    assert change(attached.key, None, {}) == [(f"Attach{owner}Policy", asked)]


def test_a_changed_password_is_left_to_people():
    (entry,) = told("iam:UpdateLoginProfile", {"userName": "bob"})
    assert isinstance(entry.after, Unknown)
    assert "PasswordResetRequired" in left(entry.key, None, entry.before).advice


def test_a_key_is_active_or_not_and_a_deleted_one_stays_away():
    key = iam("access-key", "AKIA1", "bob")
    (entry,) = told("iam:UpdateAccessKey", {"userName": "bob", "accessKeyId": "AKIA1", "status": "Inactive"})
    assert (entry.key, entry.after) == (key, "Inactive")
    asked = {"UserName": "bob", "AccessKeyId": "AKIA1", "Status": "Active"}
    assert change(key, "Inactive", "Active") == [("UpdateAccessKey", asked)]
    assert "new one" in left(key, None, "Active").advice


def test_an_instance_gets_the_profile_that_it_had():
    key = setting("instance-profile-association", "i-1", "profile")
    held = {"associationId": "iip-assoc-1", "instanceId": "i-1", "iamInstanceProfile": {"arn": PROFILE}}
    response = {"DisassociateIamInstanceProfileResponse": {"iamInstanceProfileAssociation": held}}
    request = {"DisassociateIamInstanceProfileRequest": {"AssociationId": "iip-assoc-1"}}
    (entry,) = told("ec2:DisassociateIamInstanceProfile", request, response)
    assert (entry.key, entry.before, entry.after) == (key, {"Arn": PROFILE}, None)
    asked = {"InstanceId": "i-1", "IamInstanceProfile": {"Arn": PROFILE}}
    assert change(key, None, {"Arn": PROFILE}) == [("AssociateIamInstanceProfile", asked)]
    replaced = {"AssociationId": "iip-assoc-2", "IamInstanceProfile": {"Arn": PROFILE}}
    live = {"Arn": f"{PROFILE}2"}
    assert change(key, live, {"Arn": PROFILE}, AssociationId="iip-assoc-2") == [("ReplaceIamInstanceProfileAssociation", replaced)]
    assert change(key, live, None, AssociationId="iip-assoc-2") == [
        ("DisassociateIamInstanceProfile", {"AssociationId": "iip-assoc-2"})
    ]


@pytest.mark.parametrize("kind", ["role", "role-trust", "role-policy", "attached-role-policy"])
def test_no_step_touches_a_role_that_breaks_glass(kind: str):
    policy = Policy(break_glass=(f"arn:aws:iam::{ACCOUNT}:role/glass",))
    touched = step(iam(kind, "glass", "" if kind == "role" else "some"), expects="{}")
    assert [refusal.rule for refusal in refusals(plan(touched), policy)] == ["break_glass"]


@pytest.mark.parametrize(
    ("operation", "request_", "response", "name", "how"),
    [
        ("ecs:CreateService", {"cluster": "jobs", "serviceName": "miner"}, {}, "miner", "DeleteService"),
        ("sagemaker:CreateNotebookInstance", {"notebookInstanceName": "nb"}, {}, "nb", "Stop"),
        ("lightsail:CreateInstances", {"instanceNames": ["a"], "bundleId": "nano"}, {}, "a", "DeleteInstance"),
        ("sns:CreateTopic", {"name": "out"}, {"topicArn": "arn:aws:sns:us-east-1:111122223333:out"}, ":out", "Unsubscribe"),
    ],
)
def test_what_no_family_undoes_is_listed_by_name_with_what_to_do(
    operation: str, request_: dict[str, Any], response: dict[str, Any], name: str, how: str
):
    service, event = operation.split(":")
    one = record(event, service=service, request=request_, response=response)
    assert named(one).endswith(name)
    thing, advice = advice_for(one)
    assert thing
    assert how in advice
