"""An incident that a responder opens by hand: what they name is checked, and becomes a finding of a type of its own."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from incident.findings.arrivals import parse_arrival
from incident.findings.finding import MANUAL, Finding, FindingError, Named, parse_finding
from incident.settings import canonical

_MOST_VALUES = 200
_LONGEST_VALUE = 2048
_LONGEST_WORDS = 1000
_OLDEST = timedelta(days=5 * 365)
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z]{2,8}(-[a-z]+)+-[0-9]{1,2}")
_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of thing that can be named: the field and its option, the shape of a value, and what to give."""

    field: str
    json: str
    option: str
    shape: re.Pattern[str]
    give: str


_KINDS = (
    _Kind("resources", "resources", "--resource", re.compile(r"\S(.*\S)?"), "a resource's id or ARN, such as sg-0123456789abcdef0"),
    _Kind("records", "records", "--record", re.compile(r"[A-Za-z0-9-]{1,128}"), "the eventID of a CloudTrail record"),
    _Kind(
        "access_keys",
        "accessKeys",
        "--access-key",
        re.compile(r"(AKIA|ASIA)[A-Z0-9]{12,124}"),
        "an access key's id, which begins with AKIA or ASIA; never its secret",
    ),
    _Kind("users", "users", "--user", _NAME, "the name of an IAM user, without path or ARN"),
    _Kind("roles", "roles", "--role", _NAME, "the name of an IAM role, without path or ARN"),
    _Kind(
        "instances", "instances", "--instance", re.compile(r"i-([0-9a-f]{8}|[0-9a-f]{17})"), "an instance's id, such as i-0abc1234"
    ),
    _Kind("buckets", "buckets", "--bucket", re.compile(r"[A-Za-z0-9._-]{3,255}"), "the name of a bucket, without s3:// or ARN"),
    _Kind("addresses", "addresses", "--address", re.compile(r"[0-9A-Fa-f.:]{2,45}"), "one IP address, such as 198.51.100.7"),
    _Kind("agents", "agents", "--agent", re.compile(r"\S(.*\S)?"), "the text of a user agent as CloudTrail writes it"),
)


def named_finding(
    named: Named, account: str, region: str, since: datetime, severity: float, title: str, now: datetime
) -> dict[str, Any]:
    """Make the JSON of a hand-made finding, as `parse_finding(..., by_hand=True)` reads it back.

    What is named, where and since when make its id: the same words said again, by whomever, are the same finding.

    Args:
        since: from when on the actor acted.
        title: what people read first; where it is empty, one is made.
        now: when it is said.

    Raises:
        FindingError: something in it cannot be; the message says what to give.
    """
    named = _checked(named)
    _check_place(account, region)
    _check_since(since, now)
    if not 1 <= severity <= 10:
        raise FindingError("--severity is a number from 1 to 10, as GuardDuty counts; 8 is high")
    title = _words(title, "--title") if title.strip() else f"Opened by {named.person}: {named.reason}"[:300]
    said = {kind.json: list(cast(tuple[str, ...], getattr(named, kind.field))) for kind in _KINDS}
    return {
        "id": _id(said, account, region, since),
        "type": MANUAL,
        "accountId": account,
        "region": region,
        "severity": severity,
        "title": title,
        "description": named.reason,
        "createdAt": now.isoformat(),
        "updatedAt": now.isoformat(),
        "service": {"eventFirstSeen": since.isoformat(), "eventLastSeen": now.isoformat(), "count": 1},
        "countermand": {**said, "person": named.person, "reason": named.reason},
    }


def delivered_finding(body: object) -> Finding:
    """Read the finding of one line of the intake chain.

    Only a line that says by whom it was opened holds a hand-made one: the doors never write `by`, whatever is delivered to them.

    Raises:
        FindingError: the line holds none, so somebody changed it.
    """
    line = _mapping(body)
    if "by" not in line:
        return parse_arrival(line.get("finding"))
    finding = parse_finding(line.get("finding"), by_hand=True)
    if finding.named is None or _mapping(line["by"]).get("person") != finding.named.person:
        raise FindingError("the delivery and the finding in it name different people as the one who opened it")
    return finding


def _checked(named: Named) -> Named:
    """The same without repetitions, and every value such as AWS could have given it."""
    values = {kind.field: tuple(dict.fromkeys(_value(kind, value) for value in getattr(named, kind.field))) for kind in _KINDS}
    count = sum(map(len, values.values()))
    if not count:
        raise FindingError(f"this names nothing; give at least one of {', '.join(kind.option for kind in _KINDS)}")
    if count > _MOST_VALUES:
        raise FindingError(f"this names {count} things; name at most {_MOST_VALUES}, the response finds the rest")
    _words(named.person, "--as")
    return replace(named, **values, reason=_words(named.reason, "--reason"))


def _value(kind: _Kind, value: str) -> str:
    # The value itself is not repeated: it may be a secret that was pasted by mistake.
    refused = FindingError(f"{kind.option}: that is not {kind.give}")
    if len(value) > _LONGEST_VALUE or not value.isprintable() or not kind.shape.fullmatch(value):
        raise refused
    if kind.field != "addresses":
        return value
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise refused from None


def _words(text: str, option: str) -> str:
    """What a person wrote, without line breaks."""
    words = " ".join(text.split())
    if not words or len(words) > _LONGEST_WORDS or not words.isprintable():
        raise FindingError(f"{option} needs words: at least one and at most {_LONGEST_WORDS} characters that can be printed")
    return words


def _check_place(account: str, region: str) -> None:
    if not _ACCOUNT.fullmatch(account):
        raise FindingError("--account is the 12 digits of an AWS account, without dashes")
    if not _REGION.fullmatch(region):
        raise FindingError("--region is a region's code, such as us-east-1")


def _check_since(since: datetime, now: datetime) -> None:
    if since.tzinfo is None:
        raise FindingError("--since needs its zone, as 2026-11-24T02:15:00Z")
    if since > now:
        raise FindingError("--since lies in the future; give the first moment at which the actor may have acted")
    if now - since > _OLDEST:
        raise FindingError("--since lies more than five years back; give the first moment at which the actor may have acted")


def _id(said: Mapping[str, list[str]], account: str, region: str, since: datetime) -> str:
    content = [account, region, since.timestamp(), {name: sorted(values) for name, values in said.items()}]
    return hashlib.sha256(canonical(content).encode()).hexdigest()[:32]


def _mapping(value: object) -> Mapping[str, object]:
    return cast(Mapping[str, object], value) if isinstance(value, Mapping) else {}
