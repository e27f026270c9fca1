"""Sessions and services: every way to hold a credential leaves the records that CloudTrail has of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from drill.aws import Range
from drill.aws.identity import ADMINISTRATOR
from drill.client import RangeClient, RangeError, boto_client
from drill.scenario import ScenarioError, load, loads
from drill.stage import Happened, Stage, range_config
from tests.drill.conftest import ACCOUNT, OTHER_ACCOUNT, Clients, code_of, corpus

pytestmark = pytest.mark.served

HEAD = """\
name: test
accounts: {main: "111122223333", other: "444455556666"}
regions: [us-east-1, eu-central-1]
principals:
  owner: {user: owner, source_ip: 203.0.113.8}
  mallory: {user: mallory, source_ip: 198.51.100.7}
"""
TRUST = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "%s"}, "Action": "sts:AssumeRole"}]}'
FULL = "arn:aws:iam::aws:policy/AmazonEC2FullAccess"
GATEWAY = "call: ec2.create_internet_gateway"
Record = dict[str, Any]


@contextmanager
def _played(
    principals: str, attack: str, estate: str = "", finding: str = "principal: mallory"
) -> Iterator[tuple[Range, Stage, Happened]]:
    kind = "" if "type:" in finding else '"Recon:IAMUser/TorIPCaller", '
    text = (
        f"{HEAD}{principals}estate:\n{estate or '  []'}\nattack:\n{attack}finding: {{{'type: ' + kind if kind else ''}{finding}}}\n"
    )
    scenario = loads(text)
    with Range(range_config(scenario)) as aws:
        stage = Stage(scenario, aws)
        stage.build_estate()
        yield aws, stage, stage.attack()


def _all(aws: Range, name: str) -> list[Record]:
    return [r for r in aws.app.trail.records() if r["eventName"] == name]


def _one(aws: Range, name: str) -> Record:
    (record,) = _all(aws, name)
    return record


def _real(file: str, **wanted: str) -> Record:
    """A real record to compare shapes with."""
    for record in corpus("cloudtrail", file):
        if all(record.get(key) == value or record["userIdentity"].get(key) == value for key, value in wanted.items()):
            return dict(record)
    raise AssertionError(f"no real record with {wanted}")


# ---- CloudFormation ---------------------------------------------------------------------------------------------

STACK = """\
  - as: mallory
    through: cloudformation
    stack: web-edge
    calls:
      - {id: Net, call: ec2.create_vpc, with: {CidrBlock: 10.9.0.0/16}, save: {vpc: Vpc.VpcId}}
      - {call: ec2.create_route_table, with: {VpcId: $vpc}}
"""


def test_cloudformation_acts_with_the_callers_own_credentials() -> None:
    with _played("", STACK) as (aws, _, happened):
        own, made = _one(aws, "CreateStack"), _one(aws, "CreateVpc")
        assert own["requestParameters"] == {"stackName": "web-edge"}
        assert own["responseElements"] == {"stackId": happened.names["stack_web_edge"]}
        assert (own["sourceIPAddress"], "invokedBy" in own["userIdentity"]) == ("198.51.100.7", False)
        assert made["userIdentity"] == own["userIdentity"] | {"invokedBy": "cloudformation.amazonaws.com"}
        assert made["sourceIPAddress"] == made["userAgent"] == "cloudformation.amazonaws.com"
        assert "tlsDetails" in own
        assert "tlsDetails" not in made
        cloudformation = boto_client(aws.url, "cloudformation", "us-east-1", aws.responder())
        assert cloudformation.describe_stacks(StackName="web-edge")["Stacks"][0]["StackStatus"] == "CREATE_COMPLETE"


def test_what_cloudformation_makes_has_its_tags() -> None:
    with _played("", STACK) as (aws, _, happened):
        ec2 = boto_client(aws.url, "ec2", "us-east-1", aws.responder())
        tags = {t["Key"]: t["Value"] for t in ec2.describe_vpcs(VpcIds=[happened.names["vpc"]])["Vpcs"][0]["Tags"]}
        assert tags == {
            "aws:cloudformation:stack-name": "web-edge",
            "aws:cloudformation:stack-id": happened.names["stack_web_edge"],
            "aws:cloudformation:logical-id": "Net",
        }
        recorded = _one(aws, "CreateRouteTable")["requestParameters"]["tagSpecificationSet"]["items"][0]["tags"]
        assert {"key": "aws:cloudformation:logical-id", "value": "RouteTable"} in recorded


def test_with_a_service_role_only_the_callers_own_call_names_the_caller() -> None:
    attack = STACK.replace("    calls:", "    service_role: Deployer\n    calls:")
    with _played("", attack) as (aws, _, happened):
        role = f"arn:aws:iam::{ACCOUNT}:role/Deployer"
        assert _one(aws, "CreateStack")["requestParameters"]["roleARN"] == role
        assumed, identity = _one(aws, "AssumeRole"), _one(aws, "CreateVpc")["userIdentity"]
        assert assumed["userIdentity"] == {"type": "AWSService", "invokedBy": "cloudformation.amazonaws.com"}
        assert identity["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Deployer/AWSCloudFormation"
        assert identity["invokedBy"] == "cloudformation.amazonaws.com"
        assert identity["accessKeyId"] == assumed["responseElements"]["credentials"]["accessKeyId"]
        assert identity["accessKeyId"] not in happened.keys["mallory"]


def test_a_stack_is_updated_and_deleted() -> None:
    attack = f"""\
{STACK}
  - as: mallory
    through: cloudformation
    stack: web-edge
    change: update
    calls: [{{call: ec2.create_subnet, with: {{VpcId: $vpc, CidrBlock: 10.9.1.0/24}}, save: {{sn: Subnet.SubnetId}}}}]
  - as: mallory
    through: cloudformation
    stack: web-edge
    change: delete
    calls: [{{call: ec2.delete_subnet, with: {{SubnetId: $sn}}}}]
