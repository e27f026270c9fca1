"""The trail's files in S3, read over HTTP from the range: they answer as the event history does, and further back."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import tracemalloc
from datetime import UTC, datetime, timedelta

import direct
import pytest
from direct import apply_all, attacked

from drill.aws.faults import Throttle
from drill.aws.range import Range
from drill.aws.trail_files import BUCKET
from drill.client import RangeClient, boto_client
from drill.scenario import load
from drill.stage import Stage, range_config
from flows.case import Case
from flows.identify import _closed
from flows.inquiry import Inquiry
from incident.family import Scope
from tasks import trail_files
from tasks.aws import Aws, AwsError
from tasks.cloudtrail import Answered, EventHistory, Lookup
from tasks.config import AwsConfig, Config, EventsConfig
from tasks.hands import wire
from tasks.trail_files import TrailFiles
from tasks.work import _look_up

pytestmark = pytest.mark.served

ACCOUNT = "111122223333"
REGION = "us-east-1"
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
FOLDER = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}"


@pytest.fixture(scope="module")
def stage():
    """An attacked estate whose events have been delivered to both the event history and the trail."""
    scenario = load("foreign-network")
    with Range(range_config(scenario, trail_files=True, snapshot_seconds=0)) as aws:
        aws.app.troubles.limit(Throttle("cloudtrail", "LookupEvents", 1e6, 1e6))
        stage = Stage(scenario, aws)
        stage.build_estate()
        stage.attack()
        stage.aws = aws
        yield stage


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    """The range's responder, whatever range it is: its keys depend on the account alone."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"ASIARESP{ACCOUNT}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "responder-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"responder-token-{ACCOUNT}")


def config(aws: Range, **events: object) -> AwsConfig:
    source = EventsConfig(**{"source": "trail-files", "bucket": BUCKET, **events})
    return AwsConfig(accounts=(ACCOUNT,), endpoint_url=aws.url, events=source)


def reader(aws: Range, most: int = trail_files.MOST_UNPACKED_BYTES, **events: object) -> TrailFiles:
    settings = config(aws, **events)
    return TrailFiles(Aws(settings), settings.events, most)


def now(aws: Range) -> datetime:
    return datetime.fromtimestamp(aws.clock.now(), UTC)


def lookup(aws: Range, attribute: str, value: str, region: str = REGION, days: float = 2, account: str = ACCOUNT) -> Lookup:
    return Lookup(account, region, attribute, value, now(aws) - timedelta(days=days), now(aws))


def ids(answer: Answered) -> list[str]:
    return [record.event_id for record in answer.records]


def objects(aws: Range) -> dict[str, bytes]:
    s3 = boto_client(aws.url, "s3", REGION, aws.bootstrap())
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}


# ---- the same as the event history -------------------------------------------------------------------------------------


def _not_indexed(attribute: str, value: str) -> bool:
    """Whether the value is a resource of a type that the event history does not list; the files find its records all the same."""
    return attribute == "ResourceName" and value.split("-")[0] not in {
        "acl",
        "eni",
        "i",
        "igw",
        "pcx",
        "rtb",
        "sg",
        "subnet",
        "vpc",
    }


def questions(stage: Stage) -> list[tuple[str, str]]:
    names = stage.happened.names
    resources = [value for value in names.values() if isinstance(value, str) and "-" in value]
    keys = [key for keys in stage.happened.keys.values() for key in keys]
    asked = [("AccessKeyId", key) for key in keys] + [("ResourceName", name) for name in resources]
    asked += [("EventSource", "sts.amazonaws.com"), ("EventSource", "ec2.amazonaws.com"), ("EventName", "CreateAccessKey")]
    return [
        *asked,
        ("ReadOnly", "false"),
        ("ReadOnly", "true"),
        ("Username", "mallory"),
        ("Username", "owner"),
        ("AccessKeyId", "AKIANOBODY"),
    ]


def test_the_files_answer_every_question_as_the_event_history_does(stage, monkeypatch):
    monkeypatch.setattr("tasks.cloudtrail.CALLS_PER_SECOND", 1000)
    files, history = reader(stage.aws), EventHistory(Aws(config(stage.aws)))
    found = 0
    for region in stage.scenario.regions:
        for attribute, value in questions(stage):
            question = lookup(stage.aws, attribute, value, region)
            ours, theirs = files.ask(question), history.ask(question)
            assert set(ids(ours)) >= set(ids(theirs)), question
            assert set(ids(ours)) == set(ids(theirs)) or _not_indexed(attribute, value), question
            assert (ours.complete, ours.unreadable) == (True, ())
            found += len(ours.records)
    assert found > 100


