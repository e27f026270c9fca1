"""A finding that a responder makes by hand: it reads back as it was said, and nobody at a door can make one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from findings import as_api, envelope, finding, notification
from hypothesis import given
from hypothesis import strategies as st

from incident.findings.finding import MANUAL, FindingError, Named, incident_id, parse_finding
from incident.findings.named import delivered_finding, named_finding
from incident.findings.triage import RESPONSE_PHASES, triage

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
SINCE = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
NAMED = Named(resources=("sg-0123456789abcdef0",), addresses=("198.51.100.7",), person="alice", reason="a group nobody knows")


def _made(named: Named = NAMED, **given_: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "account": "111122223333",
        "region": "us-east-1",
        "since": SINCE,
        "severity": 8,
        "title": "",
        "now": NOW,
    }
    return named_finding(named, **(usual | given_))


_NAMES = st.from_regex(r"[A-Za-z0-9_+=,.@-]{1,64}", fullmatch=True)
_PRINTED = st.text(min_size=1, max_size=60).filter(lambda text: text.isprintable() and text == text.strip())
_WORDS = _PRINTED.map(lambda text: " ".join(text.split())).filter(bool)


def _several(values: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(values, max_size=3, unique=True).map(tuple)


_ANYTHING = st.builds(
    Named,
    resources=_several(_PRINTED),
    records=_several(st.uuids().map(str)),
    access_keys=_several(st.from_regex(r"(AKIA|ASIA)[A-Z0-9]{16}", fullmatch=True)),
    users=_several(_NAMES),
    roles=_several(_NAMES),
    instances=_several(st.from_regex(r"i-([0-9a-f]{8}|[0-9a-f]{17})", fullmatch=True)),
    buckets=_several(st.from_regex(r"[a-z0-9.-]{3,63}", fullmatch=True)),
    addresses=_several(st.ip_addresses().map(str)),
    agents=_several(_PRINTED),
    person=_WORDS,
    reason=_WORDS,
).filter(lambda named: any(value for value in _values(named)))


def _values(named: Named) -> list[tuple[str, ...]]:
    return [value for name in Named.__slots__ if isinstance(value := getattr(named, name), tuple)]


@given(_ANYTHING, st.timedeltas(timedelta(0), timedelta(days=1800)), st.floats(1, 10), _WORDS, st.integers(-14, 14))
def test_what_is_said_reads_back_as_it_was_said(named: Named, ago: timedelta, severity: float, title: str, hours: int) -> None:
    since = (NOW - ago).astimezone(timezone(timedelta(hours=hours)))
    made = json.loads(json.dumps(_made(named, since=since, severity=severity, title=title)))
    read = parse_finding(made, by_hand=True)
    assert read.named == named
    assert read.remote_ips == named.addresses
    assert (read.type, read.account, read.region, read.severity, read.title) == (
        MANUAL,
        "111122223333",
        "us-east-1",
        severity,
        title,
    )
    assert (read.first_seen, read.updated_at) == (since, NOW)
    assert read.dated


def test_the_same_said_again_is_the_same_incident_whoever_says_it() -> None:
    first = incident_id(parse_finding(_made(), by_hand=True))
    again = replace(NAMED, person="bob", reason="me too", resources=NAMED.resources * 2)
    later = _made(
        again, now=NOW + timedelta(minutes=5), severity=5, title="Again", since=SINCE.astimezone(timezone(timedelta(hours=5)))
    )
    assert incident_id(parse_finding(later, by_hand=True)) == first


@pytest.mark.parametrize(
    "other",
    [
        {"region": "eu-west-1"},
        {"account": "444455556666"},
        {"since": SINCE - timedelta(seconds=1)},
        {"named": replace(NAMED, users=("mallory",))},
        {"named": replace(NAMED, resources=NAMED.addresses, addresses=())},
    ],
)
def test_something_else_said_is_another_incident(other: dict[str, Any]) -> None:
    assert incident_id(parse_finding(_made(**other), by_hand=True)) != incident_id(parse_finding(_made(), by_hand=True))


@pytest.mark.parametrize("shape", [lambda body: body, envelope, as_api, notification, lambda body: {"Findings": [as_api(body)]}])
def test_one_that_came_through_a_door_names_nothing_and_starts_nothing(shape: Any) -> None:
    read = parse_finding(shape(_made()))
    assert read.named is None
    assert read.remote_ips == ()
    assert not triage(read).starts_response
    assert "not known" in triage(read).reason
    assert incident_id(read) != incident_id(parse_finding(_made(), by_hand=True)), "it cannot take the real one's place"


def test_a_finding_of_guardduty_with_such_an_object_stays_what_it_is() -> None:
    assert parse_finding(finding(countermand=_made()["countermand"])) == parse_finding(finding())


def test_a_responder_who_opened_it_starts_the_whole_response() -> None:
    verdict = triage(parse_finding(_made(replace(NAMED, users=("mallory",))), by_hand=True))
    assert verdict.starts_response
    assert verdict.phases == RESPONSE_PHASES
    assert verdict.reason == "a responder opened it: a group nobody knows"
    assert verdict.resources == ("sg-0123456789abcdef0",)
    assert verdict.principal == "arn:aws:iam::111122223333:user/mallory"
    json.dumps(verdict.to_json())


def test_who_is_named_may_not_decide() -> None:
    named = replace(NAMED, users=("mallory",), roles=("deploy",))
    assert parse_finding(_made(named), by_hand=True).named_principals == (
        "arn:aws:iam::111122223333:user/mallory",
        "arn:aws:iam::111122223333:role/deploy",
    )


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({"named": Named(person="alice", reason="why")}, "names nothing"),
        ({"named": replace(NAMED, person="")}, "--as"),
        ({"named": replace(NAMED, reason=" \n")}, "--reason"),
        ({"named": replace(NAMED, reason="x" * 1001)}, "--reason"),
        ({"named": replace(NAMED, reason="a\x1b[2J")}, "--reason"),
        ({"named": replace(NAMED, resources=("",))}, "--resource"),
        ({"named": replace(NAMED, resources=("sg-1\n",))}, "--resource"),
        ({"named": replace(NAMED, resources=("sg-1\u202e",))}, "--resource"),
        ({"named": replace(NAMED, resources=("x" * 2049,))}, "--resource"),
        ({"named": replace(NAMED, resources=tuple(f"sg-{number}" for number in range(201)))}, "at most 200"),
        ({"named": replace(NAMED, records=("e 1",))}, "--record"),
        ({"named": replace(NAMED, access_keys=("wJalrXUtnFEMI/K7MDENG",))}, "never its secret"),
        ({"named": replace(NAMED, users=("arn:aws:iam::111122223333:user/mallory",))}, "--user"),
        ({"named": replace(NAMED, roles=("*/x",))}, "--role"),
        ({"named": replace(NAMED, instances=("i-xyz",))}, "--instance"),
        ({"named": replace(NAMED, buckets=("s3://one",))}, "--bucket"),
        ({"named": replace(NAMED, addresses=("198.51.100.0/24",))}, "--address"),
        ({"named": replace(NAMED, addresses=("AWS Internal",))}, "--address"),
        ({"named": replace(NAMED, addresses=("fe80::1%eth0",))}, "--address"),
        ({"named": replace(NAMED, agents=("a\tb",))}, "--agent"),
        ({"account": "1111-2222-3333"}, "--account"),
        ({"account": "١١١١٢٢٢٢٣٣٣٣"}, "--account"),
        ({"region": "everywhere"}, "--region"),
        ({"since": SINCE.replace(tzinfo=None)}, "--since"),
        ({"since": NOW + timedelta(seconds=1)}, "future"),
        ({"since": NOW - timedelta(days=1826)}, "five years"),
        ({"since": datetime.min.replace(tzinfo=UTC)}, "five years"),
        ({"severity": 0}, "--severity"),
        ({"severity": float("nan")}, "--severity"),
        ({"title": "a\x00"}, "--title"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_that_says_what_to_give(given_: dict[str, Any], words: str) -> None:
    with pytest.raises(FindingError) as refused:
        _made(**given_)
    assert words in str(refused.value)
    assert str(refused.value).isprintable()


def test_a_secret_that_was_pasted_by_mistake_is_not_repeated() -> None:
    with pytest.raises(FindingError) as refused:
        _made(replace(NAMED, access_keys=("wJalrXUtnFEMI/K7MDENG",)))
    assert "wJalr" not in str(refused.value)


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "ap-southeast-7", "eusc-de-east-1", "mx-central-1"])
def test_every_kind_of_region_is_one(region: str) -> None:
    assert parse_finding(_made(region=region), by_hand=True).region == region


BY = {"person": "alice", "method": "one-time-code", "reason": "why", "at": NOW.isoformat()}


def test_only_a_line_that_says_by_whom_holds_a_hand_made_finding() -> None:
    assert delivered_finding({"finding": _made(), "by": BY}).named == NAMED
    assert delivered_finding({"finding": _made()}).named is None


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"finding": None},
        {"finding": "text"},
        {"finding": _made(), "by": None},
        {"finding": _made(), "by": []},
        {"finding": _made(), "by": BY | {"person": "bob"}},
        {"finding": finding(), "by": BY},
        {"finding": _made() | {"countermand": None}, "by": BY},
        {"finding": _made() | {"countermand": {"person": "alice", "users": "mallory"}}, "by": BY},
        {"finding": _made() | {"countermand": _made()["countermand"] | {"users": [7]}}, "by": BY},
    ],
)
def test_a_line_that_somebody_changed_is_no_finding(body: object) -> None:
    with pytest.raises(FindingError):
        delivered_finding(body)
