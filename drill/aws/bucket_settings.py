"""How buckets are set up: encryption, lifecycle, logging, notification, replication, CORS, website and tags.

moto keeps of most of these only some members. Here what was put is what is read, with what AWS adds to it, and what AWS refuses is
refused. They are kept with moto's bucket, so that they go with it.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import ServiceException
from moto.s3.exceptions import S3ClientError
from moto.s3.models import s3_backends

from drill.aws.errors import AwsError
from drill.aws.identity import Caller
from drill.aws.wire import Call

Body = dict[str, Any]
Handler = Callable[[Call, Caller], Body]

_DEFAULT_ENCRYPTION: Body = {
    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}]
}
_DEFAULT_SIZE = "all_storage_classes_128K"
_ACTIONS = ("Expiration", "Transitions", "NoncurrentVersionExpiration", "NoncurrentVersionTransitions")
_MOST_TAGS = 50
_LISTS = {"TopicConfigurations": "TopicArn", "QueueConfigurations": "QueueArn", "LambdaFunctionConfigurations": "LambdaFunctionArn"}


@dataclass(frozen=True)
class _Setting:
    """One of a bucket's settings: the parameter that puts it, and the error where there is none."""

    noun: str
    body: str
    missing: tuple[str, str] = ("", "")
    get: str = ""
    put: str = ""
    delete: str = ""

    @property
    def operations(self) -> tuple[str, str, str]:
        return self.get or f"GetBucket{self.noun}", self.put or f"PutBucket{self.noun}", self.delete or f"DeleteBucket{self.noun}"


