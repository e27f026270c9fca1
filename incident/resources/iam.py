"""What users, roles, groups and instance profiles have in common: where they are, and the policies that each holds.

IAM is global: its settings stand in the region `global`, and its records appear in us-east-1. IAM deletes nothing that still holds
something, so a deletion first takes away whatever is there at that moment, our own deny policy too.
https://docs.aws.amazon.com/IAM/latest/APIReference/
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import unquote

from incident.family import Acts, Call, Change, Lookup, Read, Scope
from incident.network.kinds import Event, Kind, Observer, Reader
from incident.network.service import Service
from incident.network.values import mapping, present, structures, text
from incident.record import JsonObject
from incident.settings import UNKNOWN, Observed, SettingKey, Unknown, Value, Write

IAM = Service("iam", "iam")
GLOBAL = "global"
NO_SUCH = "NoSuchEntity"
EVERYTHING = "GetAccountAuthorizationDetails"
"""The read that lists users, roles or groups with all their policies."""

POLICY_RANK = 40
MANAGED_POLICY = "managed-policy"
_BOUNDARY_RANK = 41
"""What holds a principal back is there before what lets it do more."""


# --- values -------------------------------------------------------------------------------------------------------------------


def compact(document: object) -> str:
    """A policy document as the text that we send and compare."""
    return json.dumps(document, separators=(",", ":"), sort_keys=True)


def policy(told: object) -> str:
    """A policy document as one comparable text, though IAM answers with it URL-encoded; what is no JSON stays as it is."""
    if not isinstance(told, str):
        return compact(told) if told else ""
    plain = unquote(told) if told.startswith("%7B") else told
    try:
        return compact(json.loads(plain))
    except ValueError:
        return plain


def path(told: JsonObject) -> dict[str, str]:
    """The path of a user, role, group or profile, where it has one of its own."""
    return present({"Path": text(told.get("Path")).removesuffix("/") and text(told.get("Path"))})


def made_word(arn: str) -> str:
    """The word that stands for a managed policy of whose making a record tells: nobody had it before."""
    return f"made {arn}"


# --- records and reads --------------------------------------------------------------------------------------------------------


def key(event: Event, kind: str, resource: str, name: str = "") -> SettingKey:
    """A setting of the account that a record names.

    Raises:
        ValueError: the record names no resource.
    """
    return event.key(kind, resource, name)._replace(region=GLOBAL)


def known_or(event: Event, setting: SettingKey, otherwise: Value | Unknown) -> Value | Unknown:
    """The value of something that is deleted, which proves that it was there."""
    known = event.value(setting)
    return otherwise if known is None or isinstance(known, Unknown) else known


def deleted(event: Event, setting: SettingKey, otherwise: Value | Unknown, *parts: str) -> Iterator[Write]:
    """Something that is gone, and every setting that vanished with it."""
    yield Write(setting, None, before=known_or(event, setting, otherwise))
    for part in parts:
        for one in event.known.keys_of(part, setting.resource):
            if event.value(one) is not None:
                yield Write(one, None)


def shown(scope: Scope, kind: str, resource: object, value: Value, name: str = "") -> Observed:
    return Observed(SettingKey(scope.account, GLOBAL, kind, text(resource), name), value)


# --- calls --------------------------------------------------------------------------------------------------------------------


def taking_away(operation: str, holder: Mapping[str, str], parameter: str, read: Read, found: str) -> Call:
    """A call for each of what a holder has at that moment; `found` is where the read shows the value of `parameter`."""
    needed = (f"iam:{operation}", f"iam:{read.operation}")
    return Call("iam", operation, dict(holder), needed, lookups={parameter: Lookup(read, found, each=True)})


# --- policies -----------------------------------------------------------------------------------------------------------------


class Policies:
    """The policies that are written into a user, role or group, and those that are attached to it; `owner` is `User`."""

    def __init__(self, owner: str) -> None:
        self.owner, self.parameter = owner, f"{owner}Name"
        self.kind = owner.lower()
        self.inline, self.attached = f"{self.kind}-policy", f"attached-{self.kind}-policy"
        self.boundary = f"{self.kind}-boundary"

    def named(self, holder: str) -> dict[str, str]:
        return {self.parameter: holder}

    def read(self, operation: str, holder: str, **more: str) -> Read:
        return IAM.read(operation, **self.named(holder), **more)

    # Records.

    def holder(self, event: Event) -> str:
        """Who a call is about; IAM takes the caller where it names no user."""
        return event.requested(self.parameter) or (event.record.identity.name if self.owner == "User" else "")

    def _put(self, event: Event) -> Iterator[Write]:
        setting = key(event, self.inline, self.holder(event), event.requested("PolicyName"))
        yield Write(setting, policy(event.request.get("PolicyDocument")) or UNKNOWN)

    def _delete(self, event: Event) -> Iterator[Write]:
        yield Write(key(event, self.inline, self.holder(event), event.requested("PolicyName")), None)

    def _attach(self, event: Event) -> Iterator[Write]:
        """A policy of whose making a record tells was nobody's before it."""
        arn = event.requested("PolicyArn")
        setting = key(event, self.attached, self.holder(event), arn)
        new = isinstance(event.value(setting), Unknown) and event.known.alias(made_word(arn)) is not None
        yield Write(setting, {}, before=None if new else UNKNOWN)

    def _detach(self, event: Event) -> Iterator[Write]:
        """Only what was attached can be detached."""
        yield Write(key(event, self.attached, self.holder(event), event.requested("PolicyArn")), None, before={})

    def readers(self) -> dict[str, Reader]:
        bounded = {} if self.owner == "Group" else {"Put": self._bound, "Delete": self._unbound}
        return {
            f"Put{self.owner}Policy": self._put,
            f"Delete{self.owner}Policy": self._delete,
            f"Attach{self.owner}Policy": self._attach,
            f"Detach{self.owner}Policy": self._detach,
            **{f"{verb}{self.owner}PermissionsBoundary": reader for verb, reader in bounded.items()},
        }

    def _bound(self, event: Event) -> Iterator[Write]:
        yield Write(self._boundary_of(event), event.requested("PermissionsBoundary") or UNKNOWN)

    def _unbound(self, event: Event) -> Iterator[Write]:
        yield Write(self._boundary_of(event), None)

    def _boundary_of(self, event: Event) -> SettingKey:
        return key(event, self.boundary, self.holder(event), "boundary")

    def created_with(self, event: Event) -> Iterator[Write]:
        """The boundary that a new user or role has from its first moment."""
        arn = event.requested("PermissionsBoundary")
        if arn:
            yield Write(self._boundary_of(event), arn, before=None)

    # Reads.

    def details(self, scope: Scope, described: JsonObject) -> Iterator[Observed]:
        """The policies of one holder as the read of everything shows them."""
        holder = described.get(self.parameter)
        for one in structures(described.get(f"{self.owner}PolicyList")):
            yield shown(scope, self.inline, holder, policy(one.get("PolicyDocument")), text(one.get("PolicyName")))
        for one in structures(described.get("AttachedManagedPolicies")):
            yield shown(scope, self.attached, holder, {}, text(one.get("PolicyArn")))

    def shown_boundary(self, scope: Scope, described: JsonObject) -> Iterator[Observed]:
        """The boundary of a user or role, if it has one."""
        arn = text(mapping(described.get("PermissionsBoundary")).get("PermissionsBoundaryArn"))
        if arn:
            yield shown(scope, self.boundary, described.get(self.parameter), arn, "boundary")

    def _observe_one(self, scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
        if answer.get("PolicyName"):
            value = policy(answer.get("PolicyDocument"))
            yield shown(scope, self.inline, answer.get(self.parameter), value, text(answer["PolicyName"]))

    def _observe_attached(self, scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
        for one in structures(answer.get("AttachedPolicies")):
            yield shown(scope, self.attached, read.parameters[self.parameter], {}, text(one.get("PolicyArn")))

    def observers(self) -> dict[str, Observer]:
        return {f"Get{self.owner}Policy": self._observe_one, f"ListAttached{self.owner}Policies": self._observe_attached}

    # Changes.

    def _change_inline(self, setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
        named = {**self.named(setting.resource), "PolicyName": setting.name}
        if wanted is None:
            return IAM.call(f"Delete{self.owner}Policy", named)
        return IAM.call(f"Put{self.owner}Policy", {**named, "PolicyDocument": wanted})

    def _change_attached(self, setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
        operation = f"Detach{self.owner}Policy" if wanted is None else f"Attach{self.owner}Policy"
        return IAM.call(operation, {**self.named(setting.resource), "PolicyArn": setting.name})

    def _change_boundary(self, setting: SettingKey, live: Observed | None, wanted: Value) -> Change:
        if wanted is None:
            return IAM.call(f"Delete{self.owner}PermissionsBoundary", self.named(setting.resource))
        asked = {**self.named(setting.resource), "PermissionsBoundary": wanted}
        return IAM.call(f"Put{self.owner}PermissionsBoundary", asked)

    def boundary_kind(self) -> Kind:
        """The policy that bounds what a user or role may do, whatever else lets them."""
        sets, removes = (f"iam:{verb}{self.owner}PermissionsBoundary" for verb in ("Put", "Delete"))
        return Kind(
            self.boundary,
            _BOUNDARY_RANK,
            lambda setting: self.read(f"Get{self.owner}", setting.resource),
            self._change_boundary,
            part_of=self.kind,
            acts=Acts((sets,), (removes,)),
        )

    def kinds(self) -> tuple[Kind, ...]:
        return (
            Kind(
                self.inline,
                POLICY_RANK,
                lambda setting: self.read(f"Get{self.owner}Policy", setting.resource, PolicyName=setting.name),
                self._change_inline,
                part_of=self.kind,
            ),
            Kind(
                self.attached,
                POLICY_RANK,
                lambda setting: self.read(f"ListAttached{self.owner}Policies", setting.resource),
                self._change_attached,
                part_of=self.kind,
            ),
        )

    def taken_away(self, holder: str) -> tuple[Call, ...]:
        """The calls that leave a holder without policies."""
        attached, inline = f"ListAttached{self.owner}Policies", f"List{self.owner}Policies"
        named = self.named(holder)
        return (
            taking_away(
                f"Detach{self.owner}Policy", named, "PolicyArn", self.read(attached, holder), "AttachedPolicies[].PolicyArn"
            ),
            taking_away(f"Delete{self.owner}Policy", named, "PolicyName", self.read(inline, holder), "PolicyNames[]"),
        )


def holders(listed: str, one: Observer) -> Observer:
    """An observer of the read of everything, from what shows one holder of its list."""

    def observe(scope: Scope, read: Read, answer: JsonObject) -> Iterable[Observed]:
        for described in structures(answer.get(listed)):
            yield from one(scope, read, described)

    return observe
