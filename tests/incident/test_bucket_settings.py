"""How buckets are set up, in records alone: a record tells what a read will show, and the calls take it back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from examples import ACCOUNT, record, setting
from hypothesis import given, settings
from hypothesis import strategies as st

from drill.aws.shapes import request_parameters, storage
from incident.families import family_for_event, family_for_kind
from incident.family import Read, Scope, Unrestorable
from incident.resources import bucket_access, bucket_setup
from incident.resources.bucket_part import Part
from incident.settings import UNKNOWN, Fold, Observed, PriorValue, SettingKey, Source, Unknown, Value, canonical, reversals, same

S3 = botocore.session.get_session().get_service_model("s3")
SCOPE = Scope(ACCOUNT, "us-east-1")
BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
BUCKET = "shop-data"
FEW = settings(max_examples=60, deadline=None)

WORD = st.text("abcdefgh-", min_size=1, max_size=8)
DAYS = st.integers(1, 400)
STATUS = st.sampled_from(["Enabled", "Disabled"])
TAG = st.fixed_dictionaries({"Key": WORD, "Value": WORD})
MARKED = st.lists(TAG, min_size=2, max_size=3, unique_by=lambda tag: tag["Key"]).map(lambda tags: sorted(tags, key=canonical))
FILTER = st.one_of(
    st.fixed_dictionaries({"Prefix": st.one_of(st.just(""), WORD)}),
    st.fixed_dictionaries({"Tag": TAG}),
    st.fixed_dictionaries({"And": st.fixed_dictionaries({"Prefix": WORD, "Tags": MARKED})}),
)
SIZED = st.fixed_dictionaries(
    {"And": st.fixed_dictionaries({"ObjectSizeGreaterThan": DAYS, "Tags": MARKED.map(lambda tags: tags[:1])})}
)


def by_id(rules: list[dict[str, Any]], name: str = "ID") -> list[dict[str, Any]]:
    return sorted(rules, key=lambda rule: rule[name])


def several(one: st.SearchStrategy[dict[str, Any]], name: str = "ID") -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(one, min_size=1, max_size=3, unique_by=lambda rule: rule[name]).map(lambda rules: by_id(rules, name))


EXPIRES = st.one_of(
    st.fixed_dictionaries({"Days": DAYS}),
    st.dates().map(lambda day: {"Date": f"{day:%Y-%m-%d}T00:00:00Z".zfill(20)}),
    st.fixed_dictionaries({"ExpiredObjectDeleteMarker": st.booleans()}),
)
LIFECYCLE_RULE = st.fixed_dictionaries(
    {"ID": WORD, "Status": STATUS, "Filter": FILTER | SIZED, "Expiration": EXPIRES},
    optional={
        "Transitions": st.lists(st.fixed_dictionaries({"Days": DAYS, "StorageClass": st.just("GLACIER")}), min_size=1, max_size=2),
        "NoncurrentVersionExpiration": st.fixed_dictionaries({"NoncurrentDays": DAYS}, optional={"NewerNoncurrentVersions": DAYS}),
        "AbortIncompleteMultipartUpload": st.fixed_dictionaries({"DaysAfterInitiation": DAYS}),
    },
)
COPY_RULE = st.fixed_dictionaries(
    {
        "ID": WORD,
        "Priority": DAYS,
        "Status": STATUS,
        "Filter": FILTER,
        "DeleteMarkerReplication": st.fixed_dictionaries({"Status": STATUS}),
        "Destination": st.fixed_dictionaries(
            {"Bucket": WORD.map("arn:aws:s3:::{}".format)}, optional={"Account": st.just("999988887777")}
        ),
    },
    optional={"SourceSelectionCriteria": st.just({"SseKmsEncryptedObjects": {"Status": "Enabled"}})},
)
EVENTS = st.lists(st.sampled_from(["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:Test"]), min_size=1, unique=True).map(sorted)
NAMED = st.lists(st.sampled_from(["prefix", "suffix"]), min_size=1, unique=True).map(
    lambda names: {"Key": {"FilterRules": [{"Name": name, "Value": "x"} for name in sorted(names)]}}
)


def told_to(arn: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    return several(st.fixed_dictionaries({"Id": WORD, arn: WORD, "Events": EVENTS}, optional={"Filter": NAMED}), "Id")


GRANT = st.just({"Grantee": {"Type": "Group", "URI": "http://acs.amazonaws.com/groups/s3/LogDelivery"}, "Permission": "READ"})
VALUES: dict[str, st.SearchStrategy[Value]] = {
    bucket_setup.VERSIONING: STATUS.map(lambda status: {"Status": "Suspended" if status == "Disabled" else status}),
    bucket_setup.LIFECYCLE: st.fixed_dictionaries(
        {"Rules": several(LIFECYCLE_RULE)},
        optional={"TransitionDefaultMinimumObjectSize": st.just("varies_by_storage_class")},
    ),
    bucket_setup.REPLICATION: st.fixed_dictionaries({"Role": st.just("arn:aws:iam::1:role/r"), "Rules": several(COPY_RULE)}),
    bucket_setup.LOGGING: st.fixed_dictionaries(
        {"TargetBucket": WORD, "TargetPrefix": st.one_of(st.just(""), WORD)},
        optional={
            "TargetGrants": st.lists(GRANT, min_size=1, max_size=1),
            "TargetObjectKeyFormat": st.just({"PartitionedPrefix": {"PartitionDateSource": "EventTime"}}),
        },
    ),
    bucket_setup.NOTIFICATION: st.fixed_dictionaries(
        {"TopicConfigurations": told_to("TopicArn")},
        optional={
            "QueueConfigurations": told_to("QueueArn"),
            "LambdaFunctionConfigurations": told_to("LambdaFunctionArn"),
            "EventBridgeConfiguration": st.just({}),
        },
    ),
    bucket_setup.ENCRYPTION: st.fixed_dictionaries(
        {"ApplyServerSideEncryptionByDefault": st.just({"SSEAlgorithm": "aws:kms"}), "BucketKeyEnabled": st.booleans()},
        optional={"BlockedEncryptionTypes": st.just({"EncryptionType": ["SSE-C"]})},
    ).map(lambda rule: {"Rules": [rule]}),
    bucket_setup.WEBSITE: st.one_of(
        st.fixed_dictionaries(
            {"IndexDocument": st.fixed_dictionaries({"Suffix": WORD})},
            optional={
                "ErrorDocument": st.fixed_dictionaries({"Key": WORD}),
                "RoutingRules": st.lists(st.just({"Redirect": {"HostName": "shop.example"}}), min_size=1, max_size=2),
            },
        ),
        st.just({"RedirectAllRequestsTo": {"HostName": "evil.example"}}),
    ),
    bucket_setup.CORS: st.lists(
        st.fixed_dictionaries(
            {"AllowedMethods": st.just(["GET", "PUT"]), "AllowedOrigins": st.lists(WORD, min_size=1, max_size=2)},
            optional={"MaxAgeSeconds": DAYS, "ID": WORD},
        ),
        min_size=1,
        max_size=2,
    ).map(lambda rules: {"CORSRules": rules}),
    bucket_setup.TAGS: st.dictionaries(WORD, WORD, min_size=1, max_size=3),
    bucket_access.PUBLIC_ACCESS: st.fixed_dictionaries(dict.fromkeys(bucket_access.ALL_BLOCKED, st.booleans())),
    bucket_access.OWNERSHIP: st.sampled_from(["BucketOwnerEnforced", "ObjectWriter"]),
    bucket_access.POLICY: WORD.map(lambda word: {"Statement": [{"Effect": "Allow", "Principal": word, "Action": "s3:*"}]}),
}
PARTS = {part.name: part for part in (*bucket_setup.PARTS, *bucket_access.PARTS)}
CASES = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.tuples(st.just(PARTS[name]), VALUES[name], st.none() | VALUES[name])
)


def key_of(part: Part) -> SettingKey:
    return setting(part.kind, BUCKET, part.name)


def recorded(folded: Fold, operation: str, asked: dict[str, Any], at: int, user: str = "mallory") -> None:
    """Fold in the record that AWS writes of a call."""
    name = storage.event_name("s3", operation)
    one = record(name, service="s3", at=at, user=user, request=request_parameters("s3", operation, asked))
    family = family_for_event(f"s3:{name}")
    assert family is not None, name
    folded.read(one, family.writes)


def calls(key: SettingKey, now: Value, wanted: Value) -> list[tuple[str, dict[str, Any]]]:
    live = None if now is None else Observed(key, now)
    change = family_for_kind(key.kind).change(key, live, wanted)
    assert not isinstance(change, Unrestorable), change
    for call in change:
        problems = ParamValidator().validate(call.parameters, S3.operation_model(call.operation).input_shape)
        assert not problems.has_errors(), problems.generate_report()
    return [(call.operation, dict(call.parameters)) for call in change]


@FEW
@given(CASES)
def test_a_records_value_is_the_one_that_was_put_and_the_calls_take_it_back(case: tuple[Part, Value, Value]):
    """Whatever is put: the record of it tells the same value, and after the plan's calls the value from before."""
    part, put, before = case
    key = key_of(part)
    if part.name in (bucket_setup.VERSIONING, bucket_setup.ENCRYPTION) and before is None:
        before = {"Status": "Enabled"} if part.name == bucket_setup.VERSIONING else put
    folded = Fold([(key, PriorValue(before, BEFORE, Source.BASELINE))])
    for operation, asked in calls(key, before, put):
        recorded(folded, operation, asked, at=1)
    if same(before, put):
        assert key not in {one.key for one in reversals(folded, lambda one: True)}
        return
    (found,) = reversals(folded, lambda one: True)
    assert same(found.written, put)
    assert same(found.target, before)
    for operation, asked in calls(key, put, before):
        recorded(folded, operation, asked, at=2)
    assert same(folded.histories[key].written, before)
    assert calls(key, before, before) == []