_SETTINGS = (
    _Setting("Encryption", "ServerSideEncryptionConfiguration"),
    _Setting(
        "Lifecycle",
        "LifecycleConfiguration",
        ("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
        get="GetBucketLifecycleConfiguration",
        put="PutBucketLifecycleConfiguration",
    ),
    _Setting("Logging", "BucketLoggingStatus"),
    _Setting(
        "Notification",
        "NotificationConfiguration",
        get="GetBucketNotificationConfiguration",
        put="PutBucketNotificationConfiguration",
    ),
    _Setting(
        "Replication",
        "ReplicationConfiguration",
        ("ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
    ),
    _Setting("Cors", "CORSConfiguration", ("NoSuchCORSConfiguration", "The CORS configuration does not exist")),
    _Setting(
        "Website",
        "WebsiteConfiguration",
        ("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
    ),
    _Setting("Tagging", "Tagging", ("NoSuchTagSet", "The TagSet does not exist")),
)


def handlers() -> dict[tuple[str, str], Handler]:
    """Who answers which operation."""
    found: dict[tuple[str, str], Handler] = {}
    for setting in _SETTINGS:
        for operation, handler in zip(setting.operations, (_getting, _putting, _deleting), strict=True):
            found["s3", operation] = handler(setting)
    return found


def bucket_of(call: Call, caller: Caller) -> Any:
    """moto's bucket that a call is about.

    Raises:
        AwsError: there is none, or it is another account's.
    """
    try:
        bucket = s3_backends[caller.account]["aws"].get_bucket(str(call.params.get("Bucket", "")))
    except (S3ClientError, ServiceException):
        raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404) from None
    if bucket.account_id != caller.account:
        raise AwsError("AccessDenied", "Access Denied", 403)
    return bucket


def kept(bucket: Any) -> dict[str, Body]:
    """What was put on a bucket, by noun."""
    if not hasattr(bucket, "range_settings"):
        bucket.range_settings = {"Encryption": deepcopy(_DEFAULT_ENCRYPTION)}
    settings: dict[str, Body] = bucket.range_settings
    return settings


def _getting(setting: _Setting) -> Handler:
    def get(call: Call, caller: Caller) -> Body:
        found = kept(bucket_of(call, caller)).get(setting.noun)
        if not found and setting.missing[0]:
            raise AwsError(*setting.missing, 404)
        told = deepcopy(found or {})
        return {setting.body: told} if setting.noun in ("Encryption", "Replication") else told

    return get


def _putting(setting: _Setting) -> Handler:
    def put(call: Call, caller: Caller) -> Body:
        bucket = bucket_of(call, caller)
        asked = deepcopy(call.params.get(setting.body) or {})
        kept(bucket)[setting.noun] = _CHECKED[setting.noun](asked, call, caller, bucket)
        return {}

    return put


def _deleting(setting: _Setting) -> Handler:
    def delete(call: Call, caller: Caller) -> Body:
        settings = kept(bucket_of(call, caller))
        settings.pop(setting.noun, None)
        if setting.noun == "Encryption":
            settings["Encryption"] = deepcopy(_DEFAULT_ENCRYPTION)
        return {}

    return delete


# ---- what AWS checks and adds ---------------------------------------------------------------------------------------


def _malformed(why: str) -> AwsError:
    return AwsError("MalformedXML", f"The XML you provided was not well-formed or did not validate against our schema: {why}")


def _named(rules: list[Body], member: str = "ID") -> list[Body]:
    """The rules, each with an id.

    Raises:
        AwsError: two have the same.
    """
    for rule in rules:
        rule[member] = rule.get(member) or uuid.uuid4().hex
    if len({rule[member] for rule in rules}) < len(rules):
        raise AwsError("InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule")
    return rules


def _encryption(asked: Body, call: Call, caller: Caller, bucket: Any) -> Body:
    rules = asked.get("Rules") or []
    if len(rules) != 1:
        raise _malformed("one encryption rule is needed")
    default = rules[0].get("ApplyServerSideEncryptionByDefault") or {}
    if default.get("KMSMasterKeyID") and not str(default.get("SSEAlgorithm", "")).startswith("aws:kms"):
        raise AwsError("InvalidArgument", "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms")
    rules[0].setdefault("BucketKeyEnabled", False)
    return asked


def _lifecycle(asked: Body, call: Call, caller: Caller, bucket: Any) -> Body:
    rules = asked.get("Rules") or []
    if not rules:
        raise _malformed("a rule is needed")
    for rule in rules:
        if ("Filter" in rule) == ("Prefix" in rule):
            raise _malformed("a rule has either a Filter or a Prefix")
        if rule.get("Status") not in ("Enabled", "Disabled"):
            raise _malformed("a rule has a Status")
        if not any(rule.get(action) for action in (*_ACTIONS, "AbortIncompleteMultipartUpload")):
            raise AwsError("InvalidRequest", "At least one action needs to be specified in a rule.")
    return lifecycle_of(rules, call.params.get("TransitionDefaultMinimumObjectSize") or _DEFAULT_SIZE)


def lifecycle_of(rules: list[Body], size: str = _DEFAULT_SIZE) -> Body:
    """Rules as they are read, each with an id."""
    return {"Rules": _named(rules), "TransitionDefaultMinimumObjectSize": size}


def _logging(asked: Body, call: Call, caller: Caller, bucket: Any) -> Body:
    told = asked.get("LoggingEnabled")
    if not told:
        return {}
    target = s3_backends[caller.account]["aws"].buckets.get(told.get("TargetBucket"))
    if target is None:
        raise AwsError("InvalidTargetBucketForLogging", "The target bucket for logging does not exist")
    if target.region_name != bucket.region_name:
        raise AwsError("CrossLocationLoggingProhibitted", "Cross S3 location logging not allowed.", 403)
    told.setdefault("TargetPrefix", "")
    return {"LoggingEnabled": told}


def _notification(asked: Body, call: Call, caller: Caller, bucket: Any) -> Body:
    several = [(one, one.get(arn)) for listed, arn in _LISTS.items() for one in asked.get(listed) or []]
    for one, arn in several:
        if not arn or not one.get("Events"):
            raise _malformed("a configuration names its destination and its events")
        for rule in (one.get("Filter") or {}).get("Key", {}).get("FilterRules") or []:
            rule["Name"] = str(rule.get("Name", "")).title()
    _named([one for one, _ in several], "Id")
    return {name: told for name, told in asked.items() if told or name == "EventBridgeConfiguration"}


def _replication(asked: Body, call: Call, caller: Caller, bucket: Any) -> Body:
    if not bucket.is_versioned:
        raise AwsError("InvalidRequest", "Versioning must be 'Enabled' on the bucket to apply a replication configuration")
    rules = asked.get("Rules") or []
    if not rules or not asked.get("Role"):
        raise _malformed("a role and a rule are needed")
    for rule in rules:
        name = str((rule.get("Destination") or {}).get("Bucket", "")).rpartition(":::")[2]
        owner = s3_backends.bucket_accounts.get(name)
        if owner is None:
            raise AwsError("InvalidRequest", "Destination bucket must exist.")
        if not s3_backends[owner[1]][owner[0]].buckets[name].is_versioned:
            raise AwsError("InvalidRequest", "Destination bucket must have versioning enabled.")
        if "Filter" in rule and "DeleteMarkerReplication" not in rule:
            raise AwsError(
                "InvalidRequest", "DeleteMarkerReplication must be specified for this version of Cross Region Replication"
            )
    return {"Role": asked["Role"], "Rules": _named(rules)}


def _cors(asked: Body, call: Call, caller: Caller, bucket: Any) -> Body:
    rules = asked.get("CORSRules") or []
    if not rules or not all(rule.get("AllowedMethods") and rule.get("AllowedOrigins") for rule in rules):
        raise _malformed("a rule has methods and origins")
    return {"CORSRules": rules}


def _website(asked: Body, call: Call, caller: Caller, bucket: Any) -> Body:
    if bool(asked.get("RedirectAllRequestsTo")) == bool(asked.get("IndexDocument")):
        raise _malformed("a website has either an index document or redirects everything")
    return asked


def _tagging(asked: Body, call: Call, caller: Caller, bucket: Any) -> Body:
    tags = asked.get("TagSet") or []
    names = [str(tag.get("Key")) for tag in tags]
    if any(name.startswith("aws:") for name in names):
        raise AwsError("InvalidTag", "System tags cannot be added/updated by requester")
    if len(set(names)) < len(names):
        raise AwsError("InvalidTag", "Cannot provide multiple Tags with the same key")
    if len(tags) > _MOST_TAGS:
        raise AwsError("BadRequest", "Bucket tag count cannot be greater than 50")
    return {"TagSet": tags} if tags else {}


_CHECKED: dict[str, Callable[[Body, Call, Caller, Any], Body]] = {
    "Encryption": _encryption,
    "Lifecycle": _lifecycle,
    "Logging": _logging,
    "Notification": _notification,
    "Replication": _replication,
    "Cors": _cors,
    "Website": _website,
    "Tagging": _tagging,
}
