"""What an account is to have before anything happens: the settings of `countermand readiness` and `countermand prepare`.

In names and ARNs, `{account}` and `{region}` stand for the place that is prepared.
"""

from __future__ import annotations

import re
from typing import Literal, cast

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from incident.flow_log_format import FlowLogFormatError, parse_format

_BUCKET = r"^([a-z0-9{][a-z0-9.{}-]{1,61}[a-z0-9}])?$"
_ROLE = r"^(arn:aws[a-z-]*:iam::(\d{12}|\{account\}):role/[\w+=,.@/-]+)?$"
_NAME = r"^[A-Za-z0-9_-]{1,60}$"
_SUBFOLDER = re.compile(r"[A-Za-z0-9_.=-]+(/[A-Za-z0-9_.=-]+)*")
_RESERVED = "AWSLogs"

Part = Literal[
    "flow logs",
    "NAT gateway alarms",
    "trail",
    "GuardDuty",
    "Config recorder",
    "Security Hub",
    "change rule",
    "open ports",
]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FlowLogPlan(_Strict):
    """The flow log that each VPC gets which nothing watches.

    Attributes:
        destination: `s3` or `cloud-watch-logs`.
        bucket: the bucket, for S3.
        subfolder: what the keys begin with, for S3. AWS keeps `AWSLogs` for itself.
        log_group: the log group, for CloudWatch Logs.
        role: ARN of the role that writes to the log group; S3 needs none.
        traffic: which traffic is logged.
        interval: how long traffic is gathered into one line, in seconds.
        format: the fields as AWS writes them, such as `${srcaddr} ${dstaddr}`; empty means AWS's default.

    See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html
    """

    destination: Literal["s3", "cloud-watch-logs"] = "s3"
    bucket: str = Field(default="", pattern=_BUCKET)
    subfolder: str = ""
    log_group: str = Field(default="/countermand/flow-logs", pattern=r"^[A-Za-z0-9_./#-]{1,512}$")
    role: str = Field(default="", pattern=_ROLE)
    traffic: Literal["ALL", "ACCEPT", "REJECT"] = "ALL"
    interval: Literal[60, 600] = 600
    format: str = ""

    @field_validator("subfolder")
    @classmethod
    def _is_a_folder(cls, told: str) -> str:
        if told and not _SUBFOLDER.fullmatch(told):
            raise ValueError("give a folder such as network/flow-logs, without a slash at either end")
        if _RESERVED in told.split("/"):
            raise ValueError(f"AWS keeps the folder {_RESERVED} for itself; give another")
        return told

    @field_validator("format")
    @classmethod
    def _has_fields(cls, told: str) -> str:
        try:
            return told if not told else " ".join(f"${{{field}}}" for field in parse_format(told))
        except FlowLogFormatError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _says_what_its_destination_needs(self) -> FlowLogPlan:
        if self.destination == "s3" and self.role:
            raise ValueError("role goes with destination cloud-watch-logs; S3 needs none, so remove it")
        if self.destination == "cloud-watch-logs" and (self.bucket or self.subfolder):
            raise ValueError("bucket and subfolder go with destination s3; set destination to s3, or remove them")
        return self


class TrailPlan(_Strict):
    """The trail that an account gets which has no multi-region one with log file validation.

    Attributes:
        name: the trail's name.
        bucket: the bucket that it delivers to.
        prefix: what stands before `AWSLogs/` in the bucket.
    """

    name: str = Field(default="countermand", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,126}[A-Za-z0-9]$")
    bucket: str = Field(default="", pattern=_BUCKET)
    prefix: str = Field(default="", pattern=r"^([^/].*[^/]|[^/])?$")


class RecorderPlan(_Strict):
    """AWS Config's recorder and where it delivers.

    Attributes:
        bucket: the bucket that it delivers to.
        prefix: what stands before `AWSLogs/` in the bucket.
        role: ARN of the recorder's role; empty means Config's service-linked one.
        topic: the name of the topic that hears of every change, apart from the one that wakes people; empty means none.
    """

    bucket: str = Field(default="", pattern=_BUCKET)
    prefix: str = Field(default="", pattern=r"^([^/].*[^/]|[^/])?$")
    role: str = Field(default="", pattern=_ROLE)
    topic: str = Field(default="countermand-config-changes", pattern=r"^[A-Za-z0-9_-]{0,60}$")


