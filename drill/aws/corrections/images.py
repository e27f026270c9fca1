"""Images and their snapshots: what is copied says of what, what is registered has the snapshots that it names, and imports."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import InvalidSnapshotInUse
from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.elastic_block_store import EBSBackend
from moto.ec2.responses.amis import AmisResponse
from moto.ec2.responses.elastic_block_store import ElasticBlockStore
from moto.ec2.utils import random_id

from drill.aws.corrections.base import corrects, refuse


def correct() -> None:
    """The corrections of this module are in place once it is imported."""


# ---- images -----------------------------------------------------------------------------------------------------


@corrects(AmiBackend)
def copy_image(self: Any, source_image_id: str, source_region: str, *args: Any, **kwargs: Any) -> Any:
    """moto does not say in a copy's snapshot what it is a copy of."""
    from moto.ec2.models import ec2_backends

    image = copy_image.moto(self, source_image_id, source_region, *args, **kwargs)  # type: ignore[attr-defined]
    source = ec2_backends[self.account_id][source_region].amis[source_image_id]
    told = f"Copied for DestinationAmi {image.id} from SourceAmi {source.id} for SourceSnapshot {source.ebs_snapshot.id}."
    image.ebs_snapshot.description = f"{told} Task created on 1,741,000,000,000."
    return image


@corrects(AmisResponse)
def register_image(self: Any) -> ActionResult:
    """moto makes a snapshot of its own for what is registered, and forgets the ones that are named."""
    named = [(one.get("Ebs") or {}).get("SnapshotId") for one in self._get_param("BlockDeviceMappings", [])]
    given = [ident for ident in named if ident]
    for ident in given:
        if ident not in self.ec2_backend.snapshots:
            raise refuse("InvalidSnapshot.NotFound", f"The snapshot '{ident}' does not exist.")
    answer: ActionResult = register_image.moto(self)  # type: ignore[attr-defined]
    if given:
        image = self.ec2_backend.amis[answer.result["ImageId"]]
        del self.ec2_backend.snapshots[image.ebs_snapshot.id]
        image.ebs_snapshot = self.ec2_backend.snapshots[given[0]]
    return answer


@corrects(Ami)
def get_filter_value(self: Any, filter_name: str, method_name: str | None = None) -> Any:
    """moto cannot find images by a snapshot."""
    if filter_name == "block-device-mapping.snapshot-id":
        return self.ebs_snapshot.id
    return get_filter_value.moto(self, filter_name, method_name)  # type: ignore[attr-defined]


@corrects(EBSBackend)
def delete_snapshot(self: Any, snapshot_id: str) -> Any:
    """moto deletes a snapshot that a registered image uses."""
    for image in self.amis.values():
        if image.ebs_snapshot.id == snapshot_id:
            raise InvalidSnapshotInUse(snapshot_id, image.id)
    return delete_snapshot.moto(self, snapshot_id)  # type: ignore[attr-defined]


# ---- imports ----------------------------------------------------------------------------------------------------
# moto has none. An import goes on for as long as a snapshot takes on this range.


def _tasks(backend: Any) -> dict[str, dict[str, Any]]:
    if not hasattr(backend, "import_tasks"):
        backend.import_tasks = {}
    tasks: dict[str, dict[str, Any]] = backend.import_tasks
    return tasks


def _task(backend: Any, ident: str) -> dict[str, Any]:
    found = _tasks(backend).get(ident)
    if found is None:
        raise refuse("InvalidConversionTaskId.Malformed", f"Invalid conversion task id {ident}")
    return found


def _state(task: dict[str, Any]) -> str:
    if task["cancelled"]:
        return "deleted"
    return "completed" if task["snapshot"].status == "completed" else "active"


@corrects(ElasticBlockStore)
def import_snapshot(self: Any) -> ActionResult:
    backend, ident = self.ec2_backend, random_id(prefix="import-snap")
    volume = backend.create_volume(size=8, zone_name=f"{backend.region_name}a")
    snapshot = backend.create_snapshot(volume.id, f"Created by AWS-VMImport service for {ident}")
    backend.delete_volume(volume.id)
    _tasks(backend)[ident] = {"snapshot": snapshot, "cancelled": False}
    return ActionResult({"ImportTaskId": ident, "SnapshotTaskDetail": {"Status": "active", "Progress": "3"}})


@corrects(AmisResponse)
def import_image(self: Any) -> ActionResult:
    backend, ident = self.ec2_backend, random_id(prefix="import-ami")
    image = backend.register_image(name=ident, description=f"AWS-VMImport service: {ident}")
    image.ebs_snapshot.description = f"Created by AWS-VMImport service for {ident}"
    # A snapshot of an image is there at once, and this one is not.
    image.ebs_snapshot.from_ami = None
    _tasks(backend)[ident] = {"snapshot": image.ebs_snapshot, "image": backend.amis.pop(image.id), "cancelled": False}
    return ActionResult({"ImportTaskId": ident, "Status": "active", "Progress": "2"})


@corrects(AmiBackend)
def describe_images(self: Any, *args: Any, **kwargs: Any) -> Any:
    """An image is there when its import has ended."""
    for task in _tasks(self).values():
        if "image" in task and not task.get("there") and _state(task) == "completed":
            task["there"] = True
            self.amis[task["image"].id] = task["image"]
    return describe_images.moto(self, *args, **kwargs)  # type: ignore[attr-defined]


@corrects(ElasticBlockStore)
def describe_import_snapshot_tasks(self: Any) -> ActionResult:
    found = {ident: _task(self.ec2_backend, ident) for ident in self._get_param("ImportTaskIds", [])}
    shown = [{"ImportTaskId": ident, "SnapshotTaskDetail": _detail(task)} for ident, task in found.items()]
    return ActionResult({"ImportSnapshotTasks": shown})


@corrects(AmisResponse)
def describe_import_image_tasks(self: Any) -> ActionResult:
    found = {ident: _task(self.ec2_backend, ident) for ident in self._get_param("ImportTaskIds", [])}
    shown = [{"ImportTaskId": ident, "SnapshotDetails": [_detail(task)], **_made(task)} for ident, task in found.items()]
    return ActionResult({"ImportImageTasks": shown})


def _detail(task: dict[str, Any]) -> dict[str, str]:
    done = {"SnapshotId": task["snapshot"].id} if _state(task) == "completed" else {}
    return {"Status": _state(task), **done}


def _made(task: dict[str, Any]) -> dict[str, str]:
    done = {"ImageId": task["image"].id} if _state(task) == "completed" else {}
    return {"Status": _state(task), **done}


@corrects(ElasticBlockStore)
def cancel_import_task(self: Any) -> ActionResult:
    """What was imported until then is not kept."""
    backend, ident = self.ec2_backend, self._get_param("ImportTaskId")
    task = _task(backend, ident)
    if _state(task) != "active":
        raise refuse("IncorrectState", f"The task {ident} is not active.")
    task["cancelled"] = True
    backend.snapshots.pop(task["snapshot"].id, None)
    return ActionResult({"ImportTaskId": ident, "PreviousState": "active", "State": "deleted"})
