"""How a bucket is set up: what happens to its objects, who is told of them, and where they are copied to.

The dangerous ones destroy or carry off: a rule that lets objects expire, a copy in a bucket of somebody else's, versions that are
no longer kept, a log that nobody writes. `harm` names them in the plan, and they are taken back first.
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Change, Unrestorable
from incident.network.values import items, mapping, structures, text
from incident.record import JsonObject
from incident.resources import bucket_forms as forms
from incident.resources.bucket_part import Part
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, canonical

SETUP = "bucket-setup"
VERSIONING, LIFECYCLE, REPLICATION, LOGGING = "versioning", "lifecycle", "replication", "access logging"
NOTIFICATION, ENCRYPTION, WEBSITE, CORS, TAGS = "notification", "default encryption", "website", "cross-origin rules", "tags"
"""The names of its settings."""

_RULES = {"Rules": "ID"}


# --- what the value that is there does ----------------------------------------------------------------------------------------


def _rules_beyond(found: Value, wanted: Value | Unknown) -> Iterator[JsonObject]:
    """The enabled rules that are there and not wanted."""
    right = {canonical(rule) for rule in structures(mapping(wanted).get("Rules"))}
    for rule in structures(mapping(found).get("Rules")):
        if text(rule.get("Status")) == "Enabled" and canonical(rule) not in right:
            yield rule


def _expires(key: SettingKey, found: Value, wanted: Value | Unknown) -> str:
    return "; ".join(said for rule in _rules_beyond(found, wanted) for said in _what_expires(rule))


def _what_expires(rule: JsonObject) -> Iterator[str]:
    current, older = mapping(rule.get("Expiration")), mapping(rule.get("NoncurrentVersionExpiration"))
    which = f"rule {text(rule.get('ID'))[:60]} deletes"
    if current.get("Days") is not None:
        yield f"{which} {_what(rule)} {_days(current['Days'])} after they are written"
    elif current.get("Date"):
        yield f"{which} {_what(rule)} on {text(current['Date'])[:10]}"
    if older.get("NoncurrentDays") is not None:
        yield f"{which} older versions {_days(older['NoncurrentDays'])} after they are replaced"


def _what(rule: JsonObject) -> str:
    chosen = mapping(rule.get("Filter"))
    prefix = text(rule.get("Prefix") or chosen.get("Prefix") or mapping(chosen.get("And")).get("Prefix"))
    if prefix:
        return f"objects under {prefix[:60]}"
    return "some objects" if chosen.keys() - {"Prefix"} else "all objects"


def _days(number: object) -> str:
    return f"{text(number)} day" if text(number) == "1" else f"{text(number)} days"


def _copies(key: SettingKey, found: Value, wanted: Value | Unknown) -> str:
    told: list[str] = []
    for rule in _rules_beyond(found, wanted):
        to = mapping(rule.get("Destination"))
        bucket, account = text(to.get("Bucket")).rpartition(":::")[2], text(to.get("Account"))
        told.append(f"bucket {bucket}" + (f" of account {account}" if account and account != key.account else ""))
    return f"every new object is copied to {', '.join(dict.fromkeys(told))}" if told else ""


def _keeps_no_versions(key: SettingKey, found: Value, wanted: Value | Unknown) -> str:
    was = "" if isinstance(wanted, Unknown) else text(mapping(wanted).get("Status"))
    now = text(mapping(found).get("Status"))
    if now == "Enabled" or (not isinstance(wanted, Unknown) and was != "Enabled"):
        return ""
    return "what is overwritten or deleted is gone for good" if now or was else ""


def _logs_elsewhere(key: SettingKey, found: Value, wanted: Value | Unknown) -> str:
    if found is None:
        return "no log tells who reads, changes or deletes its objects" if wanted not in (None, UNKNOWN) else ""
    target = text(mapping(found).get("TargetBucket"))
    was = "" if isinstance(wanted, Unknown) else text(mapping(wanted).get("TargetBucket"))
    return f"its access log goes to bucket {target}" if target != was else ""


def _tells(key: SettingKey, found: Value, wanted: Value | Unknown) -> str:
    new = sorted(set(_told(found)) - (set() if isinstance(wanted, Unknown) else set(_told(wanted))))
    return f"what happens to its objects is told to {', '.join(new)}" if new else ""


def _told(value: Value) -> Iterator[str]:
    for several, arn in forms.NOTIFIED.items():
        yield from (text(one.get(arn)) for one in structures(mapping(value).get(several)))


def _encrypts(key: SettingKey, found: Value, wanted: Value | Unknown) -> str:
    now, was = _key(found), "" if isinstance(wanted, Unknown) else _key(wanted)
    return f"what is written can be read only with key {now}" if now and now != was else ""


def _key(value: Value) -> str:
    rules = structures(mapping(value).get("Rules")) or [{}]
    return text(mapping(rules[0].get("ApplyServerSideEncryptionByDefault")).get("KMSMasterKeyID"))


def _serves(key: SettingKey, found: Value, wanted: Value | Unknown) -> str:
    host = text(mapping(mapping(found).get("RedirectAllRequestsTo")).get("HostName"))
    return f"its website sends everybody to {host}" if host else ""


def _any_origin(key: SettingKey, found: Value, wanted: Value | Unknown) -> str:
    rules = structures(mapping(found).get("CORSRules"))
    return "pages of any website may use it" if any("*" in items(rule.get("AllowedOrigins")) for rule in rules) else ""


# --- calls that are not plain -------------------------------------------------------------------------------------------------


def _change_versioning(key: SettingKey, live: Observed | None, wanted: Value) -> Change | None:
    now = mapping(live.value if live else None)
    if now.get("MFADelete") or mapping(wanted).get("MFADelete"):
        return Unrestorable(
            "whether deletions need MFA is changed by the root user alone, with their MFA device",
            "Ask the holder of the account's root user to set versioning and MFA delete: aws s3api put-bucket-versioning --mfa.",
        )
    if wanted is None:
        return Unrestorable(
            "versioning that was once on can be suspended, and never be taken off",
            "Suspend it if its owner wants no versions kept. The versions that are there stay and cost as much as objects.",
        )
    return None


def _versioned_first(wanted: Value) -> int:
    """A copy needs versions, so that they are on before it and off after it."""
    return 0 if text(mapping(wanted).get("Status")) == "Enabled" else 9


# --- the parts ----------------------------------------------------------------------------------------------------------------


def _nothing(request: JsonObject) -> Value:
    return None


def _as_sent(value: Value) -> Value:
    """Tags as they are put."""
    return {"TagSet": [{"Key": name, "Value": said} for name, said in sorted(mapping(value).items())]}


def _lifecycle_sent(value: Value) -> dict[str, Value]:
    size = {name: said for name, said in value.items() if name != "Rules"}
    return {"LifecycleConfiguration": {"Rules": value["Rules"]}, **size}


PARTS = (
    Part(
        SETUP,
        VERSIONING,
        "GetBucketVersioning",
        forms.versioning,
        lambda value: {"VersioningConfiguration": value},
        "PutBucketVersioning",
        {"PutBucketVersioning": forms.recorded("VersioningConfiguration", forms.versioning)},
        change_with=_change_versioning,
        harm=_keeps_no_versions,
        place=_versioned_first,
    ),
    Part(
        SETUP,
        LIFECYCLE,
        "GetBucketLifecycleConfiguration",
        forms.lifecycle,
        _lifecycle_sent,
        "PutBucketLifecycleConfiguration",
        {
            "PutBucketLifecycle": forms.recorded("LifecycleConfiguration", forms.lifecycle, ids=_RULES),
            "DeleteBucketLifecycle": _nothing,
        },
        delete="DeleteBucketLifecycle",
        absent="NoSuchLifecycleConfiguration",
        permission="PutLifecycleConfiguration",
        harm=_expires,
        place=lambda wanted: 1,
    ),
    Part(
        SETUP,
        REPLICATION,
        "GetBucketReplication",
        lambda answer: forms.replication(mapping(answer.get("ReplicationConfiguration"))),
        lambda value: {"ReplicationConfiguration": value},
        "PutBucketReplication",
        {
            "PutBucketReplication": forms.recorded("ReplicationConfiguration", forms.replication, ids=_RULES),
            "DeleteBucketReplication": _nothing,
        },
        delete="DeleteBucketReplication",
        absent="ReplicationConfigurationNotFoundError",
        permission="PutReplicationConfiguration",
        passing=("iam:PassRole",),
        harm=_copies,
        place=lambda wanted: 2,
    ),
    Part(
        SETUP,
        LOGGING,
        "GetBucketLogging",
        forms.logging,
        lambda value: {"BucketLoggingStatus": {"LoggingEnabled": value} if value else {}},
        "PutBucketLogging",
        {"PutBucketLogging": forms.recorded("BucketLoggingStatus", forms.logging, may_be_empty=True)},
        off=True,
        harm=_logs_elsewhere,
        place=lambda wanted: 3,
    ),
    Part(
        SETUP,
        NOTIFICATION,
        "GetBucketNotificationConfiguration",
        forms.notification,
        # What was told before is told again, though its receiver may come back only later.
        lambda value: {"NotificationConfiguration": value or {}, "SkipDestinationValidation": True},
        "PutBucketNotificationConfiguration",
        {
            "PutBucketNotification": forms.recorded(
                "NotificationConfiguration",
                forms.notification,
                ids=dict.fromkeys(forms.NOTIFIED, "Id"),
                may_be_empty=True,
            )
        },
        permission="PutBucketNotification",
        off=True,
        harm=_tells,
        place=lambda wanted: 4,
    ),
    Part(
        SETUP,
        ENCRYPTION,
        "GetBucketEncryption",
        lambda answer: forms.encryption(mapping(answer.get("ServerSideEncryptionConfiguration"))),
        lambda value: {"ServerSideEncryptionConfiguration": value},
        "PutBucketEncryption",
        {
            "PutBucketEncryption": forms.recorded("ServerSideEncryptionConfiguration", forms.encryption),
            "DeleteBucketEncryption": lambda request: forms.DEFAULT_ENCRYPTION,
        },
        absent="ServerSideEncryptionConfigurationNotFoundError",
        permission="PutEncryptionConfiguration",
        harm=_encrypts,
        place=lambda wanted: 5,
    ),
    Part(
        SETUP,
        WEBSITE,
        "GetBucketWebsite",
        forms.website,
        lambda value: {"WebsiteConfiguration": value},
        "PutBucketWebsite",
        {
            "PutBucketWebsite": forms.recorded("WebsiteConfiguration", forms.website),
            "DeleteBucketWebsite": _nothing,
        },
        delete="DeleteBucketWebsite",
        absent="NoSuchWebsiteConfiguration",
        harm=_serves,
        place=lambda wanted: 6,
    ),
    Part(
        SETUP,
        CORS,
        "GetBucketCors",
        forms.cors,
        lambda value: {"CORSConfiguration": value},
        "PutBucketCors",
        {"PutBucketCors": forms.recorded("CORSConfiguration", forms.cors), "DeleteBucketCors": _nothing},
        delete="DeleteBucketCors",
        absent="NoSuchCORSConfiguration",
        permission="PutBucketCORS",
        harm=_any_origin,
        place=lambda wanted: 7,
    ),
    Part(
        SETUP,
        TAGS,
        "GetBucketTagging",
        forms.tagging,
        lambda value: {"Tagging": _as_sent(value)},
        "PutBucketTagging",
        {"PutBucketTagging": forms.recorded("Tagging", forms.tagging, may_be_empty=True), "DeleteBucketTagging": _nothing},
        delete="DeleteBucketTagging",
        absent="NoSuchTagSet",
        permission="PutBucketTagging",
        place=lambda wanted: 8,
    ),
)
