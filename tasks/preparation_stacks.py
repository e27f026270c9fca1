"""The CloudFormation templates of what `countermand prepare` plans, for those who prepare by stacks: the same patterns, thresholds,
rule and automation, from the same place.
"""

from __future__ import annotations

from typing import Any

from incident.posture import change_rules
from incident.posture.places import PORTS_RULE
from incident.posture.preparing import DESCRIPTION, DOCUMENT_NAME
from incident.posture.readiness import NAT
from tasks.closing_ports import closing_document

Json = dict[str, Any]
CLOSING_ROLE = "CountermandClosePorts"


def templates() -> dict[str, Json]:
    """Each template by its file's name."""
    return {
        "network-changes.yaml": _network_changes(),
        "nat-gateway-alarms.yaml": _nat_alarms(),
        "config-open-ports.yaml": _open_ports(),
    }


def _template(description: str, parameters: Json, conditions: Json, resources: Json, outputs: Json) -> Json:
    made: Json = {"AWSTemplateFormatVersion": "2010-09-09", "Description": description, "Parameters": parameters}
    if conditions:
        made["Conditions"] = conditions
    return {**made, "Resources": resources, **({"Outputs": outputs} if outputs else {})}


def _if(condition: str, value: Any) -> Json:
    return {"Fn::If": [condition, value, {"Ref": "AWS::NoValue"}]}


def _given(parameter: str) -> Json:
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


def _arn(parameter_about: str) -> Json:
    return {"Type": "String", "Default": "", "AllowedPattern": "(arn:aws.*)?", "Description": parameter_about}


# --- changes of the network ---------------------------------------------------------------------------------------------------


def _network_changes() -> Json:
    rules = {f"Changes{number}": _rule(number, told) for number, told in enumerate(change_rules.patterns(), start=1)}
    return _template(
        "EventBridge rules for every change of a network that Countermand understands, to a topic for people and to Countermand. "
        "Deploy it in every region.",
        {
            "DeliverTo": _arn("ARN of the API destination or queue of guardduty-webhook.yaml or findings-queue.yaml, if any."),
            "DeliverRole": _arn("ARN of the role with which EventBridge calls an API destination."),
            "DeadLetters": _arn("ARN of the queue for what could not be delivered."),
        },
        {"Delivers": _given("DeliverTo"), "HasRole": _given("DeliverRole"), "KeepsUndelivered": _given("DeadLetters")},
        {"Topic": {"Type": "AWS::SNS::Topic"}, "TopicPolicy": _topic_policy(list(rules)), **rules},
        {"TopicArn": {"Value": {"Ref": "Topic"}, "Description": "Subscribe whoever is to hear of changes"}},
    )


def _rule(number: int, told: Json) -> Json:
    ours = {
        "Id": "countermand",
        "Arn": {"Ref": "DeliverTo"},
        "RoleArn": _if("HasRole", {"Ref": "DeliverRole"}),
        "DeadLetterConfig": _if("KeepsUndelivered", {"Arn": {"Ref": "DeadLetters"}}),
    }
    properties = {
        "Description": f"{DESCRIPTION} ({number})",
        "EventPattern": told,
        "State": "ENABLED",
        "Targets": [{"Id": "topic", "Arn": {"Ref": "Topic"}}, _if("Delivers", ours)],
    }
    return {"Type": "AWS::Events::Rule", "Properties": properties}


def _topic_policy(rules: list[str]) -> Json:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": {"Ref": "Topic"},
        "Condition": {"ArnEquals": {"aws:SourceArn": [{"Fn::GetAtt": [name, "Arn"]} for name in rules]}},
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"Type": "AWS::SNS::TopicPolicy", "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": document}}


# --- alarms -------------------------------------------------------------------------------------------------------------------


def _nat_alarms() -> Json:
    alarms = {
        alarm.metric: {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmDescription": {"Fn::Sub": f"Countermand: {alarm.about} at ${{NatGateway}}"},
                "Namespace": "AWS/NATGateway",
                "MetricName": alarm.metric,
                "Dimensions": [{"Name": "NatGatewayId", "Value": {"Ref": "NatGateway"}}],
                "Statistic": alarm.statistic,
                "Period": alarm.period,
                "EvaluationPeriods": alarm.periods,
                "Threshold": alarm.threshold,
                "ComparisonOperator": alarm.comparison,
                "TreatMissingData": "notBreaching",
                "AlarmActions": [{"Ref": "Topic"}],
            },
        }
        for alarm in NAT
    }
    return _template(
        "The two alarms that a NAT gateway is to have.",
        {
            "NatGateway": {"Type": "String", "AllowedPattern": "nat-[0-9a-f]{8,17}", "Description": "The NAT gateway's id."},
            "Topic": {"Type": "String", "AllowedPattern": "arn:aws.*:sns:.+", "Description": "ARN of the topic that is told."},
        },
        {},
        alarms,
        {},
    )


