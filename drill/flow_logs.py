"""Delivers what a scenario's flow logs record: a file in the bucket of each, as AWS writes it."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from drill.aws.config import bootstrap_keys
from drill.client import boto_client

_FIELDS = (
    "version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes", "start",
    "end", "action", "log-status",
)  # fmt: skip
_TCP = 6
_MINUTE = 60


def deliver(url: str, account: str, flows: Iterable[Mapping[str, Any]], now: float) -> list[str]:
    """Put the flows into the buckets of their flow logs, which have the default format; answers the keys of the files.

    Args:
        url: where the range is.
        account: whose flow logs they are.
        flows: each with `flow_log`, `region`, `interface`, `source`, `target`, `port` and what `drill.scenario_flows` adds.
        now: the end of each flow, in seconds since the epoch.
    """
    by_log: dict[tuple[str, str], list[str]] = {}
    for number, flow in enumerate(flows):
        by_log.setdefault((flow["region"], flow["flow_log"]), []).append(_line(account, flow, number, int(now)))
    return [_put(url, account, region, log, lines, now) for (region, log), lines in by_log.items()]


def _line(account: str, flow: Mapping[str, Any], number: int, end: int) -> str:
    told = {
        "version": 2,
        "account-id": account,
        "interface-id": flow["interface"],
        "srcaddr": flow["source"],
        "dstaddr": flow["target"],
        "srcport": 40000 + number,
        "dstport": flow["port"],
        "protocol": _TCP,
        "packets": max(1, flow["bytes"] // 1000),
        "bytes": flow["bytes"],
        "start": end - _MINUTE,
        "end": end,
        "action": flow["action"],
        "log-status": "OK",
    }
    return " ".join(str(told[name]) for name in _FIELDS)


def _put(url: str, account: str, region: str, log: str, lines: list[str], now: float) -> str:
    keys = bootstrap_keys(account)
    told = boto_client(url, "ec2", region, keys).describe_flow_logs(FlowLogIds=[log])["FlowLogs"][0]
    at = datetime.fromtimestamp(now, UTC)
    content = gzip.compress("\n".join((" ".join(_FIELDS), *lines, "")).encode(), mtime=0)
    name = f"{account}_vpcflowlogs_{region}_{log}_{at:%Y%m%dT%H%M}Z_{hashlib.sha256(content).hexdigest()[:8]}.log.gz"
    key = f"AWSLogs/{account}/vpcflowlogs/{region}/{at:%Y/%m/%d}/{name}"
    bucket = told["LogDestination"].partition(":::")[2]
    boto_client(url, "s3", region, keys).put_object(Bucket=bucket, Key=key, Body=content)
    return key
