"""The least that must be asked of the event history, by an oracle that knows every record and every key of the actor.

It asks, each question in every enabled region of the account where its answer can be:

- for each principal that the actor made, or that their machines and functions work as, once by name;
- for each other key of theirs, once, unless a question by name answers it. A key's calls are recorded in its own account;
- for each temporary key on the way back from the finding's, who handed it out. The answer can be in every account;
- for everybody's changes, in each place that the actor changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from incident.record import Record
from tasks.cloudtrail import PAGE


class Asked(NamedTuple):
    """One question in one place."""

    account: str
    region: str
    attribute: str
    value: str


@dataclass(frozen=True)
class Truth:
    """What the oracle knows.

    Attributes:
        keys: every access key that the actor had, to its account.
        finding_key: the key that the finding names.
        places: every enabled region of every account, as account and region.
    """

    records: tuple[Record, ...]
    keys: Mapping[str, str]
    finding_key: str
    places: tuple[tuple[str, str], ...]


def least(truth: Truth) -> dict[Asked, int]:
    """Each question that must be asked, to the pages of its answer."""
    questions = dict.fromkeys([*_about_the_actor(truth), *_about_the_origin(truth), *_around(truth)])
    return {asked: _pages(asked, truth.records) for asked in questions}


def _about_the_actor(truth: Truth) -> Iterator[Asked]:
    theirs = [record for record in truth.records if record.identity.access_key in truth.keys and record.succeeded]
    named = {name for record in theirs for name in _made(record)}
    for account, name in named:
        yield from _everywhere(truth, "Username", name, account)
    for record in theirs:
        if record.operation == "iam:CreateRole":
            role = f"arn:aws:iam::{record.account}:role/{record.request['roleName']}"
            yield from _everywhere(truth, "ResourceName", role, record.account)
    for key, account in truth.keys.items():
        used = [record for record in truth.records if record.identity.access_key == key]
        if not used or any((account, user_name(record)) not in named for record in used):
            yield from _everywhere(truth, "AccessKeyId", key, account)


def _made(record: Record) -> Iterator[tuple[str, str]]:
    """The names of the principals that a record makes, with their account."""
    if record.operation == "iam:CreateUser":
        yield record.account, str(record.request["userName"])
    if record.operation == "ec2:RunInstances":
        for instance in record.response["instancesSet"]["items"]:
            if instance.get("iamInstanceProfile"):
                yield record.account, str(instance["instanceId"])
    if record.event_name.startswith("CreateFunction2"):
        yield record.account, str(record.request["functionName"])


def _about_the_origin(truth: Truth) -> Iterator[Asked]:
    key = truth.finding_key
    while key.startswith("ASIA"):
        yield from _everywhere(truth, "ResourceName", key)
        giving = (record for record in truth.records if _given_key(record) == key and record.identity.access_key)
        key = next((record.identity.access_key for record in giving), "")


def _around(truth: Truth) -> Iterator[Asked]:
    for record in truth.records:
        if record.identity.access_key in truth.keys and record.succeeded and not record.read_only:
            yield Asked(record.account, record.region, "ReadOnly", "false")


def _everywhere(truth: Truth, attribute: str, value: str, account: str = "") -> Iterator[Asked]:
    for place in truth.places:
        if account in ("", place[0]):
            yield Asked(*place, attribute, value)


def _pages(asked: Asked, records: Iterable[Record]) -> int:
    there = (record for record in records if (record.account, record.region) == (asked.account, asked.region))
    found = sum(1 for record in there if _answers(asked, record))
    return max(1, -(-found // PAGE))


def _answers(asked: Asked, record: Record) -> bool:
    match asked.attribute:
        case "AccessKeyId":
            return record.identity.access_key == asked.value
        case "Username":
            return user_name(record) == asked.value
        case "ReadOnly":
            return not record.read_only
        case _:
            return asked.value in (_given_key(record), str(record.request.get("roleArn")))


def user_name(record: Record) -> str:
    """Whom LookupEvents calls the user of a record: the user, or the session of a role."""
    identity: Mapping[str, Any] = record.raw["userIdentity"]
    return str(identity.get("userName") or identity.get("arn", "").rpartition("/")[2])


def _given_key(record: Record) -> str:
    return str((record.response.get("credentials") or {}).get("accessKeyId", ""))
