"""Flow logs. Deleting one blinds the defenders for as long as it is gone; it comes back under a new id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from incident.family import Acts, Change
from incident.network.kinds import Event, Resource, call, family
from incident.network.values import flag, identifiers, mapping, present, structures, text, whole
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

FLOW_LOG = "flow-log"

DEFAULT_FORMAT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} "
    "${start} ${end} ${action} ${log-status}"
)
_RESOURCE_TYPES = {
    "vpc-": "VPC",
    "subnet-": "Subnet",
    "eni-": "NetworkInterface",
    "tgw-attach-": "TransitGatewayAttachment",
    "tgw-": "TransitGateway",
}


def flow_log_value(told: JsonObject) -> dict[str, Any]:
    """The parameters that make the flow log again, with AWS's defaults in the place of what was not said."""
    group, destination = text(told.get("LogGroupName")), text(told.get("LogDestination"))
    kind = text(told.get("LogDestinationType")) or "cloud-watch-logs"
    options = mapping(told.get("DestinationOptions"))
    return present(
        {
            "ResourceId": text(told.get("ResourceId")),
            "TrafficType": text(told.get("TrafficType")),
            "LogDestinationType": kind,
            "LogGroupName": group
            or (destination.rpartition(":log-group:")[2].removesuffix(":*") if kind == "cloud-watch-logs" else ""),
            "LogDestination": "" if kind == "cloud-watch-logs" else destination,
            "DeliverLogsPermissionArn": text(told.get("DeliverLogsPermissionArn")),
            "LogFormat": text(told.get("LogFormat")) or DEFAULT_FORMAT,
            "MaxAggregationInterval": whole(told.get("MaxAggregationInterval")) or 600,
            "DestinationOptions": _options(options) if options else None,
        }
    )


def _options(told: JsonObject) -> dict[str, Any]:
    return {
        "FileFormat": text(told.get("FileFormat")) or "plain-text",
        "HiveCompatiblePartitions": flag(told.get("HiveCompatiblePartitions")),
        "PerHourPartition": flag(told.get("PerHourPartition")),
    }


def flow_log_parameters(value: Value) -> dict[str, Any]:
    resource = text(value.get("ResourceId"))
    kind = next((kind for prefix, kind in _RESOURCE_TYPES.items() if resource.startswith(prefix)), "VPC")
    chosen = {name: said for name, said in value.items() if name != "ResourceId"}
    return {"ResourceIds": [resource], "ResourceType": kind, **chosen}


_FLOW_LOGS = Resource(
    kind=FLOW_LOG,
    noun="FlowLogs",
    listed="FlowLogs",
    rank=20,
    value=flow_log_value,
    parameters=flow_log_parameters,
    identifier="FlowLogId",
    loses="the id, and the traffic of the time without it",
    ids="FlowLogIds",
)


def _create(event: Event) -> Iterator[Write]:
    """One flow log for each resource, in the order in which they were named."""
    resources = identifiers(event.request.get("ResourceIds"))
    failed = {text(one.get("ResourceId")) for one in structures(event.response.get("Unsuccessful"))}
    made = identifiers(event.response.get("FlowLogIds"))
    for flow_log, resource in zip(made, (one for one in resources if one not in failed), strict=False):
        yield from event.created(FLOW_LOG, flow_log, flow_log_value({**event.request, "ResourceId": resource}), {})


def _delete(event: Event) -> Iterator[Write]:
    kept = {text(one.get("ResourceId")) for one in structures(event.response.get("Unsuccessful"))}
    for flow_log in identifiers(event.request.get("FlowLogIds")):
        if flow_log not in kept:
            yield from event.deleted(FLOW_LOG, flow_log)


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return call("DeleteFlowLogs", {"FlowLogIds": [key.resource]})
    if live is not None:
        return _FLOW_LOGS.change(key, live, wanted)
    permissions = ("iam:PassRole",) if wanted.get("DeliverLogsPermissionArn") else ("logs:CreateLogDelivery",)
    asked = flow_log_parameters(wanted)
    return call("CreateFlowLogs", asked, permissions=permissions, creates="FlowLogIds[0]", loses=_FLOW_LOGS.loses)


FLOW_LOGS = family(
    _FLOW_LOGS.as_kind(change=_change),
    readers={"CreateFlowLogs": _create, "DeleteFlowLogs": _delete},
    observers={"DescribeFlowLogs": _FLOW_LOGS.observe},
    inventory=("DescribeFlowLogs",),
    absent_codes=("InvalidFlowLogId.NotFound",),
    acts={
        FLOW_LOG: Acts(sets=("ec2:CreateFlowLogs", "iam:PassRole", "logs:CreateLogDelivery"), removes=("ec2:DeleteFlowLogs",)),
    },
)