def test_an_answer_is_newest_first_and_without_the_events_that_were_delivered_twice(stage):
    delivered = [
        record["eventID"]
        for key, packed in objects(stage.aws).items()
        if key.startswith(f"{FOLDER}/")
        for record in json.loads(gzip.decompress(packed))["Records"]
    ]
    assert len(delivered) > len(set(delivered)), "the range is to deliver some twice"
    answer = reader(stage.aws).ask(lookup(stage.aws, "ReadOnly", "false"))
    assert len(ids(answer)) == len(set(ids(answer)))
    times = [record.time for record in answer.records]
    assert times == sorted(times, reverse=True)


def test_many_questions_are_one_pass_and_a_second_pass_downloads_nothing(stage, monkeypatch):
    fetched: list[str] = []
    call = Aws.call

    def counting(self, account, region, service, operation, parameters):
        fetched.append(operation)
        return call(self, account, region, service, operation, parameters)

    monkeypatch.setattr(Aws, "call", counting)
    files = reader(stage.aws)
    keys = [key for keys in stage.happened.keys.values() for key in keys]
    answers = list(files.ask_all([lookup(stage.aws, "AccessKeyId", key) for key in keys]))
    gets = fetched.count("GetObject")
    assert gets > 0
    assert sum(len(answer.records) for answer in answers) > 0
    files.ask(lookup(stage.aws, "ReadOnly", "false"))
    assert fetched.count("GetObject") == gets


# ---- where it lies ----------------------------------------------------------------------------------------------------


def test_an_organizations_trail_below_a_prefix_is_found_for_each_account():
    layout = {"prefix": "logs/central", "organization": "o-abcdefghij"}
    scenario = load("foreign-network")
    ranged = {f"trail_{key}": value for key, value in layout.items()}
    with Range(range_config(scenario, trail_files=True, **ranged)) as aws:
        stage = Stage(scenario, aws)
        stage.build_estate()
        stage.attack()
        for account in scenario.account_ids:
            wanted = {
                record["eventID"]
                for record in aws.app.trail.records()
                if (record["recipientAccountId"], record["awsRegion"], record["readOnly"]) == (account, REGION, False)
            }
            assert set(ids(reader(aws, **layout).ask(lookup(aws, "ReadOnly", "false", account=account)))) == wanted
        assert all(key.startswith("logs/central/AWSLogs/o-abcdefghij/") for key in objects(aws))
        assert ids(reader(aws).ask(lookup(aws, "ReadOnly", "false"))) == []


def test_a_bucket_that_may_not_be_listed_is_an_error_as_of_the_event_history():
    with Range(range_config(load("open-ssh-to-world"), trail_files=True)) as aws:
        RangeClient(aws.url).fault(service="s3", operation="ListObjectsV2", code="AccessDenied", status=403)
        with pytest.raises(AwsError) as refused:
            reader(aws).ask(lookup(aws, "ReadOnly", "false"))
        assert refused.value.code == "AccessDenied"
        RangeClient(aws.url).fault(clear=True)
        with pytest.raises(AwsError, match="NoSuchBucket"):
            reader(aws, bucket="not-there").ask(lookup(aws, "ReadOnly", "false"))


# ---- files of every kind -------------------------------------------------------------------------------------------------


class Bucket:
    """A bucket into which a test puts files as CloudTrail would, in a range without events."""

    def __init__(self, aws: Range) -> None:
        self.aws = aws
        self._s3 = boto_client(aws.url, "s3", REGION, aws.bootstrap())
        self._number = 0

    def put(self, delivered: datetime, *records: object, body: bytes | None = None, name: str = "") -> str:
        self._number += 1
        stamp = f"{delivered:%Y%m%dT%H%M}Z"
        key = f"{FOLDER}/{delivered:%Y/%m/%d}/" + (name or f"{ACCOUNT}_CloudTrail_{REGION}_{stamp}_u{self._number:015}.json.gz")
        packed = gzip.compress(json.dumps({"Records": records}).encode()) if body is None else body
        self._s3.put_object(Bucket=BUCKET, Key=key, Body=packed)
        return key

    def put_digest(self, day: datetime) -> None:
        key = (
            f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/{day:%Y/%m/%d}/{ACCOUNT}_CloudTrail-Digest_{REGION}_t_{REGION}_x.json.gz"
        )
        self._s3.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(b"{}"))

    def ask(self, start: datetime, end: datetime, attribute: str = "ReadOnly", value: str = "false", **more: object) -> Answered:
        return reader(self.aws, **more).ask(Lookup(ACCOUNT, REGION, attribute, value, start, end))


