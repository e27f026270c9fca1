"""Customer managed policies: their existence, their versions, which version is in force, and their tags.

A version's number is never given twice, so that a version is known here by what it says: the digest of its document, and its place
among those that say the same. One that was deleted comes back under another number, and is to everybody but the one who counts the
same version. IAM shows the documents of all versions in the read of everything alone, without a call for each version.
https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html
https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from incident.family import Acts, Call, Change, Read, Scope, Unrestorable
from incident.network.kinds import Event, Kind, always_there, family, immutable
from incident.network.values import flag, mapping, structures, tags, text
from incident.record import JsonObject
from incident.resources.iam import (
    EVERYTHING,
    GLOBAL,
    IAM,
    MANAGED_POLICY,
    NO_SUCH,
    deleted,
    key,
    made_word,
    path,
    policy,
    shown,
    taking_away,
)
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

VERSION = "managed-policy-version"
DEFAULT = "managed-policy-default"
TAG = "managed-policy-tag"

_NAME = "default"
_DOCUMENT, _SAID_BY = "PolicyDocument", "Version"
# What is in force is put back before the version that was in force goes, and a version is made by that where it is missing.
_RANK, _DEFAULT_RANK, _VERSION_RANK = 54, 45, 44
_MOST_VERSIONS = 300
_LOSES = "the policy's id and description, and the numbers of its versions"
_NEW_NUMBER = "the version's number: it comes back under a new one"


def digest(document: str) -> str:
    """What tells one version of a policy from another: the first twelve hex digits of its document's SHA-256."""
    return hashlib.sha256(document.encode()).hexdigest()[:12]


def _name(document: str, place: int) -> str:
    """The name of a version; of several that say the same, each but the first has its place in it."""
    return digest(document) if place == 1 else f"{digest(document)}-{place}"


def _place(setting: SettingKey) -> int:
    place = setting.name.partition("-")[2]
    return int(place) if place.isdigit() else 1


def _in_force(arn: str, document: str) -> dict[str, str]:
    """A document as the one in force; it names its version, so that the version goes only after it."""
    return {_DOCUMENT: document, _SAID_BY: f"{arn}/{digest(document)}"}


def _numbered(arn: str, version: str) -> str:
    """The word by which records name a version of any policy."""
    return f"{arn}:{version}"


# --- records ------------------------------------------------------------------------------------------------------------------


def _arn(event: Event) -> str:
    return event.requested("PolicyArn")


def _version_key(event: Event, arn: str, name: str) -> SettingKey:
    return key(event, VERSION, arn, name)


def _create(event: Event) -> Iterator[Write]:
    told = {**event.request, **mapping(event.response.get("Policy"))}
    arn, document = text(told.get("Arn")), policy(event.request.get(_DOCUMENT))
    yield Write(key(event, MANAGED_POLICY, arn), {**path(told), _DOCUMENT: document}, None, {"made": made_word(arn)})
    yield Write(key(event, DEFAULT, arn, _NAME), _in_force(arn, document), None, {digest(document): f"{arn} v1"})
    yield Write(_version_key(event, arn, digest(document)), document, None, {"v1": _numbered(arn, "v1")})
    for name, value in tags(event.request).items():
        yield Write(key(event, TAG, arn, name), value, before=None)


def _create_version(event: Event) -> Iterator[Write]:
    """A version more, beside those that are known to say the same."""
    arn, document = _arn(event), policy(event.request.get(_DOCUMENT))
    number = text(mapping(event.response.get("PolicyVersion")).get("VersionId"))
    alike = (_version_key(event, arn, _name(document, place)) for place in range(1, _MOST_VERSIONS))
    setting = next(one for one in alike if event.value(one) is None or isinstance(event.value(one), Unknown))
    yield Write(setting, document, None, {number: _numbered(arn, number)})
    if flag(event.request.get("SetAsDefault")):
        yield from _put_in_force(event, arn, document, {digest(document): f"{arn} {number}"})


def _set_default(event: Event) -> Iterator[Write]:
    arn = _arn(event)
    version = event.known.alias(_numbered(arn, event.requested("VersionId")))
    document = event.value(version) if version is not None else UNKNOWN
    yield from _put_in_force(event, arn, document, {})


def _put_in_force(event: Event, arn: str, document: Value | Unknown, more: Mapping[str, str]) -> Iterator[Write]:
    said = document if isinstance(document, str) else ""
    now = _in_force(arn, said) if said else UNKNOWN
    yield Write(key(event, DEFAULT, arn, _NAME), now, handles={**_numbers(event, arn), **more})
    whole = event.value(existence := key(event, MANAGED_POLICY, arn))
    if whole is not None and not isinstance(whole, Unknown):
        yield Write(existence, {**whole, _DOCUMENT: said} if said else UNKNOWN)


