"""IAM policies: may this caller make this call?

An explicit deny wins; otherwise every layer (own policies, boundary, session policy) must allow. `Action`, `NotAction`
and `Condition` are honoured. `Resource` is matched where the call says what it is made on (`drill.aws.resources`). Where it does
not, an allow counts for any resource, a deny only if it names all of them (`*` or `NotResource`). Organization policies are not
emulated.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any

from drill.aws.identity import Caller, backend

Document = dict[str, Any]
Context = Mapping[str, str]


@dataclass(frozen=True)
class Decision:
    """The verdict on a call; `reason` ends AWS's own sentence."""

    allowed: bool
    reason: str = ""


@lru_cache(maxsize=512)
def _read(text: str) -> Document:
    document: Document = json.loads(text)
    return document


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(document: Document) -> list[Document]:
    """The statements of a policy, be it one or a list of them."""
    return _listed(document.get("Statement", []))


# ---- conditions -------------------------------------------------------------------------------------------------


def _glob(actual: str, wanted: str) -> bool:
    return fnmatchcase(actual, wanted.replace("[", "[[]"))


def _moment(text: str) -> datetime:
    """A date as policies write it: ISO 8601 or seconds since the epoch."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return datetime.fromtimestamp(float(text), UTC)
    parsed = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _in_network(actual: str, wanted: str) -> bool:
    try:
        return ipaddress.ip_address(actual) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda a, w: a == w,
    "StringEqualsIgnoreCase": lambda a, w: a.lower() == w.lower(),
    "StringLike": _glob,
    "ArnEquals": _glob,
    "ArnLike": _glob,
    "Bool": lambda a, w: a.lower() == w.lower(),
    "IpAddress": _in_network,
    "DateEquals": lambda a, w: _moment(a) == _moment(w),
    "DateLessThan": lambda a, w: _moment(a) < _moment(w),
    "DateLessThanEquals": lambda a, w: _moment(a) <= _moment(w),
    "DateGreaterThan": lambda a, w: _moment(a) > _moment(w),
    "DateGreaterThanEquals": lambda a, w: _moment(a) >= _moment(w),
    "NumericEquals": lambda a, w: float(a) == float(w),
    "NumericLessThan": lambda a, w: float(a) < float(w),
    "NumericGreaterThan": lambda a, w: float(a) > float(w),
}
_NEGATED = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NotIpAddress": "IpAddress",
    "DateNotEquals": "DateEquals",
    "NumericNotEquals": "NumericEquals",
}


def _condition_holds(operator: str, actual: str | None, wanted: list[str]) -> bool:
    if operator == "Null":
        return (actual is None) == (wanted[0].lower() == "true")
    if operator.endswith("IfExists"):
        return actual is None or _condition_holds(operator.removesuffix("IfExists"), actual, wanted)
    operator = operator.split(":", 1)[-1]
    if operator in _NEGATED:
        return actual is None or not any(_OPERATORS[_NEGATED[operator]](actual, w) for w in wanted)
    if operator not in _OPERATORS:
        return False
    return actual is not None and any(_OPERATORS[operator](actual, w) for w in wanted)


def conditions_hold(conditions: Document, context: Context) -> bool:
    """Does every condition of a statement hold? Keys that the context lacks are missing keys, as in AWS."""
    by_key = {key.lower(): value for key, value in context.items()}
    for operator, tests in conditions.items():
        for key, wanted in tests.items():
            values = [str(w).lower() if isinstance(w, bool) else str(w) for w in _listed(wanted)]
            if not _condition_holds(operator, by_key.get(key.lower()), values):
                return False
    return True


# ---- statements -------------------------------------------------------------------------------------------------


def _action_matches(statement: Document, action: str) -> bool:
    def named(patterns: Any) -> bool:
        return any(_glob(action.lower(), str(p).lower()) for p in _listed(patterns))

    if "NotAction" in statement:
        return not named(statement["NotAction"])
    return named(statement.get("Action", []))


def _names_all_resources(statement: Document) -> bool:
    return "NotResource" in statement or "*" in _listed(statement.get("Resource", "*"))


def _on_resource(statement: Document, effect: str, resource: str | None) -> bool:
    if resource is None:
        return effect == "Allow" or _names_all_resources(statement)
    named = "NotResource" not in statement
    patterns = _listed(statement.get("Resource", "*") if named else statement["NotResource"])
    return any(_glob(resource, str(pattern)) for pattern in patterns) == named


def _applies(statement: Document, effect: str, action: str, context: Context, resource: str | None) -> bool:
    if statement.get("Effect") != effect or not _action_matches(statement, action):
        return False
    return _on_resource(statement, effect, resource) and conditions_hold(statement.get("Condition", {}), context)


def _any(documents: Iterable[Document], effect: str, action: str, context: Context, resource: str | None) -> bool:
    return any(_applies(s, effect, action, context, resource) for d in documents for s in statements(d))


def decide(layers: list[list[Document]], action: str, context: Context, resource: str | None = None) -> Decision:
    """Judge a call on a resource, if it is known, by its layers of policies: identity first, then whatever only limits."""
    if _any((d for layer in layers for d in layer), "Deny", action, context, resource):
        return Decision(False, "with an explicit deny in an identity-based policy")
    for layer in layers:
        if not _any(layer, "Allow", action, context, resource):
            return Decision(False, f"because no identity-based policy allows the {action} action")
    return Decision(True)


# ---- whose policies ---------------------------------------------------------------------------------------------


def _managed(policy: Any) -> Document:
    for version in policy.versions:
        if version.version_id == policy.default_version_id:
            return _read(version.document)
    return {}


def _own(entity: Any) -> list[Document]:
    inline = [_read(text) for text in list(entity.policies.values())]
    return inline + [_managed(policy) for policy in list(entity.managed_policies.values())]


def _boundary(account: str, entity: Any) -> list[list[Document]]:
    arn = getattr(entity, "permissions_boundary_arn", None)
    policy = backend(account).managed_policies.get(arn) if arn else None
    return [[_managed(policy)]] if policy else []


def layers_of(caller: Caller) -> list[list[Document]]:
    """The policies that decide for a caller."""
    iam = backend(caller.account)
    if caller.kind == "AssumedRole":
        role = next(r for r in iam.roles.values() if r.id == caller.principal_id.split(":")[0])
        layers = [_own(role), *_boundary(caller.account, role)]
    elif caller.name == "root":
        return []
    else:
        user = iam.users[caller.name]
        groups = [d for group in list(iam.groups.values()) if user in group.users for d in _own(group)]
        layers = [_own(user) + groups, *_boundary(caller.account, user)]
    if caller.session_policy is not None:
        layers.append([_read(caller.session_policy)])
    elif caller.kind == "FederatedUser":
        layers.append([])
    return layers
