"""Who in an account may change its network: IAM's documents against every operation that the registry understands.

An explicit deny wins; else an allow must be in what is attached and in the permissions boundary. An allow or a deny with a
condition, or on some resources only, makes the answer `conditionally`: conditions are not evaluated. Not evaluated either:
organization policies (service and resource control policies), session policies, resource policies, and what a role's trust lets in
from elsewhere; each can only take away what is said here, but for resource policies, which the network's services do not have.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from incident.network import registry
from incident.network.values import document, items, mapping, structures, text

Document = Mapping[str, Any]

NOT_EVALUATED = (
    "Not evaluated: conditions and single resources (they say conditionally), organization policies, session policies, and who may "
    "come in by a role's trust from other accounts. Organization policies can only take away from what is shown."
)
_NOT_THE_NETWORK = ("iam", "logs", "tag")


class Verdict(StrEnum):
    YES = "yes"
    CONDITIONALLY = "conditionally"
    NO = "no"
    UNKNOWN = "unknown"


def network_actions() -> tuple[str, ...]:
    """The IAM actions of every change that the network's families know."""
    acts = [one for family in registry.FAMILIES for one in family.acts.values()]
    actions = {action for one in acts for action in (*one.sets, *one.removes)}
    return tuple(sorted(one for one in actions if one.partition(":")[0] not in _NOT_THE_NETWORK))


WIDENING = (
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:CreatePolicyVersion",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteUserPermissionsBoundary",
    "iam:PutGroupPolicy",
    "iam:PutRolePolicy",
    "iam:PutUserPolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "iam:UpdateLoginProfile",
)
"""By one of these a principal can give itself, or another whom it then becomes, more than it has."""


# --- judging ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """Documents that together allow: what is attached, or a boundary. `unread` names those whose text is not known."""

    documents: tuple[Document, ...]
    unread: tuple[str, ...] = ()


def judge(layers: Iterable[Layer], action: str) -> Verdict:
    """Whether the layers let an action through: each must allow it, and none deny it."""
    verdicts = [_of_layer(layer, action) for layer in layers]
    if Verdict.NO in verdicts:
        return Verdict.NO
    if Verdict.UNKNOWN in verdicts:
        return Verdict.UNKNOWN
    return Verdict.CONDITIONALLY if Verdict.CONDITIONALLY in verdicts else Verdict.YES


def _of_layer(layer: Layer, action: str) -> Verdict:
    allowed: list[bool] = []
    denied: list[bool] = []
    for statement in (one for told in layer.documents for one in statements(told)):
        if _names_action(statement, action):
            (denied if text(statement.get("Effect")) == "Deny" else allowed).append(_always(statement))
    if True in denied:
        return Verdict.NO
    if layer.unread:
        # What is not known could allow or deny.
        return Verdict.UNKNOWN
    if not allowed:
        return Verdict.NO
    return Verdict.YES if True in allowed and not denied else Verdict.CONDITIONALLY


def statements(told: Document) -> list[Document]:
    """The statements of a policy, be it one or a list of them."""
    return structures(told.get("Statement"))


def _names_action(statement: Document, action: str) -> bool:
    named = "NotAction" not in statement
    patterns = items(statement.get("Action" if named else "NotAction"))
    return any(_matches(text(pattern), action) for pattern in patterns) == named


def _always(statement: Document) -> bool:
    """Whether a statement holds for every resource and on no condition."""
    return not mapping(statement.get("Condition")) and "NotResource" not in statement and "*" in items(statement.get("Resource"))


def _matches(pattern: str, action: str) -> bool:
    return _compiled(pattern.lower()).fullmatch(action.lower()) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."))


# --- the account's principals -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Principal:
    """A user or role, with the layers that decide for it and whom its trust names."""

    arn: str
    kind: str
    layers: tuple[Layer, ...]
    trusts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Power:
    """What a principal may change of the network, and whether it could give itself more."""

    arn: str
    kind: str
    may: tuple[str, ...]
    conditionally: tuple[str, ...]
    not_known: tuple[str, ...]
    may_widen: Verdict
    trusts: tuple[str, ...]
    unread: tuple[str, ...]

    @property
    def any(self) -> bool:
        return bool(self.may or self.conditionally or self.not_known or self.may_widen is not Verdict.NO)


