"""Tags: one setting for each key on a resource. They select things, so an actor's tag can change what a network lets through."""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import ANY_RESOURCE, Acts, Change, Read, Scope
from incident.network.kinds import TAG, Event, Kind, call, family, filtered, seen
from incident.network.values import identifiers, structures, text
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write, same


def _create(event: Event) -> Iterator[Write]:
    for resource in _resources(event):
        for tag in structures(event.request.get("Tags")):
            yield Write(event.key(TAG, resource, text(tag.get("Key"))), text(tag.get("Value")))


def _delete(event: Event) -> Iterator[Write]:
    """Tags named with a value go only where they have it, those named without in any case, and without names all go."""
    for resource in _resources(event):
        named = structures(event.request.get("Tags"))
        for tag in named:
            key = event.key(TAG, resource, text(tag.get("Key")))
            if "Value" not in tag or event.value(key) is None or same(event.value(key), text(tag["Value"])):
                yield Write(key, None)
            elif not isinstance(event.value(key), str):
                yield Write(key, None, before=text(tag["Value"]))
        if not named:
            for key in event.known.keys_of(TAG, resource):
                if event.value(key) is not None:
                    yield Write(key, None)


def _resources(event: Event) -> list[str]:
    return identifiers(event.request.get("Resources"), "ResourceId")


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for tag in structures(answer.get("Tags")):
        yield seen(scope, TAG, tag.get("ResourceId"), text(tag.get("Value")), text(tag.get("Key")))


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    tag = {"Key": key.name} if wanted is None else {"Key": key.name, "Value": wanted}
    return call("DeleteTags" if wanted is None else "CreateTags", {"Resources": [key.resource], "Tags": [tag]})


TAGS = family(
    Kind(TAG, 0, lambda key: filtered("DescribeTags", "resource-id", key.resource), _change, part_of=ANY_RESOURCE),
    readers={"CreateTags": _create, "DeleteTags": _delete},
    observers={"DescribeTags": _observe},
    inventory=("DescribeTags",),
    acts={
        TAG: Acts(sets=("ec2:CreateTags",), removes=("ec2:DeleteTags",)),
    },
)
