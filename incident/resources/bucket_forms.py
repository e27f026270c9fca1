"""How a bucket is set up, in one form, whoever tells it: a record, which has XML's names, or boto3's answer to a read.

In XML a list is its elements one after the other, so that a record has a list of one as the element itself. What AWS adds to what
is put, or takes for the same, is written one way here. See the examples at
https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html and the pages beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from incident.network.values import flag, items, mapping, structures, text, whole
from incident.record import JsonObject
from incident.settings import UNKNOWN, Unknown, Value, canonical

_LISTS = {
    "AllowedHeader": "AllowedHeaders",
    "AllowedMethod": "AllowedMethods",
    "AllowedOrigin": "AllowedOrigins",
    "CORSRule": "CORSRules",
    "CloudFunctionConfiguration": "LambdaFunctionConfigurations",
    "EncryptionType": "EncryptionType",
    "Event": "Events",
    "ExposeHeader": "ExposeHeaders",
    "FilterRule": "FilterRules",
    "NoncurrentVersionTransition": "NoncurrentVersionTransitions",
    "QueueConfiguration": "QueueConfigurations",
    "Rule": "Rules",
    "TopicConfiguration": "TopicConfigurations",
    "Transition": "Transitions",
}
_IN_ANOTHER = {"TagSet": "Tag", "TargetGrants": "Grant", "RoutingRules": "RoutingRule"}
"""Lists whose elements XML has in an element of the list's own."""
_NAMES = {
    "CloudFunction": "LambdaFunctionArn",
    "MfaDelete": "MFADelete",
    "Queue": "QueueArn",
    "S3Key": "Key",
    "Topic": "TopicArn",
    "xsi:type": "Type",
}
_NUMBERS = frozenset(
    [
        "Days",
        "DaysAfterInitiation",
        "MaxAgeSeconds",
        "Minutes",
        "NewerNoncurrentVersions",
        "NoncurrentDays",
        "ObjectSizeGreaterThan",
        "ObjectSizeLessThan",
        "Priority",
    ]
)
_FLAGS = frozenset({"BucketKeyEnabled", "ExpiredObjectDeleteMarker"})
_MAY_BE_EMPTY = frozenset({"EventBridgeConfiguration", "Filter", "SimplePrefix"})
_LEFT_OUT = frozenset({"DisplayName", "ResponseMetadata", "xmlns", "xmlns:xsi"})
_IN_ANY_ORDER = frozenset({"Events", "TargetGrants", "Tags"})

DEFAULT_ENCRYPTION: Value = {
    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
}
"""How S3 encrypts where nobody says how: https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-encryption-faq.html"""
_DEFAULT_SIZE = "all_storage_classes_128K"
_SIZE, _SIZE_HEADER = "TransitionDefaultMinimumObjectSize", "x-amz-transition-default-minimum-object-size"
NOTIFIED = {
    "TopicConfigurations": "TopicArn",
    "QueueConfigurations": "QueueArn",
    "LambdaFunctionConfigurations": "LambdaFunctionArn",
}
EVERY_EVENT = "EventBridgeConfiguration"


# --- XML's names and boto3's --------------------------------------------------------------------------------------------------


def told(body: JsonObject, within: str = "") -> dict[str, Any]:
    """A body by boto3's names, from a record or an answer; what says nothing is left out."""
    found: dict[str, Any] = {}
    for name, value in body.items():
        if name in _LEFT_OUT or value is None:
            continue
        if name in _IN_ANOTHER:
            found[name] = _elements(mapping(value).get(_IN_ANOTHER[name], []) if isinstance(value, Mapping) else value, name)
        elif name == "Tag" and within == "And":
            found["Tags"] = _elements(value, "Tags")
        elif name in _LISTS:
            found[_LISTS[name]] = _elements(value, _LISTS[name])
        elif isinstance(value, list):
            found[name] = _elements(value, name)
        else:
            found[_NAMES.get(name, name)] = _one(_NAMES.get(name, name), value)
    return found


def _elements(value: Any, name: str) -> list[Any]:
    listed = [told(mapping(one), name) if isinstance(one, Mapping) else text(one) for one in items(value)]
    return sorted(listed, key=canonical) if name in _IN_ANY_ORDER else listed


def _one(name: str, value: Any) -> Any:
    if isinstance(value, Mapping) or name in _MAY_BE_EMPTY:
        return told(mapping(value), name)
    if name in _NUMBERS:
        return whole(value)
    if name in _FLAGS:
        return flag(value)
    return _day(value) if name == "Date" else text(value)


def _day(value: Any) -> str:
    """A date of a rule, which is always midnight UTC."""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return f"{text(value)[:10]}T00:00:00Z"


# --- each setting -------------------------------------------------------------------------------------------------------------


