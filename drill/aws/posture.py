"""Security Hub's standards and AWS Config's remediations, which moto does not have, as strict as AWS where a plan relies on it.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchEnableStandards.html
https://docs.aws.amazon.com/config/latest/APIReference/API_PutRemediationConfigurations.html
"""

from __future__ import annotations

import json
from typing import Any

from drill.aws.errors import AwsError
from drill.aws.identity import Caller
from drill.aws.wire import Call

_STANDARD = "aws-foundational-security-best-practices/v/1.0.0"
_PATTERN_LENGTH = 2048
_KEPT = (
    "ConfigRuleName",
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


class Posture:
    """What is switched on of both, by account and region."""

    def __init__(self) -> None:
        self._standards: dict[tuple[str, str], dict[str, str]] = {}
        self._remediations: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}

    def clear(self) -> None:
        self._standards.clear()
        self._remediations.clear()

    # ---- Security Hub -------------------------------------------------------------------------------------------

    def batch_enable_standards(self, call: Call, caller: Caller) -> dict[str, Any]:
        _subscribed(call, caller)
        enabled = self._standards.setdefault((caller.account, call.region), {})
        for asked in call.params["StandardsSubscriptionRequests"]:
            arn = asked["StandardsArn"]
            if arn != f"arn:aws:securityhub:{call.region}::standards/{_STANDARD}":
                raise AwsError("InvalidInputException", f"Standard {arn} does not exist in this region")
            enabled[arn] = arn.replace(f":{call.region}::standards/", f":{call.region}:{caller.account}:subscription/")
        return {"StandardsSubscriptions": self._subscriptions(call, caller)}

    def get_enabled_standards(self, call: Call, caller: Caller) -> dict[str, Any]:
        _subscribed(call, caller)
        return {"StandardsSubscriptions": self._subscriptions(call, caller)}

    def _subscriptions(self, call: Call, caller: Caller) -> list[dict[str, Any]]:
        enabled = self._standards.get((caller.account, call.region), {})
        return [
            {"StandardsArn": arn, "StandardsSubscriptionArn": held, "StandardsInput": {}, "StandardsStatus": "READY"}
            for arn, held in enabled.items()
        ]

    # ---- AWS Config ---------------------------------------------------------------------------------------------

    def put_remediation_configurations(self, call: Call, caller: Caller) -> dict[str, Any]:
        held = self._remediations.setdefault((caller.account, call.region), {})
        for asked in call.params["RemediationConfigurations"]:
            name = asked["ConfigRuleName"]
            if name not in _config(caller, call).config_rules:
                raise AwsError("NoSuchConfigRuleException", f"The ConfigRule '{name}' provided in the request is invalid.")
            if asked.get("Automatic") and not (asked.get("MaximumAutomaticAttempts") and asked.get("RetryAttemptSeconds")):
                message = "MaximumAutomaticAttempts and RetryAttemptSeconds are required if Automatic is true."
                raise AwsError("InvalidParameterValueException", message)
            _check_document(asked, call, caller)
            held[name] = {key: asked[key] for key in _KEPT if asked.get(key) is not None}
        return {"FailedBatches": []}

    def describe_remediation_configurations(self, call: Call, caller: Caller) -> dict[str, Any]:
        held = self._remediations.get((caller.account, call.region), {})
        arn = f"arn:aws:config:{call.region}:{caller.account}:remediation-configuration"
        found = [held[name] | {"Arn": f"{arn}/{name}"} for name in call.params["ConfigRuleNames"] if name in held]
        return {"RemediationConfigurations": found}

    def delete_remediation_configuration(self, call: Call, caller: Caller) -> dict[str, Any]:
        name = call.params["ConfigRuleName"]
        if self._remediations.get((caller.account, call.region), {}).pop(name, None) is None:
            raise AwsError("NoSuchRemediationConfigurationException", f"No RemediationConfiguration for rule {name} exists.")
        return {}

    def check(self, call: Call, caller: Caller) -> None:
        """What AWS refuses and moto does not.

        Raises:
            AwsError: the call is refused.
        """
        asked = (call.service, call.operation)
        if asked == ("events", "PutRule") and len(call.params.get("EventPattern") or "") > _PATTERN_LENGTH:
            raise AwsError("ValidationException", "Event pattern exceeded the limit of 2048 characters")
        if call.service == "sns" and str(call.params.get("TopicArn", "a:b:c:d:e:f")).count(":") != 5:
            raise AwsError("InvalidParameter", "Invalid parameter: TopicArn", 400)
        if asked == ("config", "DeleteConfigRule"):
            name = call.params["ConfigRuleName"]
            if name in self._remediations.get((caller.account, call.region), {}):
                message = f"The rule {name} has remediation configurations; delete them first."
                raise AwsError("ResourceInUseException", message)


def _check_document(asked: dict[str, Any], call: Call, caller: Caller) -> None:
    """A document of one's own must be there, with every parameter that the remediation gives."""
    from moto.ssm.models import ssm_backends

    if asked["TargetId"].startswith("AWS"):
        return
    found = ssm_backends[caller.account][call.region]._documents.get(asked["TargetId"])
    if found is None:
        raise AwsError("InvalidParameterValueException", f"The document {asked['TargetId']} does not exist.")
    content = json.loads(found.versions[found.default_version].content)
    unknown = sorted(set(asked.get("Parameters") or {}) - set(content.get("parameters", {})))
    if unknown:
        raise AwsError("InvalidParameterValueException", f"Parameter {unknown[0]} is not one of the document's.")


def _subscribed(call: Call, caller: Caller) -> None:
    from moto.securityhub.models import securityhub_backends

    if not securityhub_backends[caller.account][call.region].enabled:
        raise AwsError("InvalidAccessException", f"Account {caller.account} is not subscribed to AWS Security Hub", 401)


def _config(caller: Caller, call: Call) -> Any:
    from moto.config.models import config_backends

    return config_backends[caller.account][call.region]
