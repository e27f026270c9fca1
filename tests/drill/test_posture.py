"""What the range has of Security Hub, AWS Config's remediations and flow logs in folders beyond moto, as strict as AWS."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from drill.aws import Range, RangeConfig
from drill.client import boto_client

ACCOUNT, REGION = "111122223333", "eu-central-1"
STANDARD = f"arn:aws:securityhub:{REGION}::standards/aws-foundational-security-best-practices/v/1.0.0"


@pytest.fixture(scope="module")
def client():
    with Range(RangeConfig(accounts=(ACCOUNT,), regions=(REGION,))) as aws:
        yield lambda service: boto_client(aws.url, service, REGION, aws.bootstrap())


def refused(code: str):
    return pytest.raises(ClientError, match=code)


def test_a_standard_needs_security_hub_and_must_be_one(client):
    hub = client("securityhub")
    with refused("InvalidAccessException"):
        hub.get_enabled_standards()
    hub.enable_security_hub(EnableDefaultStandards=False)
    assert hub.get_enabled_standards()["StandardsSubscriptions"] == []
    with refused("InvalidInputException"):
        hub.batch_enable_standards(StandardsSubscriptionRequests=[{"StandardsArn": "arn:aws:securityhub:::ruleset/none"}])
    hub.batch_enable_standards(StandardsSubscriptionRequests=[{"StandardsArn": STANDARD}])
    assert [one["StandardsArn"] for one in hub.get_enabled_standards()["StandardsSubscriptions"]] == [STANDARD]


def test_a_remediation_needs_its_rule_its_document_and_what_automatic_ones_need(client):
    config, ssm = client("config"), client("ssm")
    told = {"ConfigRuleName": "r", "TargetType": "SSM_DOCUMENT", "TargetId": "Close", "Parameters": {}}
    with refused("NoSuchConfigRuleException"):
        config.put_remediation_configurations(RemediationConfigurations=[told])
    role = f"arn:aws:iam::{ACCOUNT}:role/x"
    config.put_configuration_recorder(ConfigurationRecorder={"name": "default", "roleARN": role})
    config.put_config_rule(
        ConfigRule={"ConfigRuleName": "r", "Source": {"Owner": "AWS", "SourceIdentifier": "ROOT_ACCOUNT_MFA_ENABLED"}}
    )
    with refused("does not exist"):
        config.put_remediation_configurations(RemediationConfigurations=[told])
    content = {"schemaVersion": "0.3", "parameters": {"GroupId": {"type": "String"}}, "mainSteps": []}
    ssm.create_document(Name="Close", Content=json.dumps(content), DocumentType="Automation", DocumentFormat="JSON")
    with refused("MaximumAutomaticAttempts"):
        config.put_remediation_configurations(RemediationConfigurations=[{**told, "Automatic": True}])
    with refused("Parameter Other"):
        other = {"Other": {"StaticValue": {"Values": ["x"]}}}
        config.put_remediation_configurations(RemediationConfigurations=[{**told, "Parameters": other}])
    config.put_remediation_configurations(RemediationConfigurations=[told])
    with refused("ResourceInUseException"):
        config.delete_config_rule(ConfigRuleName="r")
    config.delete_remediation_configuration(ConfigRuleName="r")
    assert config.describe_remediation_configurations(ConfigRuleNames=["r"])["RemediationConfigurations"] == []
    with refused("NoSuchRemediationConfigurationException"):
        config.delete_remediation_configuration(ConfigRuleName="r")


def test_a_flow_log_goes_to_a_folder_but_not_to_the_reserved_one(client):
    ec2 = client("ec2")
    client("s3").create_bucket(Bucket="logs", CreateBucketConfiguration={"LocationConstraint": REGION})
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    asked = {"ResourceIds": [vpc], "ResourceType": "VPC", "TrafficType": "ALL", "LogDestinationType": "s3"}
    with refused("reserved"):
        ec2.create_flow_logs(**asked, LogDestination="arn:aws:s3:::logs/AWSLogs/")
    ec2.create_flow_logs(**asked, LogDestination="arn:aws:s3:::logs/network/")
    assert [one["LogDestination"] for one in ec2.describe_flow_logs()["FlowLogs"]] == ["arn:aws:s3:::logs/network/"]
    with refused("FlowLogAlreadyExists"):
        ec2.create_flow_logs(**asked, LogDestination="arn:aws:s3:::logs/network/")
    failed = ec2.create_flow_logs(**asked, LogDestination="arn:aws:s3:::nosuch/network/")["Unsuccessful"]
    assert "does not exist" in failed[0]["Error"]["Message"]


def test_an_event_pattern_has_2048_characters_at_most(client):
    with refused("2048"):
        client("events").put_rule(Name="r", EventPattern=json.dumps({"source": ["x" * 2048]}))


def test_a_topic_is_named_by_its_arn(client):
    with refused("InvalidParameter"):
        client("sns").get_topic_attributes(TopicArn="alerts")


def test_an_import_keeps_the_workflow_that_people_set(client):
    hub = client("securityhub")
    told = {
        "SchemaVersion": "2018-10-08",
        "Id": "countermand/inc-1",
        "ProductArn": f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default",
        "GeneratorId": "countermand/incident",
        "AwsAccountId": ACCOUNT,
        "CreatedAt": "2026-03-01T12:00:00Z",
        "UpdatedAt": "2026-03-01T12:00:00Z",
        "Severity": {"Label": "HIGH"},
        "Title": "t",
        "Description": "d",
        "Resources": [{"Type": "AwsAccount", "Id": f"AWS::::Account:{ACCOUNT}"}],
    }
    wrong = [{**told, "Title": "t" * 257}, {**told, "AwsAccountId": "444455556666"}, {**told, "CreatedAt": "yesterday"}]
    assert hub.batch_import_findings(Findings=[told, *wrong])["FailedCount"] == len(wrong)
    identifier = {"Id": told["Id"], "ProductArn": told["ProductArn"]}
    hub.batch_update_findings(FindingIdentifiers=[identifier], Workflow={"Status": "RESOLVED"})
    hub.batch_import_findings(Findings=[{**told, "Title": "new", "Workflow": {"Status": "NEW"}}])
    (held,) = hub.get_findings()["Findings"]
    assert (held["Title"], held["Workflow"]["Status"]) == ("new", "RESOLVED")


def test_the_role_that_aws_config_makes_for_itself_has_its_name(client):
    role = client("iam").create_service_linked_role(AWSServiceName="config.amazonaws.com")["Role"]
    assert (role["RoleName"], role["Path"]) == ("AWSServiceRoleForConfig", "/aws-service-role/config.amazonaws.com/")
