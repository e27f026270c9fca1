"""Services that an actor lets work, and the identities they use, on the range: an attack, the way back, and all is as before."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from roundtrip import BEFORE, told_wrongly, values

from drill.aws import Range, RangeConfig
from gateway.practice.configuration import granted_to
from incident.approvals import Answer
from incident.families import family_for_event, family_for_kind
from incident.family import Family, Read, Scope
from incident.network.function import FUNCTIONS
from incident.network.security_group import SECURITY_GROUPS
from incident.plan import Plan
from incident.planner import Proposal, propose
from incident.policy import Policy, Responder
from incident.record import Record
from incident.resources.auto_scaling import AUTO_SCALING_GROUPS
from incident.resources.group import GROUPS
from incident.resources.identity import USERS
from incident.resources.instance_profile import ASSOCIATIONS, INSTANCE_PROFILES
from incident.resources.launch_template import LAUNCH_TEMPLATES
from incident.resources.role import ROLES
from incident.settings import Fold, Observed, PriorValue, SettingKey, Source, reversals
from tasks.approvals import Approvals
from tasks.aws import Aws, observe
from tasks.config import AwsConfig
from tasks.executor import Executor
from tasks.ledger import Ledger

pytestmark = pytest.mark.slow

REGION = "us-east-1"
IMAGE = "ami-0a1b2c3d4e5f60001"
POLICY = Policy(responders=(Responder(name="alice"),))
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
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


def now() -> datetime:
    return datetime.now(UTC)


def document(**statement: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def trusting(service: str) -> str:
    return document(Principal={"Service": f"{service}.amazonaws.com"}, Action="sts:AssumeRole")


EVERYTHING = document(Action="*", Resource="*")


@cache
def _client(service: str, url: str, **keys: str) -> Any:
    return boto3.client(service, endpoint_url=url, region_name=REGION, **keys)


class Account:
    """An account of the range: the owner's calls, Mallory's, and the responder's reads and steps."""

    def __init__(self, aws: Range, folder: Path) -> None:
        self.range, self.folder = aws, folder
        self.scope = Scope(aws.account, REGION)
        self.reader = Aws(AwsConfig(accounts=(aws.account,), endpoint_url=aws.url, call_deadline_seconds=3))
        self._owner = aws.bootstrap().for_boto3()
        iam = self.owner("iam")
        iam.create_user(UserName="mallory")
        iam.put_user_policy(UserName="mallory", PolicyName="everything", PolicyDocument=EVERYTHING)
        made = iam.create_access_key(UserName="mallory")["AccessKey"]
        self._mallory = {"aws_access_key_id": made["AccessKeyId"], "aws_secret_access_key": made["SecretAccessKey"]}
        self.subnets = [subnet["SubnetId"] for subnet in self.owner("ec2").describe_subnets()["Subnets"]]
        self.vpc = self.owner("ec2").describe_vpcs()["Vpcs"][0]["VpcId"]

    def owner(self, service: str) -> Any:
        return _client(service, self.range.url, **self._owner)

    def mallory(self, service: str) -> Any:
        return _client(service, self.range.url, **self._mallory)

    def settings(self) -> dict[SettingKey, Observed]:
        """Every setting of the services that are looked at, live."""
        found: dict[SettingKey, Observed] = {}
        for family in LOOKED_AT:
            for read in family.inventory:
                found |= self._read(family, read)
        return found

    def _read(self, family: Family, read: Read) -> dict[SettingKey, Observed]:
        found: dict[SettingKey, Observed] = {}
        for page in self.reader.read_all(self.scope, read):
            for one in family.observe(self.scope, read, page):
                found[one.key] = one
        for one in list(found.values()):
            if not one.key.name and one.value is not None and read in family.inventory:
                for detail in family.details(one.key):
                    found |= self._detail(family, detail)
        return found

    def _detail(self, family: Family, read: Read) -> dict[SettingKey, Observed]:
        try:
            return self._read(family, read)
        except Exception as error:
            if getattr(error, "code", "") in family.absent_codes:
                return {}
            raise

    def fold(self, before: dict[SettingKey, Observed]) -> Fold:
        """All records over what was seen before, outside of which there was nothing."""
        prior = [(key, PriorValue(one.value, BEFORE, Source.BASELINE, one.aliases)) for key, one in before.items()]
        folded = Fold(prior, lambda key: BEFORE)
        for raw in self.range.app.trail.records():
            record = Record.parse(raw)
            family = family_for_event(record.operation)
            if record.succeeded and family is not None:
                folded.read(record, family.writes)
        return folded

    def told_wrongly(self, folded: Fold) -> dict[str, Any]:
        """Where the records tell a setting of what is looked at otherwise than AWS shows it."""
        looked_at = {kind for family in LOOKED_AT for kind in family.kinds}
        wrong = told_wrongly(folded, values(self.settings()))
        return {key: found for key, found in wrong.items() if key.split("/")[2] in looked_at}

    def proposed(self, folded: Fold) -> Proposal:
        wanted = reversals(folded, lambda record: record.identity.name == "mallory")
        return propose(wanted, {one.key: observe(self.reader, family_for_kind(one.key.kind), one.key) for one in wanted})

    def carried_out(self, proposal: Proposal) -> list[str]:
        """Apply the plan as an approved one; the steps that did not end well."""
        url = f"sqlite:///{self.folder / 'ledger.db'}"
        ledger = Ledger.open(url, now)
        approvals = Approvals(ledger, POLICY, now)
        plan = Plan(incident="inc-resources", title="the way back", steps=proposal.steps)
        asked = approvals.ask(plan, "restore", 1, ())
        answer = {"person": "alice", "answer": Answer.APPROVE, "digest": plan.digest}
        approvals.decide(plan.incident, asked.id, method="one-time-code", surface="prefect", **answer)
        runner = Executor(self.reader, ledger, approvals)
        outcomes = [(step, runner.apply(plan, step)) for step in plan.steps]
        return [f"{step.title}: {outcome.result} {outcome.detail}" for step, outcome in outcomes if not outcome.good]


@pytest.fixture(scope="module")
def running() -> Iterator[Range]:
    with Range(RangeConfig(regions=(REGION,), granted=granted_to(["111122223333"]))) as aws:
        yield aws


@pytest.fixture
def account(running: Range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    running.reset()
    keys = running.responder()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token or "")
    return Account(running, tmp_path)


Hand = Callable[[Account], None]


def returns(account: Account, build: Hand, attack: Hand) -> Proposal:
    """What an attack does is told by the trail as AWS then shows it, and undone completely."""
    build(account)
    before = account.settings()
    attack(account)
    assert values(account.settings()) != values(before)
    folded = account.fold(before)
    assert account.told_wrongly(folded) == {}
    proposal = account.proposed(folded)
    assert list(proposal.unplanned) == []
    assert account.carried_out(proposal) == []
    assert values(account.settings()) == values(before)
    return proposal


def nothing(account: Account) -> None:
    """An account as it is at first."""


def operations(proposal: Proposal) -> list[str]:
    return [step.calls[-1].operation for step in proposal.steps]


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
