"""Evidence in a bucket with Object Lock, over HTTP against the range: what was kept stays, and what somebody did to it shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from drill.aws.config import RangeConfig
from drill.aws.range import Range
from drill.client import RangeClient, boto_client
from gateway.practice.configuration import granted_to
from tasks.aws import Aws
from tasks.config import AwsConfig, Config, EvidenceStoreConfig, first_problem
from tasks.evidence import EvidenceStore, EvidenceUnavailable
from tasks.evidence_bucket import Bucket
from tasks.hands import wire

OWN, EVIDENCE = "111122223333", "444455556666"
REGION = "eu-central-1"
BUCKET = "example-evidence"
INCIDENT = "inc-1"
KEY = f"arn:aws:kms:{REGION}:{EVIDENCE}:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def aws():
    with Range(
        RangeConfig(
            accounts=(OWN, EVIDENCE), regions=("us-east-1", REGION), granted=granted_to([OWN, EVIDENCE], EvidenceBucket="example-*")
        )
    ) as aws:
        yield aws


@pytest.fixture
def s3(aws, monkeypatch):
    """The evidence account as its owner sees it, with a bucket for evidence."""
    keys = aws.responder()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token)
    aws.reset()
    s3 = boto_client(aws.url, "s3", REGION, aws.bootstrap(EVIDENCE))
    where = {"LocationConstraint": REGION}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
    s3.create_bucket(Bucket="example-plain", CreateBucketConfiguration=where)
    return s3


def config(**settings: object) -> EvidenceStoreConfig:
    given = {"kind": "s3", "bucket": BUCKET, "prefix": "cases", "account": EVIDENCE, "region": REGION, "key": KEY}
    return EvidenceStoreConfig(**{**given, **settings})


@pytest.fixture
def opened(aws, ledger, s3):
    """A store by its settings."""
    reached = Aws(AwsConfig(accounts=(OWN, EVIDENCE), endpoint_url=aws.url))
    return lambda **settings: EvidenceStore(Bucket(reached, config(**settings), lambda: datetime.now(UTC)), ledger)


@pytest.fixture
def store(opened) -> EvidenceStore:
    store = opened()
    store.keep_json(INCIDENT, "finding.json", {"id": 1}, "the finding")
    store.keep(INCIDENT, "records/look-1.json", b"[]", "records")
    return store


def damage(store: EvidenceStore) -> dict[str, str]:
    return {item.item: item.what.split(":")[0] for item in store.verify(INCIDENT)}


def version(store: EvidenceStore, name: str) -> str:
    return next(item["version"] for item in store.manifest(INCIDENT) if item["item"] == name)


def test_what_was_kept_verifies_and_is_read_back(store):
    assert store.verify(INCIDENT) == []
    assert store.load_json(INCIDENT, "finding.json") == {"id": 1}
    assert store.has(INCIDENT, "finding.json")
    assert not store.has(INCIDENT, "other.json")


def test_an_item_is_locked_and_encrypted_under_the_evidence_accounts_key(store, s3):
    shown = s3.get_object(Bucket=BUCKET, Key=f"cases/{INCIDENT}/finding.json")
    assert shown["ObjectLockMode"] == "GOVERNANCE"
    assert shown["ObjectLockRetainUntilDate"] > datetime.now(UTC) + timedelta(days=364)
    assert (shown["ServerSideEncryption"], shown["SSEKMSKeyId"]) == ("aws:kms", KEY)
    with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
        s3.delete_object(Bucket=BUCKET, Key=f"cases/{INCIDENT}/finding.json", VersionId=version(store, "finding.json"))


def test_compliance_is_only_had_by_name(opened, s3):
    opened(mode="compliance", retention_days=1).keep(INCIDENT, "a.json", b"1", "a")
    assert s3.get_object(Bucket=BUCKET, Key=f"cases/{INCIDENT}/a.json")["ObjectLockMode"] == "COMPLIANCE"
    assert EvidenceStoreConfig().mode == "governance"


def test_keeping_the_same_again_writes_nothing(store, s3):
    store.keep(INCIDENT, "records/look-1.json", b"[]", "records")
    assert len(s3.list_object_versions(Bucket=BUCKET, Prefix=f"cases/{INCIDENT}/records")["Versions"]) == 1
    with pytest.raises(ValueError, match="other content"):
        store.keep(INCIDENT, "records/look-1.json", b"[1]", "records")


def test_a_later_version_shows_and_does_not_replace_what_was_kept(store, s3):
    s3.put_object(Bucket=BUCKET, Key=f"cases/{INCIDENT}/finding.json", Body=b"{}")
    assert damage(store) == {"finding.json": "changed"}
    assert store.load_json(INCIDENT, "finding.json") == {"id": 1}


def test_a_delete_marker_shows_and_does_not_remove_what_was_kept(store, s3):
    s3.delete_object(Bucket=BUCKET, Key=f"cases/{INCIDENT}/finding.json")
    assert damage(store) == {"finding.json": "missing"}
    assert store.load_json(INCIDENT, "finding.json") == {"id": 1}


def test_a_version_that_was_deleted_past_its_lock_is_missing(store, s3):
    key = f"cases/{INCIDENT}/finding.json"
    which = version(store, "finding.json")
    s3.delete_object(Bucket=BUCKET, Key=key, VersionId=which, BypassGovernanceRetention=True)
    assert damage(store) == {"finding.json": "missing"}
    assert not store.has(INCIDENT, "finding.json")
    with pytest.raises(LookupError):
        store.load_json(INCIDENT, "finding.json")


def test_a_shortened_lock_shows(store, s3):
    soon = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime.now(UTC) + timedelta(days=1)}
    key, which = f"cases/{INCIDENT}/finding.json", version(store, "finding.json")
    s3.put_object_retention(Bucket=BUCKET, Key=key, VersionId=which, Retention=soon, BypassGovernanceRetention=True)
    assert damage(store) == {"finding.json": "unlocked"}


def test_an_added_key_shows_and_another_incidents_does_not(store, s3):
    s3.put_object(Bucket=BUCKET, Key=f"cases/{INCIDENT}/planted.json", Body=b"{}")
    s3.put_object(Bucket=BUCKET, Key=f"cases/{INCIDENT}0/other.json", Body=b"{}")
    assert damage(store) == {"planted.json": "added"}


def test_what_a_crash_left_without_a_line_is_written_again(opened, s3):
    s3.put_object(Bucket=BUCKET, Key=f"cases/{INCIDENT}/half.json", Body=b"{")
    store = opened()
    store.keep_json(INCIDENT, "half.json", {"whole": True}, "whole")
    assert store.verify(INCIDENT) == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [({"bucket": "example-plain"}, "Object Lock"), ({"bucket": "example-none"}, "NoSuchBucket")],
)
def test_a_bucket_that_cannot_hold_evidence_says_so_in_one_line(opened, settings, told):
    with pytest.raises(EvidenceUnavailable, match=told) as raised:
        opened(**settings).keep(INCIDENT, "a.json", b"1", "a")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"kind": "s3"}, "kind s3 needs bucket; add it, or set kind to folder"),
        ({"bucket": BUCKET}, "bucket goes with kind s3, not folder; set kind to s3, or remove it"),
        ({"kind": "s3", "bucket": BUCKET, "mode": "legal"}, "mode: Input should be 'governance' or 'compliance'"),
        ({"kind": "s3", "bucket": BUCKET, "retention_days": 0}, "retention_days: Input should be greater than or equal to 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused_in_one_line(settings, told):
    with pytest.raises(ValidationError) as raised:
        EvidenceStoreConfig(**settings)
    assert first_problem(raised.value).endswith(told)


def test_the_setting_leads_to_the_bucket(aws, s3, tmp_path):
    reached = AwsConfig(accounts=(OWN, EVIDENCE), endpoint_url=aws.url)
    hands = wire(Config(home=tmp_path, aws=reached, evidence_store=config()))
    hands.evidence.keep(INCIDENT, "a.json", b"1", "a")
    assert s3.get_object(Bucket=BUCKET, Key=f"cases/{INCIDENT}/a.json")["Body"].read() == b"1"


def test_a_bucket_that_is_taken_away_stops_no_phase(aws, s3, ledger, tmp_path):
    reached = Aws(AwsConfig(accounts=(OWN, EVIDENCE), endpoint_url=aws.url))
    store = EvidenceStore(Bucket(reached, config(), lambda: datetime.now(UTC)), ledger, tmp_path)
    store.keep_json(INCIDENT, "finding.json", {"id": 1}, "the finding")
    RangeClient(aws.url).fault(service="s3", code="AccessDenied", status=403, principal="*CountermandResponder*")
    store.keep_json(INCIDENT, "records/look-1.json", [1], "records")
    store.keep(INCIDENT, "instances/x/screenshot.json", b"{}", "the screen")
    assert store.load_json(INCIDENT, "finding.json") == {"id": 1}
    assert store.load_json(INCIDENT, "records/look-1.json") == [1]
    assert store.has(INCIDENT, "finding.json")
    assert set(store.take_in(INCIDENT)) == {"records/look-1.json", "instances/x/screenshot.json"}
    with pytest.raises(EvidenceUnavailable, match="AccessDenied"):
        store.damage(INCIDENT, "finding.json")
    RangeClient(aws.url).fault(clear=True)
    assert store.take_in(INCIDENT) == {}
    assert store.verify(INCIDENT) == []
    assert {item["item"] for item in store.manifest(INCIDENT)} == {
        "finding.json",
        "records/look-1.json",
        "instances/x/screenshot.json",
    }
