"""The Athena integration's template: as it is generated, whole, and its loader against the range's Glue."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from drill.aws import Range, RangeConfig
from drill.client import boto_client
from gateway.commands.flow_tables import template_text
from tasks.flow_logs.athena_stack import FORMAT, TABLE, template
from tasks.flow_logs.load_partitions import handler, wanted
from tasks.flow_logs.questions import flow_queries

ACCOUNT, REGION = "111122223333", "us-east-1"
FILE = Path(__file__).resolve().parents[2] / "deployments" / "aws" / "flow-logs-athena.yaml"
DAYS = st.dates(date(2024, 1, 1), date(2030, 1, 1))


def test_the_template_is_what_the_queries_give():
    assert FILE.read_text() == template_text()


def test_it_has_every_named_query_with_as_many_parameters_as_its_text_says():
    named = [one["Properties"] for one in template()["Resources"].values() if one["Type"] == "AWS::Athena::NamedQuery"]
    assert {one["Name"] for one in named} == set(flow_queries())
    for one in named:
        order = one["Description"].partition("in order: ")[2].partition(" (")[0].split(", ")
        assert one["QueryString"].count("?") == len(order)
        assert "first_day BETWEEN" in one["QueryString"]
        assert flow_queries()[one["Name"]].fields <= set(FORMAT)


def test_another_format_has_its_own_columns():
    made = yaml.safe_load(template_text("${srcaddr} ${bytes} ${tcp-flags}"))
    parquet, text = made["Resources"]["Table"]["Properties"]["TableInput"]["StorageDescriptor"]["Columns"]["Fn::If"][1:]
    assert [(one["Name"], one["Type"]) for one in text] == [("srcaddr", "string"), ("bytes", "bigint"), ("tcp_flags", "bigint")]
    assert [one["Type"] for one in parquet] == ["string", "bigint", "int"]


@given(DAYS, st.integers(0, 100), st.sampled_from(["day", "week", "month"]), st.booleans())
def test_every_day_lies_in_one_partition_whose_first_day_is_not_after_it(first, days, period, hive):
    last = first + timedelta(days=days)
    partitions = wanted(period, hive, first, last)
    assert len(partitions) == len(set(partitions))
    for number in range(days + 1):
        day = first + timedelta(days=number)
        folder = day.strftime("year=%Y/month=%m/day=%d" if hive else "%Y/%m/%d")
        (begins,) = [begins for begins, prefix in partitions if f"{folder}/".startswith(f"{prefix}/")]
        longest = {"day": 0, "week": 6, "month": 30}[period]
        assert timedelta(0) <= day - date.fromisoformat(begins) <= timedelta(days=longest)


@pytest.fixture(scope="module")
def running():
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=(REGION,))) as aws:
        yield aws


@pytest.mark.parametrize("period", ["day", "month"])
def test_the_loader_adds_what_is_missing_and_is_content_with_what_is_there(running, monkeypatch, period):
    running.reset()
    owner = running.bootstrap()
    first = datetime.now(UTC).date() - timedelta(days=120)
    environment = {
        "AWS_ENDPOINT_URL": running.url,
        "AWS_ACCESS_KEY_ID": owner.access_key,
        "AWS_SECRET_ACCESS_KEY": owner.secret,
        "AWS_DEFAULT_REGION": REGION,
        "DATABASE": "flow_logs_db",
        "TABLE": TABLE,
        "PERIOD": period,
        "LAYOUT": "plain",
        "FIRST_DAY": first.isoformat(),
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    glue = boto_client(running.url, "glue", REGION, owner)
    glue.create_database(DatabaseInput={"Name": "flow_logs_db"})
    keys = [{"Name": name, "Type": "string"} for name in ("first_day", "folder")]
    stored = {"Location": "s3://flows/AWSLogs/", "Columns": [{"Name": "srcaddr", "Type": "string"}]}
    glue.create_table(DatabaseName="flow_logs_db", TableInput={"Name": TABLE, "PartitionKeys": keys, "StorageDescriptor": stored})
    added = handler({}, None)["added"]
    assert added == 122 if period == "day" else math.floor(120 / 31) <= added <= 6
    assert handler({}, None)["added"] == 0
    pages = glue.get_paginator("get_partitions").paginate(DatabaseName="flow_logs_db", TableName=TABLE)
    there = [one for page in pages for one in page["Partitions"]]
    assert len(there) == added
    day = f"{datetime.now(UTC):%Y/%m/%d}" if period == "day" else f"{datetime.now(UTC):%Y/%m}"
    assert f"s3://flows/AWSLogs/{day}/" in {one["StorageDescriptor"]["Location"] for one in there}
