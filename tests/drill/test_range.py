"""The rest of the range: dry runs, pages, faults, findings, images, and the control doors."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from drill.aws import Range, RangeConfig
from drill.client import RangeClient, RangeError
from drill.serve import parser
from tests.drill.conftest import ACCOUNT, Clients, code_of, permission


@pytest.fixture
def control(aws: Range) -> RangeClient:
    return RangeClient(aws.url)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("create_vpc", {"CidrBlock": "10.9.0.0/16"}),
        ("delete_vpc", {"VpcId": "$vpc"}),
        ("create_tags", {"Resources": ["$vpc"], "Tags": [{"Key": "a", "Value": "b"}]}),
        ("modify_vpc_peering_connection_options", {"VpcPeeringConnectionId": "pcx-1"}),
        ("describe_vpcs", {}),
    ],
)
def test_a_dry_run_changes_nothing(ec2: Any, vpc: str, method: str, params: dict[str, Any]) -> None:
    before = ec2.describe_vpcs()["Vpcs"]
    filled = json.loads(json.dumps(params).replace("$vpc", vpc))
    assert code_of(getattr(ec2, method), DryRun=True, **filled) == "DryRunOperation"
    assert ec2.describe_vpcs()["Vpcs"] == before


def test_describe_calls_have_pages(ec2: Any, vpc: str) -> None:
    for i in range(7):
        ec2.create_security_group(GroupName=f"g{i}", Description="d", VpcId=vpc)
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    first = ec2.describe_security_groups(MaxResults=5, Filters=mine)
    second = ec2.describe_security_groups(MaxResults=5, Filters=mine, NextToken=first["NextToken"])
    ids = {g["GroupId"] for g in first["SecurityGroups"] + second["SecurityGroups"]}
    assert (len(first["SecurityGroups"]), len(second["SecurityGroups"]), len(ids)) == (5, 3, 8)
    assert "NextToken" not in second
    assert code_of(ec2.describe_security_groups, NextToken=first["NextToken"]) == "InvalidNextToken"


def test_what_is_not_emulated_says_so(client: Clients, ec2: Any) -> None:
    with pytest.raises(ClientError, match="does not emulate ec2:DescribeIpams"):
        ec2.describe_ipams()
    assert code_of(client("guardduty").list_malware_protection_plans) == "UnknownOperationException"


def test_images_of_amazon_can_be_found_and_started(ec2: Any) -> None:
    images = ec2.describe_images(Owners=["amazon"])["Images"]
    assert {i["ImageId"] for i in images} >= {"ami-0a1b2c3d4e5f60001", "ami-0a1b2c3d4e5f60002"}
    assert ec2.describe_images(Owners=["self"])["Images"] == []
    ran = ec2.run_instances(ImageId=images[0]["ImageId"], MinCount=2, MaxCount=2)["Instances"]
    assert len(ran) == 2


# ---- troubles ---------------------------------------------------------------------------------------------------


def test_a_fault_hits_as_often_as_told(control: RangeClient, ec2: Any) -> None:
    control.fault(service="ec2", operation="CreateInternetGateway", code="InternalError", times=1)
    assert code_of(ec2.create_internet_gateway) == "InternalError"
    assert code_of(ec2.create_internet_gateway) == ""
    assert len(ec2.describe_internet_gateways()["InternetGateways"]) == 1


def test_a_lost_answer_has_taken_effect(control: RangeClient, ec2: Any, aws: Range) -> None:
    control.fault(service="ec2", operation="CreateInternetGateway", moment="after", times=1)
    assert code_of(ec2.create_internet_gateway) == "InternalError"
    assert len(ec2.describe_internet_gateways()["InternetGateways"]) == 1
    assert "errorCode" not in aws.app.trail.records()[-1]


def test_a_share_of_calls_fails(control: RangeClient, ec2: Any) -> None:
    control.fault(service="ec2", percent=50, code="RequestLimitExceeded", status=503)
    codes = [code_of(ec2.describe_vpcs) for _ in range(40)]
    assert 8 <= codes.count("RequestLimitExceeded") <= 32
    control.fault(clear=True)
    assert code_of(ec2.describe_vpcs) == ""


def test_any_operation_can_be_throttled(control: RangeClient, aws: Range, client: Clients) -> None:
    control.fault(service="ec2", operation="DescribeAddresses", rate=0.01, burst=1)
    ec2 = client("ec2")
    assert [code_of(ec2.describe_addresses) for _ in range(2)] == ["", "RequestLimitExceeded"]
    assert code_of(client("ec2", keys=aws.bootstrap()).describe_addresses) == ""


def test_a_wrong_fault_is_refused(control: RangeClient) -> None:
    with pytest.raises(RangeError, match="unknown key 'operations' in the fault"):
        control.fault(operations="x")


@pytest.mark.parametrize(("moment", "made"), [("before", 0), ("after", 1)])
def test_a_connection_ends_without_an_answer(control: RangeClient, ec2: Any, moment: str, made: int) -> None:
    control.fault(operation="CreateInternetGateway", drop=True, moment=moment, times=1)
    with pytest.raises(ConnectionClosedError):
        ec2.create_internet_gateway()
    assert len(ec2.describe_internet_gateways()["InternetGateways"]) == made


def test_reads_after_a_change_show_what_was_there_before(control: RangeClient, client: Clients, aws: Range) -> None:
    control.fault(service="ec2", stale_reads=2)
    ec2 = client("ec2")
    made = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    assert len(client("ec2", keys=aws.bootstrap()).describe_internet_gateways()["InternetGateways"]) == 1
    assert code_of(ec2.describe_internet_gateways, InternetGatewayIds=[made]) == "InvalidInternetGatewayID.NotFound"
    assert ec2.describe_internet_gateways()["InternetGateways"] == []
    assert [one["InternetGatewayId"] for one in ec2.describe_internet_gateways()["InternetGateways"]] == [made]
    ec2.delete_internet_gateway(InternetGatewayId=made)
    assert len(ec2.describe_internet_gateways()["InternetGateways"]) == 1
    control.fault(clear=True)
    assert ec2.describe_internet_gateways()["InternetGateways"] == []


def test_iam_is_late_too(control: RangeClient, client: Clients) -> None:
    control.fault(service="iam", stale_reads=1)
    iam = client("iam")
    iam.create_user(UserName="late")
    assert code_of(iam.get_user, UserName="late") == "NoSuchEntity"
    assert code_of(iam.get_user, UserName="late") == ""


def test_wrong_stale_reads_are_refused(control: RangeClient) -> None:
    with pytest.raises(RangeError, match="stale_reads is 0; use a whole number from 1"):
        control.fault(stale_reads=0)


# ---- findings ---------------------------------------------------------------------------------------------------


def test_findings_are_listed_read_and_archived(control: RangeClient, client: Clients) -> None:
    guardduty = client("guardduty")
    detector = guardduty.list_detectors()["DetectorIds"][0]
    for i, severity in enumerate((2.0, 8.0)):
        control.add_finding(
            {
                "AccountId": ACCOUNT,
                "Region": "us-east-1",
                "Id": f"f{i}",
                "Type": "Recon:IAMUser/TorIPCaller",
                "Severity": severity,
                "UpdatedAt": "2026-01-01T00:00:00.000Z",
                "Service": {"Archived": False},
            }
        )
    assert guardduty.list_findings(DetectorId=detector)["FindingIds"] == ["f0", "f1"]
    since = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
    criteria = {"Criterion": {"severity": {"Gte": 7}, "updatedAt": {"Gt": since}, "service.archived": {"Eq": ["false"]}}}
    assert guardduty.list_findings(DetectorId=detector, FindingCriteria=criteria)["FindingIds"] == ["f1"]
    found = guardduty.get_findings(DetectorId=detector, FindingIds=["f1", "nope"])["Findings"]
    assert [f["Severity"] for f in found] == [8.0]
    guardduty.archive_findings(DetectorId=detector, FindingIds=["f1"])
    assert guardduty.list_findings(DetectorId=detector, FindingCriteria=criteria)["FindingIds"] == []
    assert code_of(guardduty.get_findings, DetectorId="0" * 32, FindingIds=["f1"]) == "BadRequestException"


# ---- control ----------------------------------------------------------------------------------------------------


def test_calls_that_took_effect_are_listed(control: RangeClient, ec2: Any, group: str) -> None:
    code_of(ec2.revoke_security_group_ingress, GroupId=group, IpPermissions=[permission()])
    ec2.create_internet_gateway()
    calls = control.calls()
    assert [c["operation"] for c in calls] == ["CreateVpc", "CreateSecurityGroup", "CreateInternetGateway"]
    assert calls[0]["principal"].endswith("assumed-role/CountermandResponder/countermand")
    assert calls[0]["params"] == {"CidrBlock": "10.0.0.0/16"}
    refused = control.calls(since=2, refused=True)
    assert [c["errorCode"] for c in refused] == ["Client.InvalidPermission.NotFound", None]


def test_health_clock_and_reset(control: RangeClient, aws: Range, ec2: Any) -> None:
    before = aws.clock.now()
    control.advance(3600)
    assert aws.clock.now() - before >= 3600
    ec2.create_internet_gateway()
    assert control.health()["records"] == 1
    assert control.health()["regions"] == ["eu-central-1", "us-east-1"]
    control.reset()
    assert control.records() == []
    assert ec2.describe_internet_gateways()["InternetGateways"] == []


def test_the_dump_is_served_and_unrecorded(control: RangeClient, ec2: Any, group: str) -> None:
    dump = control.dump()
    assert group in [g["GroupId"] for g in dump[ACCOUNT]["us-east-1"]["security_groups"]]
    assert [r["RoleName"] for r in dump[ACCOUNT]["global"]["roles"]] == ["CountermandResponder", "AWSServiceRoleForAutoScaling"]
    assert dump == control.dump()
    assert len(control.records()) == 2


def test_a_request_without_a_signature_is_refused(aws: Range) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{aws.url}/?Action=DescribeVpcs", timeout=10)


def test_the_configuration_is_checked() -> None:
    with pytest.raises(ValueError, match="not twelve digits"):
        RangeConfig(accounts=("12",))
    with pytest.raises(ValueError, match="region 'mars-1' does not exist"):
        RangeConfig(regions=("mars-1",))


def test_the_command_line_sets_the_range_up() -> None:
    words = "--port 0 --accounts 111122223333,444455556666 --regions us-east-1,eu-west-1 --delivery-lag 5"
    config = RangeConfig(**vars(parser().parse_args(words.split())))
    assert config.accounts == ("111122223333", "444455556666")
    assert config.regions == ("us-east-1", "eu-west-1")
    assert config.delivery_lag == 5