@pytest.fixture(scope="module")
def _empty():
    with Range(range_config(load("open-ssh-to-world"), trail_files=True)) as aws:
        yield aws


@pytest.fixture
def bucket(_empty) -> Bucket:
    _empty.reset()
    return Bucket(_empty)


def event(number: int, at: datetime, **more: object) -> dict[str, object]:
    return {
        "eventID": f"event-{number}",
        "eventName": "CreateVpc",
        "eventSource": "ec2.amazonaws.com",
        "eventTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "awsRegion": REGION,
        "readOnly": False,
        "managementEvent": True,
        "eventCategory": "Management",
        "recipientAccountId": ACCOUNT,
        "userIdentity": {"type": "IAMUser", "userName": "mallory", "accessKeyId": "AKIAMALLORY"},
        "requestParameters": {"cidrBlock": "10.0.0.0/16", "note": "ümläut \u2028"},
        **more,
    }


HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>no such thing</html>", "cannot be unpacked"),
        (gzip.compress(json.dumps({"Records": [event(9, NOON)] * 500}).encode(), mtime=0)[:-900], "cannot be unpacked"),
        (gzip.compress(b'{"Records": [{"eventID": ', mtime=0), "broken or ends early"),
        (gzip.compress(b'{"Records": [{"a": nonsense}]}', mtime=0), "broken or ends early"),
        (gzip.compress(b'{"Records": ["' + b"\xff\xfe" + b'"]}', mtime=0), "no text in UTF-8"),
        (gzip.compress(b'{"Records": [' + b'{"a":' * 200_000 + b"1" + b"}" * 200_000 + b"]}"), "nested too deep"),
        (gzip.compress(b"[]"), "does not begin with"),
        (b"", "does not begin with"),
    ],
    ids=["no gzip", "cut packing", "cut text", "no JSON", "no UTF-8", "too deep", "no object", "empty"],
)
@pytest.mark.parametrize(("attribute", "value"), [("ReadOnly", "false"), ("AccessKeyId", "AKIAMALLORY")])
def test_a_file_that_cannot_be_read_is_named_and_hides_no_other(bucket, body, why, attribute, value):
    bucket.put(NOON, event(1, NOON - HOUR))
    broken = bucket.put(NOON, body=body)
    bucket.put(NOON, event(2, NOON - HOUR))
    answer = bucket.ask(NOON - 2 * HOUR, NOON, attribute, value)
    assert set(ids(answer)) >= {"event-1", "event-2"}
    # A file that does not hold the key at all is not parsed for it, only unpacked and looked at from both ends.
    if attribute == "ReadOnly" or why == "cannot be unpacked" or not body or not gzip.decompress(body).endswith(b"}"):
        (problem,) = answer.unreadable
        assert problem.startswith(f"{broken}: ")
        assert answer.gaps == (f"1 problem with the trail's files, one of them {problem}",)
    if attribute == "ReadOnly":
        assert why in problem


def test_what_stands_before_the_break_is_read(bucket):
    text = json.dumps({"Records": [event(1, NOON - HOUR), event(2, NOON - HOUR)]})
    bucket.put(NOON, body=gzip.compress(text[: text.index("event-2")].encode()))
    answer = bucket.ask(NOON - 2 * HOUR, NOON)
    assert ids(answer) == ["event-1"]
    assert len(answer.unreadable) == 1


def test_a_gzip_bomb_is_named_and_takes_no_memory(bucket):
    bomb = b'{"Records": [' + b" " * (64 * 2**20) + b"]}"
    bucket.put(NOON, body=gzip.compress(bomb))
    bucket.put(NOON, event(1, NOON - HOUR))
    question = Lookup(ACCOUNT, REGION, "ReadOnly", "false", NOON - 2 * HOUR, NOON)
    files = reader(bucket.aws, most=2**20)
    assert files.ask(Lookup(ACCOUNT, REGION, "ReadOnly", "false", NOON - 9 * DAY, NOON - 8 * DAY)).records == ()
    tracemalloc.start()
    answer = files.ask(question)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ids(answer) == ["event-1"]
    (problem,) = answer.unreadable
    assert "unpacks to more than 1,048,576 bytes" in problem
    assert peak < 32 * 2**20


