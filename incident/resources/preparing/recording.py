"""AWS Config: its recorder and delivery channel, rules and what remediates them, and the automation documents of Systems Manager.

https://docs.aws.amazon.com/config/latest/APIReference/API_PutConfigurationRecorder.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Lookup, Read, Scope
from incident.network.kinds import Kind, family, seen
from incident.network.service import Service
from incident.network.values import document, flag, mapping, present, structures, text
from incident.record import JsonObject
from incident.resources.preparing.watching import stays_on
from incident.settings import Observed, SettingKey, Value

RECORDER, RECORDING, CHANNEL = "config-recorder", "config-recording", "config-channel"
RULE, REMEDIATION = "config-rule", "config-remediation"
DOCUMENT = "automation-document"
LINKED_ROLE = "service-linked-role"

_CONFIG = Service("config", "config")
_SSM = Service("ssm", "ssm")
_IAM = Service("iam", "iam")


# --- the recorder and its channel ---------------------------------------------------------------------------------------------


def _recorder(told: JsonObject) -> dict[str, Any]:
    group = mapping(told.get("recordingGroup"))
    everything = flag(group.get("allSupported"))
    shown = {name: flag(group.get(name)) for name in ("allSupported", "includeGlobalResourceTypes")}
    return {"roleARN": text(told.get("roleARN")), "recordingGroup": shown if everything else dict(group)}


def _observe_recorders(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for told in structures(answer.get("ConfigurationRecorders")):
        yield seen(scope, RECORDER, told.get("name"), _recorder(told))


def _observe_recording(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    """A recorder that does not record is as good as absent: so it is, too, from its making to its start."""
    for told in structures(answer.get("ConfigurationRecordersStatus")):
        if flag(told.get("recording")):
            yield seen(scope, RECORDING, told.get("name"), True)


def _observe_channels(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for told in structures(answer.get("DeliveryChannels")):
        value = {name: said for name, said in told.items() if name != "name"}
        yield seen(scope, CHANNEL, told.get("name"), value)


def _change_recorder(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return stays_on("AWS Config")
    asked = {"ConfigurationRecorder": {"name": key.resource, **wanted}}
    return _CONFIG.call("PutConfigurationRecorder", asked, permissions=("iam:PassRole",))


def _change_recording(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if not wanted:
        return stays_on("AWS Config")
    return _CONFIG.call("StartConfigurationRecorder", {"ConfigurationRecorderName": key.resource})


def _change_channel(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return stays_on("AWS Config's delivery")
    return _CONFIG.call("PutDeliveryChannel", {"DeliveryChannel": {"name": key.resource, **wanted}})


RECORDERS = family(
    Kind(
        RECORDER,
        22,
        lambda key: _CONFIG.read("DescribeConfigurationRecorders", ConfigurationRecorderNames=[key.resource]),
        _change_recorder,
    ),
    Kind(
        RECORDING,
        20,
        lambda key: _CONFIG.read("DescribeConfigurationRecorderStatus", ConfigurationRecorderNames=[key.resource]),
        _change_recording,
    ),
    Kind(CHANNEL, 21, lambda key: _CONFIG.read("DescribeDeliveryChannels", DeliveryChannelNames=[key.resource]), _change_channel),
    service="config",
    readers={},
    observers={
        "DescribeConfigurationRecorders": _observe_recorders,
        "DescribeConfigurationRecorderStatus": _observe_recording,
        "DescribeDeliveryChannels": _observe_channels,
    },
    inventory=(),
    absent_codes=("NoSuchConfigurationRecorderException", "NoSuchDeliveryChannelException"),
    acts={
        RECORDER: Acts(sets=("config:PutConfigurationRecorder", "iam:PassRole")),
        RECORDING: Acts(sets=("config:StartConfigurationRecorder",)),
        CHANNEL: Acts(sets=("config:PutDeliveryChannel",)),
    },
)

# --- rules and their remediation ----------------------------------------------------------------------------------------------


def _rule(told: JsonObject) -> dict[str, Any]:
    shown = {name: told.get(name) for name in ("Description", "Scope", "Source", "MaximumExecutionFrequency")}
    return present({**shown, "InputParameters": document(told.get("InputParameters"))})


def _observe_rules(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for told in structures(answer.get("ConfigRules")):
        going = text(told.get("ConfigRuleState")).startswith("DELETING")
        yield seen(scope, RULE, told.get("ConfigRuleName"), None if going else _rule(told), settled=not going)


def _change_rule(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return _CONFIG.call("DeleteConfigRule", {"ConfigRuleName": key.resource})
    asked = {"ConfigRuleName": key.resource, **wanted}
    if "InputParameters" in asked:
        asked["InputParameters"] = json.dumps(asked["InputParameters"], sort_keys=True)
    return _CONFIG.call("PutConfigRule", {"ConfigRule": asked})


_REMEDIATES = (
    "TargetType",
    "TargetId",
    "TargetVersion",
    "Parameters",
    "ResourceType",
    "Automatic",
    "ExecutionControls",
    "MaximumAutomaticAttempts",
    "RetryAttemptSeconds",
)


def _observe_remediations(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for told in structures(answer.get("RemediationConfigurations")):
        value = {name: told[name] for name in _REMEDIATES if told.get(name) is not None}
        yield seen(scope, REMEDIATION, told.get("ConfigRuleName"), value)


def _change_remediation(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return _CONFIG.call("DeleteRemediationConfiguration", {"ConfigRuleName": key.resource})
    asked = {"RemediationConfigurations": [{"ConfigRuleName": key.resource, **wanted}]}
    needed = ("iam:CreateServiceLinkedRole", "iam:PassRole")
    return _CONFIG.call("PutRemediationConfigurations", asked, permissions=needed)


RULES = family(
    Kind(RULE, 20, lambda key: _CONFIG.read("DescribeConfigRules", ConfigRuleNames=[key.resource]), _change_rule),
    Kind(
        REMEDIATION,
        19,
        lambda key: _CONFIG.read("DescribeRemediationConfigurations", ConfigRuleNames=[key.resource]),
        _change_remediation,
    ),
    service="config",
    readers={},
    observers={"DescribeConfigRules": _observe_rules, "DescribeRemediationConfigurations": _observe_remediations},
    inventory=(),
    absent_codes=("NoSuchConfigRuleException", "NoSuchRemediationConfigurationException"),
    acts={
        RULE: Acts(sets=("config:PutConfigRule",), removes=("config:DeleteConfigRule",)),
        REMEDIATION: Acts(
            sets=("config:PutRemediationConfigurations", "iam:CreateServiceLinkedRole", "iam:PassRole"),
            removes=("config:DeleteRemediationConfiguration",),
        ),
    },
)

# --- automation documents -----------------------------------------------------------------------------------------------------


def _observe_document(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    settled = text(answer.get("Status")) not in ("Creating", "Updating")
    yield seen(scope, DOCUMENT, answer.get("Name"), {"Content": document(answer.get("Content"))}, settled=settled)


def _change_document(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return _SSM.call("DeleteDocument", {"Name": key.resource})
    content = json.dumps(wanted["Content"], sort_keys=True)
    if live is None:
        asked = {"Name": key.resource, "Content": content, "DocumentType": "Automation", "DocumentFormat": "JSON"}
        return _SSM.call("CreateDocument", asked)
    updated = {"Name": key.resource, "Content": content, "DocumentVersion": "$LATEST", "DocumentFormat": "JSON"}
    newest = Lookup(_SSM.read("DescribeDocument", Name=key.resource), "Document.LatestVersion")
    return (
        *_SSM.call("UpdateDocument", updated),
        *_SSM.call(
            "UpdateDocumentDefaultVersion",
            {"Name": key.resource},
            permissions=("ssm:DescribeDocument",),
            lookups={"DocumentVersion": newest},
        ),
    )


DOCUMENTS = family(
    Kind(DOCUMENT, 21, lambda key: _SSM.read("GetDocument", Name=key.resource), _change_document),
    service="ssm",
    readers={},
    observers={"GetDocument": _observe_document},
    inventory=(),
    absent_codes=("InvalidDocument",),
    acts={
        DOCUMENT: Acts(
            sets=("ssm:CreateDocument", "ssm:DescribeDocument", "ssm:UpdateDocument", "ssm:UpdateDocumentDefaultVersion"),
            removes=("ssm:DeleteDocument",),
        )
    },
)

# --- a role that a service makes for itself -----------------------------------------------------------------------------------


def _observe_role(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    role = mapping(answer.get("Role"))
    service = text(role.get("Path")).removeprefix("/aws-service-role/").rstrip("/")
    if service:
        yield seen(scope, LINKED_ROLE, service, {}, text(role.get("RoleName")))


def _change_role(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return stays_on(f"the role of {key.resource}")
    return _IAM.call("CreateServiceLinkedRole", {"AWSServiceName": key.resource})


LINKED_ROLES = family(
    Kind(LINKED_ROLE, 23, lambda key: _IAM.read("GetRole", RoleName=key.name), _change_role),
    service="iam",
    readers={},
    observers={"GetRole": _observe_role},
    inventory=(),
    absent_codes=("NoSuchEntity",),
    acts={LINKED_ROLE: Acts(sets=("iam:CreateServiceLinkedRole",))},
)

FAMILIES = (RECORDERS, RULES, DOCUMENTS, LINKED_ROLES)
