"""Adds the partitions of a table of flow logs: the code of the stack's loader, which runs in Lambda with what is there.

A partition is a folder; `first_day` is the first day of its day, week (Monday) or month.
"""

import os
from datetime import UTC, date, datetime, timedelta

import boto3

_AT_ONCE = 100


def wanted(period, hive, first, last):
    """Each partition from one day to another, as (first day, folder)."""
    day_form = "year=%Y/month=%m/day=%d" if hive else "%Y/%m/%d"
    month_form = "year=%Y/month=%m" if hive else "%Y/%m"
    found = {}
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if period == "month":
            found[day.replace(day=1).isoformat(), day.strftime(month_form)] = None
        elif period == "week":
            found[(day - timedelta(days=day.weekday())).isoformat(), day.strftime(day_form)] = None
        else:
            found[day.isoformat(), day.strftime(day_form)] = None
    return list(found)


def handler(event, context):
    """Add what is missing from FIRST_DAY until tomorrow, so that a day is there when it begins."""
    glue = boto3.client("glue")
    table = {"DatabaseName": os.environ["DATABASE"], "TableName": os.environ["TABLE"]}
    stored = glue.get_table(DatabaseName=table["DatabaseName"], Name=table["TableName"])["Table"]["StorageDescriptor"]
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    first = date.fromisoformat(os.environ["FIRST_DAY"])
    values = wanted(os.environ["PERIOD"], os.environ["LAYOUT"] == "hive", first, tomorrow)
    added = 0
    for start in range(0, len(values), _AT_ONCE):
        some = [
            {"Values": list(one), "StorageDescriptor": {**stored, "Location": f"{stored['Location']}{one[1]}/"}}
            for one in values[start : start + _AT_ONCE]
        ]
        errors = glue.batch_create_partition(**table, PartitionInputList=some).get("Errors", [])
        bad = [one for one in errors if one["ErrorDetail"]["ErrorCode"] != "AlreadyExistsException"]
        if bad:
            raise RuntimeError(f"{len(bad)} partitions could not be added, the first: {bad[0]}")
        added += len(some) - len(errors)
    return {"added": added}
