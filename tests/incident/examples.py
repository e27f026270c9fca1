"""Small makers of records and steps, for tests of the core."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from incident.plan import Phase, Plan, PlannedCall, Step, step_id
from incident.record import Record
from incident.settings import SettingKey, Value

ACCOUNT = "111122223333"
REGION = "us-east-1"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def record(
    name: str,
    *,
    service: str = "ec2",
    at: int = 0,
    key: str = "AKIAMALLORYEXAMPLE",
    user: str = "mallory",
    ip: str = "198.51.100.7",
    request: dict[str, Any] | None = None,
    response: dict[str, Any] | None = None,
    **more: Any,
) -> Record:
    """A record `at` seconds after noon."""
    moment = NOON + timedelta(seconds=at)
    identity = {
        "type": "IAMUser",
        "userName": user,
        "accessKeyId": key,
        "accountId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}",
    }
    return Record.parse(
        {
            "eventID": f"{name}-{at}-{user}",
            "eventName": name,
            "eventSource": f"{service}.amazonaws.com",
            "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "awsRegion": REGION,
            "recipientAccountId": ACCOUNT,
            "sourceIPAddress": ip,
            "userIdentity": identity,
            "requestParameters": request or {},
            "responseElements": response or {},
            "readOnly": False,
            **more,
        }
    )


def setting(kind: str, resource: str, name: str = "", region: str = REGION) -> SettingKey:
    return SettingKey(ACCOUNT, region, kind, resource, name)


def step(key: SettingKey, *, expects: Value = None, leaves: Value = None, phase: Phase = Phase.RECOVER, **more: Any) -> Step:
    call = PlannedCall(service="ec2", operation="DoIt", parameters={}, permissions=("ec2:DoIt",))
    fields = {"title": f"step on {key.resource}", "calls": (call,), **more}
    return Step(id=step_id(phase, key, leaves), phase=phase, key=key, expects=expects, leaves=leaves, **fields)


def plan(*steps: Step, incident: str = "inc-1") -> Plan:
    return Plan(incident=incident, title="a plan", steps=tuple(steps))
