"""What the actor opened, what of it is closed, what was there before, and what is not known: on a folded network."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from incident.actor import Actor, Credential, Link
from incident.exposures.boxes import Boxes, minus, union
from incident.exposures.exposed import SECTIONS, Stored, Times, folded, summary
from incident.exposures.exposure import Exposure
from incident.exposures.reachability import exposures
from incident.record import Record
from incident.settings import PriorValue, Source
from tests.incident.networks import EVERYTHING, public_host, seen

AT = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
SEEN = seen(public_host(()))
PLACE = SEEN.scope
MALLORY, ALICE = "AKIAMALLORY", "AKIAALICE"
ACTOR = Actor(credentials={MALLORY: Credential(MALLORY, "mallory", "user", Link.PROVED, "", "", PLACE.account)})


def rule(port: int, who: str, minute: int, *, revoke: bool = False) -> Record:
    ranges = {"items": [{"cidrIp": "0.0.0.0/0"}]}
    asked = {
        "groupId": "sg-1",
        "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": port, "toPort": port, "ipRanges": ranges}]},
    }
    return Record.parse(
        {
            "eventID": f"e{minute}",
            "eventName": "RevokeSecurityGroupIngress" if revoke else "AuthorizeSecurityGroupIngress",
            "eventSource": "ec2.amazonaws.com",
            "awsRegion": PLACE.region,
            "recipientAccountId": PLACE.account,
            "eventTime": (AT + timedelta(minutes=minute)).isoformat(),
            "userIdentity": {
                "type": "IAMUser",
                "accessKeyId": who,
                "arn": f"arn:aws:iam::{PLACE.account}:user/{who}",
                "accountId": PLACE.account,
            },
            "requestParameters": asked,
            "responseElements": {"_return": True},
        }
    )


def stored(ports: tuple[int, ...]) -> Stored:
    """The public host as a baseline, with these ports open to the world."""
    values = public_host(tuple(f"ingress tcp {port}-{port} 0.0.0.0/0" for port in ports))
    priors = [(one, PriorValue(value, AT, Source.BASELINE)) for one, value in values.items() if value is not None]
    return Stored(priors, frozenset(EVERYTHING), AT)


def now(ports: tuple[int, ...], covered: frozenset[str] | None = None) -> list[Exposure]:
    network = public_host(tuple(f"ingress tcp {port}-{port} 0.0.0.0/0" for port in ports))
    return exposures(seen(network) if covered is None else seen(network, covered))


def told(times: Times) -> dict[str, list[str]]:
    body = summary([times], AT)
    return {name: sorted(way.split(" from")[0] for one in body[name] for way in one["reached"]) for name in SECTIONS}


def test_what_somebody_else_opened_meanwhile_is_theirs():
    records = [rule(22, MALLORY, 1), rule(8080, ALICE, 2), rule(3389, MALLORY, 3)]
    times = replace(folded(PLACE, stored((443,)), records, ACTOR), now=now((22, 443, 8080, 9090)))
    found = told(times)
    assert found["opened"] == ["tcp 22", "tcp 3389"]
    assert found["closed"] == ["tcp 3389"]
    assert found["still_open"] == ["tcp 22"]
    assert found["before"] == ["tcp 443", "tcp 8080"]
    assert found["others"] == ["tcp 9090"]


def test_what_the_actor_opened_and_closed_again_was_opened():
    records = [rule(22, MALLORY, 1), rule(22, MALLORY, 2, revoke=True)]
    found = told(replace(folded(PLACE, stored(()), records, ACTOR), now=now(())))
    assert found["opened"] == found["closed"] == ["tcp 22"]
    assert found["still_open"] == []


def test_what_was_under_an_approved_change_was_not_opened_by_the_incident():
    times = folded(PLACE, stored(()), [rule(22, MALLORY, 1)], ACTOR, lambda entry: True)
    found = told(replace(times, now=now((22,))))
    assert found["opened"] == []
    assert found["before"] == ["tcp 22"]


def test_what_cannot_be_read_now_is_not_called_closed():
    for unread in ("security-group-rule", "network-interface"):
        times = folded(PLACE, stored(()), [rule(22, MALLORY, 1)], ACTOR)
        network = {} if unread == "network-interface" else public_host(())
        body = summary([replace(times, now=exposures(seen(network, EVERYTHING - {unread})))], AT)
        assert body["closed"] == []
        assert any("is closed" in line for line in body["not_known"]), unread
        assert body["unknown"]


def test_a_record_that_cannot_be_read_is_named():
    broken = replace(rule(22, MALLORY, 1), request={"groupName": "web"})
    times = folded(PLACE, stored(()), [broken, rule(23, MALLORY, 2)], ACTOR)
    assert any("AuthorizeSecurityGroupIngress" in line for line in times.unknown)


def _all(found: list[Exposure]) -> Boxes:
    return union(box for one in found for box in one.boxes)


def test_each_packet_that_is_open_now_is_in_exactly_one_section():
    records = [rule(22, MALLORY, 1), rule(8080, ALICE, 2), rule(443, MALLORY, 3)]
    times = replace(folded(PLACE, stored((443,)), records, ACTOR), now=now((22, 443, 8080, 9090)))
    found = told(times)
    sections = [way for name in ("still_open", "before", "others", "untold") for way in found[name]]
    assert sorted(sections) == sorted(set(sections)) == ["tcp 22", "tcp 443", "tcp 8080", "tcp 9090"]
    assert minus(_all(times.now), _all([*times.opened, *(times.before or []), *now((9090,))])) == []
