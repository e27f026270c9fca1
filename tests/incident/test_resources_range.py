"""Services that an actor lets work, and the identities they use, on the range: an attack, the way back, and all is as before."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from range_account import ADMIN, EVERYTHING, IMAGE, REGION, Account, document, fresh, operations, returns, trusting
from roundtrip import values

from drill.aws import Range, RangeConfig
from gateway.practice.configuration import granted_to
from incident.network.function import FUNCTIONS
from incident.network.security_group import SECURITY_GROUPS
from incident.resources.auto_scaling import AUTO_SCALING_GROUPS
from incident.resources.group import GROUPS
from incident.resources.identity import USERS
from incident.resources.instance_profile import ASSOCIATIONS, INSTANCE_PROFILES
from incident.resources.launch_template import LAUNCH_TEMPLATES
from incident.resources.role import ROLES

pytestmark = pytest.mark.slow

LOOKED_AT = (
    AUTO_SCALING_GROUPS,
    LAUNCH_TEMPLATES,
    ROLES,
    USERS,
    GROUPS,
    INSTANCE_PROFILES,
    ASSOCIATIONS,
    FUNCTIONS,
    SECURITY_GROUPS,
)


@pytest.fixture(scope="module")
def running() -> Iterator[Range]:
    with Range(RangeConfig(regions=(REGION,), granted=granted_to(["111122223333"]))) as aws:
        yield aws


@pytest.fixture
def account(running: Range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    return fresh(running, tmp_path, monkeypatch, LOOKED_AT)


# --- Auto Scaling and launch templates ----------------------------------------------------------------------------------------


def template(ec2: Any, name: str, **data: Any) -> str:
    asked = {"ImageId": IMAGE, "InstanceType": "t3.micro", **data}
    return ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=asked)["LaunchTemplate"]["LaunchTemplateId"]


def group(account: Account, client: Any, name: str, from_template: str, low: int, high: int, desired: int) -> None:
    client.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=low,
        MaxSize=high,
        DesiredCapacity=desired,
        VPCZoneIdentifier=account.subnets[0],
        LaunchTemplate={"LaunchTemplateId": from_template, "Version": "1"},
    )


def web(account: Account) -> None:
    group(account, account.owner("autoscaling"), "web", template(account.owner("ec2"), "web"), 1, 4, 2)


def web_template(account: Account) -> str:
    return account.owner("ec2").describe_launch_templates(LaunchTemplateNames=["web"])["LaunchTemplates"][0]["LaunchTemplateId"]


def test_a_group_goes_before_what_it_launches_from_though_all_have_one_name(account: Account):
    def attack(account: Account) -> None:
        ec2 = account.mallory("ec2")
        opened = ec2.create_security_group(GroupName="jobs", Description="Jobs", VpcId=account.vpc)["GroupId"]
        made = template(ec2, "jobs", SecurityGroupIds=[opened])
        group(account, account.mallory("autoscaling"), "jobs", made, 2, 6, 2)
        account.mallory("autoscaling").update_auto_scaling_group(AutoScalingGroupName="jobs", DesiredCapacity=3)

    proposal = returns(account, web, attack)
    assert operations(proposal) == ["DeleteAutoScalingGroup", "DeleteLaunchTemplate", "DeleteSecurityGroup"]
    assert "terminated" in proposal.steps[0].irreversible


@pytest.mark.parametrize(("low", "high", "desired"), [(0, 0, 0), (10, 20, 15), (3, 3, 3), (0, 40, 30)])
def test_a_groups_size_returns_whichever_way_it_was_moved(account: Account, low: int, high: int, desired: int):
    def attack(account: Account) -> None:
        sizes = {"MinSize": low, "MaxSize": high, "DesiredCapacity": desired}
        account.mallory("autoscaling").update_auto_scaling_group(AutoScalingGroupName="web", **sizes)

    returns(account, web, attack)


def test_a_bound_that_moved_the_desired_size_along_is_undone_with_it(account: Account):
    def attack(account: Account) -> None:
        account.mallory("autoscaling").update_auto_scaling_group(AutoScalingGroupName="web", MaxSize=1)

    proposal = returns(account, web, attack)
    assert [step.key.name for step in proposal.steps] == ["MaxSize", "DesiredCapacity"]


def test_a_group_launches_again_from_what_and_where_it_did(account: Account):
    def attack(account: Account) -> None:
        client, mine = account.mallory("autoscaling"), template(account.mallory("ec2"), "mine")
        chosen = {"LaunchTemplateName": "mine", "Version": "$Latest"}
        subnets = ",".join(account.subnets[1:3])
        client.update_auto_scaling_group(AutoScalingGroupName="web", LaunchTemplate=chosen, VPCZoneIdentifier=subnets)
        assert mine

    returns(account, web, attack)


def test_a_deleted_group_returns_at_its_size(account: Account):
    def attack(account: Account) -> None:
        account.mallory("autoscaling").delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)

    proposal = returns(account, web, attack)
    assert "scaling policies" in proposal.steps[0].loses
    assert [step.key.name for step in proposal.steps] == ["", "DesiredCapacity"]


def test_a_templates_default_returns_before_the_actors_version_goes(account: Account):
    def attack(account: Account) -> None:
        ec2, ident = account.mallory("ec2"), web_template(account)
        ec2.create_launch_template_version(LaunchTemplateId=ident, SourceVersion="1", LaunchTemplateData={"UserData": "aGVq"})
        ec2.modify_launch_template(LaunchTemplateId=ident, DefaultVersion="2")

    proposal = returns(account, web, attack)
    assert operations(proposal) == ["ModifyLaunchTemplate", "DeleteLaunchTemplateVersions"]


def test_a_deleted_template_is_left_to_people(account: Account):
    web(account)
    before, ident = account.settings(), web_template(account)
    account.mallory("ec2").delete_launch_template(LaunchTemplateId=ident)
    proposal = account.proposed(account.fold(before))
    assert proposal.steps == ()
    assert {item.status for item in proposal.unplanned} == {"not-invertible"}


# --- identities ---------------------------------------------------------------------------------------------------------------


def backup(account: Account) -> None:
    """A role with a profile and an instance that has it, and a user in a group."""
    iam, ec2 = account.owner("iam"), account.owner("ec2")
    iam.create_role(RoleName="backup", AssumeRolePolicyDocument=trusting("ec2"), Path="/services/")
    iam.put_role_policy(RoleName="backup", PolicyName="copy", PolicyDocument=document(Action="s3:*", Resource="*"))
    iam.create_instance_profile(InstanceProfileName="backup")
    iam.add_role_to_instance_profile(InstanceProfileName="backup", RoleName="backup")
    iam.create_group(GroupName="readers")
    iam.create_user(UserName="bob")
    iam.add_user_to_group(GroupName="readers", UserName="bob")
    made = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=account.subnets[0])["Instances"][0]
    ec2.associate_iam_instance_profile(InstanceId=made["InstanceId"], IamInstanceProfile={"Name": "backup"})


def contained(account: Account, role: str) -> None:
    """What containment leaves on a role, after the plan was made."""
    denying = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    account.owner("iam").put_role_policy(RoleName=role, PolicyName="CountermandRevokeOlderSessions", PolicyDocument=denying)


def test_a_role_goes_with_everything_that_it_has_at_that_moment(account: Account):
    before = account.settings()
    iam = account.mallory("iam")
    iam.create_role(RoleName="jobs", AssumeRolePolicyDocument=trusting("ec2"))
    iam.attach_role_policy(RoleName="jobs", PolicyArn=ADMIN)
    iam.put_role_policy(RoleName="jobs", PolicyName="all", PolicyDocument=EVERYTHING)
    iam.create_instance_profile(InstanceProfileName="jobs")
    iam.add_role_to_instance_profile(InstanceProfileName="jobs", RoleName="jobs")
    proposal = account.proposed(account.fold(before))
    assert operations(proposal) == ["DeleteInstanceProfile", "DeleteRole"]
    contained(account, "jobs")
    account.owner("iam").attach_role_policy(RoleName="jobs", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    assert account.carried_out(proposal) == []
    assert values(account.settings()) == values(before)


def test_a_user_goes_with_everything_that_it_has_at_that_moment(account: Account):
    backup(account)
    before = account.settings()
    iam = account.mallory("iam")
    iam.create_user(UserName="eve")
    iam.create_access_key(UserName="eve")
    iam.create_login_profile(UserName="eve", Password="Correct-horse-9")
    iam.add_user_to_group(GroupName="readers", UserName="eve")
    iam.attach_user_policy(UserName="eve", PolicyArn=ADMIN)
    iam.put_user_policy(UserName="eve", PolicyName="all", PolicyDocument=EVERYTHING)
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="eve")["VirtualMFADevice"]["SerialNumber"]
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "654321"}
    iam.enable_mfa_device(UserName="eve", SerialNumber=device, **codes)
    proposal = account.proposed(account.fold(before))
    account.owner("iam").create_access_key(UserName="eve")
    account.owner("iam").put_user_policy(UserName="eve", PolicyName="later", PolicyDocument=EVERYTHING)
    assert account.carried_out(proposal) == []
    assert values(account.settings()) == values(before)
    with pytest.raises(ClientError, match="NoSuchEntity"):
        account.owner("iam").get_user(UserName="eve")


def test_a_group_goes_with_its_members_and_policies(account: Account):
    def attack(account: Account) -> None:
        iam = account.mallory("iam")
        iam.create_group(GroupName="admins")
        iam.attach_group_policy(GroupName="admins", PolicyArn=ADMIN)
        iam.put_group_policy(GroupName="admins", PolicyName="all", PolicyDocument=EVERYTHING)
        iam.add_user_to_group(GroupName="admins", UserName="bob")
        iam.remove_user_from_group(GroupName="readers", UserName="bob")
        iam.attach_group_policy(GroupName="readers", PolicyArn=ADMIN)

    returns(account, backup, attack)


def test_a_role_trusts_and_may_do_what_it_did(account: Account):
    def attack(account: Account) -> None:
        iam = account.mallory("iam")
        anybody = document(Principal={"AWS": "999988887777"}, Action="sts:AssumeRole")
        iam.update_assume_role_policy(RoleName="backup", PolicyDocument=anybody)
        iam.attach_role_policy(RoleName="backup", PolicyArn=ADMIN)
        iam.put_role_policy(RoleName="backup", PolicyName="copy", PolicyDocument=EVERYTHING)

    returns(account, backup, attack)


def test_a_deleted_role_returns_with_its_profile_and_policies(account: Account):
    def attack(account: Account) -> None:
        iam = account.mallory("iam")
        iam.remove_role_from_instance_profile(InstanceProfileName="backup", RoleName="backup")
        iam.delete_instance_profile(InstanceProfileName="backup")
        iam.delete_role_policy(RoleName="backup", PolicyName="copy")
        iam.delete_role(RoleName="backup")

    proposal = returns(account, backup, attack)
    assert operations(proposal)[0] == "CreateRole"


def test_an_instance_has_the_profile_that_it_had(account: Account):
    def attack(account: Account) -> None:
        iam, ec2 = account.mallory("iam"), account.mallory("ec2")
        iam.create_role(RoleName="mine", AssumeRolePolicyDocument=trusting("ec2"))
        iam.create_instance_profile(InstanceProfileName="mine")
        iam.add_role_to_instance_profile(InstanceProfileName="mine", RoleName="mine")
        (held,) = ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
        ec2.replace_iam_instance_profile_association(AssociationId=held["AssociationId"], IamInstanceProfile={"Name": "mine"})

    returns(account, backup, attack)


def test_a_profile_that_was_taken_from_an_instance_is_given_back(account: Account):
    def attack(account: Account) -> None:
        ec2 = account.mallory("ec2")
        (held,) = ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
        ec2.disassociate_iam_instance_profile(AssociationId=held["AssociationId"])

    returns(account, backup, attack)


def test_a_changed_password_is_left_to_people(account: Account):
    backup(account)
    account.owner("iam").create_login_profile(UserName="bob", Password="Correct-horse-9")
    before = account.settings()
    account.mallory("iam").update_login_profile(UserName="bob", Password="Battery-staple-9")
    proposal = account.proposed(account.fold(before))
    assert proposal.steps == ()
    (left,) = proposal.unplanned
    assert (left.status, "PasswordResetRequired" in left.advice) == ("not-invertible", True)


# --- functions ----------------------------------------------------------------------------------------------------------------


def packed(text: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("pay.py", text)
    return archive.getvalue()


def function(account: Account, client: Any, name: str) -> None:
    role = account.owner("iam").get_role(RoleName="pay")["Role"]["Arn"]
    asked = {"Runtime": "python3.12", "Role": role, "Handler": "pay.pay", "Code": {"ZipFile": packed("one = 1")}}
    client.create_function(FunctionName=name, VpcConfig={"SubnetIds": account.subnets[:1], "SecurityGroupIds": []}, **asked)


def pay(account: Account) -> None:
    account.owner("iam").create_role(RoleName="pay", AssumeRolePolicyDocument=trusting("lambda"))
    function(account, account.owner("lambda"), "pay")


def test_a_function_that_the_actor_made_goes_with_its_permissions(account: Account):
    def attack(account: Account) -> None:
        client = account.mallory("lambda")
        function(account, client, "mine")
        allowed = {"StatementId": "all", "Action": "lambda:InvokeFunction", "Principal": "999988887777"}
        client.add_permission(FunctionName="mine", **allowed)

    assert operations(returns(account, pay, attack)) == ["DeleteFunction"]


@pytest.mark.parametrize("deleted", [True, False])
def test_a_functions_lost_code_is_left_to_people(account: Account, deleted: bool):
    pay(account)
    before = account.settings()
    client = account.mallory("lambda")
    if deleted:
        client.delete_function(FunctionName="pay")
    else:
        client.update_function_code(FunctionName="pay", ZipFile=packed("two = 2"))
    proposal = account.proposed(account.fold(before))
    assert proposal.steps == ()
    assert [item.status for item in proposal.unplanned] == ["not-invertible"]
    assert "Deploy it again" in proposal.unplanned[0].advice
