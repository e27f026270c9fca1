"""IAM: users that still have keys stay, policies that still have holders or versions stay, and users have boundaries."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iam.exceptions import DeleteConflictException, NotFoundException
from moto.iam.models import SERVICE_NAME_CONVERSION, IAMBackend, User
from moto.iam.responses import IamResponse

from drill.aws.corrections.base import corrects


def correct() -> None:
    """The rest of this module is in place once it is imported; moto calls AWS Config's own role AWSServiceRoleForconfig."""
    SERVICE_NAME_CONVERSION["config"] = "Config"


@cache
def _aws_policies(partition_region: str) -> list[Any]:
    templates: list[Any] = []
    templates += _init_aws_policies.moto(_Nobody(partition_region))
    return templates


@dataclass(frozen=True)
class _Nobody:
    """Stands for an account while AWS's own policies are read."""

    region_name: str
    account_id: str = ""


@cache
def _policies_of(account_id: str, region_name: str) -> list[Any]:
    policies = [copy(template) for template in _aws_policies(region_name)]
    for policy in policies:
        policy.account_id = account_id
    return policies


@corrects(IAMBackend)
def _init_aws_policies(self: Any) -> list[Any]:
    """moto reads its 1,500 AWS policies anew for every account and reset; nobody can change them, so they are kept."""
    policies = _policies_of(self.account_id, self.region_name)
    for policy in policies:
        policy.attachment_count = 0
    return list(policies)


@corrects(IAMBackend)
def delete_user(self: Any, user_name: str) -> None:
    """moto deletes users with access keys."""
    if self.get_user(user_name).access_keys:
        raise DeleteConflictException("Cannot delete entity, must delete access keys first.")
    delete_user.moto(self, user_name)


# ---- managed policies -------------------------------------------------------------------------------------------


@corrects(IAMBackend)
def delete_policy(self: Any, policy_arn: str) -> None:
    """moto deletes policies that somebody has, and those with several versions.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
    """
    policy = self.get_policy(policy_arn)
    if _holders(self, policy_arn) or _bounded(self, policy_arn):
        raise DeleteConflictException("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise DeleteConflictException("This policy has more than one version. Before you delete it, delete its other versions.")
    delete_policy.moto(self, policy_arn)  # type: ignore[attr-defined]


def _principals(backend: Any) -> list[Any]:
    return [*backend.users.values(), *backend.roles.values(), *backend.groups.values()]


def _holders(backend: Any, arn: str) -> list[Any]:
    return [one for one in _principals(backend) if arn in one.managed_policies]


def _bounded(backend: Any, arn: str) -> list[Any]:
    return [one for one in _principals(backend) if getattr(one, "permissions_boundary_arn", None) == arn]


@corrects(IAMBackend)
def set_default_policy_version(self: Any, policy_arn: str, version_id: str) -> bool:
    """moto leaves a policy without a version in force when the one in force is set again."""
    if self.get_policy(policy_arn).default_version_id == version_id:
        return True
    return bool(set_default_policy_version.moto(self, policy_arn, version_id))  # type: ignore[attr-defined]


@corrects(IamResponse)
def list_entities_for_policy(self: Any) -> ActionResult:
    """moto does not know who has a policy as a boundary.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListEntitiesForPolicy.html
    """
    arn, entity, usage = (self._get_param(name) for name in ("PolicyArn", "EntityFilter", "PolicyUsageFilter"))
    self.backend.get_policy(arn)
    held = _holders(self.backend, arn) if usage != "PermissionsBoundary" else []
    bounded = _bounded(self.backend, arn) if usage != "PermissionsPolicy" else []
    found = {id(one): one for one in (*held, *bounded)}.values()
    kinds = {"User": "PolicyUsers", "Role": "PolicyRoles", "Group": "PolicyGroups"}
    listed = {
        member: [one for one in found if type(one).__name__ == kind] if entity in (None, "", kind) else []
        for kind, member in kinds.items()
    }
    return ActionResult({**listed, "IsTruncated": False})


# ---- boundaries of users ----------------------------------------------------------------------------------------


def _permissions_boundary(user: Any) -> dict[str, str] | None:
    """How a role of moto's shows its own."""
    arn = getattr(user, "permissions_boundary_arn", None)
    return {"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": arn} if arn else None


User.permissions_boundary = property(_permissions_boundary)  # type: ignore[attr-defined]


@corrects(IamResponse)
def create_user(self: Any) -> ActionResult:
    """moto makes users without the boundary that they are to have."""
    arn = self._get_param("PermissionsBoundary")
    if arn and arn not in self.backend.managed_policies:
        raise NotFoundException(f"Policy {arn} does not exist or is not attachable.")
    made = create_user.moto(self)  # type: ignore[attr-defined]
    self.backend.get_user(self._get_param("UserName")).permissions_boundary_arn = arn
    return made


@corrects(IamResponse)
def put_user_permissions_boundary(self: Any) -> EmptyResult:
    """moto has boundaries of roles only."""
    arn = self._get_param("PermissionsBoundary")
    if arn not in self.backend.managed_policies:
        raise NotFoundException(f"Policy {arn} does not exist or is not attachable.")
    self.backend.get_user(self._get_param("UserName")).permissions_boundary_arn = arn
    return EmptyResult()


@corrects(IamResponse)
def delete_user_permissions_boundary(self: Any) -> EmptyResult:
    """moto has boundaries of roles only."""
    self.backend.get_user(self._get_param("UserName")).permissions_boundary_arn = None
    return EmptyResult()
