"""A note is words: what in it could be named is offered, nothing is believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.findings.finding import NOTE, FindingError, incident_id, parse_finding
from incident.findings.joining import handles
from incident.findings.notes import LONGEST_NOTE, MOST_OFFERED, note_finding, offered
from incident.findings.triage import triage
from incident.people import messages

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OFFERED = {
    "AKIAIOSFODNN7EXAMPLE leaked, see (ASIAY34FZKBOKMUTVV7A).": [
        ("--access-key", "AKIAIOSFODNN7EXAMPLE"),
        ("--access-key", "ASIAY34FZKBOKMUTVV7A"),
    ],
    "i-0123456789abcdef0 and i-0abc1234 are in sg-0123456789abcdef0, rtb-0abc1234": [
        ("--instance", "i-0123456789abcdef0"),
        ("--instance", "i-0abc1234"),
        ("--resource", "sg-0123456789abcdef0"),
        ("--resource", "rtb-0abc1234"),
    ],
    "arn:aws:iam::111122223333:user/path/mallory; arn:aws:iam::111122223333:role/deploy.": [
        ("--user", "mallory"),
        ("--role", "deploy"),
    ],
    "arn:aws:s3:::my-bucket/key/198.51.100.9, arn:aws:lambda:us-east-1:111122223333:function:miner": [
        ("--bucket", "my-bucket"),
        ("--resource", "arn:aws:lambda:us-east-1:111122223333:function:miner"),
    ],
    "from 198.51.100.7. And 2001:db8::7, [198.51.100.8]:443": [
        ("--address", "198.51.100.7"),
        ("--address", "2001:db8::7"),
        ("--address", "198.51.100.8"),
    ],
    "event 0b7a3c1e-1111-4222-8333-944455556666": [("--record", "0b7a3c1e-1111-4222-8333-944455556666")],
    "version 1.2.3, 999.1.1.1, at 12:30, XAKIAIOSFODNN7EXAMPLE, mi-0abc12345, nothing": [],
}


@pytest.mark.parametrize(("note", "expected"), OFFERED.items())
def test_what_could_be_named_is_offered(note, expected):
    assert list(offered(note)) == expected


@given(st.text(max_size=300), st.lists(st.sampled_from(list(OFFERED)), max_size=5))
def test_any_words_can_be_looked_through_and_shown(words, more):
    note = words + " ".join(more)
    found = offered(note)
    assert len(found) <= MOST_OFFERED
    assert len(set(found)) == len(found)
    _, (shown,) = messages.note("inc-0123456789ab", note, found)
    assert len(shown["text"]["text"]) <= 3000
    assert not any(sign in shown["text"]["text"] for sign in ("<!", "<@", "<h", "\u202e"))


def test_a_note_names_nobody_and_starts_nothing():
    body = note_finding("AKIAIOSFODNN7EXAMPLE at 198.51.100.7", "alice", "", "", NOW)
    finding = parse_finding(json.loads(json.dumps(body)), by_hand=True)
    verdict = triage(finding)
    assert (finding.type, verdict.starts_response, verdict.plans) == (NOTE, False, ())
    assert (finding.named_principals, finding.remote_ips, handles(finding)) == ((), (), frozenset())
    again = note_finding("  AKIAIOSFODNN7EXAMPLE  at 198.51.100.7\n", "bob", "", "", NOW)
    assert incident_id(parse_finding(again, by_hand=True)) == incident_id(finding), "the same words are the same note"


def test_a_note_at_a_door_is_of_an_unknown_type():
    finding = parse_finding(note_finding("look", "alice", "", "", NOW))
    assert finding.named is None
    assert "not known" in triage(finding).reason


@pytest.mark.parametrize("note", ["", "  \n", "x" * (LONGEST_NOTE + 1), "a\x00b"])
def test_what_is_no_note_is_refused(note):
    with pytest.raises(FindingError, match="--note"):
        note_finding(note, "alice", "", "", NOW)
