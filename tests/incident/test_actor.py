"""Attribution: what counts as the actor's, and what does not."""

from __future__ import annotations

from datetime import timedelta

from examples import ACCOUNT, NOON, record

from incident.actor import Actor, Credential, Link
from incident.attribution import followed, minted
from incident.origin import opened, origin

STOLEN = "AKIAMALLORYEXAMPLE"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Deploy"


def seed(kind: str = "user", key: str = STOLEN) -> Actor:
    return Actor({key: Credential(key, "mallory", kind, Link.PROVED, "the finding names it", "", ACCOUNT)}, NOON, "finding", key)


def makes_key(new: str, *, by: str = STOLEN, at: int = 1, **more):
    return record(
        "CreateAccessKey", service="iam", key=by, at=at, response={"accessKey": {"accessKeyId": new, "userName": "eve"}}, **more
    )


def assumes(new: str, *, by: str = STOLEN, at: int = 2, ip: str = "198.51.100.7"):
    return record(
        "AssumeRole",
        service="sts",
        key=by,
        at=at,
        ip=ip,
        request={"roleArn": ROLE},
        response={"credentials": {"accessKeyId": new}},
        readOnly=True,
    )


def test_credentials_are_followed_to_any_depth_whatever_the_order_of_the_records():
    records = [assumes("ASIATWO", by="AKIANEW", at=9), makes_key("AKIANEW", at=3)]
    actor = followed(seed(), records)
    assert set(actor.credentials) == {STOLEN, "AKIANEW", "ASIATWO"}
    assert all(credential.link is Link.PROVED for credential in actor.proved)
    assert actor.credentials["ASIATWO"].record == records[0].event_id


def test_a_refused_call_hands_out_nothing():
    assert minted(makes_key("AKIANEW", errorCode="AccessDenied")) is None


def test_calls_of_the_rightful_owner_before_the_window_are_not_the_actors():
    before, inside = record("DeleteRoute", at=-60), record("DeleteRoute", at=60)
    assert not seed().did(before)
    assert seed().did(inside)


def test_the_window_opens_at_the_first_call_from_the_findings_address():
    records = [record("DescribeVpcs", at=-30), record("CreateRoute", at=-90, ip="203.0.113.9")]
    actor = opened(seed(), records, NOON, frozenset({"198.51.100.7"}))
    assert actor.since == NOON - timedelta(seconds=30)
    assert "198.51.100.7" in actor.since_reason


def test_inside_the_window_the_owners_usual_address_is_still_the_owners():
    records = [record("CreateRoute", at=-3600, ip="203.0.113.9"), record("DescribeVpcs", at=-30)]
    actor = opened(seed(), records, NOON, frozenset({"198.51.100.7"}))
    assert not actor.did(record("CreateRoute", at=60, ip="203.0.113.9"))
    assert actor.did(record("CreateRoute", at=60, ip="198.51.100.7"))
    assert actor.did(record("CreateRoute", at=60, ip="192.0.2.1"))


def test_an_address_that_the_finding_names_is_never_the_owners():
    records = [record("DescribeVpcs", at=-3600), record("DescribeVpcs", at=-30)]
    actor = opened(seed(), records, NOON, frozenset({"198.51.100.7"}))
    assert actor.owner_addresses == frozenset()
    assert actor.did(record("CreateRoute", at=60))


def test_a_key_made_by_the_actor_has_no_rightful_owner():
    actor = followed(seed(), [makes_key("AKIANEW", at=5)])
    assert actor.did(record("CreateRoute", key="AKIANEW", at=-3600))


def test_whoever_assumed_the_role_is_only_suspected_unless_the_finding_names_their_address():
    session = seed("role", "ASIASTOLEN")
    from_elsewhere = origin(session, [assumes("ASIASTOLEN", ip="203.0.113.9")], frozenset({"198.51.100.7"}))
    assert from_elsewhere.credentials[STOLEN].link is Link.SUSPECTED
    assert not from_elsewhere.did(record("DeleteVpc", at=60))
    same_address = origin(session, [assumes("ASIASTOLEN")], frozenset({"198.51.100.7"}))
    assert same_address.credentials[STOLEN].link is Link.PROVED


def test_an_actor_survives_the_ledger():
    actor = opened(followed(seed(), [makes_key("AKIANEW")]), [record("X", at=-9, ip="203.0.113.9")], NOON, frozenset())
    assert Actor.from_json(actor.to_json()) == actor