def test_a_record_that_is_none_is_named(bucket):
    bucket.put(NOON, event(1, NOON - HOUR), "no record", {**event(2, NOON), "eventTime": "yesterday"})
    answer = bucket.ask(NOON - 2 * HOUR, NOON)
    assert ids(answer) == ["event-1"]
    assert [problem.partition(": ")[2] for problem in answer.unreadable] == [
        "a record is str",
        "event event-2: eventTime 'yesterday' is in no form that CloudTrail writes",
    ]


def test_what_is_not_a_trails_file_is_named_and_digests_are_not_read(bucket):
    bucket.put(NOON, event(1, NOON - HOUR))
    stray = bucket.put(NOON, event(2, NOON - HOUR), name="copy-of-something.json.gz")
    bucket.put_digest(NOON)
    answer = bucket.ask(NOON - 2 * HOUR, NOON)
    assert ids(answer) == ["event-1"]
    assert answer.unreadable == (f"{stray}: it is not named as a trail's file",)


def test_data_events_and_insights_are_no_answer(bucket):
    other = [event(2, NOON, managementEvent=False, eventCategory="Data"), event(3, NOON, eventCategory="Insight")]
    old = {key: value for key, value in event(4, NOON).items() if key not in ("managementEvent", "eventCategory")}
    bucket.put(NOON, event(1, NOON), *other, old)
    assert set(ids(bucket.ask(NOON - HOUR, NOON + HOUR))) == {"event-1", "event-4"}


def test_an_event_shortly_before_midnight_lies_in_the_next_days_file(bucket):
    midnight = NOON + timedelta(hours=12)
    bucket.put(midnight + timedelta(minutes=4), event(1, midnight - timedelta(minutes=1)), event(2, midnight))
    bucket.put(midnight - timedelta(minutes=1), event(3, midnight - timedelta(minutes=9)))
    answer = bucket.ask(midnight - timedelta(minutes=5), midnight - timedelta(seconds=1))
    assert ids(answer) == ["event-1"]
    assert set(ids(bucket.ask(midnight - HOUR, midnight + HOUR))) == {"event-1", "event-2", "event-3"}


def test_the_window_includes_its_seconds_as_lookup_events_does(bucket):
    bucket.put(NOON, *(event(number, NOON + timedelta(seconds=number)) for number in range(5)))
    answer = bucket.ask(NOON + timedelta(seconds=1, milliseconds=900), NOON + timedelta(seconds=3))
    assert ids(answer) == ["event-3", "event-2", "event-1"]


def test_more_files_than_a_page_lists_are_all_read(bucket, monkeypatch):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "7")
    for number in range(50):
        bucket.put(NOON + timedelta(minutes=number), event(number, NOON))
        bucket.put_digest(NOON - (number + 1) * DAY)
    answer = bucket.ask(NOON - 50 * DAY, NOON + HOUR)
    assert (len(ids(answer)), answer.gaps) == (50, ())


def test_a_limit_keeps_the_newest_and_says_that_it_cut(bucket, monkeypatch):
    monkeypatch.setattr(trail_files, "MOST_RECORDS", 3)
    for number in range(5):
        bucket.put(NOON + number * HOUR, event(number, NOON + number * HOUR))
    bucket.put(NOON, body=b"no file of a trail, and too old to be looked at")
    answer = bucket.ask(NOON - HOUR, NOON + 9 * HOUR)
    assert (ids(answer), answer.complete, answer.unreadable) == (["event-4", "event-3", "event-2"], False, ())


def test_a_day_without_a_file_is_a_gap_unless_a_digest_shows_that_the_trail_was_on(bucket):
    for day in (0, 1, 5):
        bucket.put(NOON + day * DAY, event(day, NOON + day * DAY))
    bucket.put_digest(NOON + 3 * DAY)
    answer = bucket.ask(NOON - 2 * DAY, NOON + 8 * DAY)
    assert [gap.partition(":")[0] for gap in answer.gaps] == [
        "no trail file and no digest from 2026-03-12 to 2026-03-13",
        "no trail file and no digest on 2026-03-16",
        "no trail file and no digest on 2026-03-18",
        "no trail file and no digest from 2026-03-20 to 2026-03-21",
    ]
    assert answer.complete