def powers(details: Iterable[Mapping[str, Any]]) -> list[Power]:
    """What each principal may do, the mightiest first.

    Args:
        details: the pages of GetAccountAuthorizationDetails.
    """
    actions = network_actions()
    found = [_power(one, actions) for one in principals(details)]
    return sorted(found, key=lambda one: (-len(one.may), -len(one.conditionally), one.arn))


def _power(principal: Principal, actions: Iterable[str]) -> Power:
    verdicts = {action: judge(principal.layers, action) for action in actions}
    widening = {judge(principal.layers, action) for action in WIDENING}
    order = (Verdict.YES, Verdict.UNKNOWN, Verdict.CONDITIONALLY, Verdict.NO)

    def those(wanted: Verdict) -> tuple[str, ...]:
        return tuple(action for action, verdict in verdicts.items() if verdict is wanted)

    return Power(
        arn=principal.arn,
        kind=principal.kind,
        may=those(Verdict.YES),
        conditionally=those(Verdict.CONDITIONALLY),
        not_known=those(Verdict.UNKNOWN),
        may_widen=next(one for one in order if one in widening),
        trusts=principal.trusts,
        unread=tuple(name for layer in principal.layers for name in layer.unread),
    )


def principals(details: Iterable[Mapping[str, Any]]) -> list[Principal]:
    """The users and roles of an account with the documents that decide for them."""
    pages = list(details)
    policies = {text(one.get("Arn")): _default(one) for page in pages for one in structures(page.get("Policies"))}
    groups = {text(one.get("GroupName")): one for page in pages for one in structures(page.get("GroupDetailList"))}
    users = [one for page in pages for one in structures(page.get("UserDetailList"))]
    roles = [one for page in pages for one in structures(page.get("RoleDetailList"))]
    return [
        *(_user(one, groups, policies) for one in users),
        *(_role(one, policies) for one in roles),
    ]


_Policies = Mapping[str, Document | None]


def _default(policy: Mapping[str, Any]) -> Document | None:
    versions = [one for one in structures(policy.get("PolicyVersionList")) if one.get("IsDefaultVersion")]
    told = document(versions[0].get("Document")) if versions else None
    return mapping(told) or None


def _user(told: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]], policies: _Policies) -> Principal:
    names = [text(name) for name in items(told.get("GroupList"))]
    layer = _attached(told, "UserPolicyList", policies)
    for name in names:
        group = _attached(groups[name], "GroupPolicyList", policies) if name in groups else Layer((), (f"group {name}",))
        layer = Layer(layer.documents + group.documents, layer.unread + group.unread)
    return Principal(text(told.get("Arn")), "user", (layer, *_boundary(told, policies)))


def _role(told: Mapping[str, Any], policies: _Policies) -> Principal:
    layers = (_attached(told, "RolePolicyList", policies), *_boundary(told, policies))
    linked = text(told.get("Path")).startswith("/aws-service-role/")
    trust = statements(mapping(document(told.get("AssumeRolePolicyDocument"))))
    trusts = [name for one in trust if one.get("Effect") == "Allow" for name in _named(one.get("Principal"))]
    return Principal(text(told.get("Arn")), "service-linked role" if linked else "role", layers, tuple(dict.fromkeys(trusts)))


def _named(principal: Any) -> list[str]:
    if isinstance(principal, str):
        return [principal]
    return [text(name) for names in mapping(principal).values() for name in items(names)]


def _attached(told: Mapping[str, Any], inline: str, policies: _Policies) -> Layer:
    own = [mapping(document(one.get("PolicyDocument"))) for one in structures(told.get(inline))]
    arns = [text(one.get("PolicyArn")) for one in structures(told.get("AttachedManagedPolicies"))]
    managed = {arn: policies.get(arn) for arn in arns}
    known = [one for one in managed.values() if one is not None]
    return Layer((*own, *known), tuple(arn for arn, one in managed.items() if one is None))


def _boundary(told: Mapping[str, Any], policies: _Policies) -> tuple[Layer, ...]:
    arn = text(mapping(told.get("PermissionsBoundary")).get("PermissionsBoundaryArn"))
    if not arn:
        return ()
    known = policies.get(arn)
    return (Layer((known,)) if known is not None else Layer((), (arn,)),)
