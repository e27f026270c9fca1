"""Launch templates: their existence, their versions, and which version is the default.

A version never changes, and its number is not given twice. Records leave out a template's user data, so that what a deleted
template or version held is for its owner to say.
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Acts, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, always_there, call, family, immutable, listing, observer, seen
from incident.network.values import identifiers, mapping, structures, text, texts
from incident.record import JsonObject
from incident.settings import Observed, SettingKey, Value, Write

LAUNCH_TEMPLATE = "launch-template"
VERSION = "launch-template-version"
DEFAULT = "launch-template-default"

_ID = "LaunchTemplateId"
_GOES = "what the template or version held goes with it; what it launched is seen by itself"


def _value(told: JsonObject) -> dict[str, str]:
    return texts(told, ("LaunchTemplateName",))


def _default(template: str, number: object) -> str:
    """The default version by the word that also names the version itself."""
    return f"{template}/{text(number)}"


# --- records ------------------------------------------------------------------------------------------------------------------


def _template(event: Event) -> JsonObject:
    return {**event.request, **mapping(event.response.get("LaunchTemplate"))}


def _create(event: Event) -> Iterator[Write]:
    told = _template(event)
    template = text(told.get(_ID))
    yield from event.created(LAUNCH_TEMPLATE, template, _value(told), told)
    yield Write(event.key(VERSION, template, "1"), {}, before=None)
    yield Write(event.key(DEFAULT, template, "default"), _default(template, 1), before=None)


def _delete(event: Event) -> Iterator[Write]:
    told = _template(event)
    template = text(told.get(_ID))
    key = event.key(LAUNCH_TEMPLATE, template)
    for write in event.deleted(LAUNCH_TEMPLATE, template, VERSION, DEFAULT):
        yield write._replace(before=_value(told)) if write.key == key and _value(told) else write


def _create_version(event: Event) -> Iterator[Write]:
    told = mapping(event.response.get("LaunchTemplateVersion"))
    yield Write(event.key(VERSION, text(told.get(_ID)), text(told["VersionNumber"])), {}, before=None)


def _set_default(event: Event) -> Iterator[Write]:
    told = _template(event)
    template = text(told.get(_ID))
    number = told.get("DefaultVersionNumber") or told["SetDefaultVersion"]
    yield Write(event.key(DEFAULT, template, "default"), _default(template, number))


def _delete_versions(event: Event) -> Iterator[Write]:
    gone = structures(event.response.get("SuccessfullyDeletedLaunchTemplateVersions"))
    asked = identifiers(event.request.get("LaunchTemplateVersions"))
    told = [(text(one.get(_ID)), text(one.get("VersionNumber"))) for one in gone]
    for template, number in told or [(event.requested(_ID), number) for number in asked]:
        yield Write(event.key(VERSION, template, number), None, before={})


# --- reads --------------------------------------------------------------------------------------------------------------------


def _observe(scope: Scope, described: JsonObject) -> Iterator[Observed]:
    template = text(described.get(_ID))
    yield seen(scope, LAUNCH_TEMPLATE, template, _value(described))
    yield seen(scope, DEFAULT, template, _default(template, described.get("DefaultVersionNumber")), "default")


def _observe_version(scope: Scope, described: JsonObject) -> Iterator[Observed]:
    yield seen(scope, VERSION, described.get(_ID), {}, text(described.get("VersionNumber")))


def _read(key: SettingKey) -> Read:
    return listing("DescribeLaunchTemplates", LaunchTemplateIds=[key.resource])


def _read_versions(key: SettingKey) -> Read:
    return listing("DescribeLaunchTemplateVersions", LaunchTemplateId=key.resource)


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        return call("DeleteLaunchTemplate", {_ID: key.resource}, irreversible=_GOES)
    if live is None:
        advice = "Make it again from where it is kept, and point what launches from it to its new id."
        return Unrestorable(f"what launch template {wanted.get('LaunchTemplateName', '')} held is in no record", advice)
    return immutable(key.resource)


def _change_version(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None:
        asked = {_ID: key.resource, "Versions": [key.name]}
        return call("DeleteLaunchTemplateVersions", asked, irreversible=_GOES)
    return Unrestorable(
        f"a version's number is not given twice, and what version {key.name} held is in no record",
        "Make a new version from where it is kept, and point what launches from the old one to it.",
    )


def _change_default(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None or live is None:
        return always_there("the default version")
    return call("ModifyLaunchTemplate", {_ID: key.resource, "DefaultVersion": str(wanted).rpartition("/")[2]})


LAUNCH_TEMPLATES = family(
    Kind(LAUNCH_TEMPLATE, 30, _read, _change, details=lambda key: (_read_versions(key),)),
    Kind(VERSION, 28, _read_versions, _change_version, part_of=LAUNCH_TEMPLATE),
    Kind(DEFAULT, 28, _read, _change_default, part_of=LAUNCH_TEMPLATE),
    readers={
        "CreateLaunchTemplate": _create,
        "DeleteLaunchTemplate": _delete,
        "CreateLaunchTemplateVersion": _create_version,
        "ModifyLaunchTemplate": _set_default,
        "DeleteLaunchTemplateVersions": _delete_versions,
    },
    observers={
        "DescribeLaunchTemplates": observer("LaunchTemplates", _observe),
        "DescribeLaunchTemplateVersions": observer("LaunchTemplateVersions", _observe_version),
    },
    inventory=("DescribeLaunchTemplates",),
    absent_codes=(
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateId.NotFoundException",
        "InvalidLaunchTemplateId.VersionNotFound",
    ),
    acts={
        LAUNCH_TEMPLATE: Acts(removes=("ec2:DeleteLaunchTemplate",)),
        VERSION: Acts(removes=("ec2:DeleteLaunchTemplateVersions",)),
        DEFAULT: Acts(sets=("ec2:ModifyLaunchTemplate",)),
    },
)