"""
    with _played("", attack) as (aws, _, _):
        assert _one(aws, "UpdateStack")["responseElements"]["stackId"]
        assert _one(aws, "DeleteStack")["requestParameters"] == {"stackName": "web-edge"}
        assert _one(aws, "DeleteSubnet")["userIdentity"]["invokedBy"] == "cloudformation.amazonaws.com"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("through: terraform", "write through: cloudformation"),
        ("stack: web_edge", "letters, digits and -"),
        ("change: replace\n    stack: web-edge", "write one of create, update, delete"),
        ("call: ec2.delete_vpc\n    stack: web-edge", "unknown key 'call' in a step through cloudformation"),
    ],
)
def test_a_wrong_step_of_a_stack_is_said_with_its_line(wrong: str, words: str) -> None:
    key = wrong.split(":")[0]
    good = "through: cloudformation" if key == "through" else "stack: web-edge"
    tail = "finding: {type: Recon:IAMUser/TorIPCaller, principal: mallory}\n"
    with pytest.raises(ScenarioError, match=words):
        loads(f"{HEAD}attack:\n{STACK.replace(good, wrong)}{tail}")


# ---- Auto Scaling -----------------------------------------------------------------------------------------------


@pytest.fixture
def group_of_two(aws: Range, ec2: Any, client: Clients, vpc: str) -> Any:
    """Auto Scaling's client, with a group named web."""
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    data = {"ImageId": "ami-0a1b2c3d4e5f60001", "InstanceType": "t3.micro"}
    template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)["LaunchTemplate"]
    scaling = client("autoscaling")
    scaling.create_auto_scaling_group(
        AutoScalingGroupName="web",
        MinSize=1,
        MaxSize=4,
        DesiredCapacity=2,
        VPCZoneIdentifier=subnet,
        LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"], "Version": "1"},
    )
    return scaling


def _members(scaling: Any) -> set[str]:
    return {i["InstanceId"] for i in scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]["Instances"]}


def _recorded(record: Record) -> set[str]:
    return {item["instanceId"] for item in record["responseElements"]["instancesSet"]["items"]}


