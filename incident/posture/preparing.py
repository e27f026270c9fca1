"""What a place lacks, as settings with the values that they must have.

What needs a setting of ours, or a resource that only a person should make, is left to people and named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from incident.network.flow_log import DEFAULT_FORMAT
from incident.network.values import items, mapping, text
from incident.posture import change_rules
from incident.posture.checks import CHANGES, FLOW_LOGS, GUARDDUTY, HUB, NAT_ALARMS, PORTS, RECORDER, TRAIL, Check, State
from incident.posture.goals import Goals
from incident.posture.places import PORTS_RULE, NotKnown, Place
from incident.posture.preparation import Preparation, placed
from incident.posture.readiness import (
    FIFTEEN_MINUTES,
    NatAlarm,
    ports_parameters,
    standard_arn,
    topic_arn,
    unlogged,
    unset,
    unwarned,
)
from incident.resources.event_rule import RULE, TARGET
from incident.resources.identity import GLOBAL
from incident.resources.preparing import recording, warning, watching
from incident.settings import SettingKey, Value


def goals(places: Iterable[Place], checks: Iterable[Check], wanted: Preparation, closing: Mapping[str, Any]) -> Goals:
    """What every place lacks, as settings. What is not known is left to people: a plan rests on what was read."""
    found = Goals(closing)
    here = {(place.account, place.region): place for place in places}
    for check in checks:
        place = here.get((check.account, check.region))
        if place is None or check.part not in _PLANNERS or check.elsewhere:
            continue
        if check.state is State.MISSING:
            try:
                _PLANNERS[check.part](place, wanted, found)
            except NotKnown as unknown:
                found.leave(place, check.part, unknown.gap.why, "let the role read it, and plan again", "unread")
        elif check.state in (State.DENIED, State.UNKNOWN):
            found.leave(place, check.part, check.detail, check.next, "unread")
    return found


# --- each part ----------------------------------------------------------------------------------------------------------------


def _key(place: Place, kind: str, resource: str, name: str = "") -> SettingKey:
    return SettingKey(place.account, place.region, kind, resource, name)


def _at(place: Place, words: str) -> str:
    return placed(words, place.account, place.region)


def _where(place: Place) -> str:
    return f"in {place.account} {place.region}"


def _flow_logs(place: Place, wanted: Preparation, into: Goals) -> None:
    asked = wanted.flow_logs
    if setting := unset(place, wanted, FLOW_LOGS):
        into.leave(place, FLOW_LOGS, f"{setting} is not set", "deployments/aws/log-archive.yaml makes it; set it")
        return
    value, where = _flow_log_value(place, wanted)
    for vpc in unlogged(place, wanted):
        title = f"Log the {asked.traffic.lower()} traffic of {vpc} every {asked.interval} s to {where}"
        into.want(FLOW_LOGS, _key(place, watching.FLOW_LOG_OF, vpc, where), value, title)


def _flow_log_value(place: Place, wanted: Preparation) -> tuple[dict[str, Any], str]:
    asked = wanted.flow_logs
    value: dict[str, Any] = {
        "TrafficType": asked.traffic,
        "LogDestinationType": asked.destination,
        "MaxAggregationInterval": asked.interval,
        "LogFormat": asked.format or DEFAULT_FORMAT,
    }
    if asked.destination == "cloud-watch-logs":
        group = _at(place, asked.log_group)
        return {**value, "LogGroupName": group, "DeliverLogsPermissionArn": _at(place, asked.role)}, group
    folder = f"{asked.subfolder}/" if asked.subfolder else ""
    partition = standard_arn(place.region).split(":")[1]
    arn = f"arn:{partition}:s3:::{_at(place, asked.bucket)}" + (f"/{folder}" if folder else "")
    return {**value, "LogDestination": arn}, arn


def _topic(place: Place, wanted: Preparation, part: str, into: Goals) -> SettingKey:
    """The topic of alerts, and its subscriptions."""
    topic = _open_topic(place, wanted.alerts.topic, part, into)
    arn = topic.resource
    for endpoint in wanted.alerts.subscribe:
        protocol = "https" if endpoint.startswith("https://") else "email"
        key = _key(place, warning.SUBSCRIPTION, arn, endpoint)
        into.want(part, key, {"Protocol": protocol}, f"Subscribe {endpoint} to it, which its owner must confirm", topic)
    return topic


def _open_topic(place: Place, name: str, part: str, into: Goals) -> SettingKey:
    """A topic to which alarms, rules and AWS Config of this account may publish."""
    arn = topic_arn(name, place.account, place.region)
    topic = _key(place, warning.TOPIC, arn)
    return into.merge(part, topic, lambda live: _topic_value(arn, place.account, live), f"Let AWS publish to topic {arn}")


_PUBLISHERS = ("cloudwatch.amazonaws.com", "config.amazonaws.com", "events.amazonaws.com")


def _topic_value(arn: str, account: str, live: Value) -> Value:
    ours = {
        "Sid": "CountermandAlerts",
        "Effect": "Allow",
        "Principal": {"Service": list(_PUBLISHERS)},
        "Action": "sns:Publish",
        "Resource": arn,
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    held = mapping(mapping(live).get("Policy"))
    others = [one for one in items(held.get("Statement")) if mapping(one).get("Sid") != ours["Sid"]]
    return {"Policy": {"Version": "2012-10-17", **held, "Statement": [*others, ours]}}


def _nat_alarms(place: Place, wanted: Preparation, into: Goals) -> None:
    topic = _topic(place, wanted, NAT_ALARMS, into)
    for gateway, alarms in unwarned(place).items():
        for alarm in alarms:
            name = f"countermand-{gateway}-{alarm.metric}"
            value = _alarm_value(alarm, gateway, topic.resource)
            into.want(NAT_ALARMS, _key(place, warning.ALARM, name), value, f"Warn when {alarm.about} at {gateway}", topic)


def _alarm_value(alarm: NatAlarm, gateway: str, topic: str) -> dict[str, Any]:
    return {
        "AlarmDescription": f"Countermand: {alarm.about} at {gateway}",
        "ActionsEnabled": True,
        "AlarmActions": [topic],
        "Namespace": "AWS/NATGateway",
        "MetricName": alarm.metric,
        "Dimensions": [{"Name": "NatGatewayId", "Value": gateway}],
        "Statistic": alarm.statistic,
        "Period": alarm.period,
        "EvaluationPeriods": alarm.periods,
        "Threshold": alarm.threshold,
        "ComparisonOperator": alarm.comparison,
        "TreatMissingData": "notBreaching",
    }


def _trail(place: Place, wanted: Preparation, into: Goals) -> None:
    asked = wanted.trail
    own = next((one for one in place.listed("trails") if one.get("Name") == asked.name), None)
    if setting := unset(place, wanted, TRAIL):
        into.leave(place, TRAIL, f"{setting} is not set", "deployments/aws/log-archive.yaml makes one; set it")
        return
    value: dict[str, Any] = {
        "S3BucketName": _at(place, asked.bucket) or text(mapping(own).get("S3BucketName")),
        **({"S3KeyPrefix": asked.prefix} if asked.prefix else {}),
        "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": True,
        "EnableLogFileValidation": True,
    }
    title = f"Keep a trail of every region in {value['S3BucketName']}"
    trail = into.want(TRAIL, _key(place, watching.TRAIL, asked.name), value, title)
    into.want(TRAIL, _key(place, watching.TRAIL_LOGGING, asked.name), True, f"Start trail {asked.name}", trail)


def _guardduty(place: Place, wanted: Preparation, into: Goals) -> None:
    detectors = place.listed("detectors")
    if not detectors:
        key = _key(place, watching.DETECTOR, watching.THE_DETECTOR)
        into.want(GUARDDUTY, key, {}, f"Switch GuardDuty on {_where(place)}, publishing every 15 minutes")
        return
    key = _key(place, watching.DETECTOR_SETTINGS, text(detectors[0].get("id")))
    value = {"Status": "ENABLED", "FindingPublishingFrequency": FIFTEEN_MINUTES}
    into.want(GUARDDUTY, key, value, f"Let GuardDuty publish every 15 minutes {_where(place)}")


_CONFIG_SERVICE, _CONFIG_ROLE = "config.amazonaws.com", "AWSServiceRoleForConfig"


def _recorder(place: Place, wanted: Preparation, into: Goals) -> None:
    asked, before = wanted.config, tuple[SettingKey, ...]()
    recorders, channels = place.listed("recorders"), place.listed("delivery channels")
    if setting := unset(place, wanted, RECORDER):
        into.leave(place, RECORDER, f"{setting} is not set", "deployments/aws/log-archive.yaml makes one; set it")
        return
    name = text(recorders[0].get("name")) if recorders else "default"
    if not recorders:
        partition = standard_arn(place.region).split(":")[1]
        path = f"role/aws-service-role/{_CONFIG_SERVICE}/{_CONFIG_ROLE}"
        role = _at(place, asked.role) or f"arn:{partition}:iam::{place.account}:{path}"
        if not asked.role:
            linked = SettingKey(place.account, GLOBAL, recording.LINKED_ROLE, _CONFIG_SERVICE, _CONFIG_ROLE)
            before = (into.want(RECORDER, linked, {}, f"Make AWS Config's own role in {place.account}"),)
        group = {"allSupported": True, "includeGlobalResourceTypes": place.home}
        value = {"roleARN": role, "recordingGroup": group}
        title = f"Record every resource {_where(place)} with AWS Config"
        before = (into.want(RECORDER, _key(place, recording.RECORDER, name), value, title, *before),)
    if not channels:
        value = {"s3BucketName": _at(place, asked.bucket), **({"s3KeyPrefix": asked.prefix} if asked.prefix else {})}
        if asked.topic:
            topic = _open_topic(place, asked.topic, RECORDER, into)
            value, before = {**value, "snsTopicARN": topic.resource}, (*before, topic)
        title = f"Deliver what AWS Config records {_where(place)} to {value['s3BucketName']}"
        before = (into.want(RECORDER, _key(place, recording.CHANNEL, "default"), value, title, *before),)
    into.want(RECORDER, _key(place, recording.RECORDING, name), True, f"Start AWS Config's recorder {_where(place)}", *before)


def _hub(place: Place, wanted: Preparation, into: Goals) -> None:
    hub = into.want(HUB, _key(place, watching.HUB, watching.THE_HUB), {}, f"Switch Security Hub on {_where(place)}")
    title = f"Check foundational best practices {_where(place)} with Security Hub"
    into.want(HUB, _key(place, watching.STANDARD, standard_arn(place.region)), {}, title, hub)


def _changes(place: Place, wanted: Preparation, into: Goals) -> None:
    asked = wanted.changes
    if setting := unset(place, wanted, CHANGES):
        advice = "set it to the API destination or queue of guardduty-webhook.yaml or findings-queue.yaml, or subscribe the gateway"
        into.leave(place, CHANGES, f"{setting} is not set, so that nothing brings changes to Countermand", advice)
    topic = _topic(place, wanted, CHANGES, into)
    for number, pattern in enumerate(change_rules.patterns(), start=1):
        name = f"rule/{asked.name}-{number}"
        value = {"State": "ENABLED", "Description": f"{DESCRIPTION} ({number})", "EventPattern": pattern}
        title = f"Notice {len(pattern['detail']['eventName'])} operations that change a network {_where(place)}"
        rule = into.want(CHANGES, _key(place, RULE, name), value, title)
        target = _key(place, TARGET, name, "topic")
        into.want(CHANGES, target, {"Arn": topic.resource}, f"Tell {topic.resource} of them", rule, topic)
        if asked.deliver_to:
            us = _target(place, wanted)
            into.want(CHANGES, _key(place, TARGET, name, "countermand"), us, f"Tell Countermand of them by {us['Arn']}", rule)


DESCRIPTION = "Changes of the network, to people and to Countermand"


def _target(place: Place, wanted: Preparation) -> dict[str, Any]:
    asked = wanted.changes
    dead = {"DeadLetterConfig": {"Arn": _at(place, asked.dead_letters)}} if asked.dead_letters else {}
    role = {"RoleArn": _at(place, asked.role)} if asked.role else {}
    return {"Arn": _at(place, asked.deliver_to), **role, **dead}


_RULE_NAME, DOCUMENT_NAME = "countermand-open-ports", "Countermand-CloseInternetPorts"


def _ports(place: Place, wanted: Preparation, into: Goals) -> None:
    rule_value = {
        "Description": "Only these ports may be open to the internet in a security group",
        "Source": {"Owner": "AWS", "SourceIdentifier": PORTS_RULE},
        "Scope": {"ComplianceResourceTypes": ["AWS::EC2::SecurityGroup"]},
        "InputParameters": ports_parameters(wanted),
    }
    recorder = _key(place, recording.RECORDING, "default")
    title = f"Watch {_where(place)} for ports open to the internet other than {', '.join(wanted.open_ports.tcp) or 'none'}"
    rule = into.want(PORTS, _key(place, recording.RULE, _RULE_NAME), rule_value, title, recorder)
    if not wanted.open_ports.remediate:
        return
    document = _key(place, recording.DOCUMENT, DOCUMENT_NAME)
    into.want(PORTS, document, {"Content": dict(into.closing)}, f"Keep an automation {_where(place)} that closes such ports")
    automatic = wanted.open_ports.automatic
    value = remediation_value(wanted, place.account, place.region)
    how = "by itself" if automatic else "when a person starts it"
    into.want(PORTS, _key(place, recording.REMEDIATION, _RULE_NAME), value, f"Let it close them {how}", rule, document)


_PLANNERS: dict[str, Callable[[Place, Preparation, Goals], None]] = {
    FLOW_LOGS: _flow_logs,
    NAT_ALARMS: _nat_alarms,
    TRAIL: _trail,
    GUARDDUTY: _guardduty,
    RECORDER: _recorder,
    HUB: _hub,
    CHANGES: _changes,
    PORTS: _ports,
}


def remediation_value(wanted: Preparation, account: str, region: str) -> dict[str, Any]:
    """See https://docs.aws.amazon.com/config/latest/APIReference/API_RemediationConfiguration.html"""
    static = {
        "AutomationAssumeRole": [placed(wanted.open_ports.role, account, region)],
        "TcpPorts": [",".join(wanted.open_ports.tcp) or "none"],
        "UdpPorts": [",".join(wanted.open_ports.udp) or "none"],
    }
    parameters: dict[str, Any] = {name: {"StaticValue": {"Values": values}} for name, values in static.items()}
    parameters["GroupId"] = {"ResourceValue": {"Value": "RESOURCE_ID"}}
    retries = {"MaximumAutomaticAttempts": 3, "RetryAttemptSeconds": 60} if wanted.open_ports.automatic else {}
    return {
        "TargetType": "SSM_DOCUMENT",
        "TargetId": DOCUMENT_NAME,
        "Parameters": parameters,
        "Automatic": wanted.open_ports.automatic,
        **retries,
    }