def lifecycle(body: JsonObject) -> Value:
    """Rules by id, and the size below which objects stay where they are, if it is not the default."""
    told_rules = [_with_filter(rule) for rule in structures(told(body).get("Rules"))]
    size = text(body.get(_SIZE) or body.get(_SIZE_HEADER)) or _DEFAULT_SIZE
    if not told_rules:
        return None
    return {"Rules": _by_id(told_rules), **({_SIZE: size} if size != _DEFAULT_SIZE else {})}


def _with_filter(rule: JsonObject) -> dict[str, Any]:
    """A rule whose empty filter is written as the prefix that every name has."""
    return {**rule, "Filter": rule["Filter"] or {"Prefix": ""}} if "Filter" in rule else dict(rule)


def replication(body: JsonObject) -> Value:
    found = told(body)
    rules = [_with_filter(rule) for rule in structures(found.get("Rules"))]
    return {"Role": text(found.get("Role")), "Rules": _by_id(rules)} if rules else None


def _by_id(rules: list[dict[str, Any]], member: str = "ID") -> list[dict[str, Any]]:
    return sorted(rules, key=lambda rule: text(rule.get(member)))


def notification(body: JsonObject) -> Value:
    found = told(body)
    several = {name: _by_id([_filtered(one) for one in structures(found.get(name))], "Id") for name in NOTIFIED}
    value: dict[str, Any] = {name: listed for name, listed in several.items() if listed}
    if EVERY_EVENT in found:
        value[EVERY_EVENT] = {}
    return value or None


def _filtered(one: JsonObject) -> dict[str, Any]:
    """AWS writes `prefix` and `suffix` with a capital, whoever puts them, and takes both."""
    rules = structures(mapping(mapping(one.get("Filter")).get("Key")).get("FilterRules"))
    named = sorted(({"Name": text(rule.get("Name")).lower(), "Value": text(rule.get("Value"))} for rule in rules), key=canonical)
    rest = {name: value for name, value in one.items() if name != "Filter"}
    return {**rest, "Filter": {"Key": {"FilterRules": named}}} if named else rest


def logging(body: JsonObject) -> Value:
    found = mapping(told(body).get("LoggingEnabled"))
    if not found:
        return None
    simple = found.get("TargetObjectKeyFormat") == {"SimplePrefix": {}}
    left_out = {"TargetObjectKeyFormat"} if simple else set[str]()
    named = {name: value for name, value in found.items() if name not in left_out and value != []}
    return {"TargetPrefix": "", **named}


def encryption(body: JsonObject) -> Value:
    rules = structures(told(body).get("Rules"))
    return {"Rules": [_encrypted(rule) for rule in rules]} if rules else None


def _encrypted(rule: JsonObject) -> dict[str, Any]:
    nothing_blocked = {"EncryptionType": ["NONE"]}
    named = {name: value for name, value in rule.items() if (name, value) != ("BlockedEncryptionTypes", nothing_blocked)}
    return {"BucketKeyEnabled": False, **named}


def versioning(body: JsonObject) -> Value:
    """`None` where it was never switched on; whether a deletion needs MFA is told only where it does."""
    found = told(body)
    status, mfa = text(found.get("Status")), text(found.get("MFADelete"))
    return {"Status": status, **({"MFADelete": mfa} if mfa == "Enabled" else {})} if status else None


def cors(body: JsonObject) -> Value:
    rules = structures(told(body).get("CORSRules"))
    return {"CORSRules": rules} if rules else None


def website(body: JsonObject) -> Value:
    names = ("ErrorDocument", "IndexDocument", "RedirectAllRequestsTo", "RoutingRules")
    return {name: value for name, value in told(body).items() if name in names and value} or None


def tagging(body: JsonObject) -> Value:
    """Tags by name, without those that AWS sets: nobody can put them, and they stay."""
    tags = {text(one.get("Key")): text(one.get("Value")) for one in structures(told(body).get("TagSet"))}
    return {name: value for name, value in tags.items() if not name.startswith("aws:")} or None


# --- records ------------------------------------------------------------------------------------------------------------------


def recorded(
    body: str, read: Callable[[JsonObject], Value], *, ids: Mapping[str, str] | None = None, may_be_empty: bool = False
) -> Callable[[JsonObject], Value | Unknown]:
    """What a record's request puts; unknown where it has no body, or where AWS gave an id that no record tells.

    Args:
        body: the parameter that is the body.
        read: the body to the value.
        ids: the lists of the value whose elements AWS gives an id, with the id's name.
        may_be_empty: whether an empty body puts nothing in the place of what was there.
    """

    def value(request: JsonObject) -> Value | Unknown:
        if body not in request:
            return UNKNOWN
        found = read({**mapping(request[body]), _SIZE_HEADER: request.get(_SIZE_HEADER)})
        if found is None:
            return None if may_be_empty else UNKNOWN
        listed = [(one, name) for several, name in (ids or {}).items() for one in structures(found.get(several))]
        return found if all(text(one.get(name)) for one, name in listed) else UNKNOWN

    return value
