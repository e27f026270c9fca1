"""CloudTrail Lake asked as the event history; a scripted Lake stands in, since the range has none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import botocore.session
import pytest
from botocore.validate import ParamValidator

from tasks import trail_lake
from tasks.aws import AwsError
from tasks.cloudtrail import Lookup
from tasks.config import AwsConfig, EventsConfig
from tasks.trail_lake import TrailLake

ACCOUNT = "111122223333"
STORE = "0a1b2c3d-f852-4e8f-8bd1-bcf6c0123456"
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
_MODEL = botocore.session.get_session().get_service_model("cloudtrail")


class Lake:
    """Answers a query in pages once it has been looked at `running` times, and checks each call against AWS's own model."""

    config = AwsConfig(home_region="eu-central-1")

    def __init__(self, *events: object, running: int = 2, status: str = "FINISHED", busy: int = 0, **store: object) -> None:
        self.texts = [one if isinstance(one, str) else json.dumps(one) for one in events]
        self.running, self.status, self.busy = running, status, busy
        self.store = {"Status": "ENABLED", "CreatedTimestamp": NOON - timedelta(days=999), **store}
        self.calls: list[tuple[str, dict]] = []
        self.places: set[tuple[str, str, str]] = set()

    def call(self, account, region, service, operation, parameters):
        report = ParamValidator().validate(parameters, _MODEL.operation_model(operation).input_shape)
        assert not report.has_errors(), report.generate_report()
        self.calls.append((operation, parameters))
        self.places.add((account, region, service))
        return getattr(self, operation)(parameters)

    def StartQuery(self, parameters):
        self.busy -= 1
        if self.busy >= 0:
            raise AwsError("StartQuery", "MaxConcurrentQueriesException", "ten are running")
        return {"QueryId": "9" * 36}

    def GetQueryResults(self, parameters):
        self.running -= 1
        if self.running >= 0:
            return {"QueryStatus": "RUNNING"}
        at = int(parameters.get("NextToken", "0" * 4))
        rows = [[{"eventJson": text}] for text in self.texts[at : at + 2]]
        token = {"NextToken": f"{at + 2:04}"} if at + 2 < len(self.texts) else {}
        return {"QueryStatus": self.status, "QueryResultRows": rows, "ErrorMessage": "no", **token}

    def GetEventDataStore(self, parameters):
        return self.store

    def CancelQuery(self, parameters):
        return {}

    @property
    def statement(self) -> str:
        return next(parameters["QueryStatement"] for operation, parameters in self.calls if operation == "StartQuery")


def ask(lake: Lake, attribute: str = "ReadOnly", value: str = "false", **settings: object):
    config = EventsConfig(source="lake", event_data_store=STORE, **settings)
    waited: list[float] = []
    lookup = Lookup(ACCOUNT, "us-east-1", attribute, value, NOON - timedelta(days=200), NOON)
    return TrailLake(lake, config, waited.append).ask(lookup)


def event(number: int, **more: object) -> dict[str, object]:
    return {
        "eventID": f"event-{number}",
        "eventName": "AuthorizeSecurityGroupIngress",
        "eventSource": "ec2.amazonaws.com",
        "eventTime": f"{NOON - timedelta(hours=number):%Y-%m-%dT%H:%M:%SZ}",
        "readOnly": False,
        "userIdentity": {"type": "IAMUser", "userName": "mallory", "accessKeyId": "AKIAMALLORY"},
        "requestParameters": {"groupId": "sg-1", "ipPermissions": {"items": [{"ipProtocol": "tcp"}]}},
        **more,
    }


def test_a_record_is_the_one_that_cloudtrail_delivered_whatever_is_nested_in_it():
    lake = Lake(event(1))
    answer = ask(lake, account="999988887777")
    assert [dict(record.raw) for record in answer.records] == [event(1)]
    assert lake.places == {("999988887777", "eu-central-1", "cloudtrail")}


