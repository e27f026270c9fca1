"""A network on the practice range, random changes to it, and the way back from its CloudTrail."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
import botocore
import jmespath
from botocore.exceptions import ClientError

from drill.aws import Range
from incident.family import Call, Family, Read, Scope, Unrestorable
from incident.network.registry import FAMILIES, family_for_event, family_for_kind, part_of, rank
from incident.record import Record
from incident.settings import Fold, Observed, PriorValue, Reversal, SettingKey, Source, Unknown, Value, reversals, same

REGION = "us-east-1"
BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
NOT_ON_THE_RANGE = ("DescribeVpcBlockPublicAccess", "DescribeVpcEndpointConnections")
POLICY = '{"Version":"2012-10-17","Statement":[]}'


class Network:
    """The range's network as settings. Its own calls leave no record; `actor` is the client whose calls do."""

    def __init__(self, aws: Range) -> None:
        self.aws = aws
        self.scope = Scope(aws.account, REGION)
        self._clients: dict[tuple[str, bool], Any] = {}
        self.renamed: dict[str, str] = {}
        self.ec2, self.actor = self.client("ec2"), self.client("ec2", recorded=True)

    def client(self, service: str, *, recorded: bool = False) -> Any:
        """A client of any service; `recorded` calls are the actor's."""
        if (service, recorded) not in self._clients:
            keys = self.aws.responder() if recorded else self.aws.bootstrap()
            self._clients[service, recorded] = client_of(self.aws.url, service, **keys.for_boto3())
        return self._clients[service, recorded]

    def settings(self) -> dict[SettingKey, Observed]:
        """Every setting of every family, live."""
        found: dict[SettingKey, Observed] = {}
        for family in FAMILIES:
            for read in family.inventory:
                if not read.operation.startswith(NOT_ON_THE_RANGE):
                    found |= self._read(family, read, deep=True)
        return found

    def live(self, key: SettingKey) -> Observed | None:
        """One setting, by the read that its family names for it."""
        family = family_for_kind(key.kind)
        try:
            return self._read(family, family.read(key)).get(key)
        except ClientError as error:
            if error.response["Error"]["Code"] in family.absent_codes:
                return None
            raise

    def bring(self, key: SettingKey, wanted: Value) -> str | None:
        """Bring one setting to a value; the reason if no call does. What was made again goes by its new id from then on."""
        now, wanted = self.current(key), self.current_value(wanted)
        live = self.live(now)
        answer = family_for_kind(now.kind).change(now, live, wanted)
        if isinstance(answer, Unrestorable):
            return answer.reason
        for call in answer:
            told = self._do(call)
            if live is None and call.creates and not key.name:
                self.renamed[key.resource] = str(jmespath.search(call.creates, told))
        return None

    def current(self, key: SettingKey) -> SettingKey:
        """A setting where it is now, if its resource was made again."""
        return key._replace(resource=self.current_value(key.resource))

    def current_value(self, value: Value) -> Value:
        """A value with the ids of what was made again."""
        if isinstance(value, dict):
            return {name: self.current_value(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.current_value(inner) for inner in value]
        return self.renamed.get(value, value) if isinstance(value, str) else value

    def records(self) -> list[Record]:
        return [Record.parse(raw) for raw in self.aws.app.trail.records()]

    def _do(self, call: Call) -> dict[str, Any]:
        parameters = dict(call.parameters)
        rounds: list[dict[str, Any]] = [{}]
        for name, lookup in call.lookups.items():
            found = jmespath.search(lookup.path, self._answer(lookup.read))
            if lookup.each:
                rounds = [{name: value} for value in found]
            else:
                parameters[name] = found
        told: dict[str, Any] = {}
        for one in rounds:
            told = _method(self.client(call.service), call.operation)(**parameters, **one)
        return told

    def _read(self, family: Family, read: Read, *, deep: bool = False) -> dict[SettingKey, Observed]:
        found: dict[SettingKey, Observed] = {}
        waiting, done = [read], set[str]()
        while waiting:
            asked = waiting.pop()
            if str(asked) in done:
                continue
            done.add(str(asked))
            for observed in family.observe(self.scope, asked, self._told(family, asked, detail=asked is not read)):
                found[observed.key] = observed
                if deep and not observed.key.name and observed.value is not None:
                    waiting += family.details(observed.key)
        return found

    def _told(self, family: Family, read: Read, *, detail: bool) -> dict[str, Any]:
        """An answer; what is absent by the family's own codes tells nothing of a listed resource."""
        try:
            return self._answer(read)
        except ClientError as error:
            if detail and error.response["Error"]["Code"] in family.absent_codes:
                return {}
            raise

    def _answer(self, read: Read) -> dict[str, Any]:
        return _method(self.client(read.service), read.operation)(**read.parameters)


@cache
def client_of(url: str, service: str, **keys: str | None) -> Any:
    """A client, the same one for the same keys: a range that is reset has them still."""
    config = botocore.config.Config(retries={"max_attempts": 0}, parameter_validation=True)
    return boto3.client(service, endpoint_url=url, region_name=REGION, config=config, **keys)


def _method(client: Any, operation: str) -> Callable[..., dict[str, Any]]:
    return getattr(client, botocore.xform_name(operation))


def values(settings: dict[SettingKey, Observed]) -> dict[SettingKey, Value]:
    """Settings without their handles: what must be the same again."""
    return {key: observed.value for key, observed in settings.items() if observed.value is not None}


def fold(records: Iterable[Record], baseline: dict[SettingKey, Observed]) -> Fold:
    """The records over what was observed before them; what was not observed, in a complete baseline, was not there."""
    kept = list(records)
    prior = {key: PriorValue(one.value, BEFORE, Source.BASELINE, one.aliases) for key, one in baseline.items()}
    for key in _folded(kept, prior).histories:
        prior.setdefault(key, PriorValue(None, BEFORE, Source.BASELINE))
    return _folded(kept, prior)


def _folded(records: list[Record], prior: dict[SettingKey, PriorValue]) -> Fold:
    folded = Fold(prior.items())
    for record in records:
        family = family_for_event(record.operation)
        if record.succeeded and family is not None:
            folded.read(record, family.writes)
    return folded


def told_wrongly(folded: Fold, live: dict[SettingKey, Value]) -> dict[str, tuple[Any, Any]]:
    """Where the records tell a setting otherwise than AWS shows it."""
    wrong: dict[str, tuple[Any, Any]] = {}
    for key, history in folded.histories.items():
        if not history.entries:
            continue
        told = history.entries[-1].after
        if not isinstance(told, Unknown) and not same(told, live.get(key)):
            wrong[str(key)] = (told, live.get(key))
    return wrong


def undo(network: Network, folded: Fold) -> list[str]:
    """Undo everything; what goes, goes first and leaf before root, and what comes back comes root before leaf."""
    wanted = reversals(folded, lambda record: True)
    doomed = {(one.key.kind, one.key.resource) for one in wanted if one.target is None and not one.key.name}
    wanted = [one for one in wanted if not _goes_along(one.key, doomed)]
    todo = sorted(wanted, key=lambda one: (one.target is not None, _place(one.key, one.target)))
    while todo:
        refused = [(one, reason) for one in todo if (reason := _undone(network, one))]
        if len(refused) == len(todo):
            return [f"{one.key}: {reason}" for one, reason in refused]
        todo = [one for one, _ in refused]
    return []


def _undone(network: Network, reversal: Reversal) -> str | None:
    """Try to undo one setting; why it cannot be, which may be that another must be first."""
    if isinstance(reversal.target, Unknown):
        return "nothing tells what it was"
    try:
        return network.bring(reversal.key, reversal.target)
    except ClientError as error:
        return str(error)


def _goes_along(key: SettingKey, doomed: set[tuple[str, str]]) -> bool:
    """What is part of a resource that goes needs no call of its own."""
    parent = part_of(key.kind)
    return any(parent in ("*", kind) and resource == key.resource for kind, resource in doomed if kind != key.kind)


def _place(key: SettingKey, target: Value) -> int:
    return rank(key.kind) if target is None else -rank(key.kind)
