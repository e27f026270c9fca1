"""What warns people: the topic, who is subscribed to it, and CloudWatch's alarms.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Lookup, Read, Scope, Unrestorable
from incident.network.kinds import Kind, family, seen
from incident.network.service import Service
from incident.network.values import document, mapping, structures, text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value

TOPIC, SUBSCRIPTION, ALARM = "alert-topic", "alert-subscription", "metric-alarm"

_SNS = Service("sns", "sns")
_CLOUDWATCH = Service("cloudwatch", "cloudwatch")


# --- the topic ----------------------------------------------------------------------------------------------------------------


def _observe_topic(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    told = mapping(answer.get("Attributes"))
    yield seen(scope, TOPIC, told.get("TopicArn"), {"Policy": document(told.get("Policy"))})


def _change_topic(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return _SNS.call("DeleteTopic", {"TopicArn": key.resource})
    policy = json.dumps(wanted["Policy"], sort_keys=True)
    if live is None:
        asked = {"Name": key.resource.rpartition(":")[2], "Attributes": {"Policy": policy}}
        return _SNS.call("CreateTopic", asked, permissions=("sns:SetTopicAttributes",))
    return _SNS.call("SetTopicAttributes", {"TopicArn": key.resource, "AttributeName": "Policy", "AttributeValue": policy})


def _observe_subscriptions(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for told in structures(answer.get("Subscriptions")):
        handles = {"subscription": told.get("SubscriptionArn")}
        yield seen(
            scope, SUBSCRIPTION, told.get("TopicArn"), {"Protocol": text(told.get("Protocol"))}, text(told.get("Endpoint")), handles
        )


def _change_subscription(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is not None:
        return _SNS.call("Subscribe", {"TopicArn": key.resource, "Endpoint": key.name, **wanted})
    if live and live.handles.get("subscription") == "PendingConfirmation":
        return Unrestorable("a subscription that nobody has confirmed cannot be ended", "It lapses by itself after three days.")
    listed = _SNS.read("ListSubscriptionsByTopic", TopicArn=key.resource)
    arn = Lookup(listed, f"Subscriptions[?Endpoint=='{key.name}'].SubscriptionArn | [0]")
    return _SNS.call("Unsubscribe", {}, lookups={"SubscriptionArn": arn})


TOPICS = family(
    Kind(TOPIC, 23, lambda key: _SNS.read("GetTopicAttributes", TopicArn=key.resource), _change_topic),
    Kind(SUBSCRIPTION, 22, lambda key: _SNS.read("ListSubscriptionsByTopic", TopicArn=key.resource), _change_subscription),
    service="sns",
    readers={},
    observers={"GetTopicAttributes": _observe_topic, "ListSubscriptionsByTopic": _observe_subscriptions},
    inventory=(),
    absent_codes=("NotFound", "NotFoundException"),
    acts={
        TOPIC: Acts(sets=("sns:CreateTopic", "sns:SetTopicAttributes"), removes=("sns:DeleteTopic",)),
        SUBSCRIPTION: Acts(sets=("sns:Subscribe",), removes=("sns:Unsubscribe",)),
    },
)

# --- alarms -------------------------------------------------------------------------------------------------------------------

_ALARM = (
    "AlarmDescription",
    "ActionsEnabled",
    "AlarmActions",
    "OKActions",
    "InsufficientDataActions",
    "Namespace",
    "MetricName",
    "Dimensions",
    "Statistic",
    "ExtendedStatistic",
    "Metrics",
    "Unit",
    "Period",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
)


def alarm_value(told: JsonObject) -> dict[str, Any]:
    """What makes the alarm again."""
    value = {name: told[name] for name in _ALARM if told.get(name) not in (None, "", [])}
    if "Threshold" in value:
        value["Threshold"] = float(value["Threshold"])
    return value


def _observe_alarms(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for told in structures(answer.get("MetricAlarms")):
        yield seen(scope, ALARM, told.get("AlarmName"), alarm_value(told))


def _change_alarm(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return _CLOUDWATCH.call("DeleteAlarms", {"AlarmNames": [key.resource]})
    return _CLOUDWATCH.call("PutMetricAlarm", {"AlarmName": key.resource, **wanted})


ALARMS = family(
    Kind(ALARM, 20, lambda key: _CLOUDWATCH.read("DescribeAlarms", AlarmNames=[key.resource]), _change_alarm),
    service="cloudwatch",
    readers={},
    observers={"DescribeAlarms": _observe_alarms},
    inventory=(),
    acts={ALARM: Acts(sets=("cloudwatch:PutMetricAlarm",), removes=("cloudwatch:DeleteAlarms",))},
)

FAMILIES = (TOPICS, ALARMS)
