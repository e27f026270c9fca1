"""Functions: the statements of a policy as AWS writes them, each id once."""

from __future__ import annotations

import json
from typing import Any

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.policy import Policy

from drill.aws.corrections.base import corrects


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


@corrects(Policy)
def add_statement(self: Any, raw: str, qualifier: str | None = None) -> tuple[Any, str]:
    """moto takes a second statement of the same id."""
    identifier = json.loads(raw).get("StatementId")
    if any(statement.get("Sid") == identifier for statement in self.statements):
        message = f"The statement id ({identifier}) provided already exists. Please provide a new statement id, or remove it."
        raise LambdaClientError("ResourceConflictException", message)
    done: tuple[Any, str] = add_statement.moto(self, raw, qualifier)  # type: ignore[attr-defined]
    return done


@corrects(Policy)
def principal_formatter(self: Any, told: Any) -> Any:
    """moto leaves the number of an account as it is; AWS writes its root."""
    if isinstance(told, str) and told.isdigit():
        return {"AWS": f"arn:aws:iam::{told}:root"}
    if isinstance(told, str) and told.startswith("arn:"):
        return {"AWS": told}
    return principal_formatter.moto(self, told)  # type: ignore[attr-defined]


@corrects(Policy)
def condition_merge(self: Any, statement: dict[str, Any]) -> None:
    """moto lets one condition on a name replace another, and leaves the kind of URL beside them."""
    conditions: dict[str, dict[str, str]] = statement.pop("Condition", {})
    for told in [statement.pop(name, {}) for name in ("SourceArn", "SourceAccount")]:
        for operator, pairs in told.items():
            conditions.setdefault(operator, {}).update(pairs)
    kind = statement.pop("FunctionUrlAuthType", None)
    if kind:
        conditions.setdefault("StringEquals", {})["lambda:FunctionUrlAuthType"] = kind
    if conditions:
        statement["Condition"] = conditions