@FEW
@given(CASES)
def test_an_answer_shows_what_was_put(case: tuple[Part, Value, Value]):
    part, put, _ = case
    ((_, asked),) = calls(key_of(part), None, put)
    answer = {name: value for name, value in asked.items() if name not in ("Bucket", "SkipDestinationValidation")}
    if part.name not in (bucket_setup.REPLICATION, bucket_setup.ENCRYPTION, *(one.name for one in bucket_access.PARTS)):
        answer |= next(value for value in answer.values() if isinstance(value, dict))
    (shown,) = family_for_kind(part.kind).observe(SCOPE, Read("s3", part.read, {"Bucket": BUCKET}), answer)
    assert shown.key == key_of(part)
    assert same(shown.value, put)


def value_of(name: str, body: object) -> Value | Unknown:
    told = {"bucketName": BUCKET, **({} if body is None else body)}  # type: ignore[dict-item]
    (write,) = family_for_event(f"s3:{name}").writes(record(name, service="s3", request=told), Fold())  # type: ignore[union-attr]
    return write.after


RULE = {"Status": "Enabled", "Prefix": "", "Expiration": {"Days": "1"}}


@pytest.mark.parametrize(
    ("event", "body"),
    [
        ("PutBucketLifecycle", None),
        ("PutBucketLifecycle", {"LifecycleConfiguration": {"Rule": RULE}}),
        ("PutBucketLifecycle", {"LifecycleConfiguration": {"Rule": [RULE, {**RULE, "ID": "x"}]}}),
        ("PutBucketReplication", {"ReplicationConfiguration": {"role": "x", "rules": []}}),
        ("PutBucketNotification", {"NotificationConfiguration": {"TopicConfiguration": {"Topic": "t", "Event": "s3:*"}}}),
        ("PutBucketAcl", {"x-amz-acl": "public-read"}),
        ("PutBucketPolicy", {"bucketPolicy": ""}),
        ("PutBucketTagging", None),
        ("PutBucketVersioning", {"VersioningConfiguration": ""}),
    ],
)
def test_what_a_record_does_not_tell_is_unknown(event: str, body: object):
    """A rule without an id gets one from AWS, which no record tells."""
    assert value_of(event, body) is UNKNOWN


