"""The format of VPC flow logs: which fields there are, in which columns a log keeps them, and what each column holds.

See https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html and, for transit gateways,
https://docs.aws.amazon.com/vpc/latest/tgw/tgw-flow-logs.html
"""

from __future__ import annotations

import re
from typing import NamedTuple


class FlowLogField(NamedTuple):
    """A field: the version that brought it, and whether its values are whole numbers."""

    version: int
    is_number: bool = False


class FlowLogFormatError(ValueError):
    """A format that no flow log has; the message says what to give."""


FIELDS: dict[str, FlowLogField] = {
    "version": FlowLogField(2, True),
    "account-id": FlowLogField(2),
    "interface-id": FlowLogField(2),
    "srcaddr": FlowLogField(2),
    "dstaddr": FlowLogField(2),
    "srcport": FlowLogField(2, True),
    "dstport": FlowLogField(2, True),
    "protocol": FlowLogField(2, True),
    "packets": FlowLogField(2, True),
    "bytes": FlowLogField(2, True),
    "start": FlowLogField(2, True),
    "end": FlowLogField(2, True),
    "action": FlowLogField(2),
    "log-status": FlowLogField(2),
    "vpc-id": FlowLogField(3),
    "subnet-id": FlowLogField(3),
    "instance-id": FlowLogField(3),
    "tcp-flags": FlowLogField(3, True),
    "type": FlowLogField(3),
    "pkt-srcaddr": FlowLogField(3),
    "pkt-dstaddr": FlowLogField(3),
    "region": FlowLogField(4),
    "az-id": FlowLogField(4),
    "sublocation-type": FlowLogField(4),
    "sublocation-id": FlowLogField(4),
    "pkt-src-aws-service": FlowLogField(5),
    "pkt-dst-aws-service": FlowLogField(5),
    "flow-direction": FlowLogField(5),
    "traffic-path": FlowLogField(5, True),
    "resource-type": FlowLogField(6),
    "tgw-id": FlowLogField(6),
    "tgw-attachment-id": FlowLogField(6),
    "tgw-src-vpc-account-id": FlowLogField(6),
    "tgw-dst-vpc-account-id": FlowLogField(6),
    "tgw-src-vpc-id": FlowLogField(6),
    "tgw-dst-vpc-id": FlowLogField(6),
    "tgw-src-subnet-id": FlowLogField(6),
    "tgw-dst-subnet-id": FlowLogField(6),
    "tgw-src-eni": FlowLogField(6),
    "tgw-dst-eni": FlowLogField(6),
    "tgw-src-az-id": FlowLogField(6),
    "tgw-dst-az-id": FlowLogField(6),
    "tgw-pair-attachment-id": FlowLogField(6),
    "packets-lost-no-route": FlowLogField(6, True),
    "packets-lost-blackhole": FlowLogField(6, True),
    "packets-lost-mtu-exceeded": FlowLogField(6, True),
    "packets-lost-ttl-expired": FlowLogField(6, True),
    "ecs-cluster-arn": FlowLogField(7),
    "ecs-cluster-name": FlowLogField(7),
    "ecs-container-instance-arn": FlowLogField(7),
    "ecs-container-instance-id": FlowLogField(7),
    "ecs-container-id": FlowLogField(7),
    "ecs-second-container-id": FlowLogField(7),
    "ecs-service-name": FlowLogField(7),
    "ecs-task-definition-arn": FlowLogField(7),
    "ecs-task-arn": FlowLogField(7),
    "ecs-task-id": FlowLogField(7),
    "reject-reason": FlowLogField(8),
    "resource-id": FlowLogField(9),
    "encryption-status": FlowLogField(10, True),
}

DEFAULT_FORMAT = tuple(name for name, field in FIELDS.items() if field.version == 2)
"""What a flow log keeps where nobody chose a format."""

_NAME = re.compile(r"[a-z][a-z0-9-]*")
_IN_A_FORMAT = re.compile(r"\$\{([a-z0-9-]+)\}")


def column(field: str) -> str:
    """The name of a field's column in SQL, as in Parquet files: with underscores."""
    return field.replace("-", "_")


COLUMNS = {column(name): name for name in FIELDS}
"""The field that each column holds."""


def parse_format(text: str) -> tuple[str, ...]:
    """The fields of a format, from `${version} ${account-id} …` or from a file's first line, `version account-id …`.

    Raises:
        FlowLogFormatError: a word is no field, or a field comes twice.
    """
    words = text.split()
    names = tuple(match[1] if (match := _IN_A_FORMAT.fullmatch(word)) else word for word in words)
    unknown = next((name for name in names if name not in FIELDS), None)
    if unknown is not None or not names:
        raise FlowLogFormatError(
            f"{(unknown or 'nothing')[:60]!r} is no field of a flow log; give a format such as 'version srcaddr …'"
        )
    if len(set(names)) != len(names):
        raise FlowLogFormatError("the format names a field twice; each column of a flow log is one field")
    return names


def parse_header(line: str) -> tuple[str, ...]:
    """The fields that a line names, as the first line of every file in S3 does; empty if the line is no such line.

    AWS adds fields from time to time: one that is not known yet is kept, as text.
    """
    words = tuple(line.split())
    named = all(_NAME.fullmatch(word) for word in words) and len(set(words)) == len(words)
    return words if named and any(word in FIELDS for word in words) else ()
