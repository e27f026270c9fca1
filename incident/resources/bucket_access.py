"""Who may reach a bucket: its policy, its block of public access, whose its objects are, and its access list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from incident.network.values import document, flag, items, mapping, structures, text
from incident.record import JsonObject
from incident.resources.bucket_part import Part
from incident.settings import UNKNOWN, SettingKey, Unknown, Value

ACCESS = "bucket-access"
POLICY, PUBLIC_ACCESS, OWNERSHIP, ACL = "policy", "public access block", "object ownership", "access control list"
"""The names of its settings."""

OWNERS_ALONE = "BucketOwnerEnforced"
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
ALL_BLOCKED: Value = dict.fromkeys(_BLOCKS, True)
_ORDER = (PUBLIC_ACCESS, POLICY, ACL, OWNERSHIP)
"""A public policy is refused while the block is on, and a list of grants while ownership forbids lists."""
_ACCOUNT = re.compile(r"(?:^|:)(\d{12})(?::|$)")
ANYBODY = "anybody"


# --- values -------------------------------------------------------------------------------------------------------------------


def _policy(request: JsonObject) -> Value | Unknown:
    return mapping(document(request.get("bucketPolicy"))) or UNKNOWN


def blocks(request: JsonObject) -> Value | Unknown:
    """What is not named is not blocked."""
    found = mapping(request.get("PublicAccessBlockConfiguration"))
    return {name: flag(found.get(name)) for name in _BLOCKS} if found else UNKNOWN


def blocks_told(answer: JsonObject) -> Value:
    found = mapping(answer.get("PublicAccessBlockConfiguration"))
    return {name: flag(found.get(name)) for name in _BLOCKS}


def _ownership(request: JsonObject) -> Value | Unknown:
    rules = structures(mapping(request.get("OwnershipControls")).get("Rule"))
    return text(rules[0].get("ObjectOwnership")) if rules else UNKNOWN


def _ownership_told(answer: JsonObject) -> Value:
    rules = structures(mapping(answer.get("OwnershipControls")).get("Rules"))
    return text(rules[0].get("ObjectOwnership")) if rules else None


def acl_told(answer: JsonObject) -> Value:
    grants = sorted(structures(answer.get("Grants")), key=lambda one: json.dumps(one, sort_keys=True, default=str))
    return {"Owner": {"ID": text(mapping(answer.get("Owner")).get("ID"))}, "Grants": [_grant(one) for one in grants]}


def _grant(told: JsonObject) -> dict[str, Any]:
    who = {name: value for name, value in mapping(told.get("Grantee")).items() if name in ("ID", "URI", "Type")}
    return {"Grantee": who, "Permission": told.get("Permission")}


# --- who it lets in -----------------------------------------------------------------------------------------------------------


def lets_anybody_in(key: SettingKey, value: Value) -> bool:
    """Whether a policy lets anybody in, or an access list one of AWS's two groups of everybody.

    A block that is off leaves open what else allows; a policy or list that names everybody is a way in itself.
    """
    return key.name in (POLICY, ACL) and ANYBODY in _let_in(value)


def _let_in(value: Value | Unknown) -> frozenset[str]:
    """The accounts that a policy or list lets in, and whether it is anybody."""
    if isinstance(value, Unknown) or not isinstance(value, Mapping):
        return frozenset()
    if "groups/global/" in json.dumps(mapping(value).get("Grants")):
        return frozenset({ANYBODY})
    allowing = [one for one in structures(mapping(value).get("Statement")) if one.get("Effect") == "Allow"]
    return frozenset(name for one in allowing for name in _principals(one.get("Principal")))


def _principals(told: Any) -> Iterator[str]:
    named = [told] if isinstance(told, str) else items(mapping(told).get("AWS"))
    for name in map(text, named):
        account = _ACCOUNT.search(name)
        if name == "*":
            yield ANYBODY
        elif account:
            yield account[1]


def _lets_in(key: SettingKey, found: Value, wanted: Value | Unknown) -> str:
    new = _let_in(found) - _let_in(wanted) - {key.account}
    named = sorted(name if name == ANYBODY else f"account {name}" for name in new)
    return f"it lets {', '.join(named)} in" if named else ""


def blocks_less(key: SettingKey, found: Value, wanted: Value | Unknown) -> str:
    blocked = () if isinstance(wanted, Unknown) else [name for name in _BLOCKS if mapping(wanted).get(name)]
    missing = [name for name in blocked if not mapping(found).get(name)]
    return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} off" if missing else ""


# --- the parts ----------------------------------------------------------------------------------------------------------------

PARTS = (
    Part(
        ACCESS,
        POLICY,
        "GetBucketPolicy",
        lambda answer: document(answer.get("Policy")),
        lambda value: {"Policy": json.dumps(value, separators=(",", ":"))},
        "PutBucketPolicy",
        {"PutBucketPolicy": _policy, "DeleteBucketPolicy": lambda request: None},
        delete="DeleteBucketPolicy",
        absent="NoSuchBucketPolicy",
        harm=_lets_in,
    ),
    Part(
        ACCESS,
        PUBLIC_ACCESS,
        "GetPublicAccessBlock",
        blocks_told,
        lambda value: {"PublicAccessBlockConfiguration": value},
        "PutPublicAccessBlock",
        {"PutBucketPublicAccessBlock": blocks, "DeleteBucketPublicAccessBlock": lambda request: None},
        delete="DeletePublicAccessBlock",
        absent="NoSuchPublicAccessBlockConfiguration",
        permission="PutBucketPublicAccessBlock",
        harm=blocks_less,
    ),
    Part(
        ACCESS,
        OWNERSHIP,
        "GetBucketOwnershipControls",
        _ownership_told,
        lambda value: {"OwnershipControls": {"Rules": [{"ObjectOwnership": value}]}},
        "PutBucketOwnershipControls",
        {"PutBucketOwnershipControls": _ownership, "DeleteBucketOwnershipControls": lambda request: None},
        delete="DeleteBucketOwnershipControls",
        absent="OwnershipControlsNotFoundError",
        permission="PutBucketOwnershipControls",
    ),
    Part(
        ACCESS,
        ACL,
        "GetBucketAcl",
        acl_told,
        lambda value: {"AccessControlPolicy": value},
        "PutBucketAcl",
        # A canned list is told by its name, which AWS turns into grants.
        {"PutBucketAcl": lambda request: UNKNOWN},
        harm=_lets_in,
    ),
)


def place(key: SettingKey, found: Value, wanted: Value) -> int:
    return _ORDER.index(key.name)
