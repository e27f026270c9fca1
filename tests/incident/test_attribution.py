"""Each kind of link: what a record lets the actor command, what services did for them, and what stays the rightful owner's."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from examples import ACCOUNT, NOON, record
from hypothesis import given
from hypothesis import strategies as st

from incident.actor import Actor, Credential, Link, program
from incident.attribution import Question, followed, questions, suspects
from incident.findings.finding import parse_finding
from incident.origin import identified, named_by, opened, origin, windowed
from incident.record import Record
from incident.services import caller_behind

STOLEN = "AKIAMALLORYEXAMPLE"
WORKER = {"instanceId": "i-1", "iamInstanceProfile": {"arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/Worker"}}
DEPLOY = f"arn:aws:iam::{ACCOUNT}:role/Deploy"


def seed(**more) -> Actor:
    credential = Credential(STOLEN, "mallory", "user", Link.PROVED, "the finding names it", "", ACCOUNT)
    return Actor({STOLEN: credential}, NOON, "finding", STOLEN, **more)


def as_role(name: str, role: str, session: str, *, at: int = 0, key: str = "ASIASESSION", issuer: str = "", by: str = "", **more):
    """A record of an assumed-role session."""
    made = record(name, at=at, **more)
    identity = {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": issuer or f"arn:aws:iam::{ACCOUNT}:role/{role}", "userName": role}
        },
    }
    if by:
        identity["invokedBy"] = by
    address = by or made.source_ip
    return Record.parse(
        dict(made.raw) | {"userIdentity": identity, "sourceIPAddress": address, "eventID": f"{name}-{at}-{session}-{key}"}
    )


def as_user(name: str, user: str, *, key: str = "", at: int = 0, console: bool = False, **more):
    made = record(name, at=at, user=user, key=key, **more)
    raw = dict(made.raw) | ({"sessionCredentialFromConsole": "true"} if console else {})
    if not key:
        raw["userIdentity"] = {name: value for name, value in raw["userIdentity"].items() if name != "accessKeyId"}
    return Record.parse(raw)


# --- principals that the actor commands -----------------------------------------------------------------------------------------


def test_every_credential_of_a_user_whom_the_actor_made_is_theirs():
    made = record("CreateUser", service="iam", at=1, request={"userName": "svc"})
    used = as_user("CreateRoute", "svc", key="AKIAOTHER", at=2)
    actor = followed(seed(), [made, used])
    assert actor.did(used)
    assert actor.credentials["AKIAOTHER"].record == made.event_id
    assert actor.credentials["AKIAOTHER"].made


def test_a_password_gives_the_console_sessions_and_not_the_keys():
    password = record("CreateLoginProfile", service="iam", at=1, request={"userName": "intern"})
    signed_in = as_user("ConsoleLogin", "intern", at=2, service="signin")
    in_console = as_user("CreateRoute", "intern", key="ASIACONSOLE", at=3, console=True)
    by_key = as_user("CreateVpc", "intern", key="AKIAINTERN", at=4)
    actor = followed(seed(), [password, signed_in, in_console, by_key])
    assert [actor.did(one) for one in (signed_in, in_console, by_key)] == [True, True, False]


def test_what_the_user_did_before_the_actor_set_the_password_stays_theirs():
    before = as_user("CreateVpc", "intern", key="ASIABEFORE", at=-10, console=True)
    password = record("UpdateLoginProfile", service="iam", at=1, request={"userName": "intern"})
    assert not followed(seed(), [before, password]).did(before)


def test_a_role_that_is_switched_to_in_the_console_is_followed_without_a_key():
    made = record("CreateUser", service="iam", at=1, request={"userName": "svc"})
    used = as_user("DescribeVpcs", "svc", key="ASIACONSOLE", at=2, console=True)
    identity = {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:svc",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/NetworkAdmin/svc",
        "accountId": ACCOUNT,
    }
    switch = Record.parse(
        dict(record("SwitchRole", service="signin", at=3).raw)
        | {"userIdentity": identity, "additionalEventData": {"SwitchFrom": f"arn:aws:iam::{ACCOUNT}:user/svc"}}
    )
    acted = as_role("CreateRoute", "NetworkAdmin", "svc", at=4, key="ASIASWITCHED")
    actor = followed(seed(), [made, used, switch, acted])
    assert actor.did(switch)
    assert actor.did(acted)


def test_a_role_switched_to_by_somebody_else_is_not_followed():
    acted = as_role("CreateRoute", "NetworkAdmin", "svc", at=4, key="ASIASWITCHED")
    assert not followed(seed(), [acted]).did(acted)


def test_every_session_of_a_role_that_the_actor_made_is_theirs_whoever_assumes_it():
    made = record("CreateRole", service="iam", at=1, request={"roleName": "backdoor"})
    assumed = record(
        "AssumeRole",
        service="sts",
        at=2,
        key="",
        request={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/backdoor", "roleSessionName": "x"},
        response={"credentials": {"accessKeyId": "ASIAOUTSIDE"}},
    )
    acted = as_role("DeleteVpc", "backdoor", "x", key="ASIAOUTSIDE", at=3)
    actor = followed(seed(), [made, assumed, acted])
    assert actor.credentials["ASIAOUTSIDE"].link is Link.PROVED
    assert actor.did(acted)


def test_a_role_whose_trust_the_actor_changed_is_only_suspected():
    changed = record("UpdateAssumeRolePolicy", service="iam", at=1, request={"roleName": "Deploy"})
    acted = as_role("DeleteVpc", "Deploy", "ci", at=2)
    actor = followed(seed(), [changed, acted])
    assert actor.credentials["ASIASESSION"].link is Link.SUSPECTED
    assert not actor.did(acted)


def test_what_a_suspected_session_hands_out_is_suspected_too():
    changed = record("UpdateAssumeRolePolicy", service="iam", at=1, request={"roleName": "Deploy"})
    makes_key = as_role(
        "CreateAccessKey",
        "Deploy",
        "ci",
        at=2,
        service="iam",
        response={"accessKey": {"accessKeyId": "AKIANEXT", "userName": "bob"}},
    )
    actor = followed(seed(), [changed, makes_key])
    assert actor.credentials["AKIANEXT"].link is Link.SUSPECTED


@pytest.mark.parametrize(
    ("service", "name", "request_", "response", "session"),
    [
        ("ec2", "RunInstances", {}, {"instancesSet": {"items": [WORKER]}}, "i-1"),
        ("lambda", "CreateFunction20150331", {"functionName": "probe"}, {}, "probe"),
    ],
)
def test_the_role_of_what_the_actor_started_works_for_them(service, name, request_, response, session):
    started = record(name, service=service, at=1, request=request_, response=response)
    acted = as_role("CreateRoute", "Worker", session, at=2)
    assert followed(seed(), [started, acted]).did(acted)


def test_the_function_whose_code_they_changed_is_suspected():
    changed = record("UpdateFunctionCode20150331v2", service="lambda", at=1, request={"functionName": "shop"})
    acted = as_role("CreateRoute", "Shop", "shop", at=2)
    actor = followed(seed(), [changed, acted])
    assert actor.credentials["ASIASESSION"].link is Link.SUSPECTED


# --- services -------------------------------------------------------------------------------------------------------------------


def stack_call(name: str, stack: str, *, at: int, role: str = DEPLOY, **more):
    return record(
        name,
        service="cloudformation",
        at=at,
        request={"stackName": stack, **({"roleARN": role} if role else {})},
        response={"stackId": f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/{stack}/1"},
        **more,
    )


def by_stack(name: str, *, at: int, key: str = "ASIASTACK", **more):
    return as_role(name, "Deploy", "AWSCloudFormation", at=at, key=key, issuer=DEPLOY, by="cloudformation.amazonaws.com", **more)


def test_what_cloudformation_did_under_a_service_role_is_the_callers():
    call, made = stack_call("CreateStack", "theirs", at=1), by_stack("CreateVpc", at=2)
    actor = followed(seed(), [call, made])
    assert actor.did(made)
    assert actor.credentials["ASIASTACK"].kind == "service"
    assert actor.credentials["ASIASTACK"].record == call.event_id


def test_the_next_stack_under_the_same_role_is_somebody_elses():
    call, theirs = stack_call("CreateStack", "theirs", at=1), by_stack("CreateVpc", at=2)
    other = stack_call("UpdateStack", "shop", at=10, key="AKIAOWNER", user="owner")
    rightful = by_stack("CreateSubnet", at=11, key="ASIAOTHERSTACK")
    actor = followed(seed(), [call, theirs, other, rightful])
    assert actor.did(theirs)
    assert not actor.did(rightful)


def test_a_tag_that_names_another_stack_refutes_a_session():
    shop = f"arn:aws:cloudformation:us-east-1:{ACCOUNT}:stack/shop/1"
    tags = {"tagSpecificationSet": {"items": [{"tags": [{"key": "aws:cloudformation:stack-id", "value": shop}]}]}}
    call, made = stack_call("CreateStack", "theirs", at=1), by_stack("CreateVpc", at=2, request=tags)
    assert not followed(seed(), [call, made]).did(made)


def test_with_a_stolen_key_a_service_acts_for_whoever_called_it_last():
    owners = seed(owner_addresses=frozenset({"203.0.113.8"}))
    by_owner = stack_call("UpdateStack", "shop", at=1, role="", ip="203.0.113.8")
    for_owner = record("CreateSubnet", at=2, ip="cloudformation.amazonaws.com")
    by_thief = stack_call("CreateStack", "theirs", at=10, role="")
    for_thief = record("CreateVpc", at=11, ip="cloudformation.amazonaws.com")
    called = [
        Record.parse(dict(one.raw) | {"userIdentity": {**one.raw["userIdentity"], "invokedBy": "cloudformation.amazonaws.com"}})
        for one in (for_owner, for_thief)
    ]
    actor = followed(owners, [by_owner, called[0], by_thief, called[1]])
    assert [actor.did(one) for one in called] == [False, True]


def test_an_owner_who_only_looks_at_a_stack_does_not_take_the_thiefs_work_on_themselves():
    owners = seed(owner_addresses=frozenset({"203.0.113.8"}))
    by_thief = stack_call("CreateStack", "theirs", at=1, role="")
    looks = record("DescribeStacks", service="cloudformation", at=2, ip="203.0.113.8", readOnly=True)
    made = record("CreateVpc", at=3, ip="cloudformation.amazonaws.com")
    identity = {**made.raw["userIdentity"], "invokedBy": "cloudformation.amazonaws.com"}
    made = Record.parse(dict(made.raw) | {"userIdentity": identity})
    assert followed(owners, [by_thief, looks, made]).did(made)


def launch(group: str, instance: str, *, at: int):
    return as_role(
        "RunInstances",
        "AWSServiceRoleForAutoScaling",
        "AutoScaling",
        at=at,
        by="autoscaling.amazonaws.com",
        request={"tagSpecificationSet": {"items": [{"tags": [{"key": "aws:autoscaling:groupName", "value": group}]}]}},
        response={"instancesSet": {"items": [WORKER | {"instanceId": instance}]}},
    )


def test_what_auto_scaling_launches_for_the_actors_group_is_theirs_and_nobody_elses():
    made = record("CreateAutoScalingGroup", service="autoscaling", at=1, request={"autoScalingGroupName": "jobs"})
    theirs, others = launch("jobs", "i-1", at=2), launch("web", "i-2", at=3)
    from_it = as_role("CreateRoute", "Worker", "i-1", at=4, key="ASIAINSTANCE")
    actor = followed(seed(), [made, theirs, others, from_it])
    assert [actor.did(one) for one in (theirs, others, from_it)] == [True, False, True]


def test_a_launch_leads_back_to_whoever_made_the_group():
    made = record("CreateAutoScalingGroup", service="autoscaling", at=1, request={"autoScalingGroupName": "jobs"})
    assert caller_behind(launch("jobs", "i-1", at=2), [made, launch("jobs", "i-1", at=2)]) is made
    unknown = launch("elsewhere", "i-9", at=3)
    assert caller_behind(unknown, [made]) is unknown


def test_a_stacks_call_leads_back_to_whoever_called_for_the_stack():
    first, second = stack_call("CreateStack", "one", at=1), stack_call("UpdateStack", "two", at=5)
    assert caller_behind(by_stack("CreateVpc", at=6), [first, second]) is second


# --- owner and thief ------------------------------------------------------------------------------------------------------------

TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.1.2 aws-sdk-go/1.44"
TOOL = "attack-tool_4277e8d8"


def by_agent(name: str, agent: str, *, at: int, ip: str = "192.0.2.10"):
    return Record.parse(dict(record(name, at=at, ip=ip).raw) | {"userAgent": agent})


def test_owner_and_thief_behind_one_address_are_told_by_their_programs():
    records = [
        by_agent("CreateVpc", TERRAFORM, at=-60),
        by_agent("AuthorizeSecurityGroupIngress", TOOL, at=0),
        by_agent("RevokeSecurityGroupIngress", "attack-tool_2142a106", at=30),
        by_agent("DeleteSecurityGroup", TERRAFORM, at=60),
    ]
    actor = opened(seed(), records, NOON, frozenset({"192.0.2.10"}), (TOOL,))
    assert [actor.did(one) for one in records] == [False, True, True, False]


def test_the_window_opens_with_the_first_call_of_the_actors_own_program():
    records = [by_agent("CreateVpc", TERRAFORM, at=-90), by_agent("DescribeVpcs", TOOL, at=-30)]
    actor = opened(seed(), records, NOON, frozenset(), ("attack-tool_*",))
    assert actor.since == records[1].time
    assert "attack-tool" in actor.since_reason


def test_a_call_that_could_be_the_others_is_marked():
    actor = seed(owner_addresses=frozenset({"203.0.113.8"}), owner_programs=frozenset({TERRAFORM}))
    from_home = by_agent("CreateVpc", "curl/8", at=1, ip="203.0.113.8")
    from_afar = by_agent("CreateVpc", TERRAFORM, at=2, ip="198.51.100.9")
    clear = by_agent("CreateVpc", "curl/8", at=3, ip="198.51.100.9")
    assert "not used before" in actor.doubt(from_home)
    assert "owner used before" in actor.doubt(from_afar)
    assert actor.doubt(clear) == ""


def test_a_program_is_the_same_whatever_it_says_of_its_features():
    first = "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6 lang/python#3.11 m/e,Z,b cfg/retry-mode#standard Botocore/1.44.5"
    second = "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6 lang/python#3.11 m/Z,N cfg/retry-mode#standard Botocore/1.44.5"
    assert program(first) == program(second) == "Boto3/1.44.5 Botocore/1.44.5"


def test_a_program_is_the_same_in_every_run():
    whole = "Terraform/1.1.2 (+https://example.org) aws-sdk-go/1.44 (go1.19) run_2142a106-933f-4595-ad51-0ff5dfff60b7 exec/0.17"
    assert program(whole) == program("Terraform/1.1.2 aws-sdk-go/1.44 exec/0.17")


def test_a_user_agent_that_names_no_product_is_known_by_its_text_without_the_run():
    assert program("tool_2142a106-933f-4595-ad51-0ff5dfff60b7") == "tool_*"


def test_a_service_and_the_console_are_nobodys_address():
    before = record("CreateVpc", at=-60, ip="AWS Internal")
    assert opened(seed(), [before], NOON, frozenset()).owner_addresses == frozenset()


# --- where it begins ------------------------------------------------------------------------------------------------------------


def finding(**key):
    body = {"id": "f", "type": "T", "accountId": ACCOUNT, "region": "us-east-1", "resource": {"accessKeyDetails": key}}
    return parse_finding(body)


@pytest.mark.parametrize(
    ("user_type", "kind", "owner"),
    [
        ("IAMUser", "user", "bob"),
        ("AssumedRole", "role", f"arn:aws:iam::{ACCOUNT}:role/bob"),
        ("Root", "root", "root"),
        ("FederatedUser", "federated", ""),
    ],
)
def test_a_finding_names_its_credential_by_the_kind_of_its_user(user_type, kind, owner):
    credential = named_by(finding(accessKeyId="K", userName="bob", userType=user_type))
    assert (credential.kind, credential.owner) == (kind, owner)


def test_a_finding_without_a_key_names_none():
    assert named_by(finding()) is None


def test_whose_a_credential_is_its_first_record_tells():
    unknown = replace(seed().credentials[STOLEN], owner="", account="")
    actor = identified(Actor({STOLEN: unknown}), [record("CreateVpc")])
    assert (actor.credentials[STOLEN].owner, actor.credentials[STOLEN].account) == ("mallory", ACCOUNT)


def test_an_instance_is_given_its_session_by_a_service_that_is_no_actor():
    given_ = Record.parse(
        dict(record("AssumeRole", service="sts", request={"roleArn": DEPLOY, "roleSessionName": "i-1"}).raw)
        | {
            "userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
            "responseElements": {"credentials": {"accessKeyId": STOLEN}},
        }
    )
    actor = origin(seed(), [given_], frozenset({"198.51.100.7"}))
    assert set(actor.credentials) == {STOLEN}
    assert actor.credentials[STOLEN].owner == DEPLOY
    assert "ec2.amazonaws.com gave it to i-1" in actor.credentials[STOLEN].how


# --- what may be theirs too -----------------------------------------------------------------------------------------------------


def test_another_key_from_the_actors_own_address_is_suspected():
    other = record("CreateVpc", at=5, key="AKIAOTHER", user="bob")
    actor = suspects(seed(addresses=frozenset({"198.51.100.7"})), [other])
    assert actor.credentials["AKIAOTHER"].link is Link.SUSPECTED
    assert not actor.did(other)


def test_a_session_with_the_source_identity_that_the_actor_set_is_suspected():
    set_it = record(
        "AssumeRole", service="sts", at=1, request={"roleArn": DEPLOY, "sourceIdentity": "ghost"}, response={"credentials": {}}
    )
    acted = as_role("DeleteVpc", "Elsewhere", "x", at=2, ip="192.0.2.77")
    raw = json.loads(json.dumps(dict(acted.raw)))
    raw["userIdentity"]["sessionContext"]["sourceIdentity"] = "ghost"
    actor = suspects(seed(), [set_it, Record.parse(raw)])
    assert actor.credentials["ASIASESSION"].link is Link.SUSPECTED


# --- questions ------------------------------------------------------------------------------------------------------------------


def test_one_question_shows_every_credential_of_a_user_whom_the_actor_made():
    made = record("CreateUser", service="iam", at=1, request={"userName": "svc"})
    key = record(
        "CreateAccessKey",
        service="iam",
        at=2,
        request={"userName": "svc"},
        response={"accessKey": {"accessKeyId": "AKIA2", "userName": "svc"}},
    )
    actor = followed(seed(), [made, key])
    assert list(questions(actor, [])) == [
        Question("AccessKeyId", STOLEN, account=ACCOUNT),
        Question("Username", "svc", since=made.time, account=ACCOUNT),
    ]


def test_a_session_that_is_older_than_the_question_by_its_name_keeps_its_own():
    assumed = record(
        "AssumeRole",
        service="sts",
        at=1,
        request={"roleArn": DEPLOY, "roleSessionName": "svc"},
        response={"credentials": {"accessKeyId": "ASIAOLDER"}},
    )
    made = record("CreateUser", service="iam", at=5, request={"userName": "svc"})
    actor = followed(seed(), [assumed, made])
    assert "ASIAOLDER" in {question.value for question in questions(actor, [])}


@pytest.mark.parametrize(("profile", "asked"), [(WORKER, True), ({"instanceId": "i-1"}, False)])
def test_a_started_instance_is_asked_about_where_it_has_a_role(profile, asked):
    started = record("RunInstances", at=1, response={"instancesSet": {"items": [profile]}})
    actor = followed(seed(), [started])
    assert ("i-1" in {question.value for question in questions(actor, [])}) is asked


def test_a_session_whose_name_is_asked_about_already_needs_no_question_of_its_own():
    made = record("CreateUser", service="iam", at=1, request={"userName": "svc"})
    assumed = as_user(
        "AssumeRole",
        "svc",
        key="ASIACONSOLE",
        at=2,
        service="sts",
        request={"roleArn": DEPLOY, "roleSessionName": "svc"},
        response={"credentials": {"accessKeyId": "ASIASWITCHED"}},
    )
    actor = followed(seed(), [made, assumed])
    assert "ASIASWITCHED" in actor.credentials
    assert "ASIASWITCHED" not in {question.value for question in questions(actor, [])}


@given(st.permutations(range(6)))
def test_the_order_in_which_records_arrive_does_not_matter(order):
    made = record("CreateUser", service="iam", at=1, request={"userName": "svc"})
    used = as_user("RunInstances", "svc", key="AKIASVC", at=2, response={"instancesSet": {"items": [WORKER]}})
    inside = as_role("CreateVpc", "Worker", "i-1", at=3, key="ASIAINSTANCE")
    call, stack = stack_call("CreateStack", "theirs", at=4), by_stack("CreateVpc", at=5)
    other = record("DeleteVpc", at=6, key="AKIAOWNER", user="owner")
    records = [made, used, inside, call, stack, other]
    actor = followed(seed(), [records[place] for place in order])
    assert [actor.did(one) for one in records] == [True, True, True, True, True, False]


def test_following_again_adds_nothing_and_the_ledger_keeps_it():
    made = record("CreateUser", service="iam", at=1, request={"userName": "svc"})
    used = as_user("CreateRoute", "svc", key="AKIAOTHER", at=2)
    actor = followed(windowed(seed(), seed(), NOON, [made, used]), [made, used])
    assert followed(actor, [made, used]) == actor
    assert Actor.from_json(json.loads(json.dumps(actor.to_json()))) == actor
