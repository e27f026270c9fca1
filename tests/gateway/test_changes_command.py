"""`countermand changes` on the range: what was made against what was approved, and what cannot wait is brought in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway.doors.changes import ChangeWatch
from gateway.intake import ingest
from incident.change_requests import read_requests
from incident.ledger import CHANGES_CHAIN, INTAKE, Kind
from tests.public_host import ACCOUNT, REGION, opened

HOUR = timedelta(hours=1)


@pytest.fixture
def asked(tmp_path, public_ec2):
    """A file with a request that alice may change the group, and one that nobody made use of."""
    now = datetime.now(UTC)
    one = {
        "ticket": "CHG-7",
        "approved_by": ["carol"],
        "principals": [f"arn:aws:iam::{ACCOUNT}:user/alice"],
        "resources": [public_ec2.group],
        "from": (now - timedelta(minutes=30)).isoformat(),
        "until": (now + HOUR).isoformat(),
    }
    unused = one | {"ticket": "CHG-8", "resources": ["sg-other"], "until": now.isoformat()}
    file = tmp_path / "requests.json"
    file.write_text(json.dumps([one, unused]))
    return file


def since() -> str:
    return (datetime.now(UTC) - HOUR).isoformat()


def of_alice(printed: str) -> list[str]:
    return [one["verdict"] for one in json.loads(printed)["changes"] if one["by"].endswith("user/alice")]


def test_a_change_is_approved_by_a_request_that_is_given_or_kept(run, public_hands, public_ec2, asked, monkeypatch):
    monkeypatch.setenv("COUNTERMAND_HOME", str(public_hands.config.home))
    opened(public_ec2, 22)
    code, printed, _ = run("changes", "--since", since(), "--region", REGION, "--json")
    assert code == 0
    assert of_alice(printed) == ["made without approval"]
    assert [one["urgent"] != "" for one in json.loads(printed)["changes"] if one["event"].startswith("Authorize")] == [True]

    code, printed, _ = run("changes", "--since", since(), "--region", REGION, "--requests", asked, "--keep", "--json")
    assert of_alice(printed) == ["approved"]
    told = {one["ticket"]: one["outcome"] for one in json.loads(printed)["requests"]}
    assert told == {"CHG-7": "made", "CHG-8": "approved but never made"}
    assert {line.body["provenance"]["door"] for line in public_hands.ledger.lines(CHANGES_CHAIN)} == {"file"}

    code, printed, _ = run("changes", "--since", since(), "--region", REGION, "--csv")
    assert code == 0
    assert "change,approved," in printed
    code, printed, _ = run("changes", "--since", since(), "--region", REGION)
    assert "approved (CHG-7): " in printed


def test_what_cannot_wait_is_brought_in_once_and_nothing_that_was_approved(public_hands, public_ec2, asked):
    watch = ChangeWatch(public_hands, lambda raw, provenance: ingest(raw, provenance, public_hands.ledger))
    opened(public_ec2, 22)
    assert len(watch.look().urgent) == 1
    assert len(watch.look().urgent) == 1
    (line,) = public_hands.ledger.lines(INTAKE, Kind.DELIVERY)
    assert line.body["provenance"] == {"door": "changes"}
    assert line.body["finding"]["eventName"] == "AuthorizeSecurityGroupIngress"
    public_hands.requests.keep(read_requests(json.loads(asked.read_text())), {"door": "test"})
    opened(public_ec2, 23)
    assert watch.look().urgent == ()
    assert len(public_hands.ledger.lines(INTAKE, Kind.DELIVERY)) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--since", "yesterday"), "--since is no moment"),
        (("--since", "2026-11-24T02:00:00Z", "--until", "2026-11-24T01:00:00Z"), "--since is to be before --until"),
        (("--since", "2026-11-24T02:00:00Z", "--json", "--csv"), "exclude each other"),
        (("--since", "2026-11-24T02:00:00Z", "--keep"), "name a file"),
        (("--since", "2026-11-24T02:00:00Z", "--requests", "/nowhere"), "name a file of change requests"),
        (("--since", "2026-11-24T02:00:00Z", "--records", "/nowhere"), "no such file"),
    ],
)
def test_a_mistake_ends_in_one_line(run, arguments, words):
    code, _, err = run("changes", *arguments)
    assert code == 2
    assert words in err
    assert err.count("\n") == 1


def test_records_of_files_are_held_against_requests_without_aws(run, tmp_path):
    requests = tmp_path / "requests.csv"
    requests.write_text(
        'ticket,approved_by,principals,resources,from,until\n"CHG, 1",carol,*,sg-1,2026-03-01T00:00:00Z,2026-03-02T00:00:00Z\n'
    )
    records = tmp_path / "records.jsonl"
    records.write_text('{"eventName": "x"}\n')
    code, printed, _ = run("changes", "--since", "2026-02-01T00:00:00Z", "--records", records, "--requests", requests, "--json")
    told = json.loads(printed)
    assert code == 0
    assert [one["outcome"] for one in told["requests"]] == ["not known"]
    assert "record 1 of the files cannot be read" in told["not_known"][0]
