"""What services hold for people: launch templates lose single versions, and users and groups that hold something stay."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.ec2.exceptions import InvalidLaunchTemplateVersionNotFound
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.iam.exceptions import DeleteConflictException, NotFoundException
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse
from moto.iam.utils import random_resource_id

from drill.aws.corrections.base import corrects


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


# ---- launch templates -------------------------------------------------------------------------------------------


def _gone(template: Any) -> set[int]:
    """The numbers of deleted versions; moto finds a version by its place, so that all stay where they are."""
    if not hasattr(template, "gone"):
        template.gone = set()
    gone: set[int] = template.gone
    return gone


@corrects(LaunchTemplate)
def get_version(self: Any, num: Any) -> Any:
    found = get_version.moto(self, num)  # type: ignore[attr-defined]
    if found.number in _gone(self):
        raise InvalidLaunchTemplateVersionNotFound(template_id=self.id, version=num)
    return found


@corrects(LaunchTemplateBackend)
def describe_launch_template_versions(self: Any, *args: Any, **kwargs: Any) -> list[Any]:
    found = describe_launch_template_versions.moto(self, *args, **kwargs)  # type: ignore[attr-defined]
    return [(template, version) for template, version in found if version.number not in _gone(template)]


@corrects(LaunchTemplates)
def delete_launch_template_versions(self: Any) -> ActionResult:
    """moto has no such operation. The default version stays."""
    name, ident = self._get_param("LaunchTemplateName"), self._get_param("LaunchTemplateId")
    template = self.ec2_backend.get_launch_template(ident) if ident else self.ec2_backend.get_launch_template_by_name(name)
    answer: dict[str, list[Any]] = {
        "SuccessfullyDeletedLaunchTemplateVersions": [],
        "UnsuccessfullyDeletedLaunchTemplateVersions": [],
    }
    for number in map(int, self._get_param("Versions", [])):
        told = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": number}
        problem = _why_it_stays(template, number)
        if problem:
            refused = {**told, "ResponseError": {"Code": problem, "Message": f"version {number} cannot be deleted"}}
            answer["UnsuccessfullyDeletedLaunchTemplateVersions"].append(refused)
        else:
            _gone(template).add(number)
            answer["SuccessfullyDeletedLaunchTemplateVersions"].append(told)
    return ActionResult(answer)


def _why_it_stays(template: Any, number: int) -> str:
    if number == template.default_version_number:
        return "launchTemplateVersionIsDefault"
    exists = 1 <= number <= len(template.versions) and number not in _gone(template)
    return "" if exists else "launchTemplateVersionDoesNotExist"


# ---- users and groups -------------------------------------------------------------------------------------------


@corrects(IAMBackend)
def delete_user(self: Any, user_name: str) -> None:
    """moto deletes users who are in a group or have a password or an MFA device."""
    user = self.get_user(user_name)
    if any(user_name in (member.name for member in group.users) for group in self.groups.values()):
        raise DeleteConflictException("Cannot delete entity, must remove users from group first.")
    if user.password or getattr(user, "password_set", False):
        raise DeleteConflictException("Cannot delete entity, must delete login profile first.")
    if user.mfa_devices:
        raise DeleteConflictException("Cannot delete entity, must delete MFA device first.")
    delete_user.moto(self, user_name)  # type: ignore[attr-defined]


@corrects(IAMBackend)
def delete_group(self: Any, group_name: str) -> None:
    """moto deletes groups with members and policies."""
    group = self.groups.get(group_name)
    if group and group.users:
        raise DeleteConflictException("Cannot delete entity, must remove users from group first.")
    if group and (group.policies or group.managed_policies):
        raise DeleteConflictException("Cannot delete entity, must detach all policies first.")
    delete_group.moto(self, group_name)  # type: ignore[attr-defined]


# ---- service-specific credentials and clients of identity providers, which moto does not have ---------------------


def _credentials_of(self: Any) -> dict[str, dict[str, Any]]:
    user = self.backend.get_user(self._get_param("UserName"))
    if not hasattr(user, "service_specific_credentials"):
        user.service_specific_credentials = {}
    held: dict[str, dict[str, Any]] = user.service_specific_credentials
    return held


def _credential(self: Any) -> dict[str, Any]:
    found = _credentials_of(self).get(self._get_param("ServiceSpecificCredentialId"))
    if found is None:
        raise NotFoundException("The service specific credential cannot be found.")
    return found


@corrects(IamResponse)
def create_service_specific_credential(self: Any) -> ActionResult:
    held, owner, service = _credentials_of(self), self._get_param("UserName"), self._get_param("ServiceName")
    ident = f"ACCA{random_resource_id(17).upper()}"
    made = {
        "ServiceSpecificCredentialId": ident,
        "UserName": owner,
        "ServiceName": service,
        "ServiceUserName": f"{owner}-at-{self.current_account}",
        "ServicePassword": random_resource_id(32),
        "Status": "Active",
        "CreateDate": utcnow(),
    }
    held[ident] = made
    return ActionResult({"ServiceSpecificCredential": made})


@corrects(IamResponse)
def update_service_specific_credential(self: Any) -> EmptyResult:
    _credential(self)["Status"] = self._get_param("Status")
    return EmptyResult()


@corrects(IamResponse)
def delete_service_specific_credential(self: Any) -> EmptyResult:
    del _credentials_of(self)[_credential(self)["ServiceSpecificCredentialId"]]
    return EmptyResult()


@corrects(IamResponse)
def list_service_specific_credentials(self: Any) -> ActionResult:
    shown = [{name: held for name, held in one.items() if name != "ServicePassword"} for one in _credentials_of(self).values()]
    return ActionResult({"ServiceSpecificCredentials": shown})


@corrects(IamResponse)
def add_client_id_to_open_id_connect_provider(self: Any) -> EmptyResult:
    clients, client = _clients(self), self._get_param("ClientID")
    clients += [] if client in clients else [client]
    return EmptyResult()


@corrects(IamResponse)
def remove_client_id_from_open_id_connect_provider(self: Any) -> EmptyResult:
    """A client that is not there is no error."""
    clients, client = _clients(self), self._get_param("ClientID")
    clients[:] = [one for one in clients if one != client]
    return EmptyResult()


def _clients(self: Any) -> list[str]:
    provider = self.backend.get_open_id_connect_provider(self._get_param("OpenIDConnectProviderArn"))
    clients: list[str] = provider.client_id_list
    return clients
