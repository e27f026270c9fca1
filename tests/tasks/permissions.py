"""What the responder's role allows, against what was called and what steps declare."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROLE = Path(__file__).resolve().parents[2] / "deployments" / "aws" / "responder-role.yaml"

# Operations whose IAM action has another name.
# https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
_SERVICES = {"elbv2": "elasticloadbalancing", "network-firewall": "network-firewall"}
_ACTIONS = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "lambda:ListFunctions": "lambda:ListFunctions",
    "lambda:GetFunctionConfiguration": "lambda:GetFunctionConfiguration",
}
# Nobody needs a permission to ask who they are.
_FREE = frozenset({"sts:GetCallerIdentity"})


class _Template(yaml.SafeLoader):
    """YAML with CloudFormation's short forms, whose values do not matter here."""


_Template.add_multi_constructor("!", lambda loader, suffix, node: None)


@cache
def allowed() -> frozenset[str]:
    """The actions that the role's policies allow; `*` in them is a pattern."""
    return frozenset(_actions(yaml.load(ROLE.read_text(), _Template)["Resources"]))


def _actions(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        if value.get("Effect") == "Allow" and "Action" in value:
            actions = value["Action"]
            yield from [actions] if isinstance(actions, str) else actions
        for item in value.values():
            yield from _actions(item)
    elif isinstance(value, list):
        for item in value:
            yield from _actions(item)


def action_of(service: str, operation: str) -> str:
    named = f"{_SERVICES.get(service, service)}:{operation}"
    return _ACTIONS.get(named, named)


def missing(actions: Iterable[str]) -> list[str]:
    """The actions that the role does not allow."""
    wanted = set(actions) - _FREE
    return sorted(action for action in wanted if not any(fnmatchcase(action, pattern) for pattern in allowed()))