def test_every_page_is_read_once_the_query_has_finished():
    lake = Lake(*(event(number) for number in range(5)), running=3)
    answer = ask(lake)
    assert [record.event_id for record in answer.records] == [f"event-{number}" for number in range(5)]
    assert [operation for operation, _ in lake.calls].count("GetQueryResults") == 6
    assert (answer.complete, answer.unreadable, answer.gaps) == (True, (), ())


@pytest.mark.parametrize(
    ("attribute", "value", "condition"),
    [
        ("ReadOnly", "false", "readOnly = false"),
        ("AccessKeyId", "AKIAMALLORY", "userIdentity.accessKeyId = 'AKIAMALLORY'"),
        ("EventSource", "ec2.amazonaws.com", "eventSource = 'ec2.amazonaws.com'"),
        ("ResourceName", "sg-1", "strpos(eventJson, 'sg-1') > 0"),
        ("ResourceName", "arn:aws:iam::1:role/x'); DROP", "strpos(eventJson, 'arn:aws:iam::1:role') > 0"),
        ("Username", "mal'lory", "strpos(eventJson, 'lory') > 0"),
    ],
)
def test_the_sql_finds_no_record_too_few_and_takes_no_word_of_an_attacker(attribute, value, condition):
    lake = Lake()
    ask(lake, attribute, value)
    assert lake.statement == (
        f"SELECT eventJson FROM {STORE} WHERE eventTime >= '2025-08-26 12:00:00' AND eventTime <= '2026-03-14 12:00:00' "
        f"AND recipientAccountId = '{ACCOUNT}' AND awsRegion = 'us-east-1' AND {condition} ORDER BY eventTime DESC LIMIT 100000"
    )


@pytest.mark.parametrize("attribute", ["AccessKeyId", "EventId", "EventName", "EventSource"])
@pytest.mark.parametrize("value", ["x' OR '1'='1", "", "a\nb", "ключ", "x\\", "x" * 300])
def test_a_value_that_no_sql_is_written_with_is_refused(attribute, value):
    lake = Lake()
    with pytest.raises(AwsError) as refused:
        ask(lake, attribute, value)
    assert refused.value.code == "UnsafeValue"
    assert lake.calls == []


def test_what_the_sql_finds_too_much_is_left_out():
    named = event(1, requestParameters={"groupId": "sg-12"})
    data = event(2, eventCategory="Data")
    answer = ask(Lake(named, data, event(3)), "ResourceName", "sg-1")
    assert [record.event_id for record in answer.records] == ["event-3"]


def test_a_row_that_is_no_record_is_named():
    answer = ask(Lake("{cut", "[]", event(3), event(4, eventTime="late")))
    assert [record.event_id for record in answer.records] == ["event-3"]
    assert len(answer.unreadable) == 3


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED", "TIMED_OUT"])
def test_a_query_that_fails_is_an_error_and_no_empty_answer(status):
    with pytest.raises(AwsError) as failed:
        ask(Lake(event(1), status=status))
    assert failed.value.code == status


def test_a_query_that_does_not_end_is_cancelled(monkeypatch):
    monkeypatch.setattr(trail_lake, "DEADLINE_SECONDS", -1)
    lake = Lake(running=10)
    with pytest.raises(AwsError, match="did not end"):
        ask(lake)
    assert lake.calls[-1][0] == "CancelQuery"


def test_a_lake_that_runs_enough_queries_is_waited_for():
    assert len(ask(Lake(event(1), busy=3)).records) == 1


def test_what_the_store_may_not_hold_is_a_gap():
    answer = ask(Lake(event(1), Status="STOPPED_INGESTION", CreatedTimestamp=NOON - timedelta(days=100)))
    assert answer.gaps == (
        "the event data store is STOPPED_INGESTION, so it may lack the newest events",
        "the event data store began on 2025-12-04; it holds earlier events only if they were copied into it",
    )


def test_an_answer_that_was_cut_says_so(monkeypatch):
    monkeypatch.setattr(trail_lake, "MOST_RECORDS", 3)
    assert not ask(Lake(*(event(number) for number in range(3)))).complete
