"""Who may change the network: the evaluator against a simple oracle that tries every resource and every outcome of conditions."""

from __future__ import annotations

from fnmatch import fnmatchcase
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.posture.who_can_change import Layer, Verdict, judge, network_actions, powers

ACTION = "ec2:CreateRoute"
PATTERNS = ("ec2:CreateRoute", "EC2:Create*", "ec2:*", "*", "ec2:CreateRout?", "ec2:DeleteRoute", "s3:*", "ec2:Create?")
RESOURCES = ("arn:a", "arn:b", "arn:c")


@st.composite
def statements(draw, simple: bool = False):
    told = {"Effect": draw(st.sampled_from(("Allow", "Deny")))}
    told[draw(st.sampled_from(("Action", "NotAction")))] = draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2))
    if simple:
        return {**told, "Resource": "*"}
    told[draw(st.sampled_from(("Resource", "NotResource")))] = draw(
        st.lists(st.sampled_from(("*", *RESOURCES[:2])), min_size=1, max_size=2)
    )
    if draw(st.booleans()):
        told["Condition"] = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    return told


def layers(simple: bool = False):
    documents = st.lists(statements(simple), min_size=1, max_size=3).map(lambda some: {"Statement": some})
    return st.lists(st.lists(documents, min_size=1, max_size=2).map(lambda some: Layer(tuple(some))), min_size=1, max_size=2)


def named(patterns, name: str) -> bool:
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


def let_through(told, resource: str, holds) -> bool:
    """IAM's rule for one call: which of the statements hold on their conditions is given."""
    for layer in told:
        allowed = False
        for one in (statement for document in layer.documents for statement in document["Statement"]):
            on_action = named(one["Action"], ACTION) if "Action" in one else not named(one["NotAction"], ACTION)
            on = named(one["Resource"], resource) if "Resource" in one else not named(one["NotResource"], resource)
            if on_action and on and ("Condition" not in one or next(holds)):
                if one["Effect"] == "Deny":
                    return False
                allowed = True
        if not allowed:
            return False
    return True


def outcomes(told) -> set[bool]:
    conditions = sum("Condition" in one for layer in told for document in layer.documents for one in document["Statement"])
    return {let_through(told, resource, iter(held)) for resource in RESOURCES for held in product((True, False), repeat=conditions)}


@given(layers())
def test_yes_is_yes_for_every_resource_and_condition_and_no_is_no_for_all(told):
    match judge(told, ACTION):
        case Verdict.YES:
            assert outcomes(told) == {True}
        case Verdict.NO:
            assert outcomes(told) == {False}
        case verdict:
            assert verdict is Verdict.CONDITIONALLY


@given(layers(simple=True))
def test_without_conditions_and_single_resources_the_answer_is_exact(told):
    expected = Verdict.YES if outcomes(told) == {True} else Verdict.NO
    assert judge(told, ACTION) is expected


@given(layers())
def test_what_is_not_read_is_never_a_yes_and_a_deny_that_is_read_is_a_no(told):
    hidden = [*told, Layer((), ("arn:aws:iam::aws:policy/Unread",))]
    assert judge(hidden, ACTION) is (Verdict.NO if judge(told, ACTION) is Verdict.NO else Verdict.UNKNOWN)


@pytest.mark.parametrize("place", ["beside it", "in the boundary"])
def test_a_deny_wins_wherever_it_stands(place):
    deny = {"Statement": [{"Effect": "Deny", "Action": "ec2:*Route", "Resource": "*"}, allow("*")["Statement"]]}
    told = [Layer((allow("*"), deny))] if place == "beside it" else [Layer((allow("*"),)), Layer((deny,))]
    assert (judge(told, ACTION), judge(told, "ec2:CreateVpc")) == (Verdict.NO, Verdict.YES)


def test_without_any_document_nothing_is_allowed():
    assert judge([Layer(())], ACTION) is Verdict.NO


def allow(*actions: str, **more) -> dict:
    return {"Statement": {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}}


def details(**more) -> dict:
    return {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": [], **more}


def policy(arn: str, told: dict) -> dict:
    return {
        "Arn": arn,
        "PolicyVersionList": [{"IsDefaultVersion": False, "Document": {}}, {"IsDefaultVersion": True, "Document": told}],
    }


def user(name: str, **more) -> dict:
    return {"UserName": name, "Arn": f"arn:aws:iam::111122223333:user/{name}", **more}


def test_groups_managed_policies_and_boundaries_decide_together():
    admin, bound = "arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::111122223333:policy/bound"
    page = details(
        UserDetailList=[
            user("alice", GroupList=["admins"]),
            user("bob", GroupList=["admins"], PermissionsBoundary={"PermissionsBoundaryArn": bound}),
            user("carol", UserPolicyList=[{"PolicyDocument": allow("s3:*")}]),
            user("dave", AttachedManagedPolicies=[{"PolicyArn": "arn:aws:iam::aws:policy/NotTold"}]),
        ],
        GroupDetailList=[{"GroupName": "admins", "AttachedManagedPolicies": [{"PolicyArn": admin}]}],
        Policies=[policy(admin, allow("*")), policy(bound, allow("ec2:CreateRoute"))],
    )
    found = {one.arn.rpartition("/")[2]: one for one in powers([page])}
    every = set(network_actions())
    assert (set(found["alice"].may), found["alice"].may_widen) == (every, Verdict.YES)
    assert (found["bob"].may, found["bob"].may_widen) == (("ec2:CreateRoute",), Verdict.NO)
    assert not found["carol"].any
    assert (set(found["dave"].not_known), found["dave"].unread) == (every, ("arn:aws:iam::aws:policy/NotTold",))


def test_a_role_shows_whom_it_trusts_and_conditions_are_not_evaluated():
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::444455556666:root"]}, "Action": "sts:AssumeRole"}]
    }
    only_there = allow("ec2:*", Condition={"StringEquals": {"aws:RequestedRegion": "eu-central-1"}})
    role = {
        "Arn": "arn:aws:iam::111122223333:role/net",
        "Path": "/",
        "AssumeRolePolicyDocument": trust,
        "RolePolicyList": [{"PolicyDocument": only_there}],
    }
    (found,) = powers([details(RoleDetailList=[role])])
    assert found.trusts == ("arn:aws:iam::444455556666:root",)
    assert found.may == ()
    assert "ec2:CreateRoute" in found.conditionally


@pytest.mark.parametrize("pattern", ["ec2:Create[R]oute", "ec2:Create.oute", "ec2:Createroute\n"])
def test_only_stars_and_question_marks_are_wild(pattern):
    assert judge([Layer((allow(pattern),))], ACTION) is Verdict.NO
