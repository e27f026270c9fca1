"""Every template of `deployments/aws`, created on the range by CloudFormation over HTTP, and what it made read back.

What moto's CloudFormation lacks the range adds (`drill/aws/corrections/stacks.py`); what it does not make is named in NOT_MADE.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import cfn_yaml

from drill.aws import Range, RangeConfig
from drill.aws.config import RESPONDER_ROLE
from drill.client import boto_client
from tasks.aws import Aws
from tasks.config import AwsConfig, EvidenceStoreConfig
from tasks.evidence import EvidenceStore
from tasks.evidence_bucket import Bucket

ACCOUNT, EVIDENCE, REGION = "111122223333", "444455556666", "us-east-1"
FOLDER = Path(__file__).resolve().parents[2] / "deployments" / "aws"
TEMPLATES = sorted(file.name for file in FOLDER.glob("*.yaml"))
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:countermand"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:countermand-alerts"
GIVEN: dict[str, dict[str, str]] = {
    "config-open-ports.yaml": {"Automatic": "true"},
    "escalation.yaml": {"Subscriber": "soc@example.com"},
    "evidence-bucket.yaml": {"BucketName": "example-evidence", "RetentionDays": "30"},
    "flow-logs-athena.yaml": {"FlowLogBucket": "example-flow-logs", "FirstDay": "2026-11-01"},
    "guardduty-webhook.yaml": {"WebhookUrl": "https://countermand.example.com/webhooks/guardduty", "WebhookKey": "k" * 40},
    "log-archive.yaml": {"Accounts": f"{ACCOUNT},{EVIDENCE}", "MakeFlowLogRole": "yes"},
    "nat-gateway-alarms.yaml": {"NatGateway": "nat-0123456789abcdef0", "Topic": TOPIC},
    "network-changes.yaml": {"DeliverTo": QUEUE, "DeadLetters": f"{QUEUE}-dead"},
    "responder-role.yaml": {
        "TrustedPrincipal": f"arn:aws:iam::{EVIDENCE}:role/Countermand",
        "ExternalId": "a-shared-secret",
        "Prepare": "yes",
        "EvidenceBucket": "example-evidence",
    },
}
NOT_MADE = {
    "config-open-ports.yaml": {
        "Remediation": "AWS Config's remediations are the range's own, and moto's CloudFormation does not reach them"
    }
}
"""By template the resources that the range does not make, and why."""

Make = Callable[[str], "Stack"]


class Stack:
    """A created stack: the ids of its resources by their logical names, their types, and its outputs."""

    def __init__(self, cloudformation: Any, name: str) -> None:
        told = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        listed = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        self.status = told["StackStatus"]
        self.outputs = {one["OutputKey"]: one["OutputValue"] for one in told.get("Outputs", [])}
        self.types = {one["LogicalResourceId"]: one["ResourceType"] for one in listed}
        self.ids = {one["LogicalResourceId"]: one.get("PhysicalResourceId", "") for one in listed}


@pytest.fixture(scope="module")
def aws():
    with Range(RangeConfig(accounts=(ACCOUNT, EVIDENCE), regions=(REGION,))) as aws:
        yield aws


@pytest.fixture(scope="module")
def client(aws) -> Callable[[str], Any]:
    return lambda service: boto_client(aws.url, service, REGION, aws.bootstrap(ACCOUNT))


@pytest.fixture(scope="module")
def make(client) -> Make:
    """Creates the stack of a template, once."""
    made: dict[str, Stack] = {}

    def create(template: str) -> Stack:
        if template not in made:
            if template == "responder-role.yaml":
                without_the_ranges_own_role(client("iam"))
            name, parameters = template.removesuffix(".yaml"), GIVEN.get(template, {})
            client("cloudformation").create_stack(
                StackName=name,
                TemplateBody=(FOLDER / template).read_text(),
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
            made[template] = Stack(client("cloudformation"), name)
        return made[template]

    return create


def without_the_ranges_own_role(iam: Any) -> None:
    role = {"RoleName": RESPONDER_ROLE}
    for name in iam.list_role_policies(**role)["PolicyNames"]:
        iam.delete_role_policy(**role, PolicyName=name)
    for policy in iam.list_attached_role_policies(**role)["AttachedPolicies"]:
        iam.detach_role_policy(**role, PolicyArn=policy["PolicyArn"])
    iam.delete_role(**role)


def resources(template: str) -> dict[str, dict[str, Any]]:
    return cfn_yaml.load(str(FOLDER / template))["Resources"]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_stack_has_every_resource_of_its_template_but_those_named(make, template):
    stack = make(template)
    assert stack.status == "CREATE_COMPLETE"
    asked, unconditional = resources(template), set[str]()
    for name, told in asked.items():
        if "Condition" not in told:
            unconditional.add(name)
    made = {name: stack.types[name] for name in stack.ids}
    assert made.items() <= {name: told["Type"] for name, told in asked.items()}.items()
    assert unconditional - set(made) == set(NOT_MADE.get(template, {})) & unconditional
    assert not set(NOT_MADE.get(template, {})) & set(made)


def test_findings_go_to_the_door_with_its_key_and_what_was_not_delivered_to_a_queue(make, client):
    stack, events = make("guardduty-webhook.yaml"), client("events")
    door = events.describe_api_destination(Name=stack.ids["Door"])
    assert door["InvocationEndpoint"] == GIVEN["guardduty-webhook.yaml"]["WebhookUrl"]
    assert (door["HttpMethod"], door["InvocationRateLimitPerSecond"]) == ("POST", 50)
    key = events.describe_connection(Name=stack.ids["Key"])
    assert key["ConnectionArn"] == door["ConnectionArn"]
    assert key["AuthParameters"]["ApiKeyAuthParameters"]["ApiKeyName"] == "X-Countermand-Key"
    rule = events.describe_rule(Name=stack.ids["Findings"])
    assert json.loads(rule["EventPattern"]) == {"source": ["aws.guardduty"], "detail-type": ["GuardDuty Finding"]}
    (target,) = events.list_targets_by_rule(Rule=stack.ids["Findings"])["Targets"]
    assert target["Arn"] == door["ApiDestinationArn"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
    dead, policy = queue(client, stack.outputs["UndeliveredQueue"])
    assert target["DeadLetterConfig"]["Arn"] == dead
    assert policy["Statement"][0]["Condition"] == {"ArnEquals": {"aws:SourceArn": rule["Arn"]}}
    role = client("iam").get_role_policy(RoleName=stack.ids["DeliveryRole"], PolicyName="deliver")["PolicyDocument"]
    assert role["Statement"][0]["Resource"] == door["ApiDestinationArn"]


def queue(client: Any, url: str) -> tuple[str, dict[str, Any]]:
    told = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "Policy"])["Attributes"]
    return told["QueueArn"], json.loads(told["Policy"])


def test_findings_go_to_a_topic_and_to_a_queue_that_is_read_five_times_at_most(make, client):
    stack = make("findings-queue.yaml")
    arn, policy = queue(client, stack.outputs["QueueUrl"])
    targets = client("events").list_targets_by_rule(Rule=stack.ids["Findings"])["Targets"]
    assert {one["Id"]: one["Arn"] for one in targets} == {"queue": arn, "topic": stack.outputs["TopicArn"]}
    assert arn in policy["Statement"][0]["Resource"]
    redrive = client("sqs").get_queue_attributes(QueueUrl=stack.outputs["QueueUrl"], AttributeNames=["RedrivePolicy"])
    assert json.loads(redrive["Attributes"]["RedrivePolicy"])["maxReceiveCount"] == 5
    topic = client("sns").get_topic_attributes(TopicArn=stack.outputs["TopicArn"])["Attributes"]
    assert json.loads(topic["Policy"])["Statement"][0]["Principal"] == {"Service": "events.amazonaws.com"}


def test_changes_of_the_network_go_to_people_and_to_countermand(make, client):
    stack = make("network-changes.yaml")
    for rule in ("Changes1", "Changes2"):
        targets = client("events").list_targets_by_rule(Rule=stack.ids[rule])["Targets"]
        assert {one["Id"]: one["Arn"] for one in targets} == {"topic": stack.outputs["TopicArn"], "countermand": QUEUE}
        assert next(one for one in targets if one["Id"] == "countermand")["DeadLetterConfig"] == {"Arn": f"{QUEUE}-dead"}


def test_a_nat_gateway_has_both_alarms(make, client):
    make("nat-gateway-alarms.yaml")
    found = {one["MetricName"]: one for one in client("cloudwatch").describe_alarms()["MetricAlarms"]}
    assert set(found) == {"BytesOutToDestination", "ErrorPortAllocation"}
    much = found["BytesOutToDestination"]
    assert (much["Statistic"], much["Period"], much["EvaluationPeriods"], much["Threshold"]) == ("Sum", 900, 1, 5_000_000)
    assert much["Dimensions"] == [{"Name": "NatGatewayId", "Value": "nat-0123456789abcdef0"}]
    assert all(one["AlarmActions"] == [TOPIC] for one in found.values())


def test_open_ports_are_watched_and_closed_by_an_automation_that_config_takes(make, client):
    stack, config = make("config-open-ports.yaml"), client("config")
    (rule,) = config.describe_config_rules(ConfigRuleNames=[stack.ids["Rule"]])["ConfigRules"]
    assert json.loads(rule["InputParameters"])["authorizedTcpPorts"] == "80,443"
    told = resources("config-open-ports.yaml")["Remediation"]["Properties"]
    parameters: dict[str, Any] = {name: {"StaticValue": {"Values": ["none"]}} for name in told["Parameters"]}
    parameters["GroupId"] = {"ResourceValue": {"Value": "RESOURCE_ID"}}
    asked = {"ConfigRuleName": stack.ids["Rule"], "TargetType": told["TargetType"], "TargetId": stack.ids["Closing"]}
    document = json.loads(client("ssm").get_document(Name=stack.ids["Closing"])["Content"])
    assert set(document["parameters"]) == set(parameters)
    # The range refuses a parameter that the document does not have.
    config.put_remediation_configurations(RemediationConfigurations=[{**asked, "Parameters": parameters}])
    (kept,) = config.describe_remediation_configurations(ConfigRuleNames=[stack.ids["Rule"]])["RemediationConfigurations"]
    assert kept["TargetId"] == "Countermand-CloseInternetPorts"


def test_logs_are_delivered_to_a_closed_bucket_by_the_named_accounts(make, client):
    stack, s3 = make("log-archive.yaml"), client("s3")
    named = {"Bucket": stack.outputs["Bucket"]}
    closed(s3, **named)
    look, deliver, tls = json.loads(s3.get_bucket_policy(**named)["Policy"])["Statement"]
    assert look["Condition"]["StringEquals"]["aws:SourceAccount"] == [ACCOUNT, EVIDENCE]
    assert deliver["Resource"] == f"arn:aws:s3:::{named['Bucket']}/*"
    assert tls["Effect"] == "Deny"
    (rule,) = s3.get_bucket_lifecycle_configuration(**named)["Rules"]
    assert rule["Expiration"]["Days"] == 365
    role = client("iam").get_role(RoleName=stack.ids["FlowLogRole"])["Role"]
    assert role["Arn"] == stack.outputs["FlowLogRoleArn"]


def closed(s3: Any, Bucket: str) -> None:
    assert all(s3.get_public_access_block(Bucket=Bucket)["PublicAccessBlockConfiguration"].values())
    assert s3.get_bucket_versioning(Bucket=Bucket)["Status"] == "Enabled"
    assert s3.get_bucket_ownership_controls(Bucket=Bucket)["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]


def test_evidence_is_kept_in_its_bucket_under_its_key_and_nobody_deletes_it(make, client, aws, ledger, monkeypatch):
    stack, s3 = make("evidence-bucket.yaml"), client("s3")
    named = {"Bucket": stack.outputs["Bucket"]}
    closed(s3, **named)
    lock = s3.get_object_lock_configuration(**named)["ObjectLockConfiguration"]
    assert lock == {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}}}
    (rule,) = s3.get_bucket_encryption(**named)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": stack.outputs["KeyArn"]}
    assert client("kms").get_key_rotation_status(KeyId=stack.ids["Key"])["KeyRotationEnabled"]

    keys = aws.bootstrap(ACCOUNT)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret)
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    settings = EvidenceStoreConfig(kind="s3", bucket=named["Bucket"], key=stack.outputs["KeyArn"], account=ACCOUNT, region=REGION)
    reached = Aws(AwsConfig(accounts=(ACCOUNT,), endpoint_url=aws.url))
    store = EvidenceStore(Bucket(reached, settings, partial(datetime.now, UTC)), ledger)
    store.keep("inc-1", "finding.json", b"{}", "the finding")
    (item,) = store.manifest("inc-1")
    assert store.verify("inc-1") == []
    with pytest.raises(s3.exceptions.ClientError, match="403"):
        s3.delete_object(**named, Key=item["key"], VersionId=item["version"], BypassGovernanceRetention=True)
    with pytest.raises(s3.exceptions.ClientError, match="403"):
        s3.delete_object(**named, Key=item["key"])
    assert store.verify("inc-1") == []


def test_flow_logs_have_a_table_a_loader_and_every_named_query(make, client):
    stack, glue, athena = make("flow-logs-athena.yaml"), client("glue"), client("athena")
    table = glue.get_table(DatabaseName=stack.outputs["DatabaseName"], Name="flow_logs")["Table"]
    assert [one["Name"] for one in table["PartitionKeys"]] == ["first_day", "folder"]
    queries = [name for name, kind in stack.types.items() if kind == "AWS::Athena::NamedQuery"]
    for name in queries:
        told = athena.get_named_query(NamedQueryId=stack.ids[name])["NamedQuery"]
        assert (told["Database"], told["WorkGroup"]) == (stack.outputs["DatabaseName"], stack.outputs["WorkgroupName"])
    assert len(queries) == 17
    workgroup = athena.get_work_group(WorkGroup=stack.outputs["WorkgroupName"])["WorkGroup"]
    assert workgroup["Configuration"]["BytesScannedCutoffPerQuery"]
    loader = client("lambda").get_function(FunctionName=stack.ids["Loader"])["Configuration"]
    (target,) = client("events").list_targets_by_rule(Rule=stack.ids["Schedule"])["Targets"]
    assert target["Arn"] == loader["FunctionArn"]
    policy = json.loads(client("s3").get_bucket_policy(Bucket=stack.outputs["ResultsBucket"])["Policy"])
    assert policy["Statement"][0]["Effect"] == "Deny"


def test_pages_go_to_a_topic_with_a_subscriber(make, client):
    stack = make("escalation.yaml")
    (subscribed,) = client("sns").list_subscriptions_by_topic(TopicArn=stack.outputs["Topic"])["Subscriptions"]
    assert (subscribed["Protocol"], subscribed["Endpoint"]) == ("email", "soc@example.com")
    policy = client("iam").get_policy(PolicyArn=stack.outputs["Policy"])["Policy"]
    assert policy["DefaultVersionId"] == "v1"


def test_the_responders_role_has_its_policies_and_boundary_and_the_denies_on_itself(make, client):
    stack, iam = make("responder-role.yaml"), client("iam")
    role = iam.get_role(RoleName=stack.ids["Responder"])["Role"]
    assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == stack.ids["Boundary"]
    trust = role["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Principal"]["AWS"] == GIVEN["responder-role.yaml"]["TrustedPrincipal"]
    assert trust["Condition"]["StringEquals"]["sts:ExternalId"] == "a-shared-secret"
    attached = iam.list_attached_role_policies(RoleName=stack.ids["Responder"])["AttachedPolicies"]
    managed = {name for name, kind in stack.types.items() if kind == "AWS::IAM::ManagedPolicy"} - {"Boundary"}
    assert {one["PolicyArn"] for one in attached} == {stack.ids[name] for name in managed}
    inline = iam.list_role_policies(RoleName=stack.ids["Responder"])["PolicyNames"]
    assert "KeepsInBucket" in inline
    assert "ReadsTrailFiles" not in inline