class AlertPlan(_Strict):
    """The topic of alarms and of changes, in each region, and who hears of it.

    Attributes:
        topic: the topic's name.
        subscribe: e-mail addresses, and HTTPS addresses such as the gateway's `/webhooks/sns`.
    """

    topic: str = Field(default="countermand-alerts", pattern=_NAME)
    subscribe: tuple[str, ...] = ()

    @field_validator("subscribe")
    @classmethod
    def _can_be_subscribed(cls, told: tuple[str, ...]) -> tuple[str, ...]:
        for one in told:
            if not re.fullmatch(r"https://[^\s'`\\]+|[^@\s<>:/'`\\]+@[^@\s<>:/'`\\]+", one):
                raise ValueError("give e-mail addresses, or addresses that begin with https://")
        return told


class ChangeRulePlan(_Strict):
    """The EventBridge rules for changes of the network: to the topic, and to Countermand.

    Attributes:
        name: what the rules' names begin with.
        deliver_to: ARN of the API destination, queue or bus that brings events to Countermand, as the stacks' outputs name it.
        role: ARN of the role with which EventBridge calls an API destination.
        dead_letters: ARN of the queue for what could not be delivered.
    """

    name: str = Field(default="countermand-network-changes", pattern=_NAME)
    deliver_to: str = Field(default="", pattern=r"^(arn:aws[a-z-]*:(events|sqs|sns):[a-z0-9{}-]+:(\d{12}|\{account\}):\S+)?$")
    role: str = Field(default="", pattern=_ROLE)
    dead_letters: str = Field(default="", pattern=r"^(arn:aws[a-z-]*:sqs:[a-z0-9{}-]+:(\d{12}|\{account\}):\S+)?$")


class OpenPortsPlan(_Strict):
    """The Config rule for the ports that a security group may open to the internet, and what closes others.

    Attributes:
        tcp, udp: the ports that may be open; a range as `8000-8080`.
        remediate: give the rule a Systems Manager automation that takes other rules away.
        automatic: let it run by itself; otherwise a person starts it in AWS Config.
        role: ARN of the automation's role (`deployments/aws/config-open-ports.yaml` makes it).
    """

    tcp: tuple[str, ...] = ("80", "443")
    udp: tuple[str, ...] = ()
    remediate: bool = True
    automatic: bool = False
    role: str = Field(default="arn:aws:iam::{account}:role/CountermandClosePorts", pattern=_ROLE)

    @field_validator("tcp", "udp", mode="before")
    @classmethod
    def _in_words(cls, told: object) -> object:
        return [str(one) for one in cast(list[object], told)] if isinstance(told, list) else told

    @field_validator("tcp", "udp")
    @classmethod
    def _are_ports(cls, told: tuple[str, ...]) -> tuple[str, ...]:
        for one in told:
            first, _, last = one.partition("-")
            if not re.fullmatch(r"\d{1,5}(-\d{1,5})?", one) or not 0 <= int(first) <= int(last or first) <= 65535:
                raise ValueError("give ports from 0 to 65535, or a range such as 8000-8080")
        return told


class Preparation(_Strict):
    """What an account is to have.

    Attributes:
        leave: the parts that somebody else takes care of, as the organization does: they are shown, and not planned.
    """

    leave: tuple[Part, ...] = ()
    flow_logs: FlowLogPlan = FlowLogPlan()
    trail: TrailPlan = TrailPlan()
    config: RecorderPlan = RecorderPlan()
    alerts: AlertPlan = AlertPlan()
    changes: ChangeRulePlan = ChangeRulePlan()
    open_ports: OpenPortsPlan = OpenPortsPlan()


def placed(text: str, account: str, region: str) -> str:
    """A name or ARN in one account and region."""
    return text.replace("{account}", account).replace("{region}", region)
