"""Flow logs to a folder of a bucket, which moto takes for a part of the bucket's name."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import FlowLogAlreadyExists
from moto.ec2.models.flow_logs import FlowLogsBackend

from drill.aws.corrections.base import corrects, refuse

_RESERVED = "AWSLogs"


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


@corrects(FlowLogsBackend)
def create_flow_logs(self: Any, resource_type: str, resource_ids: list[str], **asked: Any) -> Any:
    """See https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateFlowLogs.html"""
    destination = str(asked.get("log_destination") or "")
    bucket, slash, folder = destination.partition("/")
    if asked.get("log_destination_type") != "s3" or not slash:
        return create_flow_logs.moto(self, resource_type=resource_type, resource_ids=resource_ids, **asked)  # type: ignore[attr-defined]
    if _RESERVED in folder.split("/"):
        raise refuse("InvalidParameter", f"LogDestination: {_RESERVED} is a reserved name and cannot be used as a subfolder")
    if any(one.resource_id in resource_ids and one.log_destination == destination for one in self.flow_logs.values()):
        raise FlowLogAlreadyExists()
    told = {**asked, "log_destination": bucket}
    made, failed = create_flow_logs.moto(self, resource_type=resource_type, resource_ids=resource_ids, **told)  # type: ignore[attr-defined]
    for one in made:
        one.log_destination = destination
    return made, failed