def test_text_and_number_tell_the_same():
    told = {"LifecycleConfiguration": {"xmlns": "x", "Rule": {**RULE, "ID": "a"}}}
    assert value_of("PutBucketLifecycle", told) == {
        "Rules": [{"ID": "a", "Status": "Enabled", "Prefix": "", "Expiration": {"Days": 1}}]
    }


def test_tags_of_awss_own_are_left_out():
    told = {"Tagging": {"TagSet": {"Tag": [{"Key": "aws:cloudformation:stack-name", "Value": "x"}, {"Key": "a", "Value": 1}]}}}
    assert value_of("PutBucketTagging", told) == {"a": "1"}


def test_tags_set_one_by_one_are_not_told_and_those_of_objects_are_nothing_of_the_buckets():
    family = family_for_event("s3:TagResource")
    assert family is not None
    for arn, said in {f"arn:aws:s3:::{BUCKET}": [UNKNOWN], f"arn:aws:s3:::{BUCKET}/key": [], "": []}.items():
        one = record("TagResource", service="s3", request={"resourceArn": arn})
        assert [write.after for write in family.writes(one, Fold())] == said


def test_only_root_changes_whether_deletions_need_mfa():
    key = setting(bucket_setup.SETUP, BUCKET, bucket_setup.VERSIONING)
    change = family_for_kind(key.kind).change
    for live, wanted in (("Enabled", "Suspended"), ("Suspended", "Enabled")):
        told = {"Status": live, **({"MFADelete": "Enabled"} if live == "Enabled" else {})}
        asked = {"Status": wanted, **({"MFADelete": "Enabled"} if wanted == "Enabled" else {})}
        found = change(key, Observed(key, told), asked)
        assert isinstance(found, Unrestorable)
        assert "root" in found.reason


def test_a_block_of_the_account_is_no_buckets():
    family = family_for_event("s3:PutPublicAccessBlock")
    assert family is not None
    told = {"PublicAccessBlockConfiguration": {"BlockPublicAcls": "true"}}
    (write,) = family.writes(record("PutPublicAccessBlock", service="s3", request=told), Fold())
    assert write.key.resource == ACCOUNT
    assert write.after["BlockPublicAcls"] is True
    assert list(family.writes(record("PutPublicAccessBlock", service="s3", request={"bucketName": "x", **told}), Fold())) == []
