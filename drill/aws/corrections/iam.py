"""IAM: users that still have keys stay, and permissions boundaries of users exist."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

from moto.core.responses import EmptyResult
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend
from moto.iam.responses import IamResponse

from drill.aws.corrections.base import corrects


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


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
    from moto.iam.exceptions import DeleteConflictException

    if self.get_user(user_name).access_keys:
        raise DeleteConflictException("Cannot delete entity, must delete access keys first.")
    delete_user.moto(self, user_name)


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