def _numbers(event: Event, arn: str) -> dict[str, str]:
    """The number of each version that records or the baseline tell of, by its digest."""
    found: dict[str, str] = {}
    for number in range(1, _MOST_VERSIONS):
        version = event.known.alias(_numbered(arn, f"v{number}"))
        if version is not None and event.value(version) is not None:
            found.setdefault(version.name.partition("-")[0], f"{arn} v{number}")
    return found


def _delete_version(event: Event) -> Iterator[Write]:
    arn, number = _arn(event), event.requested("VersionId")
    gone = event.known.alias(_numbered(arn, number))
    if gone is None:
        yield Write(_version_key(event, arn, number), None)
        return
    last = _last_alike(event, gone)
    yield Write(last, None)
    if last != gone:
        # The last of those that say the same takes the place of the one that went.
        yield Write(gone, event.value(gone), handles=_standing_for(event, last))


def _last_alike(event: Event, version: SettingKey) -> SettingKey:
    """Of the versions that are known to say the same, the last."""
    said = version.name.partition("-")[0]
    alike = [one for one in event.known.keys_of(VERSION, version.resource) if one.name.partition("-")[0] == said]
    return max((one for one in alike if event.value(one) is not None), key=_place, default=version)


def _standing_for(event: Event, version: SettingKey) -> dict[str, str]:
    """The number by which records name a version."""
    numbers = (f"v{number}" for number in range(1, _MOST_VERSIONS))
    words = ((number, _numbered(version.resource, number)) for number in numbers)
    return {number: word for number, word in words if event.known.alias(word) == version}


def _delete(event: Event) -> Iterator[Write]:
    yield from deleted(event, key(event, MANAGED_POLICY, _arn(event)), UNKNOWN, VERSION, DEFAULT, TAG)


def _tag(event: Event) -> Iterator[Write]:
    for name, value in tags(event.request).items():
        yield Write(key(event, TAG, _arn(event), name), value)


def _untag(event: Event) -> Iterator[Write]:
    for name in event.request.get("TagKeys", ()):
        yield Write(key(event, TAG, _arn(event), text(name)), None)


# --- reads --------------------------------------------------------------------------------------------------------------------

_LIST = IAM.read(EVERYTHING, Filter=["LocalManagedPolicy"])


def _read(setting: SettingKey) -> Read:
    return _LIST


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for told in structures(answer.get("Policies")):
        yield from _shown(scope, told)


def _shown(scope: Scope, told: JsonObject) -> Iterator[Observed]:
    arn = text(told.get("Arn"))
    documents = {text(one.get("VersionId")): policy(one.get("Document")) for one in structures(told.get("PolicyVersionList"))}
    default = text(told.get("DefaultVersionId"))
    in_force = documents.get(default, "")
    yield shown(scope, MANAGED_POLICY, arn, {**path(told), _DOCUMENT: in_force})
    # Of those that say the same the one in force is the first, so that the others can go before it.
    ordered = sorted(documents, key=lambda number: (number != default, len(number), number))
    numbers: dict[str, str] = {}
    for document in dict.fromkeys(documents.values()):
        alike = [number for number in ordered if documents[number] == document]
        numbers[digest(document)] = f"{arn} {alike[0]}"
        for place, number in enumerate(alike, start=1):
            setting = SettingKey(scope.account, GLOBAL, VERSION, arn, _name(document, place))
            yield Observed(setting, document, {number: _numbered(arn, number)})
    yield Observed(SettingKey(scope.account, GLOBAL, DEFAULT, arn, _NAME), _in_force(arn, in_force), numbers)