def test_a_gap_stands_in_the_coverage_and_every_value_is_asked(bucket, monkeypatch, tmp_path):
    bucket.put(NOON, event(1, NOON), event(2, NOON, userIdentity={"accessKeyId": "AKIAOTHER"}))
    hands = wire(Config(home=tmp_path, aws=config(bucket.aws)))
    monkeypatch.setattr("tasks.work.hands", lambda: hands)
    keys = ["AKIAMALLORY", "AKIAOTHER"]
    looked = _look_up(Scope(ACCOUNT, REGION), "AccessKeyId", keys, NOON - DAY, NOON + HOUR)
    assert {record.event_id for record in looked.records} == {"event-1", "event-2"}
    why = "no trail file and no digest on 2026-03-13: the trail may not have been on, or its files were deleted"
    assert looked.gap == ("incomplete", why)
    monkeypatch.setattr(trail_files, "MOST_RECORDS", 0)
    looked = _look_up(Scope(ACCOUNT, REGION), "AccessKeyId", keys, NOON - HOUR, NOON + HOUR)
    assert looked.gap == ("incomplete", "; ".join(f"more events than one lookup may read for AccessKeyId {key}" for key in keys))
    assert _look_up(Scope(ACCOUNT, REGION), "ResourceName", [], NOON - HOUR, NOON).gap is None


def test_archived_files_are_told_of_by_the_day(bucket):
    s3 = bucket._s3
    key = bucket.put(NOON, event(1, NOON))
    for number in (1, 2):
        copy = key.replace("_u", f"_v{number}")
        s3.put_object(Bucket=BUCKET, Key=copy, Body=b"", StorageClass="DEEP_ARCHIVE")
    answer = bucket.ask(NOON - HOUR, NOON + HOUR)
    assert ids(answer) == ["event-1"]
    assert answer.unreadable == (f"{key.rpartition('/')[0]}/: 2 files archived; restore them to have them read",)


# ---- further back than the event history ---------------------------------------------------------------------------------


@pytest.fixture(params=["foreign-network", pytest.param("network-takeover", marks=pytest.mark.slow)])
def old(request, tmp_path):
    """An attack of 120 days ago, which nobody answered; and hands that are wired to the trail's files."""
    scenario = load(request.param)
    with Range(range_config(scenario, trail_files=True, snapshot_seconds=0)) as aws:
        aws.app.troubles.limit(Throttle("cloudtrail", "LookupEvents", 1e6, 1e6))
        stage = Stage(scenario, aws)
        stage.aws = aws
        yield stage, wire(Config(home=tmp_path, aws=config(aws)), clock=lambda: now(aws))


def test_a_response_finds_and_undoes_what_the_event_history_has_forgotten(old, tmp_path, monkeypatch):
    stage, hands = old
    aws, scenario = stage.aws, stage.scenario
    monkeypatch.setattr("flows.inquiry.look_up", _without_prefect)
    monkeypatch.setattr("tasks.work.hands", lambda: hands)

    def recorded(aws: Range) -> list[dict]:
        """What identification finds of the actor, and everybody's changes, 120 days later."""
        aws.clock.advance(120 * 86400)
        history = EventHistory(hands.aws)
        forgotten = [history.ask(lookup(aws, "ReadOnly", "false", region, days=90)) for region in scenario.regions]
        assert sum(len(answer.records) for answer in forgotten) == 0
        scopes = [Scope(ACCOUNT, region) for region in sorted(aws.config.enabled)]
        hands.evidence.keep_json("inc-old", "finding.json", stage.finding().api, "the finding")
        inquiry = Inquiry(Case("inc-old", hands), scopes)
        asyncio.run(_closed(inquiry.case, 1, inquiry))
        records = inquiry.records
        # The trail is younger than a year, and that is all that is not known of any region.
        assert {status for _, status, _ in inquiry.gaps} == {"incomplete"}
        silent = [re.match("no trail file and no digest from .* to (.{10}): ", why) for _, _, why in inquiry.gaps]
        assert silent
        assert all(silent)
        assert {found[1] for found in silent} <= {f"{now(aws) - days * DAY:%Y-%m-%d}" for days in (121, 122)}
        changes = [hands.history.ask(lookup(aws, "ReadOnly", "false", scope.region, days=365)) for scope in scopes]
        found = {record.event_id: dict(record.raw) for answer in changes for record in answer.records}
        found |= {record.event_id: dict(record.raw) for record in records}
        assert set(found) >= {record["eventID"] for record in aws.app.trail.records() if not record["readOnly"]}
        return list(found.values())

    monkeypatch.setattr(direct, "recorded", recorded)
    monkeypatch.setattr(direct, "Stage", lambda scenario, aws: stage)
    world = attacked(aws, scenario, tmp_path)
    outcomes = apply_all(world.executor(), world.plans)
    assert [outcome for outcome in outcomes if not outcome.good] == []
    judged = world.judged()
    assert (judged.differences, judged.leftovers) == ([], [])


async def _without_prefect(scope, attribute, values, start, end):
    return await asyncio.to_thread(_look_up, scope, attribute, values, start, end)
