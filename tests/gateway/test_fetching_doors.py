"""The doors that fetch for themselves, on the range's SQS, SNS and GuardDuty."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from findings import as_api, envelope, finding, notification

from drill.aws import Range, RangeConfig
from drill.client import boto_client
from gateway.doors.queue import Place, Queue
from gateway.doors.reconciler import Reconciler
from gateway.intake import ingest
from gateway.practice.configuration import granted_to, responder_credentials
from gateway.wiring import place_of
from incident.ledger import DOORS_CHAIN, INTAKE, Kind
from tasks.aws import Aws, AwsError
from tasks.config import AwsConfig, QueueConfig
from tasks.ledger import LedgerUnavailable

ACCOUNT, MEMBER, REGION = "111122223333", "444455556666", "eu-west-1"


def into(ledger):
    """What takes a delivery as the gateway does."""

    def take(raw, provenance):
        return ingest(raw, provenance, ledger)

    return take


@pytest.fixture(scope="module")
def running():
    with Range(RangeConfig(accounts=(ACCOUNT, MEMBER), regions=("us-east-1", REGION))) as aws:
        yield aws


@pytest.fixture
def aws(running, monkeypatch):
    """Our own view of the range, as the responder."""
    running.reset()
    keys = running.responder()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", keys.token)
    return Aws(AwsConfig(accounts=(ACCOUNT, MEMBER), endpoint_url=running.url))


@pytest.fixture
def queue(aws, running, ledger):
    """A queue with a dead-letter queue, and what fetches from it."""
    sqs = boto_client(running.url, "sqs", REGION, running.responder())
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    url = sqs.create_queue(QueueName="findings", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    place = Place(url, ACCOUNT, REGION, wait=0, visibility=30)

    def send(*bodies: Any) -> None:
        for body in bodies:
            sqs.send_message(QueueUrl=url, MessageBody=body if isinstance(body, str) else json.dumps(body))

    def count(of: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = sqs.get_queue_attributes(QueueUrl=of, AttributeNames=names)["Attributes"]
        return sum(map(int, told.values()))

    counts = {"left": lambda: count(url), "dead": lambda: count(dead)}
    take = into(ledger)
    return SimpleNamespace(door=Queue(place, aws, take), place=place, send=send, sqs=sqs, aws=aws, take=take, **counts)


def keys_of(ledger, kind=Kind.DELIVERY) -> list[str]:
    return [line.key for line in ledger.lines(INTAKE, kind)]


def test_what_eventbridge_and_sns_put_into_the_queue_is_taken_and_then_deleted(queue, ledger):
    queue.send(envelope(finding()), notification(envelope(finding(id="b" * 32))), envelope(finding()))
    assert queue.door.fetch() == 3
    assert len(keys_of(ledger)) == 2
    assert queue.left() == 0
    assert ledger.lines(INTAKE)[0].body["provenance"]["door"] == "sqs"


def test_nothing_is_deleted_before_it_stands_in_the_ledger(queue, ledger):
    queue.send(envelope(finding()))
    failing = [True]

    def take(raw, provenance):
        if failing.pop() if failing else False:
            raise LedgerUnavailable("away")
        return queue.take(raw, provenance)

    door = Queue(Place(**{**_parts(queue.place), "visibility": 0}), queue.aws, take)
    with pytest.raises(LedgerUnavailable):
        door.fetch()
    assert queue.left() == 1
    assert door.fetch() == 1
    assert (queue.left(), len(keys_of(ledger))) == (0, 1)


def _parts(place: Place) -> dict[str, Any]:
    return {name: getattr(place, name) for name in ("url", "account", "region", "wait", "visibility")}


@pytest.mark.parametrize("poison", ["not json", "[" * 100_000, "x" * 262_140, json.dumps({"Findings": []})], ids=range(4))
def test_a_poison_message_is_quarantined_once_and_ends_in_the_dead_letter_queue(queue, ledger, poison):
    queue.send(poison, envelope(finding()))
    for _ in range(6):
        queue.door.fetch()
    assert (queue.left(), queue.dead()) == (0, 1)
    assert len(keys_of(ledger, Kind.QUARANTINE)) == 1
    assert len(keys_of(ledger)) == 1, "a poison message holds up nothing"


def test_without_a_dead_letter_queue_a_poison_message_is_kept_in_the_ledger_alone(queue, ledger, caplog):
    url = queue.sqs.create_queue(QueueName="bare")["QueueUrl"]
    queue.sqs.send_message(QueueUrl=url, MessageBody="not json")
    Queue(Place(url, ACCOUNT, REGION, wait=0), queue.aws, queue.take).fetch()
    assert "no dead-letter queue" in caplog.text
    assert queue.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]["ApproximateNumberOfMessages"] == "0"
    assert ledger.lines(INTAKE, Kind.QUARANTINE)[0].body["text"] == "not json"


def test_a_topic_that_writes_to_the_queue_is_read_too(queue, running, ledger):
    sns = boto_client(running.url, "sns", REGION, running.responder())
    topic = sns.create_topic(Name="findings")["TopicArn"]
    arn = queue.sqs.get_queue_attributes(QueueUrl=queue.place.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    sns.publish(TopicArn=topic, Message=json.dumps(envelope(finding())))
    assert queue.door.fetch() == 1
    assert len(keys_of(ledger)) == 1


def test_a_long_poll_waits_for_a_message_and_holds_up_nobody(queue):
    door = Queue(Place(**{**_parts(queue.place), "wait": 10}), queue.aws, queue.take)
    got: list[int] = []
    polling = threading.Thread(target=lambda: got.append(door.fetch()))
    polling.start()
    queue.send(envelope(finding()))
    polling.join(5)
    assert got == [1]


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/findings", "eu-west-1"),
        (f"https://eu-west-1.queue.amazonaws.com/{ACCOUNT}/findings", "eu-west-1"),
        (f"http://127.0.0.1:5005/{ACCOUNT}/findings", "us-east-1"),
    ],
)
def test_where_a_queue_is_stands_in_its_url(url, region):
    place = place_of(QueueConfig(url=url), "us-east-1")
    assert (place.account, place.region) == (ACCOUNT, region)


@pytest.fixture
def guardduty(running, aws, ledger):
    """GuardDuty in two accounts and two regions, and what reconciles it."""
    for account in (ACCOUNT, MEMBER):
        for region in ("us-east-1", REGION):
            boto_client(running.url, "guardduty", region, running.responder(account)).create_detector(Enable=True)
    now = datetime(2026, 3, 1, 13, 0, tzinfo=UTC)

    def add(**more: Any) -> None:
        running.app.findings.add(as_api(finding(**more)))

    def reconciler() -> Reconciler:
        return Reconciler(ledger, aws, into(ledger), lambda: now)

    return SimpleNamespace(add=add, reconciler=reconciler, aws=aws)


def test_every_region_and_member_account_is_read_behind_its_watermark(guardduty, ledger):
    places = [(ACCOUNT, REGION), (ACCOUNT, "us-east-1"), (MEMBER, REGION)]
    for number, (account, region) in enumerate(places):
        guardduty.add(id=f"{number:032x}", accountId=account, region=region)
    assert guardduty.reconciler().look() == 3
    marks = {(line.body["account"], line.body["region"]) for line in ledger.lines(DOORS_CHAIN, Kind.NOTE)}
    assert marks >= set(places)
    assert guardduty.reconciler().look() == 0, "a gateway that starts again goes on from the ledger"
    guardduty.add(id=f"{9:032x}", updatedAt="2026-03-01T12:59:00.000Z")
    guardduty.add(id=f"{8:032x}", updatedAt="2026-03-01T11:00:00.000Z")
    assert guardduty.reconciler().look() == 1, "what is older than the watermark was read before"


def test_the_responders_role_may_read_what_nobody_delivered(ledger, monkeypatch):
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=("us-east-1",), granted=granted_to((ACCOUNT,)))) as aws:
        boto_client(aws.url, "guardduty", "us-east-1", aws.bootstrap()).create_detector(Enable=True)
        aws.app.findings.add(as_api(finding(accountId=ACCOUNT, region="us-east-1")))
        for name, value in responder_credentials(aws).items():
            monkeypatch.setenv(name, value)
        own = Aws(AwsConfig(accounts=(ACCOUNT,), endpoint_url=aws.url))
        reconciler = Reconciler(ledger, own, into(ledger), lambda: datetime(2026, 3, 1, 13, tzinfo=UTC))
        assert reconciler.look() == 1


def test_it_is_the_same_delivery_as_the_webhooks(guardduty, ledger):
    ingest(json.dumps(envelope(finding())).encode(), {"door": "webhook"}, ledger)
    guardduty.add()
    assert guardduty.reconciler().look() == 0
    assert len(keys_of(ledger)) == 1


def test_more_than_a_page_is_read_whole(guardduty, ledger):
    for number in range(120):
        guardduty.add(id=f"{number:032x}", updatedAt=f"2026-03-01T12:{number % 60:02d}:00.000Z")
    assert guardduty.reconciler().look() == 120


def test_archived_findings_and_those_from_long_ago_are_left_alone(guardduty, ledger):
    guardduty.add(id="a" * 32, service={"archived": True})
    guardduty.add(id="b" * 32, updatedAt="2026-02-01T00:00:00.000Z")
    assert guardduty.reconciler().look() == 0


def test_a_finding_from_ahead_does_not_hide_those_before_it(guardduty, ledger):
    guardduty.add(id="a" * 32, updatedAt="2030-01-01T00:00:00.000Z")
    assert guardduty.reconciler().look() == 1
    guardduty.add(id="b" * 32, updatedAt="2026-03-01T13:00:30.000Z")
    assert guardduty.reconciler().look() == 1


def test_a_region_that_cannot_be_read_is_said_once_and_keeps_its_watermark(guardduty, running, ledger):
    guardduty.add()
    refusing = RefusingAws(guardduty.aws, "ListFindings", REGION)
    clock = lambda: datetime(2026, 3, 1, 13, tzinfo=UTC)  # noqa: E731
    reconciler = Reconciler(ledger, refusing, into(ledger), clock)
    assert [reconciler.look(), reconciler.look()] == [0, 0]
    unread = [(line.body["account"], line.body["region"]) for line in ledger.lines(DOORS_CHAIN, Kind.COVERAGE)]
    assert sorted(unread) == [(ACCOUNT, REGION), (MEMBER, REGION)]
    refusing.failing = ""
    assert reconciler.look() == 1


class RefusingAws(Aws):
    """AWS that refuses one operation in one region."""

    def __init__(self, aws: Aws, operation: str, region: str) -> None:
        super().__init__(aws.config)
        self.failing, self.where = operation, region

    def call(self, account, region, service, operation, parameters):
        if operation == self.failing and region == self.where:
            raise AwsError(operation, "AccessDeniedException", "not allowed")
        return super().call(account, region, service, operation, parameters)


def test_when_the_ledger_is_away_the_watermark_stays(guardduty, ledger):
    guardduty.add()

    def take(raw, provenance):
        raise LedgerUnavailable("away")

    aws, clock = guardduty.aws, lambda: datetime(2026, 3, 1, 13, tzinfo=UTC)
    with pytest.raises(LedgerUnavailable):
        Reconciler(ledger, aws, take, clock, reach=timedelta(days=1)).look()
    assert not [line for line in ledger.lines(DOORS_CHAIN) if line.body["account"] == ACCOUNT and line.body["region"] == REGION]
    assert guardduty.reconciler().look() == 1
