"""What arrives beside GuardDuty's findings: Security Hub's and CloudTrail's, made here and not taken from anywhere."""

from __future__ import annotations

from typing import Any

from findings import ACCOUNT, FINDING_ID

REGION = "eu-west-1"
HUB_ID = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:subscription/x/finding/1"
EVENT_ID = "0b7a3c1e-1111-4222-8333-944455556666"


_SSH = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22}


def asff(id_: str = HUB_ID, **more: Any) -> dict[str, Any]:
    """A Security Hub finding of an AWS service about what somebody did to a security group."""
    return {
        "SchemaVersion": "2018-10-08",
        "Id": id_,
        "ProductArn": f"arn:aws:securityhub:{REGION}::product/aws/inspector",
        "GeneratorId": "g",
        "AwsAccountId": ACCOUNT,
        "Region": REGION,
        "Types": ["TTPs/Defense Evasion/Something"],
        "CreatedAt": "2026-03-01T12:00:00Z",
        "UpdatedAt": "2026-03-01T12:15:00.456Z",
        "Severity": {"Label": "HIGH", "Normalized": 70},
        "Title": "A group was opened",
        "Description": "It was.",
        "Resources": [{"Type": "AwsEc2SecurityGroup", "Id": f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/sg-0123456789abcdef0"}],
        "RecordState": "ACTIVE",
        "Workflow": {"Status": "NEW"},
    } | more


def asff_of_guardduty(id_: str = FINDING_ID, **more: Any) -> dict[str, Any]:
    """What Security Hub makes of a GuardDuty finding."""
    said = {
        "ProductArn": f"arn:aws:securityhub:{REGION}::product/aws/guardduty",
        "Types": ["TTPs/UnauthorizedAccess:IAMUser-MaliciousIPCaller"],
        "ProductFields": {"aws/guardduty/service/count": "3"},
    }
    return asff(f"arn:aws:guardduty:{REGION}:{ACCOUNT}:detector/d0d0/finding/{id_}", **(said | more))


def imported(*findings: dict[str, Any]) -> dict[str, Any]:
    """The EventBridge event around Security Hub findings."""
    return _event("Security Hub Findings - Imported", "aws.securityhub", {"findings": list(findings)})


def record(event_id: str = EVENT_ID, cidr: str = "0.0.0.0/0", **more: Any) -> dict[str, Any]:
    """A CloudTrail record of a security group that was opened."""
    return {
        "eventVersion": "1.09",
        "eventID": event_id,
        "eventName": "AuthorizeSecurityGroupIngress",
        "eventSource": "ec2.amazonaws.com",
        "eventTime": "2026-03-01T12:00:00Z",
        "awsRegion": REGION,
        "recipientAccountId": ACCOUNT,
        "sourceIPAddress": "198.51.100.7",
        "userAgent": "aws-cli/2.15",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAMALLORYEXAMPLE",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/mallory",
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAMALLORYEXAMPLE",
            "userName": "mallory",
        },
        "requestParameters": {
            "groupId": "sg-0123456789abcdef0",
            "ipPermissions": {
                "items": [
                    {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "groups": {}, "ipRanges": {"items": [{"cidrIp": cidr}]}}
                ]
            },
        },
        "responseElements": {
            "_return": True,
            "securityGroupRuleSet": {
                "items": [
                    {
                        "groupOwnerId": ACCOUNT,
                        "groupId": "sg-0123456789abcdef0",
                        "securityGroupRuleId": "sgr-0123456789abcdef0",
                        "isEgress": False,
                        "ipProtocol": "tcp",
                        "fromPort": 22,
                        "toPort": 22,
                        "cidrIpv4": cidr,
                    }
                ]
            },
        },
        "readOnly": False,
        "managementEvent": True,
    } | more


def called(detail: dict[str, Any]) -> dict[str, Any]:
    """The EventBridge event around a CloudTrail record."""
    return _event("AWS API Call via CloudTrail", "aws.ec2", detail)


def _event(kind: str, source: str, detail: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "c8c4daa7-a20c-2f03-0070-b7393dd542ad",
        "detail-type": kind,
        "source": source,
        "account": ACCOUNT,
        "time": "2026-03-01T12:15:10Z",
        "region": REGION,
        "resources": [],
        "detail": detail,
    }
