"""A finding in both of its shapes, for tests: made here, not taken from anywhere."""

from __future__ import annotations

import json
from typing import Any

ACCOUNT = "111122223333"
FINDING_ID = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
KEY_TYPE = "UnauthorizedAccess:IAMUser/MaliciousIPCaller"
INSTANCE_TYPE = "Recon:EC2/PortProbeUnprotectedPort"

KEY_RESOURCE = {
    "resourceType": "AccessKey",
    "accessKeyDetails": {
        "accessKeyId": "AKIAMALLORYEXAMPLE",
        "principalId": "AIDAMALLORYEXAMPLE",
        "userName": "mallory",
        "userType": "IAMUser",
    },
}
INSTANCE_RESOURCE = {
    "resourceType": "Instance",
    "instanceDetails": {
        "instanceId": "i-0123456789abcdef0",
        "iamInstanceProfile": {"arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/web", "id": "AIPAEXAMPLE"},
        "networkInterfaces": [{"networkInterfaceId": "eni-1", "ipv6Addresses": []}, {"networkInterfaceId": "eni-2"}],
    },
}
API_CALL = {
    "actionType": "AWS_API_CALL",
    "awsApiCallAction": {
        "api": "AuthorizeSecurityGroupIngress",
        "serviceName": "ec2.amazonaws.com",
        "remoteIpDetails": {"ipAddressV4": "198.51.100.7", "ipAddressV6": "2001:db8::7", "country": {"countryName": "Nowhere"}},
    },
}
PORT_PROBE = {
    "actionType": "PORT_PROBE",
    "portProbeAction": {
        "blocked": False,
        "portProbeDetails": [
            {"remoteIpDetails": {"ipAddressV4": "198.51.100.7"}},
            {"remoteIpDetails": {"ipAddressV4": "198.51.100.8"}},
            {"remoteIpDetails": {"ipAddressV4": "198.51.100.7"}},
        ],
    },
}


def finding(type_: str = KEY_TYPE, *, sample: bool = False, service: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The finding as EventBridge's `detail` carries it (lowerCamel); `more` replaces fields at the top."""
    about_instance = ":EC2/" in type_
    body: dict[str, Any] = {
        "schemaVersion": "2.0",
        "accountId": ACCOUNT,
        "region": "eu-west-1",
        "partition": "aws",
        "id": FINDING_ID,
        "arn": f"arn:aws:guardduty:eu-west-1:{ACCOUNT}:detector/d0d0/finding/{FINDING_ID}",
        "type": type_,
        "resource": INSTANCE_RESOURCE if about_instance else KEY_RESOURCE,
        "service": {
            "serviceName": "guardduty",
            "detectorId": "d0d0",
            "action": PORT_PROBE if about_instance else API_CALL,
            "resourceRole": "TARGET",
            "additionalInfo": {"value": json.dumps({"sample": sample}), "type": "default"},
            "eventFirstSeen": "2026-03-01T12:00:00.000Z",
            "eventLastSeen": "2026-03-01T12:10:00.000Z",
            "archived": False,
            "count": 3,
        }
        | (service or {}),
        "severity": 8,
        "createdAt": "2026-03-01T12:05:00.123Z",
        "updatedAt": "2026-03-01T12:15:00.456Z",
        "title": "API AuthorizeSecurityGroupIngress was invoked from a known malicious IP address.",
        "description": "It was.",
    }
    return body | more


def envelope(detail: dict[str, Any]) -> dict[str, Any]:
    """The EventBridge event around a finding."""
    return {
        "version": "0",
        "id": "c8c4daa7-a20c-2f03-0070-b7393dd542ad",
        "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty",
        "account": ACCOUNT,
        "time": "2026-03-01T12:15:10Z",
        "region": "eu-west-1",
        "resources": [],
        "detail": detail,
    }


def as_api(value: Any) -> Any:
    """The same as `GetFindings` answers it: every key UpperCamel."""
    if isinstance(value, dict):
        return {name[:1].upper() + name[1:]: as_api(item) for name, item in value.items()}
    return [as_api(item) for item in value] if isinstance(value, list) else value


def notification(message: object) -> dict[str, Any]:
    """The SNS notification around a message."""
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": f"arn:aws:sns:eu-west-1:{ACCOUNT}:findings",
        "Message": message if isinstance(message, str) else json.dumps(message),
    }
