"""Managed policies and boundaries on the range: an attack, the way back, and all is as before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from range_account import REGION, Account, document, fresh, operations, returns, trusting

from drill.aws import Range, RangeConfig
from gateway.practice.configuration import granted_to
from incident.resources.group import GROUPS
from incident.resources.identity import USERS
from incident.resources.managed_policy import MANAGED_POLICIES
from incident.resources.role import ROLES

pytestmark = pytest.mark.slow

READS = document(Action="s3:GetObject", Resource="arn:aws:s3:::orders/*")
OLDER = document(Action="s3:*", Resource="arn:aws:s3:::orders/*")
ALL = document(Action="*", Resource="*")
LOOKED_AT = (MANAGED_POLICIES, USERS, ROLES, GROUPS)


@pytest.fixture(scope="module")
def running() -> Iterator[Range]:
    with Range(RangeConfig(regions=(REGION,), granted=granted_to(["111122223333"]))) as aws:
        yield aws


@pytest.fixture
def account(running: Range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    return fresh(running, tmp_path, monkeypatch, LOOKED_AT)


def policy(client: Any, name: str, said: str, path: str = "/") -> str:
    return client.create_policy(PolicyName=name, PolicyDocument=said, Path=path)["Policy"]["Arn"]


def in_force(account: Account, arn: str) -> dict[str, Any]:
    iam = account.owner("iam")
    number = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return iam.get_policy_version(PolicyArn=arn, VersionId=number)["PolicyVersion"]["Document"]


def orders(account: Account) -> None:
    """A role with a policy of two versions, the newer in force."""
    iam = account.owner("iam")
    iam.create_role(RoleName="orders", AssumeRolePolicyDocument=trusting("lambda"))
    iam.create_user(UserName="orders")
    iam.create_group(GroupName="orders")
    arn = policy(iam, "orders@team", OLDER, "/shop/")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=READS, SetAsDefault=True)
    iam.attach_role_policy(RoleName="orders", PolicyArn=arn)


ORDERS = "arn:aws:iam::111122223333:policy/shop/orders@team"


def test_a_policy_that_the_actor_made_goes_with_its_versions_from_whoever_they_gave_it_to(account: Account):
    def attack(account: Account) -> None:
        iam = account.mallory("iam")
        arn = policy(iam, "back@door", READS)
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=ALL, SetAsDefault=True)
        iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "team", "Value": "ops"}])
        iam.attach_user_policy(UserName="orders", PolicyArn=arn)
        iam.attach_role_policy(RoleName="orders", PolicyArn=arn)
        iam.attach_group_policy(GroupName="orders", PolicyArn=arn)
        iam.create_user(UserName="theirs", PermissionsBoundary=arn)

    done = operations(returns(account, orders, attack))
    assert done[-1] == "DeletePolicy"
    assert sorted(done[:-1]) == ["DeleteUser", "DetachGroupPolicy", "DetachRolePolicy", "DetachUserPolicy"]


def test_without_a_baseline_what_the_actor_made_and_gave_away_goes_all_the_same(account: Account):
    orders(account)
    iam = account.mallory("iam")
    arn = policy(iam, "theirs", ALL)
    iam.attach_role_policy(RoleName="orders", PolicyArn=arn)
    proposal = account.proposed(account.fold({}, swept=False))
    assert operations(proposal) == ["DetachRolePolicy", "DeletePolicy"]
    assert list(proposal.unplanned) == []
    assert account.carried_out(proposal) == []


def test_a_policy_that_somebody_else_gave_away_waits_for_a_person(account: Account):
    orders(account)
    before = account.settings()
    arn = policy(account.mallory("iam"), "theirs", READS)
    account.alice("iam").attach_role_policy(RoleName="orders", PolicyArn=arn)
    proposal = account.proposed(account.fold(before))
    assert operations(proposal) == []
    (left,) = [item for item in proposal.unplanned if item.key and item.key.kind == "managed-policy"]
    assert left.status == "conflict"
    assert f"attached-role-policy {arn} of orders" in left.why


def test_what_is_in_force_is_put_back_before_the_actors_version_goes(account: Account):
    def attack(account: Account) -> None:
        account.mallory("iam").create_policy_version(PolicyArn=ORDERS, PolicyDocument=ALL, SetAsDefault=True)

    assert operations(returns(account, orders, attack)) == ["SetDefaultPolicyVersion", "DeletePolicyVersion"]


def test_an_older_version_that_the_actor_put_in_force_is_so_no_more(account: Account):
    def attack(account: Account) -> None:
        account.mallory("iam").set_default_policy_version(PolicyArn=ORDERS, VersionId="v1")

    assert operations(returns(account, orders, attack)) == ["SetDefaultPolicyVersion"]


def test_a_deleted_version_comes_back_under_another_number(account: Account):
    def attack(account: Account) -> None:
        account.mallory("iam").delete_policy_version(PolicyArn=ORDERS, VersionId="v1")

    assert operations(returns(account, orders, attack)) == ["CreatePolicyVersion"]
    numbers = [one["VersionId"] for one in account.owner("iam").list_policy_versions(PolicyArn=ORDERS)["Versions"]]
    assert sorted(numbers) == ["v2", "v3"]


def test_what_was_in_force_comes_back_though_its_version_was_deleted_and_all_places_are_taken(account: Account):
    def attack(account: Account) -> None:
        iam = account.mallory("iam")
        iam.create_policy_version(PolicyArn=ORDERS, PolicyDocument=ALL, SetAsDefault=True)
        for number in ("v1", "v2"):
            iam.delete_policy_version(PolicyArn=ORDERS, VersionId=number)
        for bucket in "abcd":
            said = document(Action="s3:*", Resource=f"arn:aws:s3:::{bucket}")
            iam.create_policy_version(PolicyArn=ORDERS, PolicyDocument=said)

    returns(account, orders, attack)
    assert in_force(account, ORDERS) == json.loads(READS)


def test_a_deleted_policy_is_back_with_its_versions_and_with_whoever_had_it(account: Account):
    def attack(account: Account) -> None:
        iam = account.mallory("iam")
        iam.detach_role_policy(RoleName="orders", PolicyArn=ORDERS)
        iam.delete_policy_version(PolicyArn=ORDERS, VersionId="v1")
        iam.delete_policy(PolicyArn=ORDERS)

    done = operations(returns(account, orders, attack))
    assert done == ["CreatePolicy", "CreatePolicyVersion", "AttachRolePolicy"]


@pytest.mark.parametrize("owner", ["user", "role"])
def test_a_boundary_that_was_taken_off_is_on_again_and_one_that_was_set_is_off(account: Account, owner: str):
    named = {f"{owner.title()}Name": "orders"}

    def build(account: Account) -> None:
        orders(account)
        iam = account.owner("iam")
        getattr(iam, f"put_{owner}_permissions_boundary")(**named, PermissionsBoundary=ORDERS)
        iam.create_user(UserName="free")
        iam.create_role(RoleName="free", AssumeRolePolicyDocument=trusting("lambda"))

    def attack(account: Account) -> None:
        iam = account.mallory("iam")
        getattr(iam, f"delete_{owner}_permissions_boundary")(**named)
        bounds = policy(iam, "nothing", READS)
        getattr(iam, f"put_{owner}_permissions_boundary")(**{f"{owner.title()}Name": "free"}, PermissionsBoundary=bounds)

    done = operations(returns(account, build, attack))
    assert done == [f"Delete{owner.title()}PermissionsBoundary", "DeletePolicy", f"Put{owner.title()}PermissionsBoundary"]


def test_tags_return_where_something_tells_what_they_were(account: Account):
    orders(account)
    iam = account.alice("iam")
    iam.tag_policy(PolicyArn=ORDERS, Tags=[{"Key": "team", "Value": "shop"}])
    before = account.settings()
    theirs = account.mallory("iam")
    theirs.tag_policy(PolicyArn=ORDERS, Tags=[{"Key": "team", "Value": "mallory"}, {"Key": "new", "Value": "1"}])
    proposal = account.proposed(account.fold(before))
    assert operations(proposal) == ["TagPolicy"]
    assert [(item.status, item.key and item.key.name) for item in proposal.unplanned] == [("needs-prior-state", "new")]
    assert account.carried_out(proposal) == []
    tags = {one["Key"]: one["Value"] for one in iam.list_policy_tags(PolicyArn=ORDERS)["Tags"]}
    assert tags == {"team": "shop", "new": "1"}
    theirs.untag_policy(PolicyArn=ORDERS, TagKeys=["team"])
    assert operations(account.proposed(account.fold(before))) == ["TagPolicy"]


def test_a_tag_that_a_record_tells_to_be_new_goes(account: Account):
    orders(account)
    alice = account.alice("iam")
    alice.tag_policy(PolicyArn=ORDERS, Tags=[{"Key": "new", "Value": "0"}])
    alice.untag_policy(PolicyArn=ORDERS, TagKeys=["new"])
    account.mallory("iam").tag_policy(PolicyArn=ORDERS, Tags=[{"Key": "new", "Value": "1"}])
    proposal = account.proposed(account.fold({}))
    assert operations(proposal) == ["UntagPolicy"]
    assert account.carried_out(proposal) == []


def test_what_a_version_said_of_which_nothing_tells_is_a_question(account: Account):
    orders(account)
    account.mallory("iam").delete_policy_version(PolicyArn=ORDERS, VersionId="v1")
    proposal = account.proposed(account.fold({}, swept=False))
    assert operations(proposal) == []
    assert [(item.status, item.key and item.key.name) for item in proposal.unplanned] == [("needs-prior-state", "v1")]


def test_the_range_is_as_strict_as_iam(account: Account):
    orders(account)
    iam = account.owner("iam")
    with pytest.raises(ClientError, match="DeleteConflict"):
        iam.delete_policy(PolicyArn=ORDERS)
    iam.detach_role_policy(RoleName="orders", PolicyArn=ORDERS)
    with pytest.raises(ClientError, match="DeleteConflict"):
        iam.delete_policy(PolicyArn=ORDERS)
    iam.delete_policy_version(PolicyArn=ORDERS, VersionId="v1")
    iam.put_user_permissions_boundary(UserName="orders", PermissionsBoundary=ORDERS)
    listed = iam.list_entities_for_policy(PolicyArn=ORDERS, PolicyUsageFilter="PermissionsBoundary")
    assert [one["UserName"] for one in listed["PolicyUsers"]] == ["orders"]
    assert iam.list_entities_for_policy(PolicyArn=ORDERS, PolicyUsageFilter="PermissionsPolicy")["PolicyUsers"] == []
    with pytest.raises(ClientError, match="DeleteConflict"):
        iam.delete_policy(PolicyArn=ORDERS)