def test_auto_scaling_launches_by_its_service_linked_role(aws: Range, group_of_two: Any) -> None:
    launch, assumed = _one(aws, "RunInstances"), _one(aws, "AssumeRole")
    identity = launch["userIdentity"]
    assert identity["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSServiceRoleForAutoScaling/AutoScaling"
    assert identity["invokedBy"] == launch["sourceIPAddress"] == launch["userAgent"] == "autoscaling.amazonaws.com"
    assert "/aws-service-role/autoscaling.amazonaws.com/" in identity["sessionContext"]["sessionIssuer"]["arn"]
    assert assumed["userIdentity"] == {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"}
    assert _recorded(launch) == _members(group_of_two)
    tags = launch["requestParameters"]["tagSpecificationSet"]["items"][0]["tags"]
    assert tags == [{"key": "aws:autoscaling:groupName", "value": "web"}]
    own = _one(aws, "CreateAutoScalingGroup")
    assert own["requestParameters"]["autoScalingGroupName"] == "web"
    assert "invokedBy" not in own["userIdentity"]


def test_a_terminated_instance_is_launched_anew_and_a_deleted_group_ends(aws: Range, ec2: Any, group_of_two: Any) -> None:
    gone = min(_members(group_of_two))
    ec2.terminate_instances(InstanceIds=[gone])
    again = _all(aws, "RunInstances")[-1]
    assert len(_recorded(again)) == 1
    assert _recorded(again) <= _members(group_of_two)
    assert len(_all(aws, "TerminateInstances")) == 1
    standing = _members(group_of_two)
    group_of_two.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
    end = _all(aws, "TerminateInstances")[-1]
    assert (_recorded(end), end["userIdentity"]["invokedBy"]) == (standing, "autoscaling.amazonaws.com")


# ---- instances and functions ------------------------------------------------------------------------------------

SERVER = f"""\
  - {{as: owner, call: iam.create_role, with: {{RoleName: WebServer, AssumeRolePolicyDocument: '{TRUST % "ec2.amazonaws.com"}'}}}}
  - {{as: owner, call: iam.attach_role_policy, with: {{RoleName: WebServer, PolicyArn: "{FULL}"}}}}
  - {{as: owner, call: iam.create_instance_profile, with: {{InstanceProfileName: WebProfile}}}}
  - {{as: owner, call: iam.add_role_to_instance_profile, with: {{InstanceProfileName: WebProfile, RoleName: WebServer}}}}
  - as: owner
    region: eu-central-1
    call: ec2.run_instances
    with: {{ImageId: ami-0a1b2c3d4e5f60001, MinCount: 1, MaxCount: 1, IamInstanceProfile: {{Name: WebProfile}}}}
    save: {{web: "Instances[0].InstanceId"}}
"""
WEB = "  web: {profile_of: $web}\n  thief: {profile_of: $web, source_ip: 198.51.100.9}\n"


def test_an_instances_session_is_the_instances_and_then_the_thiefs() -> None:
    attack = f"  - {{as: web, {GATEWAY}}}\n  - {{as: thief, {GATEWAY}}}\n"
    with _played(WEB, attack, SERVER) as (aws, _, happened):
        assumed = _one(aws, "AssumeRole")
        assert assumed["userIdentity"] == {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
        assert assumed["sourceIPAddress"] == assumed["userAgent"] == "ec2.amazonaws.com"
        assert assumed["awsRegion"] == "eu-central-1"
        role = f"arn:aws:iam::{ACCOUNT}:role/WebServer"
        assert assumed["requestParameters"] == {"roleArn": role, "roleSessionName": happened.names["web"]}
        assert set(assumed["responseElements"]["credentials"]) == {"accessKeyId", "sessionToken", "expiration"}
        own, stolen = _all(aws, "CreateInternetGateway")
        assert own["userIdentity"] == stolen["userIdentity"]
        assert own["userIdentity"]["accessKeyId"] == assumed["responseElements"]["credentials"]["accessKeyId"]
        assert own["userIdentity"]["principalId"].endswith(f":{happened.names['web']}")
        assert own["userIdentity"]["sessionContext"]["ec2RoleDelivery"] == "2.0"
        ec2 = boto_client(aws.url, "ec2", "eu-central-1", aws.responder())
        (held,) = ec2.describe_instances(InstanceIds=[happened.names["web"]])["Reservations"]
        address = held["Instances"][0]["PublicIpAddress"]
        assert [own["sourceIPAddress"], stolen["sourceIPAddress"]] == [address, "198.51.100.9"]
        assert happened.keys["web"] == happened.keys["thief"]


def test_an_instances_records_have_the_shape_of_real_ones() -> None:
    service = _real("streamalert.jsonl", type="AWSService", eventName="AssumeRole")
    session = _real("stratus-red-team.jsonl", type="AssumedRole", eventName="DescribeInstances")
    with _played(WEB, f"  - {{as: thief, {GATEWAY}}}\n", SERVER) as (aws, _, _):
        assert set(service) <= set(_one(aws, "AssumeRole"))
        made = _one(aws, "CreateInternetGateway")
        assert set(session["userIdentity"]) == set(made["userIdentity"])
        assert set(session) <= set(made) | {"errorCode", "errorMessage"}


def test_a_functions_session_has_the_functions_name() -> None:
    principals = "  fn: {function_role: cleanup}\n  thief: {function_role: cleanup, source_ip: 198.51.100.9}\n"
    estate = f"""\
  - {{as: owner, call: iam.create_role, with: {{RoleName: Cleanup, AssumeRolePolicyDocument: '{TRUST % "lambda.amazonaws.com"}'}}}}
  - {{as: owner, call: iam.attach_role_policy, with: {{RoleName: Cleanup, PolicyArn: "{FULL}"}}}}
  - as: owner
    call: lambda.create_function
    with:
      FunctionName: cleanup
      Runtime: python3.12
      Handler: a.b
      Code: {{ZipFile: code}}
      Role: "arn:aws:iam::${{account_main}}:role/Cleanup"
"""
    attack = f"  - {{as: fn, {GATEWAY}}}\n  - {{as: thief, {GATEWAY}}}\n"
    with _played(principals, attack, estate) as (aws, _, _):
        assumed = _one(aws, "AssumeRole")
        assert assumed["userIdentity"] == {"type": "AWSService", "invokedBy": "lambda.amazonaws.com"}
        assert assumed["requestParameters"]["roleSessionName"] == "cleanup"
        own, stolen = _all(aws, "CreateInternetGateway")
        assert own["userIdentity"] == stolen["userIdentity"]
        assert own["userIdentity"]["arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Cleanup/cleanup"
        assert own["userIdentity"]["inScopeOf"] == {
            "issuerType": "AWS::Lambda::Function",
            "credentialsIssuedTo": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:cleanup",
        }
        assert "invokedBy" not in own["userIdentity"]
        made = _one(aws, "CreateFunction20150331")
        assert made["requestParameters"]["role"] == f"arn:aws:iam::{ACCOUNT}:role/Cleanup"


def test_nobody_acts_as_an_instance_that_does_not_exist_yet() -> None:
    text = f"{HEAD}{WEB}attack:\n  - {{as: thief, {GATEWAY}}}\nfinding: {{type: Recon:IAMUser/TorIPCaller, principal: thief}}\n"
    with pytest.raises(ScenarioError, match=r":10: thief acts before \$web is saved"):
        loads(text)


def test_an_instance_without_a_profile_has_no_session() -> None:
    run = "call: ec2.run_instances, with: {ImageId: ami-0a1b2c3d4e5f60001, MinCount: 1, MaxCount: 1}"
    attack = f"  - {{as: owner, {run}, save: {{web: 'Instances[0].InstanceId'}}}}\n  - {{as: thief, {GATEWAY}}}\n"
    with pytest.raises(ScenarioError, match=r"cannot be made by thief: .*run it with an IamInstanceProfile"), _played(WEB, attack):
        pass


# ---- the console ------------------------------------------------------------------------------------------------

CONSOLE = """\
  planted: {user: planted, made_by: mallory, console: true, source_ip: 198.51.100.23}
  switched: {role: Admin, assumed_by: planted, account: other}
"""


def test_a_planted_user_signs_in_and_works_in_the_console() -> None:
    with _played(CONSOLE, f"  - {{as: planted, {GATEWAY}}}\n") as (aws, _, _):
        names = [r["eventName"] for r in aws.app.trail.records()]
        assert names == ["CreateUser", "AttachUserPolicy", "CreateLoginProfile", "ConsoleLogin", "CreateInternetGateway"]
        profile, sign_in, work = aws.app.trail.records()[2:]
        assert profile["requestParameters"] == {"userName": "planted", "passwordResetRequired": False}
        assert set(sign_in["userIdentity"]) == {"type", "principalId", "arn", "accountId", "userName"}
        assert sign_in["eventSource"] == "signin.amazonaws.com"
        assert (sign_in["eventType"], sign_in["awsRegion"]) == ("AwsConsoleSignIn", "us-east-1")
        assert sign_in["responseElements"] == {"ConsoleLogin": "Success"}
        assert sign_in["additionalEventData"]["MFAUsed"] == "No"
        real = _real("stratus-red-team.jsonl", eventName="ConsoleLogin")
        assert set(real) <= set(sign_in)
        assert set(real["additionalEventData"]) == set(sign_in["additionalEventData"])
        assert work["sessionCredentialFromConsole"] == "true"
        assert work["userAgent"].startswith("Mozilla/")
        assert work["userIdentity"]["accessKeyId"].startswith("ASIA")
        attributes = work["userIdentity"]["sessionContext"]["attributes"]
        assert attributes == {"creationDate": sign_in["eventTime"], "mfaAuthenticated": "false"}


def test_what_the_console_asks_for_by_itself_comes_from_no_address() -> None:
    attack = f"  - {{as: planted, {GATEWAY}}}\n  - {{as: planted, {GATEWAY}, proxied: true}}\n"
    with _played(CONSOLE, attack) as (aws, _, _):
        direct, proxied = _all(aws, "CreateInternetGateway")
        assert proxied["userIdentity"] == direct["userIdentity"]
        assert proxied["sourceIPAddress"] == proxied["userAgent"] == "AWS Internal"
        assert proxied["sessionCredentialFromConsole"] == "true"
        assert ("tlsDetails" in direct, "tlsDetails" in proxied) == (True, False)
    tail = "finding: {type: Recon:IAMUser/TorIPCaller, principal: mallory}\n"
    with pytest.raises(ScenarioError, match="mallory is not in the console"):
        loads(f"{HEAD}attack:\n  - {{as: mallory, {GATEWAY}, proxied: true}}\n{tail}")


def test_a_role_is_switched_in_the_console_across_accounts() -> None:
    with _played(CONSOLE, f"  - {{as: switched, {GATEWAY}}}\n") as (aws, _, _):
        here, there = _all(aws, "AssumeRole")
        assert here["userIdentity"]["invokedBy"] == here["sourceIPAddress"] == here["userAgent"] == "AWS Internal"
        assert there["userIdentity"] == {
            "type": "AWSAccount",
            "principalId": here["userIdentity"]["principalId"],
            "accountId": ACCOUNT,
        }
        switch, work = _one(aws, "SwitchRole"), _one(aws, "CreateInternetGateway")
        assert switch["responseElements"] == {"SwitchRole": "Success"}
        assert switch["additionalEventData"]["SwitchFrom"] == f"arn:aws:iam::{ACCOUNT}:user/planted"
        assert switch["userIdentity"]["arn"] == f"arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/Admin/planted"
        assert "accessKeyId" not in switch["userIdentity"]
        assert switch["recipientAccountId"] == work["recipientAccountId"] == OTHER_ACCOUNT
        assert work["sessionCredentialFromConsole"] == "true"
        assert work["userIdentity"]["accessKeyId"] == there["responseElements"]["credentials"]["accessKeyId"]


def test_a_standing_user_signs_in_with_a_second_factor() -> None:
    principals = "  desk: {user: owner, console: true, mfa: true, source_ip: 203.0.113.9}\n"
    with _played(principals, f"  - {{as: owner, {GATEWAY}}}\n  - {{as: desk, {GATEWAY}}}\n") as (aws, _, happened):
        assert [r["eventName"] for r in aws.app.trail.records()][1] == "ConsoleLogin"
        assert _one(aws, "ConsoleLogin")["additionalEventData"]["MFAUsed"] == "Yes"
        work = aws.app.trail.records()[-1]["userIdentity"]
        assert work["sessionContext"]["attributes"]["mfaAuthenticated"] == "true"
        assert happened.keys["owner"] != happened.keys["desk"]


def test_who_has_no_password_does_not_sign_in(aws: Range, client: Clients) -> None:
    client("iam").create_user(UserName="quiet")
    with pytest.raises(RangeError, match="create the user and a login profile first"):
        RangeClient(aws.url).session("console", account=ACCOUNT, user="quiet")


# ---- root, tokens and roles -------------------------------------------------------------------------------------


def test_root_has_a_key_and_a_console() -> None:
    principals = "  root: {root: true, source_ip: 198.51.100.8}\n  desk: {root: true, console: true}\n"
    attack = f"  - {{as: root, {GATEWAY}}}\n  - {{as: desk, {GATEWAY}}}\n"
    with _played(principals, attack, finding="principal: root") as (aws, stage, happened):
        by_key, sign_in, by_console = aws.app.trail.records()
        assert by_key["userIdentity"] == {
            "type": "Root",
            "principalId": ACCOUNT,
            "arn": f"arn:aws:iam::{ACCOUNT}:root",
            "accountId": ACCOUNT,
            "accessKeyId": happened.keys["root"][0],
        }
        assert happened.keys["root"][0].startswith("AKIA")
        assert (sign_in["eventName"], sign_in["userIdentity"]["type"]) == ("ConsoleLogin", "Root")
        real = _real("cloud-custodian.jsonl", type="Root", sessionCredentialFromConsole="true")
        assert set(real["userIdentity"]) == set(by_console["userIdentity"])
        details = stage.finding().api["Resource"]["AccessKeyDetails"]
        assert (details["UserType"], details["UserName"], details["PrincipalId"]) == ("Root", "Root", ACCOUNT)


def test_root_assumes_no_role() -> None:
    principals = "  root: {root: true}\n  admin: {role: Admin, assumed_by: root}\n"
    with (
        pytest.raises(ScenarioError, match="Roles may not be assumed by root accounts"),
        _played(principals, f"  - {{as: admin, {GATEWAY}}}\n"),
    ):
        pass


@pytest.mark.parametrize(
    ("principal", "words"),
    [
        ("{session_of: mallory, account: other}", "mallory is in another account than x"),
        ("{federated: helpdesk}", "nobody asks for federated principal 'x'"),
        ("{federated: helpdesk, made_by: y}", "y holds no long-term key"),
        ("{role: Admin, assumed_by: mallory, console: true}", "console does not go with principal 'x'; use it with user, root"),
        ("{role: Admin, assumed_by: mallory, transitive: [team]}", "a list of keys of tags"),
        ("{profile_of: web}", r"write \$name of a saved instance id"),
        ("{user: a, root: true}", "and only one of them"),
    ],
)
def test_a_wrong_principal_is_said_with_its_line(principal: str, words: str) -> None:
    people = f"{HEAD}  y: {{user: y, console: true}}\n  x: {principal}\n"
    tail = "finding: {type: Recon:IAMUser/TorIPCaller, principal: mallory}\n"
    with pytest.raises(ScenarioError, match=rf"scenario.yaml:8: .*{words}"):
        loads(f"{people}attack:\n  - {{as: mallory, {GATEWAY}}}\n{tail}")


def test_a_federated_session_names_the_user_as_its_issuer() -> None:
    attack = f"  - {{as: fed, {GATEWAY}}}\n  - {{as: fed, call: iam.list_users, fails: InvalidClientTokenId}}\n"
    with _played("  fed: {federated: helpdesk, made_by: mallory}\n", attack, finding="principal: fed") as (aws, stage, _):
        asked, work = _one(aws, "GetFederationToken"), _one(aws, "CreateInternetGateway")
        assert asked["requestParameters"]["name"] == "helpdesk"
        given = asked["responseElements"]
        assert given["federatedUser"]["arn"] == work["userIdentity"]["arn"]
        assert given["credentials"]["accessKeyId"] == work["userIdentity"]["accessKeyId"]
        real = _real("stratus-red-team.jsonl", type="FederatedUser")["userIdentity"]
        assert set(real) == set(work["userIdentity"])
        assert set(real["sessionContext"]) == set(work["userIdentity"]["sessionContext"])
        issuer = work["userIdentity"]["sessionContext"]["sessionIssuer"]
        assert set(real["sessionContext"]["sessionIssuer"]) == set(issuer)
        assert (issuer["type"], issuer["userName"]) == ("IAMUser", "mallory")
        details = stage.finding().api["Resource"]["AccessKeyDetails"]
        assert (details["UserType"], details["UserName"]) == ("FederatedUser", "helpdesk")


def test_a_session_token_is_the_same_user_under_another_key() -> None:
    attack = f"  - {{as: token, {GATEWAY}}}\n  - {{as: token, call: iam.list_users, fails: InvalidClientTokenId}}\n"
    with _played("  token: {session_of: mallory}\n", attack) as (aws, _, happened):
        asked, work = _one(aws, "GetSessionToken"), _one(aws, "CreateInternetGateway")
        assert asked["userIdentity"]["accessKeyId"] == happened.keys["mallory"][0]
        identity = work["userIdentity"]
        assert (identity["type"], identity["userName"]) == ("IAMUser", "mallory")
        assert identity["accessKeyId"] == asked["responseElements"]["credentials"]["accessKeyId"]
        assert set(identity["sessionContext"]) == {"attributes"}


def test_a_source_identity_and_tags_follow_the_session() -> None:
    principals = """\
  first: {role: First, assumed_by: mallory, source_identity: mary, tags: {team: network, ticket: "7"}, transitive: [team]}
  second: {role: Second, assumed_by: first, account: other}
"""
    with _played(principals, f"  - {{as: second, {GATEWAY}}}\n") as (aws, _, _):
        first, chained, elsewhere = _all(aws, "AssumeRole")
        assert first["requestParameters"]["principalTags"] == {"team": "network", "ticket": "7"}
        assert first["requestParameters"]["transitiveTagKeys"] == ["team"]
        assert first["requestParameters"]["sourceIdentity"] == first["responseElements"]["sourceIdentity"] == "mary"
        assert "tags" not in first["requestParameters"]
        assert chained["userIdentity"]["sessionContext"]["sourceIdentity"] == "mary"
        assert _one(aws, "CreateInternetGateway")["userIdentity"]["sessionContext"]["sourceIdentity"] == "mary"
        assert chained["sharedEventID"] == elsewhere["sharedEventID"]
        assert chained["eventID"] != elsewhere["eventID"]
        assert elsewhere["userIdentity"]["principalId"] == chained["userIdentity"]["principalId"]
        assert [r["recipientAccountId"] for r in (chained, elsewhere)] == [ACCOUNT, OTHER_ACCOUNT]
        session = next(s for s in aws.app.directory._temporary.values() if s.arn.endswith("/Second/second"))
        assert session.tags == {"team": "network"}


def test_a_refused_role_of_another_account_is_recorded_in_the_callers_only(aws: Range, client: Clients) -> None:
    sts = client("sts")
    assert code_of(sts.assume_role, RoleArn=f"arn:aws:iam::{OTHER_ACCOUNT}:role/None", RoleSessionName="xy") == "AccessDenied"
    assert _one(aws, "AssumeRole")["recipientAccountId"] == ACCOUNT


# ---- power given to others --------------------------------------------------------------------------------------


def test_every_gift_of_power_is_recorded_at_home(aws: Range, client: Clients) -> None:
    iam, trust, policy = client("iam"), TRUST % "ec2.amazonaws.com", json.dumps(ADMINISTRATOR)
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    iam.create_user(UserName="eve")
    iam.create_login_profile(UserName="eve", Password="Correct-horse-7")
    iam.update_login_profile(UserName="eve", Password="Correct-horse-8", PasswordResetRequired=False)
    iam.create_group(GroupName="ops")
    iam.add_user_to_group(GroupName="ops", UserName="eve")
    iam.put_user_policy(UserName="eve", PolicyName="all", PolicyDocument=policy)
    iam.attach_user_policy(UserName="eve", PolicyArn=arn)
    iam.create_role(RoleName="box", AssumeRolePolicyDocument=trust)
    iam.update_assume_role_policy(RoleName="box", PolicyDocument=trust)
    iam.attach_role_policy(RoleName="box", PolicyArn=arn)
    iam.create_instance_profile(InstanceProfileName="box")
    iam.add_role_to_instance_profile(InstanceProfileName="box", RoleName="box")
    records = aws.app.trail.records()
    assert {r["awsRegion"] for r in records} == {"us-east-1"}
    assert {r["eventSource"] for r in records} == {"iam.amazonaws.com"}
    asked = {r["eventName"]: r["requestParameters"] for r in records}
    assert asked == {
        "CreateUser": {"userName": "eve"},
        "CreateLoginProfile": {"userName": "eve"},
        "UpdateLoginProfile": {"userName": "eve", "passwordResetRequired": False},
        "CreateGroup": {"groupName": "ops"},
        "AddUserToGroup": {"groupName": "ops", "userName": "eve"},
        "PutUserPolicy": {"userName": "eve", "policyName": "all", "policyDocument": policy},
        "AttachUserPolicy": {"userName": "eve", "policyArn": arn},
        "CreateRole": {"roleName": "box", "assumeRolePolicyDocument": trust},
        "UpdateAssumeRolePolicy": {"roleName": "box", "policyDocument": trust},
        "AttachRolePolicy": {"roleName": "box", "policyArn": arn},
        "CreateInstanceProfile": {"instanceProfileName": "box"},
        "AddRoleToInstanceProfile": {"instanceProfileName": "box", "roleName": "box"},
    }


def test_an_instance_is_run_with_a_profile() -> None:
    with _played("", f"  - {{as: mallory, {GATEWAY}}}\n", SERVER) as (played, _, _):
        assert _one(played, "RunInstances")["requestParameters"]["iamInstanceProfile"] == {"name": "WebProfile"}


# ---- findings ---------------------------------------------------------------------------------------------------


def _finding(finding: str) -> dict[str, Any]:
    with _played(WEB, f"  - {{as: thief, {GATEWAY}}}\n", SERVER, finding) as (_, stage, _):
        return dict(stage.finding().api)


def test_the_finding_of_a_stolen_profile_names_session_and_instance() -> None:
    kind = "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS"
    found = _finding(f'type: "{kind}", principal: thief, region: eu-central-1, instance: $web')
    resource = found["Resource"]
    assert resource["ResourceType"] == "AccessKey"
    details, instance = resource["AccessKeyDetails"], resource["InstanceDetails"]
    assert (details["UserName"], details["UserType"]) == ("WebServer", "AssumedRole")
    assert details["PrincipalId"].endswith(f":{instance['InstanceId']}")
    assert instance["IamInstanceProfile"]["Arn"] == f"arn:aws:iam::{ACCOUNT}:instance-profile/WebProfile"
    assert not instance["IamInstanceProfile"]["Id"].startswith("iip-assoc")
    assert found["Service"]["Action"]["AwsApiCallAction"]["RemoteIpDetails"]["IpAddressV4"] == "198.51.100.9"


def test_the_finding_of_an_instance_that_calls_out() -> None:
    found = _finding('type: "CryptoCurrency:EC2/BitcoinTool.B", principal: thief, region: eu-central-1, instance: $web')
    assert found["Resource"]["ResourceType"] == "Instance"
    assert found["Resource"]["InstanceDetails"]["IamInstanceProfile"]["Id"]
    assert found["Service"]["ResourceRole"] == "ACTOR"
    assert found["Service"]["Action"]["NetworkConnectionAction"]["ConnectionDirection"] == "OUTBOUND"


def test_the_finding_of_a_bucket_names_who_used_it() -> None:
    found = _finding('type: "Exfiltration:S3/AnomalousBehavior", principal: thief, bucket: shop-orders')
    resource = found["Resource"]
    assert resource["ResourceType"] == "S3Bucket"
    assert (resource["S3BucketDetails"][0]["Name"], resource["S3BucketDetails"][0]["Arn"]) == (
        "shop-orders",
        "arn:aws:s3:::shop-orders",
    )
    assert resource["AccessKeyDetails"]["UserType"] == "AssumedRole"


def test_a_finding_of_a_bucket_needs_its_name() -> None:
    tail = "finding: {type: Exfiltration:S3/AnomalousBehavior, principal: mallory}\n"
    with pytest.raises(ScenarioError, match="add bucket"):
        loads(f"{HEAD}attack:\n  - {{as: mallory, {GATEWAY}}}\n{tail}")


# ---- the library ------------------------------------------------------------------------------------------------

LIBRARY = ["through-cloudformation", "stolen-instance-profile", "planted-user", "federated-session", "auto-scaling"]


@pytest.mark.parametrize("name", LIBRARY)
def test_a_scenario_plays_to_its_end_and_its_finding(name: str) -> None:
    scenario = load(name)
    with Range(range_config(scenario)) as aws:
        stage = Stage(scenario, aws)
        stage.build_estate()
        happened = stage.attack()
        assert set(scenario.expect["actors"]) <= set(stage.actor_keys)
        assert happened.effects
        found = stage.finding().api
        assert found["Resource"]["AccessKeyDetails"]["AccessKeyId"] in happened.keys[scenario.finding.principal]
        ids = [r["eventID"] for r in aws.app.trail.records()]
        assert len(ids) == len(set(ids))
