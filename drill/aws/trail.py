"""CloudTrail: turns calls into records, keeps them by account and region, and answers LookupEvents."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from drill.aws.clock import Clock, iso
from drill.aws.config import AWS_INTERNAL, HOME_REGION
from drill.aws.errors import AwsError
from drill.aws.identity import Caller
from drill.aws.shapes import request_parameters, response_elements, storage
from drill.aws.wire import Answer, Call, parse_result

Record = dict[str, Any]

RETENTION_SECONDS = 90 * 86400
PAGE = 50

_READ_ONLY = re.compile(
    r"^(Describe|Get|List|Search|Lookup|Head|BatchGet|Select|Simulate|Filter|Query|Scan|Receive|Test|Decode|Check)"
)
# Read-only in CloudTrail's eyes, yet the calls by which identities move.
KEPT_READS = frozenset({"AssumeRole", "GetFederationToken", "GetSessionToken"})
_DATA_EVENTS = frozenset(
    {
        ("lambda", "Invoke"),
        ("logs", "PutLogEvents"),
        ("cloudwatch", "PutMetricData"),
        ("sns", "Publish"),
        *(("s3", name) for name in ("PutObject", "DeleteObject", "DeleteObjects", "CopyObject", "UploadPart")),
        *(("sqs", name) for name in ("SendMessage", "SendMessageBatch", "DeleteMessage", "DeleteMessageBatch")),
    }
)
_HOME_SERVICES = frozenset({"iam", "route53", "organizations", "cloudfront", "support", "account"})
_LAMBDA_VERSIONS = {
    "CreateEventSourceMapping": "20150331",
    "CreateFunction": "20150331",
    "DeleteEventSourceMapping": "20150331",
    "DeleteFunction": "20150331",
    "AddPermission": "20150331v2",
    "RemovePermission": "20150331v2",
    "UpdateFunctionCode": "20150331v2",
    "UpdateFunctionConfiguration": "20150331v2",
    "PutFunctionConcurrency": "20171031",
    "DeleteFunctionConcurrency": "20171031",
    "PublishLayerVersion": "20181031",
    "DeleteLayerVersion": "20181031",
    "AddLayerVersionPermission": "20181031",
    "UpdateEventSourceMapping": "20150331",
    "PublishVersion": "20150331",
    "CreateAlias": "20150331",
    "UpdateAlias": "20150331",
    "DeleteAlias": "20150331",
}
_RESOURCE_TYPES = {
    "acl": "NetworkAcl",
    "ami": "Ami",
    "eipalloc": "EIP",
    "eni": "NetworkInterface",
    "fl": "FlowLog",
    "i": "Instance",
    "igw": "InternetGateway",
    "nat": "NatGateway",
    "pcx": "VPCPeeringConnection",
    "pl": "PrefixList",
    "rtb": "RouteTable",
    "sg": "SecurityGroup",
    "snap": "Snapshot",
    "subnet": "Subnet",
    "tgw": "TransitGateway",
    "vol": "Volume",
    "vpc": "VPC",
    "vpce": "VPCEndpoint",
}
_RESOURCE_ID = re.compile(rf"\b({'|'.join(_RESOURCE_TYPES)})-[0-9a-f]{{8,17}}\b")


def is_read(operation: str) -> bool:
    """Would CloudTrail call the operation read-only?"""
    return bool(_READ_ONLY.match(operation)) or operation in KEPT_READS


def changes_something(call: Call) -> bool:
    """Is it a management call that changes state?"""
    return not is_read(call.operation) and (call.service, call.operation) not in _DATA_EVENTS


@dataclass(frozen=True)
class Kept:
    """A record, when it was made, and from when on it is shown, both in seconds since the epoch."""

    time: float
    visible_at: float
    record: Record


def make_record(call: Call, caller: Caller, answer: Answer) -> Record:
    """Write one call down as CloudTrail would.

    What a service does for somebody, or the console by itself for a person, comes without `tlsDetails`. See
    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    """
    result = parse_result(call, answer)
    error = result.get("Error") if answer.status >= 300 else None
    record: Record = {
        "eventVersion": "1.11",
        "userIdentity": caller.user_identity() | ({"invokedBy": call.invoked_by} if call.invoked_by else {}),
        "eventTime": iso(call.time),
        "eventSource": f"{call.signing_name}.amazonaws.com",
        "eventName": _event_name(call),
        "awsRegion": HOME_REGION if call.service in _HOME_SERVICES else call.region,
        "sourceIPAddress": call.source_ip,
        "userAgent": call.user_agent,
    }
    if error is not None:
        code = error.get("Code") or "InternalFailure"
        side = "Server" if answer.status >= 500 else "Client"
        record["errorCode"] = f"{side}.{code}" if call.service == "ec2" else code
        record["errorMessage"] = error.get("Message") or ""
    record |= {
        "requestParameters": request_parameters(call.service, call.operation, call.params),
        "responseElements": None
        if error is not None
        else response_elements(call.service, call.operation, answer, result, call.request_id),
        "requestID": call.request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": is_read(call.operation),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": caller.account,
        "eventCategory": "Management",
    }
    if caller.console:
        record["sessionCredentialFromConsole"] = "true"
    if not call.invoked_by and call.source_ip != AWS_INTERNAL:
        record["tlsDetails"] = {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": f"{call.signing_name}.{call.region}.amazonaws.com",
        }
    if call.operation == "AssumeRole":
        arn = str(call.params.get("RoleArn", ""))
        record["resources"] = [{"ARN": arn, "accountId": (arn.split(":") + [""] * 5)[4], "type": "AWS::IAM::Role"}]
    return record


def _event_name(call: Call) -> str:
    if call.service in ("s3", "s3control"):
        return storage.event_name(call.service, call.operation)
    if call.service == "lambda":
        return call.operation + _LAMBDA_VERSIONS.get(call.operation, "")
    return call.operation


class Trail:
    """The event history of every account and region."""

    def __init__(self, clock: Clock, delivery_lag: float = 0.0) -> None:
        self.delivery_lag = delivery_lag
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], list[Kept]] = defaultdict(list)
        self._all: list[Record] = []

    def keep(self, record: Record, time: float) -> None:
        """File a record; it becomes visible to LookupEvents after the delivery lag."""
        entry = Kept(time, time + self.delivery_lag, record)
        with self._lock:
            self._kept[record["recipientAccountId"], record["awsRegion"]].append(entry)
            self._all.append(record)

    def records(self) -> list[Record]:
        """Every record, oldest first, visible or not."""
        with self._lock:
            return list(self._all)

    def visible(self, now: float) -> list[Kept]:
        """Every record that has been delivered by `now`, oldest first in each place."""
        with self._lock:
            return [kept for place in self._kept.values() for kept in place if kept.visible_at <= now]

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._all.clear()

    def lookup(self, account: str, region: str, params: dict[str, Any]) -> dict[str, Any]:
        """LookupEvents.

        Raises:
            AwsError: The parameters are not ones that CloudTrail takes.
        """
        now = self._clock.now()
        query = _Query.parse(params, now)
        if params.get("EventCategory"):
            return {"Events": []}
        with self._lock:
            visible = [k for k in self._kept[account, region] if k.visible_at <= now]
        found = [k for k in reversed(visible) if query.wants(k)]
        found.sort(key=lambda k: -int(k.time))
        start = query.start_of_page([k.record["eventID"] for k in found])
        page = found[start : start + query.limit]
        answer: dict[str, Any] = {"Events": [_event(k) for k in page]}
        if page and start + len(page) < len(found):
            answer["NextToken"] = query.token_after(page[-1].record["eventID"])
        return answer


# ---- LookupEvents -----------------------------------------------------------------------------------------------


def _user_name(record: Record) -> str:
    identity = record["userIdentity"]
    if identity["type"] == "Root":
        return "root"
    # A caller from another account appears without its ARN.
    return str(identity.get("userName") or identity.get("arn", "").rsplit("/", 1)[-1])


def _resources(record: Record) -> list[dict[str, str]]:
    text = json.dumps([record.get("requestParameters"), record.get("responseElements")])
    found = {m.group(0): f"AWS::EC2::{_RESOURCE_TYPES[m.group(1)]}" for m in _RESOURCE_ID.finditer(text)}
    if record["eventSource"] == "iam.amazonaws.com":
        for key, kind in (("userName", "User"), ("roleName", "Role"), ("accessKeyId", "AccessKey")):
            name = (record.get("requestParameters") or {}).get(key)
            if name:
                found[name] = f"AWS::IAM::{kind}"
    if record["eventSource"] == "sts.amazonaws.com":
        found.update(_session_resources(record))
    return [{"ResourceType": kind, "ResourceName": name} for name, kind in found.items()]


def _session_resources(record: Record) -> dict[str, str]:
    """A call that hands out a session lists the key that it gave and the role behind it among its resources."""
    response = record.get("responseElements") or {}
    key = (response.get("credentials") or {}).get("accessKeyId")
    role = (record.get("requestParameters") or {}).get("roleArn")
    named = {key: "AWS::IAM::AccessKey", role: "AWS::IAM::Role"}
    return {name: kind for name, kind in named.items() if name}


_ATTRIBUTES: dict[str, Callable[[Record], list[str]]] = {
    "AccessKeyId": lambda r: [r["userIdentity"].get("accessKeyId", "")],
    "EventId": lambda r: [r["eventID"]],
    "EventName": lambda r: [r["eventName"]],
    "EventSource": lambda r: [r["eventSource"]],
    "ReadOnly": lambda r: [str(r["readOnly"]).lower()],
    "ResourceName": lambda r: [x["ResourceName"] for x in _resources(r)],
    "ResourceType": lambda r: [x["ResourceType"] for x in _resources(r)],
    "Username": lambda r: [_user_name(r)],
}


def _event(kept: Kept) -> dict[str, Any]:
    record = kept.record
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "ReadOnly": str(record["readOnly"]).lower(),
        "AccessKeyId": record["userIdentity"].get("accessKeyId", ""),
        "EventTime": datetime.fromtimestamp(int(kept.time), UTC),
        "EventSource": record["eventSource"],
        "Username": _user_name(record),
        "Resources": _resources(record),
        "CloudTrailEvent": json.dumps(record),
    }


@dataclass(frozen=True)
class _Query:
    attribute: str
    value: str
    start: float
    end: float
    limit: int
    signature: str
    token: str

    @classmethod
    def parse(cls, params: dict[str, Any], now: float) -> _Query:
        attributes = params.get("LookupAttributes") or []
        if len(attributes) > 1 or any(a.get("AttributeKey") not in _ATTRIBUTES for a in attributes):
            message = "Only one lookup attribute, of a known kind, can be given."
            raise AwsError("InvalidLookupAttributesException", message)
        limit = int(params.get("MaxResults") or PAGE)
        if not 1 <= limit <= PAGE:
            raise AwsError("InvalidMaxResultsException", f"MaxResults must be between 1 and {PAGE}.")
        asked = [_seconds(params.get("StartTime")), _seconds(params.get("EndTime"))]
        start = now - RETENTION_SECONDS if asked[0] is None else asked[0]
        end = now if asked[1] is None else asked[1]
        if None not in asked and start > end:
            raise AwsError("InvalidTimeRangeException", "The start time is after the end time.")
        signature = hashlib.sha256(json.dumps([attributes, asked], default=str).encode()).hexdigest()[:16]
        first: dict[str, str] = attributes[0] if attributes else {}
        return cls(
            attribute=first.get("AttributeKey", ""),
            value=first.get("AttributeValue", ""),
            start=max(start, now - RETENTION_SECONDS),
            end=end,
            limit=limit,
            signature=signature,
            token=params.get("NextToken") or "",
        )

    def wants(self, kept: Kept) -> bool:
        # Events have whole seconds, so a window that starts within a second includes it.
        if not int(self.start) <= int(kept.time) <= self.end:
            return False
        return not self.attribute or self.value in _ATTRIBUTES[self.attribute](kept.record)

    def token_after(self, event_id: str) -> str:
        return base64.b64encode(json.dumps([self.signature, event_id]).encode()).decode()

    def start_of_page(self, event_ids: list[str]) -> int:
        """Where the page begins: after the last event shown, however many new ones have arrived since."""
        if not self.token:
            return 0
        try:
            signature, last = json.loads(base64.b64decode(self.token))
        except ValueError as e:
            raise AwsError("InvalidNextTokenException", "The token is not valid.") from e
        if signature != self.signature:
            raise AwsError("InvalidNextTokenException", "The token belongs to a query with other parameters.")
        return event_ids.index(last) + 1 if last in event_ids else len(event_ids)


def _seconds(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float(value)
