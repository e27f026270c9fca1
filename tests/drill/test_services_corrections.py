"""Launch templates lose single versions, and users and groups that hold something stay."""

from __future__ import annotations

from typing import Any

import pytest

from tests.drill.conftest import Clients, code_of

ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


@pytest.fixture
def iam(client: Clients) -> Any:
    made = client("iam")
    made.create_user(UserName="bob")
    made.create_group(GroupName="readers")
    return made


def test_a_version_goes_and_the_others_keep_their_numbers(ec2: Any) -> None:
    data = {"ImageId": "ami-0a1b2c3d4e5f60001"}
    ident = ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data)["LaunchTemplate"]["LaunchTemplateId"]
    for _ in range(2):
        ec2.create_launch_template_version(LaunchTemplateId=ident, LaunchTemplateData=data)
    answer = ec2.delete_launch_template_versions(LaunchTemplateId=ident, Versions=["1", "2", "9"])
    gone = [one["VersionNumber"] for one in answer["SuccessfullyDeletedLaunchTemplateVersions"]]
    kept = {one["VersionNumber"]: one["ResponseError"]["Code"] for one in answer["UnsuccessfullyDeletedLaunchTemplateVersions"]}
    assert gone == [2]
    assert kept == {1: "launchTemplateVersionIsDefault", 9: "launchTemplateVersionDoesNotExist"}
    shown = ec2.describe_launch_template_versions(LaunchTemplateId=ident)["LaunchTemplateVersions"]
    assert [one["VersionNumber"] for one in shown] == [1, 3]
    asked = {"LaunchTemplateId": ident, "Versions": ["2"]}
    assert code_of(ec2.describe_launch_template_versions, **asked) == "InvalidLaunchTemplateId.VersionNotFound"


def test_a_user_in_a_group_or_with_a_password_stays(iam: Any) -> None:
    iam.add_user_to_group(GroupName="readers", UserName="bob")
    assert code_of(iam.delete_user, UserName="bob") == "DeleteConflict"
    iam.remove_user_from_group(GroupName="readers", UserName="bob")
    iam.create_login_profile(UserName="bob", Password="Correct-horse-9")
    assert code_of(iam.delete_user, UserName="bob") == "DeleteConflict"
    iam.delete_login_profile(UserName="bob")
    assert code_of(iam.delete_user, UserName="bob") == ""


def test_a_group_with_members_or_policies_stays(iam: Any) -> None:
    iam.add_user_to_group(GroupName="readers", UserName="bob")
    assert code_of(iam.delete_group, GroupName="readers") == "DeleteConflict"
    iam.remove_user_from_group(GroupName="readers", UserName="bob")
    iam.attach_group_policy(GroupName="readers", PolicyArn=ADMIN)
    assert code_of(iam.delete_group, GroupName="readers") == "DeleteConflict"
    iam.detach_group_policy(GroupName="readers", PolicyArn=ADMIN)
    assert code_of(iam.delete_group, GroupName="readers") == ""


def test_a_user_has_no_service_specific_credentials(iam: Any) -> None:
    assert iam.list_service_specific_credentials(UserName="bob")["ServiceSpecificCredentials"] == []
    assert code_of(iam.list_service_specific_credentials, UserName="nobody") == "NoSuchEntity"


def test_a_service_specific_credential_is_there_until_it_is_deleted(iam: Any) -> None:
    made = iam.create_service_specific_credential(UserName="bob", ServiceName="codecommit.amazonaws.com")[
        "ServiceSpecificCredential"
    ]
    ident = {"UserName": "bob", "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"]}
    iam.update_service_specific_credential(**ident, Status="Inactive")
    (shown,) = iam.list_service_specific_credentials(UserName="bob")["ServiceSpecificCredentials"]
    assert (shown["Status"], "ServicePassword" in shown) == ("Inactive", False)
    iam.delete_service_specific_credential(**ident)
    assert iam.list_service_specific_credentials(UserName="bob")["ServiceSpecificCredentials"] == []
    assert code_of(iam.delete_service_specific_credential, **ident) == "NoSuchEntity"


def test_a_client_of_a_provider_is_added_and_removed_once_or_twice_alike(iam: Any) -> None:
    made = iam.create_open_id_connect_provider(Url="https://idp.example", ClientIDList=["first"], ThumbprintList=["a" * 40])
    named = {"OpenIDConnectProviderArn": made["OpenIDConnectProviderArn"]}

    def clients() -> list[str]:
        return iam.get_open_id_connect_provider(**named)["ClientIDList"]

    for _ in range(2):
        iam.add_client_id_to_open_id_connect_provider(**named, ClientID="second")
        assert clients() == ["first", "second"]
    for _ in range(2):
        iam.remove_client_id_from_open_id_connect_provider(**named, ClientID="first")
        assert clients() == ["second"]