# --- open ports ---------------------------------------------------------------------------------------------------------------

_PORTS = r"(\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*)?"


def _ports(default: str, protocol: str) -> Json:
    about = f"{protocol} ports that a security group may open to the internet, as 80,8000-8080."
    return {"Type": "String", "Default": default, "AllowedPattern": _PORTS, "Description": about}


def _choice(default: str, about: str) -> Json:
    return {"Type": "String", "Default": default, "AllowedValues": ["yes", "no"], "Description": about}


def _open_ports() -> Json:
    return _template(
        "An AWS Config rule for the ports that a security group may open to the internet, and the automation that closes others. "
        "AWS Config must record in the region.",
        {
            "TcpPorts": _ports("80,443", "TCP"),
            "UdpPorts": _ports("", "UDP"),
            "Automatic": _choice("no", "Whether others are closed without a person who starts it."),
            "MakeRole": _choice("yes", "Whether to make the automation's role: in one region of the account only."),
            "MakeRule": _choice("yes", "Whether to make the rule. With no, only the role is made, for countermand prepare."),
        },
        {
            "HasTcp": _given("TcpPorts"),
            "HasUdp": _given("UdpPorts"),
            "ByItself": {"Fn::Equals": [{"Ref": "Automatic"}, "yes"]},
            "MakesRole": {"Fn::Equals": [{"Ref": "MakeRole"}, "yes"]},
            "MakesRule": {"Fn::Equals": [{"Ref": "MakeRule"}, "yes"]},
        },
        {"Role": _closing_role(), "Closing": _closing(), "Rule": _ports_rule(), "Remediation": _remediation()},
        {},
    )


def _closing_role() -> Json:
    """Only what the script calls, on the groups of this account."""
    rules = [
        {"Fn::Sub": f"arn:${{AWS::Partition}}:ec2:*:${{AWS::AccountId}}:{kind}/*"}
        for kind in ("security-group", "security-group-rule")
    ]
    allowed = [
        {"Effect": "Allow", "Action": "ec2:DescribeSecurityGroupRules", "Resource": "*"},
        {"Effect": "Allow", "Action": "ec2:RevokeSecurityGroupIngress", "Resource": rules},
    ]
    trusted = {
        "Effect": "Allow",
        "Principal": {"Service": "ssm.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    }
    properties = {
        "RoleName": CLOSING_ROLE,
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trusted]},
        "Policies": [{"PolicyName": "close-ports", "PolicyDocument": {"Version": "2012-10-17", "Statement": allowed}}],
    }
    return {"Type": "AWS::IAM::Role", "Condition": "MakesRole", "Properties": properties}


def _closing() -> Json:
    properties = {
        "Name": DOCUMENT_NAME,
        "DocumentType": "Automation",
        "DocumentFormat": "YAML",
        "UpdateMethod": "NewVersion",
        "Content": closing_document(),
    }
    return {"Type": "AWS::SSM::Document", "Condition": "MakesRule", "Properties": properties}


def _ports_rule() -> Json:
    properties = {
        "ConfigRuleName": "countermand-open-ports",
        "Description": "Only these ports may be open to the internet in a security group",
        "Source": {"Owner": "AWS", "SourceIdentifier": PORTS_RULE},
        "Scope": {"ComplianceResourceTypes": ["AWS::EC2::SecurityGroup"]},
        "InputParameters": {
            "authorizedTcpPorts": _if("HasTcp", {"Ref": "TcpPorts"}),
            "authorizedUdpPorts": _if("HasUdp", {"Ref": "UdpPorts"}),
        },
    }
    return {"Type": "AWS::Config::ConfigRule", "Condition": "MakesRule", "Properties": properties}


def _remediation() -> Json:
    def fixed(value: Any) -> Json:
        return {"StaticValue": {"Values": [value]}}

    role = {"Fn::Sub": f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{CLOSING_ROLE}"}
    properties = {
        "ConfigRuleName": {"Ref": "Rule"},
        "TargetType": "SSM_DOCUMENT",
        "TargetId": {"Ref": "Closing"},
        "Automatic": {"Fn::If": ["ByItself", True, False]},
        "MaximumAutomaticAttempts": _if("ByItself", 3),
        "RetryAttemptSeconds": _if("ByItself", 60),
        "Parameters": {
            "AutomationAssumeRole": fixed(role),
            "GroupId": {"ResourceValue": {"Value": "RESOURCE_ID"}},
            "TcpPorts": fixed({"Fn::If": ["HasTcp", {"Ref": "TcpPorts"}, "none"]}),
            "UdpPorts": fixed({"Fn::If": ["HasUdp", {"Ref": "UdpPorts"}, "none"]}),
        },
    }
    return {"Type": "AWS::Config::RemediationConfiguration", "Condition": "MakesRule", "Properties": properties}
