"""Flow logs as AWS keeps them, found and read over HTTP from the range, whose responder has the generated policies."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from flow_estate import ACCOUNT, BUCKET, FORMAT, NOW, REGION, SINCE, UNTIL, Estate, packed, record
from moto.athena.models import QueryResults, athena_backends

from drill.aws import Range, RangeConfig
from drill.client import RangeClient, boto_client
from gateway.practice.configuration import granted_to, responder_credentials
from incident.flow_log_format import DEFAULT_FORMAT, FIELDS, column
from incident.flow_log_places import FlowLog
from tasks.aws import Aws
from tasks.config import AwsConfig, FlowLogsConfig
from tasks.flow_logs.athena import AthenaError, AthenaFlowLogs
from tasks.flow_logs.aws_logs import answer_from_aws
from tasks.flow_logs.fetch import Bounds, Fetcher
from tasks.flow_logs.found import find_flow_logs
from tasks.flow_logs.questions import flow_queries

GIVEN = {
    "FlowLogBucket": BUCKET,
    "FlowLogWorkgroup": "flow-logs",
    "FlowLogDatabase": "flow_logs",
    "FlowLogResults": "acme-results",
}


@pytest.fixture(scope="module")
def running():
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=(REGION,), granted=granted_to([ACCOUNT], **GIVEN))) as aws:
        yield aws


@pytest.fixture
def estate(running, monkeypatch):
    running.reset()
    for name, value in responder_credentials(running).items():
        monkeypatch.setenv(name, value)
    return Estate(running)


@pytest.fixture
def reader(running):
    return Aws(AwsConfig(accounts=(ACCOUNT,), endpoint_url=running.url))


def parquet(folder: Path, source: str) -> bytes:
    values = dict(zip(DEFAULT_FORMAT, record(source).split(), strict=True))
    numbers = {name for name, field in FIELDS.items() if field.is_number}
    told = [(value if name in numbers else f"'{value}'", column(name)) for name, value in values.items()]
    columns = ", ".join(f'{value} AS "{name}"' for value, name in told)
    duckdb.sql(f"COPY (SELECT {columns}) TO '{folder / 'x.parquet'}'")
    return (folder / "x.parquet").read_bytes()


def talkers(reader: Aws, of: str = "", bounds: Bounds | None = None) -> tuple[dict[str, int], str]:
    values = {"since": int(SINCE.timestamp()), "until": int(UNTIL.timestamp()), "most": 100}
    found = find_flow_logs(reader, [ACCOUNT], of=of)
    answers, gaps = answer_from_aws(reader, found, (SINCE, UNTIL), [(flow_queries()["top-talkers"], values)], bounds=bounds)
    return {row[0]: row[1] for answer in answers for row in answer.rows}, "\n".join(gaps)


def test_both_layouts_text_parquet_and_cloudwatch_answer_as_one(estate, reader, tmp_path):
    log = estate.log()
    estate.put(log, packed(record("198.51.100.1")), "plain")
    estate.put(log, packed(record("198.51.100.2")), "hive", at=NOW - timedelta(minutes=30))
    estate.put(log, parquet(tmp_path, "198.51.100.3"), suffix="log.parquet", at=NOW - timedelta(minutes=5))
    estate.put("fl-0dead", packed(record("203.0.113.66")))
    estate.put(log, packed(record("203.0.113.66", at=NOW - timedelta(days=1))), at=NOW - timedelta(days=1))
    estate.logs.create_log_group(logGroupName="flows")
    estate.logs.create_log_stream(logGroupName="flows", logStreamName="eni-1-all")
    told = record("198.51.100.4").split()
    event = " ".join([told[3], told[4], told[6], told[5], told[2], *told[7:]])
    events = [{"timestamp": int((NOW - timedelta(minutes=2)).timestamp() * 1000), "message": event}]
    estate.logs.put_log_events(logGroupName="flows", logStreamName="eni-1-all", logEvents=events)
    estate.log(
        estate.subnet, "Subnet", LogGroupName="flows", LogFormat=FORMAT, DeliverLogsPermissionArn="arn:aws:iam::111122223333:role/x"
    )
    talked, gaps = talkers(reader)
    assert talked == {f"198.51.100.{number}": 100 for number in (1, 2, 3, 4)}
    assert "may be counted more than once" in gaps


def test_the_logs_of_a_resource_are_its_own_and_those_around_it(estate, reader):
    log = estate.log()
    other = estate.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    estate.log(other)
    for of in (estate.vpc, estate.subnet, estate.eni):
        assert [one.id for one in find_flow_logs(reader, [ACCOUNT], of=of).logs] == [log]
    assert len(find_flow_logs(reader, [ACCOUNT]).logs) == 2


def test_no_flow_log_is_not_no_traffic(estate, reader):
    talked, gaps = talkers(reader)
    assert talked == {}
    assert f"no flow log watches 1 interface of {estate.vpc} ({estate.eni})" in gaps


def test_a_region_that_does_not_tell_its_flow_logs_is_a_gap(estate, reader):
    fault = {"service": "ec2", "operation": "DescribeFlowLogs", "code": "UnauthorizedOperation", "status": 403}
    RangeClient(estate.url).fault(**fault)
    found = find_flow_logs(reader, [ACCOUNT])
    assert [one.status for one in found.places if one.scope.region == REGION] == ["denied"]
    assert any("which flow logs there are" in gap and "UnauthorizedOperation" in gap for gap in found.gaps)


def test_a_bucket_that_is_not_ours_to_read_is_a_gap(estate, reader):
    estate.s3.create_bucket(Bucket="somebody-elses")
    estate.log(LogDestinationType="s3", LogDestination="arn:aws:s3:::somebody-elses")
    talked, gaps = talkers(reader)
    assert talked == {}
    assert "bucket somebody-elses cannot be listed: ListObjectsV2: AccessDenied" in gaps


@pytest.mark.parametrize(
    ("content", "suffix", "why"),
    [
        (packed(record("203.0.113.9"))[:-9], "log.gz", "no gzip to its end"),
        (b"plain", "log.gz", "no gzip to its end"),
        (gzip.compress(b"hello world\n", mtime=0), "log.gz", "names no fields"),
        (b"PAR1", "log.parquet", "no Parquet"),
        (packed(*[record("203.0.113.9")] * 20_000), "log.gz", "unpacks to more than"),
    ],
)
def test_a_file_that_others_spoiled_is_a_gap_and_the_rest_answers(estate, reader, content, suffix, why):
    log = estate.log()
    estate.put(log, packed(record("198.51.100.1")))
    key = estate.put(log, content, suffix=suffix, at=NOW - timedelta(minutes=10))
    talked, gaps = talkers(reader, bounds=Bounds(unpacked_bytes=2**20))
    assert talked == {"198.51.100.1": 100}
    assert key in gaps
    assert why in gaps


@pytest.mark.parametrize("bounds", [Bounds(files=1), Bounds(packed_bytes=300)])
def test_what_is_beyond_the_bounds_is_named(estate, reader, bounds):
    log = estate.log()
    estate.put(log, packed(record("198.51.100.1")), at=NOW - timedelta(minutes=20))
    key = estate.put(log, packed(record("198.51.100.2"), *[record(f"198.51.100.{one}", one) for one in range(200)]))
    talked, gaps = talkers(reader, bounds=bounds)
    assert talked == {"198.51.100.1": 100}
    assert f"what is from {key} on is missing" in gaps


def test_a_subfolder_of_the_bucket_is_read(estate, reader, tmp_path):
    estate.put("fl-0abc", packed(record("198.51.100.1")), before="central/net/")
    log = FlowLog(ACCOUNT, REGION, "fl-0abc", estate.vpc, "s3", f"arn:aws:s3:::{BUCKET}/central/net", DEFAULT_FORMAT)
    assert len(Fetcher(reader, tmp_path).fetch([log], SINCE, UNTIL).files) == 1


def test_a_group_that_is_not_there_and_a_stream_that_is_not_read_are_gaps(estate, reader, tmp_path):
    gone = FlowLog(ACCOUNT, REGION, "fl-1", estate.vpc, "cloud-watch-logs", "gone", DEFAULT_FORMAT)
    hose = FlowLog(ACCOUNT, REGION, "fl-2", estate.vpc, "kinesis-data-firehose", "arn:aws:firehose:x", DEFAULT_FORMAT)
    fetched = Fetcher(reader, tmp_path).fetch([gone, hose], SINCE, UNTIL)
    assert fetched.files == []
    assert any("log group gone cannot be read" in gap for gap in fetched.gaps)
    assert any("kinesis-data-firehose" in gap for gap in fetched.gaps)


# ---- Athena ------------------------------------------------------------------------------------------------------------

SETTINGS = FlowLogsConfig(workgroup="flow-logs", database="flow_logs")
VALUES = {"since": 1_700_000_000, "until": 1_700_003_600, "most": 10, "address": "198.51.100.7"}


@pytest.fixture
def athena(running, estate):
    client = boto_client(running.url, "athena", REGION, running.bootstrap())
    client.create_work_group(Name="flow-logs", Configuration={"ResultConfiguration": {"OutputLocation": "s3://acme-results/"}})
    return client


def test_athena_is_asked_the_same_question_with_its_parameters(running, athena, reader):
    # What Athena answers is not moto's to know: the rows are set beforehand.
    kinds = {"srcaddr": "varchar", "bytes": "bigint"}
    rows = [list(kinds), ["198.51.100.7", "4249"], ["198.51.100.8", None]]
    results = {
        "rows": [{"Data": [{"VarCharValue": cell} if cell else {} for cell in row]} for row in rows],
        "column_info": [{"Name": name, "Type": kind, "Label": name} for name, kind in kinds.items()],
    }
    athena_backends[ACCOUNT][REGION].query_results_queue.append(QueryResults(**results))
    answer = AthenaFlowLogs(reader, SETTINGS).ask(flow_queries()["top-talkers"], VALUES)
    assert answer.columns == ("srcaddr", "bytes")
    assert answer.rows == (("198.51.100.7", 4249), ("198.51.100.8", None))
    assert len(answer.doubts) == 1
    (execution,) = athena.list_query_executions()["QueryExecutionIds"]
    asked = athena.get_query_execution(QueryExecutionId=execution)["QueryExecution"]
    assert asked["QueryExecutionContext"] == {"Database": "flow_logs"}
    assert asked["Query"].count("?") == len(asked["ExecutionParameters"])
    assert "first_day BETWEEN" in asked["Query"]
    assert {"1700000000", "1700003600", "10"} == set(asked["ExecutionParameters"])


def test_athenas_refusals_and_failures_are_one_line(athena, reader):
    with pytest.raises(AthenaError, match=r"set flow_logs\.workgroup"):
        AthenaFlowLogs(reader, FlowLogsConfig())
    nowhere = AthenaFlowLogs(reader, FlowLogsConfig(workgroup="nowhere", database="x"))
    with pytest.raises(AthenaError, match="WorkGroup") as refused:
        nowhere.ask(flow_queries()["top-talkers"], VALUES)
    assert "\n" not in str(refused.value)