def _observe_tags(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    for name, value in tags(answer).items():
        yield shown(scope, TAG, read.parameters["PolicyArn"], value, name)


# --- changes ------------------------------------------------------------------------------------------------------------------


def _change(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    arn = setting.resource
    if wanted is None:
        return (*_emptied(arn), *IAM.call("DeletePolicy", {"PolicyArn": arn}, loses=_LOSES))
    if live is None:
        asked = {"PolicyName": arn.rpartition("/")[2], **wanted}
        return IAM.call("CreatePolicy", asked, loses=_LOSES, creates="Policy.Arn")
    differing = {name for name in {*live.value, *wanted} if live.value.get(name) != wanted.get(name)}
    return () if differing <= {_DOCUMENT} else immutable(f"policy {arn}")


def _emptied(arn: str) -> tuple[Call, ...]:
    """The calls that leave a policy without holders, and with the version in force alone.

    As a boundary it stays: what a boundary holds back would be free without it, so that each has a step or a person of its own.
    """
    named = {"PolicyArn": arn}
    held = {
        owner: IAM.read("ListEntitiesForPolicy", **named, EntityFilter=owner, PolicyUsageFilter="PermissionsPolicy")
        for owner in ("User", "Role", "Group")
    }
    versions = IAM.read("ListPolicyVersions", **named)
    return (
        *(
            taking_away(f"Detach{owner}Policy", named, f"{owner}Name", read, f"Policy{owner}s[].{owner}Name")
            for owner, read in held.items()
        ),
        taking_away("DeletePolicyVersion", named, "VersionId", versions, "Versions[?!IsDefaultVersion].VersionId"),
    )


def _change_default(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    if wanted is None or live is None:
        return always_there("which version of a policy is in force")
    document, named = text(wanted.get(_DOCUMENT)), {"PolicyArn": setting.resource}
    there = live.handles.get(digest(document), "")
    if there:
        return IAM.call("SetDefaultPolicyVersion", {**named, "VersionId": there.rpartition(" ")[2]})
    return IAM.call("CreatePolicyVersion", {**named, _DOCUMENT: document, "SetAsDefault": True}, loses=_NEW_NUMBER)


def _change_version(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    named = {"PolicyArn": setting.resource}
    if wanted is None:
        numbers = list(live.handles) if live else []
        return tuple(call for number in numbers for call in IAM.call("DeletePolicyVersion", {**named, "VersionId": number}))
    if setting.name != _name(wanted, _place(setting)):
        reason = f"nothing tells what version {setting.name} said, and AWS gives no number twice"
        return Unrestorable(reason, "Make a version with the document that it had, if its owner knows it.")
    return IAM.call("CreatePolicyVersion", {**named, _DOCUMENT: wanted, "SetAsDefault": False}, loses=_NEW_NUMBER)


def _in_turn(setting: SettingKey, found: Value, wanted: Value) -> int:
    """Of versions that say the same the last goes first, and the first comes first."""
    return _place(setting) * (-1 if wanted is None else 1)


def _change_tag(setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
    named = {"PolicyArn": setting.resource}
    if wanted is None:
        return IAM.call("UntagPolicy", {**named, "TagKeys": [setting.name]})
    return IAM.call("TagPolicy", {**named, "Tags": [{"Key": setting.name, "Value": wanted}]})


def _implied(setting: SettingKey, value: Mapping[str, str]) -> Iterator[tuple[SettingKey, Value]]:
    document = text(value.get(_DOCUMENT))
    yield setting._replace(kind=DEFAULT, name=_NAME), _in_force(setting.resource, document)
    yield setting._replace(kind=VERSION, name=digest(document)), document


MANAGED_POLICIES = family(
    Kind(MANAGED_POLICY, _RANK, _read, _change, implies=_implied),
    Kind(DEFAULT, _DEFAULT_RANK, _read, _change_default, part_of=MANAGED_POLICY),
    Kind(VERSION, _VERSION_RANK, _read, _change_version, part_of=MANAGED_POLICY, place=_in_turn),
    service=IAM.source,
    readers={
        "CreatePolicy": _create,
        "CreatePolicyVersion": _create_version,
        "SetDefaultPolicyVersion": _set_default,
        "DeletePolicyVersion": _delete_version,
        "DeletePolicy": _delete,
    },
    observers={EVERYTHING: _observe},
    inventory=(_LIST,),
    absent_codes=(NO_SUCH,),
    home_only=True,
    acts={
        MANAGED_POLICY: Acts(
            sets=("iam:CreatePolicy",),
            removes=(
                "iam:DeletePolicy",
                "iam:DeletePolicyVersion",
                "iam:DetachGroupPolicy",
                "iam:DetachRolePolicy",
                "iam:DetachUserPolicy",
                "iam:ListEntitiesForPolicy",
                "iam:ListPolicyVersions",
            ),
        ),
        DEFAULT: Acts(sets=("iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion")),
        VERSION: Acts(sets=("iam:CreatePolicyVersion",), removes=("iam:DeletePolicyVersion",)),
    },
    looks=("iam:ListEntitiesForPolicy", "iam:ListPolicyVersions"),
)

# No sweep lists the tags of every policy: what nothing tells of one is a question.
MANAGED_POLICY_TAGS = family(
    Kind(TAG, 42, lambda setting: IAM.read("ListPolicyTags", PolicyArn=setting.resource), _change_tag, part_of=MANAGED_POLICY),
    service=IAM.source,
    readers={"TagPolicy": _tag, "UntagPolicy": _untag},
    observers={"ListPolicyTags": _observe_tags},
    inventory=(),
    absent_codes=(NO_SUCH,),
    acts={TAG: Acts(sets=("iam:TagPolicy",), removes=("iam:UntagPolicy",))},
)

FAMILIES = (MANAGED_POLICIES, MANAGED_POLICY_TAGS)
