"""Which flow logs there are, what each covers, and where in S3 its records lie.

    [PREFIX/]AWSLogs/ACCOUNT/vpcflowlogs/REGION/YYYY/MM/DD/[HH/]ACCOUNT_vpcflowlogs_REGION_FLOWLOG_YYYYMMDDTHHmmZ_….log.gz
    [PREFIX/]AWSLogs/aws-account-id=ACCOUNT/aws-service=vpcflowlogs/aws-region=REGION/year=YYYY/month=MM/day=DD/[hour=HH/]…

The second is the Hive-compatible layout. See https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-s3-path.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from incident.flow_log_format import DEFAULT_FORMAT
from incident.words import counted

AGGREGATED = timedelta(minutes=10)
"""For how long one record counts at most."""

LATE = timedelta(hours=1)
"""How much later than its traffic a file may come; AWS says about 10 minutes and gives no bound."""

_WORD = re.compile(r"\$\{([a-z][a-z0-9-]*)\}")
_FILE = re.compile(r"_(fl-[0-9a-f]+)_(\d{8}T\d{4})Z_[A-Za-z0-9]+\.log\.(gz|parquet)$")


class Destination(StrEnum):
    """Where a flow log delivers, as `LogDestinationType` has it."""

    S3 = "s3"
    LOGS = "cloud-watch-logs"
    FIREHOSE = "kinesis-data-firehose"


@dataclass(frozen=True, slots=True)
class FlowLog:
    """A flow log.

    Attributes:
        resource: the VPC, subnet, interface or transit gateway that it watches.
        destination, place: the kind, and the bucket's ARN (with its subfolder), the log group's name, or the stream's ARN.
        fields: the columns in their order.
        traffic: `ALL`, `ACCEPT` or `REJECT`.
        created: when it began.
        problem: why AWS does not deliver it; empty if it does.
        hive: whether its keys are Hive-compatible; `None` where AWS does not say.
    """

    account: str
    region: str
    id: str
    resource: str
    destination: str
    place: str
    fields: tuple[str, ...]
    traffic: str = "ALL"
    created: datetime | None = None
    problem: str = ""
    hive: bool | None = None

    @property
    def where(self) -> str:
        return f"flow log {self.id} of {self.resource} ({self.account} {self.region})"


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface, with the subnet and the VPC in which it is."""

    id: str
    subnet: str
    vpc: str

    @property
    def watched_as(self) -> frozenset[str]:
        """The resources whose flow logs record this interface."""
        return frozenset((self.id, self.subnet, self.vpc))


def read_flow_log(account: str, region: str, told: Mapping[str, Any]) -> FlowLog:
    """A flow log as DescribeFlowLogs tells it."""
    kind = str(told.get("LogDestinationType") or Destination.LOGS)
    options: Mapping[str, Any] | None = told.get("DestinationOptions")
    place = told.get("LogDestination") or ""
    if kind == Destination.LOGS:
        place = told.get("LogGroupName") or place.partition(":log-group:")[2].partition(":")[0]
    failed = told.get("DeliverLogsStatus") == "FAILED" or told.get("FlowLogStatus", "ACTIVE") != "ACTIVE"
    return FlowLog(
        account=account,
        region=region,
        id=str(told["FlowLogId"]),
        resource=str(told.get("ResourceId", "")),
        destination=kind,
        place=str(place),
        fields=tuple(_WORD.findall(str(told.get("LogFormat", "")))) or DEFAULT_FORMAT,
        traffic=str(told.get("TrafficType", "ALL")),
        created=told.get("CreationTime"),
        problem=str(told.get("DeliverLogsErrorMessage") or "it is not active") if failed else "",
        hive=None if options is None else bool(options.get("HiveCompatiblePartitions")),
    )


def bucket_of(log: FlowLog) -> tuple[str, str]:
    """The bucket and what stands before `AWSLogs/` in it, with its slash."""
    bucket, _, folder = log.place.partition(":::")[2].partition("/")
    folder = folder.strip("/")
    return bucket, f"{folder}/" if folder else ""


def day_prefixes(log: FlowLog, since: datetime, until: datetime) -> Iterator[str]:
    """The prefixes of the days in which files may tell of a window; both layouts where AWS does not say which it is."""
    _, folder = bucket_of(log)
    plain = f"{folder}AWSLogs/{log.account}/vpcflowlogs/{log.region}/"
    hive = f"{folder}AWSLogs/aws-account-id={log.account}/aws-service=vpcflowlogs/aws-region={log.region}/"
    day, last = since.astimezone(UTC).date(), (until.astimezone(UTC) + LATE).date()
    while day <= last:
        if log.hive is not True:
            yield f"{plain}{day:%Y/%m/%d}/"
        if log.hive is not False:
            yield f"{hive}year={day:%Y}/month={day:%m}/day={day:%d}/"
        day += timedelta(days=1)


def is_file_of(log: FlowLog, key: str, since: datetime, until: datetime) -> bool:
    """Whether a key is a file of the flow log that may tell of the window."""
    found = _FILE.search(key)
    if found is None or found[1] != log.id:
        return False
    try:
        named = datetime.strptime(found[2], "%Y%m%dT%H%M").replace(tzinfo=UTC)
    except ValueError:
        return False
    return since - AGGREGATED <= named <= until + LATE


def coverage_gaps(place: str, interfaces: Iterable[Interface], logs: Iterable[FlowLog]) -> list[str]:
    """What the flow logs of a region do not tell of the interfaces that are there, or tell twice, a sentence for each VPC."""
    kept = list(logs)
    none: dict[str, list[str]] = {}
    twice: dict[str, int] = {}
    for one in interfaces:
        number = sum(log.resource in one.watched_as for log in kept)
        if not number:
            none.setdefault(one.vpc, []).append(one.id)
        elif number > 1:
            twice[one.vpc] = twice.get(one.vpc, 0) + 1
    gaps = [
        f"{place}: no flow log watches {counted(len(ids), 'interface')} of {vpc} ({', '.join(sorted(ids)[:5])}"
        f"{', …' if len(ids) > 5 else ''})"
        for vpc, ids in sorted(none.items())
    ]
    return gaps + [
        f"{place}: several flow logs watch {counted(number, 'interface')} of {vpc}; their traffic may be counted more than once"
        for vpc, number in sorted(twice.items())
    ]


def gaps_of(log: FlowLog, since: datetime) -> list[str]:
    """What a flow log that is read nevertheless does not tell."""
    gaps = [f"{log.where}: AWS does not deliver it: {log.problem}"] if log.problem else []
    if log.traffic != "ALL":
        gaps.append(f"{log.where}: it keeps {log.traffic} only")
    if log.created is not None and log.created > since:
        gaps.append(f"{log.where}: it begins at {log.created:%Y-%m-%d %H:%M:%S} UTC; what was before is not known")
    return gaps
