"""What watches an account: flow logs by what they watch, the trail, GuardDuty, Security Hub and its standards.

Countermand switches these on and never off, but for a flow log of its own: a plan that blinds an account is no plan of ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change, Lookup, Read, Scope, Unrestorable
from incident.network.flow_log import flow_log_parameters, flow_log_value
from incident.network.kinds import Kind, call, family, immutable, seen
from incident.network.service import Service
from incident.network.values import flag, identifiers, mapping, present, structures, text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value

FLOW_LOG_OF = "flow-log-of"
TRAIL, TRAIL_LOGGING = "trail", "trail-logging"
DETECTOR, DETECTOR_SETTINGS = "detector", "detector-settings"
HUB, STANDARD = "security-hub", "security-hub-standard"
THE_DETECTOR, THE_HUB = "detector", "hub"

_TRAIL = Service("cloudtrail", "cloudtrail")
_GUARDDUTY = Service("guardduty", "guardduty")
_HUB = Service("securityhub", "securityhub")


def stays_on(what: str) -> Unrestorable:
    """Why something that watches is not taken away again."""
    return Unrestorable(f"Countermand never switches off {what}", "Take it away by hand, if it is not wanted.")


# --- flow logs, by what they watch and where they go: their ids are new each time ---------------------------------------------

_OPTIONS = {"FileFormat": "plain-text", "HiveCompatiblePartitions": False, "PerHourPartition": False}


def flow_log_of(scope: Scope, told: JsonObject) -> Observed:
    """A flow log as a setting of what it watches, by its destination."""
    value = flow_log_value(told)
    watched = text(value.pop("ResourceId", ""))
    if value.get("DestinationOptions") in (_OPTIONS, None):
        value.pop("DestinationOptions", None)
    where = text(value.get("LogDestination")) or text(value.get("LogGroupName"))
    return seen(scope, FLOW_LOG_OF, watched, value, where, {"flow-log": told.get("FlowLogId")})


def _observe_flow_logs(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for told in structures(answer.get("FlowLogs")):
        if text(told.get("FlowLogStatus")) == "ACTIVE":
            yield flow_log_of(scope, told)


def _read_flow_logs(key: SettingKey) -> Read:
    # This one parameter of EC2's is called Filter, not Filters.
    return Read("ec2", "DescribeFlowLogs", {"Filter": [{"Name": "resource-id", "Values": [key.resource]}]})


def _change_flow_log(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        to_this = f"FlowLogs[?LogDestination=='{key.name}' || LogGroupName=='{key.name}'].FlowLogId"
        return call("DeleteFlowLogs", {}, lookups={"FlowLogIds": Lookup(_read_flow_logs(key), to_this)})
    if live is not None:
        return immutable(f"the flow log of {key.resource}")
    role = bool(wanted.get("DeliverLogsPermissionArn"))
    permissions = ("iam:PassRole",) if role else ("logs:CreateLogDelivery",)
    return call("CreateFlowLogs", flow_log_parameters({"ResourceId": key.resource, **wanted}), permissions=permissions)


FLOW_LOGS_OF = family(
    Kind(FLOW_LOG_OF, 20, _read_flow_logs, _change_flow_log),
    readers={},
    observers={"DescribeFlowLogs": _observe_flow_logs},
    inventory=(),
    absent_codes=("InvalidVpcId.NotFound",),
    acts={
        FLOW_LOG_OF: Acts(sets=("ec2:CreateFlowLogs", "iam:PassRole", "logs:CreateLogDelivery"), removes=("ec2:DeleteFlowLogs",))
    },
)

# --- the trail ----------------------------------------------------------------------------------------------------------------


def _trail(told: JsonObject) -> dict[str, Any]:
    return present(
        {
            "S3BucketName": text(told.get("S3BucketName")),
            "S3KeyPrefix": text(told.get("S3KeyPrefix")),
            "IncludeGlobalServiceEvents": flag(told.get("IncludeGlobalServiceEvents")),
            "IsMultiRegionTrail": flag(told.get("IsMultiRegionTrail")),
            "EnableLogFileValidation": flag(told.get("LogFileValidationEnabled")),
        }
    )


def _observe_trails(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for told in structures(answer.get("trailList")):
        yield seen(scope, TRAIL, told.get("Name"), _trail(told))


def _observe_logging(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    """A trail that does not log is as good as absent: so it is, too, from its making to its start."""
    if flag(answer.get("IsLogging")):
        yield seen(scope, TRAIL_LOGGING, read.parameters["Name"], True)


def _change_trail(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return stays_on("a trail")
    return _TRAIL.call("CreateTrail" if live is None else "UpdateTrail", {"Name": key.resource, **wanted})


def _change_logging(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    return _TRAIL.call("StartLogging", {"Name": key.resource}) if wanted else stays_on("a trail")


TRAILS = family(
    Kind(TRAIL, 21, lambda key: _TRAIL.read("DescribeTrails", trailNameList=[key.resource]), _change_trail),
    Kind(TRAIL_LOGGING, 20, lambda key: _TRAIL.read("GetTrailStatus", Name=key.resource), _change_logging),
    service="cloudtrail",
    readers={},
    observers={"DescribeTrails": _observe_trails, "GetTrailStatus": _observe_logging},
    inventory=(),
    absent_codes=("TrailNotFoundException",),
    acts={
        TRAIL: Acts(sets=("cloudtrail:CreateTrail", "cloudtrail:UpdateTrail")),
        TRAIL_LOGGING: Acts(sets=("cloudtrail:StartLogging",)),
    },
)

# --- GuardDuty: at most one detector in a region ------------------------------------------------------------------------------


def _observe_detectors(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    found = identifiers(answer.get("DetectorIds"))
    if found:
        yield seen(scope, DETECTOR, THE_DETECTOR, {}, handles={"detector": found[0]})


def _observe_detector(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    value = {name: text(answer.get(name)) for name in ("Status", "FindingPublishingFrequency")}
    yield seen(scope, DETECTOR_SETTINGS, read.parameters["DetectorId"], value)


def _change_detector(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return stays_on("GuardDuty")
    asked = {"Enable": True, "FindingPublishingFrequency": "FIFTEEN_MINUTES"}
    return _GUARDDUTY.call("CreateDetector", asked, permissions=("iam:CreateServiceLinkedRole",))


def _change_detector_settings(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None or wanted["Status"] != "ENABLED":
        return stays_on("GuardDuty")
    asked = {"DetectorId": key.resource, "Enable": True, "FindingPublishingFrequency": wanted["FindingPublishingFrequency"]}
    return _GUARDDUTY.call("UpdateDetector", asked)


DETECTORS = family(
    Kind(DETECTOR, 21, lambda key: _GUARDDUTY.read("ListDetectors"), _change_detector),
    Kind(DETECTOR_SETTINGS, 20, lambda key: _GUARDDUTY.read("GetDetector", DetectorId=key.resource), _change_detector_settings),
    service="guardduty",
    readers={},
    observers={"ListDetectors": _observe_detectors, "GetDetector": _observe_detector},
    inventory=(),
    absent_codes=("BadRequestException", "ResourceNotFoundException"),
    acts={
        DETECTOR: Acts(sets=("guardduty:CreateDetector", "iam:CreateServiceLinkedRole")),
        DETECTOR_SETTINGS: Acts(sets=("guardduty:UpdateDetector",)),
    },
)

# --- Security Hub -------------------------------------------------------------------------------------------------------------


def _observe_hub(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    if answer.get("HubArn"):
        yield seen(scope, HUB, THE_HUB, {})


def _observe_standards(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for told in structures(answer.get("StandardsSubscriptions")):
        status = text(told.get("StandardsStatus"))
        value: Value = None if status in ("DELETING", "FAILED") else {}
        handles = {"subscription": told.get("StandardsSubscriptionArn")}
        yield seen(scope, STANDARD, told.get("StandardsArn"), value, handles=handles, settled=status != "DELETING")


def _change_hub(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return stays_on("Security Hub")
    return _HUB.call("EnableSecurityHub", {"EnableDefaultStandards": False}, permissions=("iam:CreateServiceLinkedRole",))


def _change_standard(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return stays_on("a standard of Security Hub")
    return _HUB.call("BatchEnableStandards", {"StandardsSubscriptionRequests": [mapping({"StandardsArn": key.resource})]})


HUBS = family(
    Kind(HUB, 21, lambda key: _HUB.read("DescribeHub"), _change_hub),
    Kind(STANDARD, 20, lambda key: _HUB.read("GetEnabledStandards"), _change_standard),
    service="securityhub",
    readers={},
    observers={"DescribeHub": _observe_hub, "GetEnabledStandards": _observe_standards},
    inventory=(),
    absent_codes=("InvalidAccessException", "ResourceNotFoundException"),
    acts={
        HUB: Acts(sets=("iam:CreateServiceLinkedRole", "securityhub:EnableSecurityHub")),
        STANDARD: Acts(sets=("securityhub:BatchEnableStandards",)),
    },
)

FAMILIES = (FLOW_LOGS_OF, TRAILS, DETECTORS, HUBS)
