"""The doors' contract with EventBridge, row by row, over real HTTP and the real ledger."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from arriving import called, record
from delivering import DOOR, INCIDENT, KEY, deliver
from findings import as_api, envelope, finding, notification
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.body import LARGEST_BODY, TooLarge, unpacked
from gateway.intake import delivery_key
from incident.findings.finding import parse_finding
from incident.ledger import INTAKE, Kind
from tasks.ledger import Ledger


def _deliveries(ledger: Ledger) -> list[str]:
    return [line.key for line in ledger.lines(INTAKE, Kind.DELIVERY)]


def test_a_finding_is_committed_before_the_answer_and_then_started(
    doors: httpx.Client, ledger: Ledger, runs: Any, wait_until: Callable[..., None]
) -> None:
    answer = deliver(doors)
    (line,) = ledger.lines(INTAKE)
    assert (answer.status_code, answer.json()) == (202, {"outcome": "accepted", "incident": INCIDENT})
    assert line.kind == Kind.DELIVERY
    assert line.body["incident"] == INCIDENT
    assert line.body["finding"] == envelope(finding())
    assert line.body["provenance"] == {"door": "webhook", "peer": "127.0.0.1", "key": "current"}
    wait_until(lambda: ledger.find(INCIDENT, "run"))
    assert runs.asked == [INCIDENT]


@pytest.mark.parametrize("shape", [as_api, lambda body: {"Findings": [as_api(body)]}, lambda body: notification(envelope(body))])
def test_every_form_of_a_finding_opens_the_same_incident(doors: httpx.Client, shape: Any) -> None:
    answer = deliver(doors, shape(finding()))
    assert (answer.status_code, answer.json()["incident"]) == (202, INCIDENT)


def test_fifty_replays_at_once_are_one_line_and_one_run(
    doors: httpx.Client, ledger: Ledger, runs: Any, wait_until: Callable[..., None]
) -> None:
    with ThreadPoolExecutor(10) as pool:
        codes = [answer.status_code for answer in pool.map(lambda _: deliver(doors), range(50))]
    assert sorted(codes) == [200] * 49 + [202]
    assert len(ledger.lines(INTAKE)) == 1
    wait_until(lambda: ledger.find(INCIDENT, "run"))
    assert deliver(doors).json() == {"outcome": "duplicate", "incident": INCIDENT}
    assert runs.asked == [INCIDENT]
    assert ledger.verify(INTAKE) is None


def test_each_version_of_a_finding_is_kept_and_joins_the_same_incident(doors: httpx.Client, ledger: Ledger) -> None:
    later = finding(updatedAt="2026-03-02T00:00:00Z", service={"count": 9})
    assert [deliver(doors, envelope(body)).status_code for body in (finding(), later)] == [202, 202]
    assert [line.body["incident"] for line in ledger.lines(INTAKE, Kind.DELIVERY)] == [INCIDENT, INCIDENT]


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"X-Countermand-Key": "current-key"}, "current"),
        ({"X-Countermand-Key": "next-key"}, "next"),
        ({"Authorization": "Bearer next-key"}, "next"),
        ({"Authorization": "bearer current-key"}, "current"),
        ({"Authorization": _basic("eventbridge", "current-key")}, "current"),
    ],
)
def test_the_current_and_the_next_key_open_the_door(doors: httpx.Client, ledger: Ledger, headers: dict[str, str], key: str) -> None:
    assert deliver(doors, headers=headers).status_code == 202
    assert ledger.lines(INTAKE)[0].body["provenance"]["key"] == key


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Countermand-Key": ""},
        {"X-Countermand-Key": "current-key2"},
        {"X-Countermand-Key": "current"},
        {"X-Countermand-Key": "CURRENT-KEY"},
        {"X-Countermand-Key": b"schl\xc3\xbcssel"},
        {"X-Countermand-Key": b"\xff\xfe"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer previous-key"},
        {"Authorization": b"Bearer \xc3\xbc"},
        {"Authorization": "Basic not base64"},
        {"Authorization": b"Basic \xc3\xbc"},
        {"Authorization": "Basic ="},
        {"Authorization": _basic("current-key", "")},
        {"Authorization": "current-key"},
        {"Authorization": "Digest current-key"},
    ],
)
def test_a_wrong_or_missing_key_writes_nothing(doors: httpx.Client, ledger: Ledger, headers: dict[str, Any]) -> None:
    answer = deliver(doors, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert ledger.lines(INTAKE) == []


@pytest.mark.parametrize("keys", [(), ("",)])
@pytest.mark.parametrize("given_", ["", "anything"])
def test_without_a_configured_key_nobody_comes_in(open_doors: Any, keys: tuple[str, ...], given_: str) -> None:
    assert deliver(open_doors(webhook_keys=keys), headers={"X-Countermand-Key": given_}).status_code == 401


def test_a_key_that_is_not_ascii_can_be_used(open_doors: Any) -> None:
    doors = open_doors(webhook_keys=("schlüssel",))
    assert deliver(doors, headers={"X-Countermand-Key": "schlüssel".encode()}).status_code == 202


_UNREADABLE = [
    b"",
    b"not json",
    b"[]",
    b"null",
    b"{}",
    b'{"id": NaN}',
    b'{"id": "x", "type": "A:B/C", "severity": 1e999}',
    b"\xff\xfe\xfa",
    b'{"a":' * 50_000,
    b"[" * 200_000,
    json.dumps(envelope(finding()) | {"detail-type": "AWS API Call via CloudTrail"}).encode(),
    json.dumps({"Findings": [finding(), finding()]}).encode(),
    b'{"id":"x","type":"A:B/C","count":' + b"9" * 100_000 + b"}",
    json.dumps(called(record(eventTime="0001-01-01T00:00:00+23:59"))).encode(),
]


@pytest.mark.parametrize("raw", _UNREADABLE, ids=range(len(_UNREADABLE)))
def test_what_is_authentic_but_unreadable_is_quarantined_whole(
    doors: httpx.Client, ledger: Ledger, runs: Any, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert [deliver(doors, raw).status_code for _ in range(2)] == [202, 202]
    assert "delivery 1 is quarantined" in caplog.text
    (line,) = ledger.lines(INTAKE)
    assert line.kind == Kind.QUARANTINE
    assert line.body["why"]
    kept = line.body["text"].encode() if "text" in line.body else base64.b64decode(line.body["base64"])
    assert kept == raw
    assert runs.asked == []


def test_what_a_reader_stumbles_over_is_kept_and_the_log_tells_why(
    doors: httpx.Client, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("gateway.intake.arrivals", lambda content: 1 / 0)
    assert deliver(doors).status_code == 202
    assert [line.kind for line in ledger.lines(INTAKE)] == [Kind.QUARANTINE]
    assert "ZeroDivisionError" in caplog.text


def test_a_finding_with_text_that_no_database_keeps_is_taken(doors: httpx.Client, ledger: Ledger) -> None:
    raw = json.dumps(envelope(finding(id="a\x00b\ud800", title="\udfff"))).encode()
    assert [deliver(doors, raw).status_code for _ in range(2)] == [202, 200]
    assert ledger.verify(INTAKE) is None


def test_a_finding_whose_names_are_longer_than_a_key_is_taken(doors: httpx.Client) -> None:
    assert [deliver(doors, envelope(finding(id="x" * 5000))).status_code for _ in range(2)] == [202, 200]


def test_the_key_of_a_delivery_can_be_read_by_a_person() -> None:
    key = "delivery:111122223333:eu-west-1:a1b2c3d4e5f60718293a4b5c6d7e8f90:2026-03-01T12:15:00.456000+00:00:3"
    assert delivery_key(parse_finding(finding())) == key


def _padded(size: int) -> bytes:
    raw = json.dumps(envelope(finding())).encode()
    return raw + b" " * (size - len(raw))


def test_a_body_of_exactly_the_limit_is_taken(doors: httpx.Client) -> None:
    assert deliver(doors, _padded(LARGEST_BODY)).status_code == 202
    assert deliver(doors, gzip.compress(_padded(LARGEST_BODY)), KEY | {"Content-Encoding": "gzip"}).status_code == 200


def test_a_larger_body_is_refused_and_nothing_is_written(doors: httpx.Client, ledger: Ledger) -> None:
    assert deliver(doors, _padded(LARGEST_BODY + 1)).status_code == 413
    assert deliver(doors, b"x" * 5_000_000).status_code == 413
    assert ledger.lines(INTAKE) == []


def test_a_larger_body_that_does_not_say_its_length_is_refused(doors: httpx.Client, ledger: Ledger) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(LARGEST_BODY // 1024 + 2):
            yield b"x" * 1024

    try:
        code = doors.post(DOOR, content=chunks(), headers=KEY).status_code
    except httpx.WriteError:
        code = 413  # The door may close on what it no longer reads.
    assert code == 413
    assert ledger.lines(INTAKE) == []


def test_a_body_that_unpacks_to_more_is_refused(doors: httpx.Client, ledger: Ledger) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, 9)
    assert len(bomb) < LARGEST_BODY
    assert deliver(doors, bomb, KEY | {"Content-Encoding": "gzip"}).status_code == 413
    assert deliver(doors, gzip.compress(_padded(LARGEST_BODY + 1)), KEY | {"Content-Encoding": "gzip"}).status_code == 413
    assert ledger.lines(INTAKE) == []


def test_a_packed_finding_is_the_same_finding(doors: httpx.Client) -> None:
    assert deliver(doors).status_code == 202
    packed = gzip.compress(json.dumps(envelope(finding())).encode())
    assert deliver(doors, packed, KEY | {"Content-Encoding": "GZIP"}).status_code == 200


@pytest.mark.parametrize(
    "raw",
    [b"not gzip", gzip.compress(b"{}", mtime=0)[:-3], b"\x1f\x8b", zlib.compress(b"{}")],
    ids=["other", "cut off", "two bytes", "zlib"],
)
def test_what_does_not_unpack_is_quarantined_as_it_came(doors: httpx.Client, ledger: Ledger, raw: bytes) -> None:
    assert deliver(doors, raw, KEY | {"Content-Encoding": "gzip"}).status_code == 202
    (line,) = ledger.lines(INTAKE, Kind.QUARANTINE)
    assert line.body["bytes"] == len(raw)


@given(st.lists(st.binary(max_size=300), max_size=4), st.binary(max_size=20))
def test_unpacking_gives_back_what_was_packed_and_never_fails(members: list[bytes], noise: bytes) -> None:
    packed = b"".join(map(gzip.compress, members))
    assert unpacked(packed) == b"".join(members)
    assert isinstance(unpacked(packed + noise), bytes)
    with pytest.raises(TooLarge):
        unpacked(packed + gzip.compress(b"x" * (LARGEST_BODY + 1)))


@contextmanager
def _write_lock(ledger_file: Path) -> Iterator[None]:
    """Another program holds the ledger's write lock."""
    connection = sqlite3.connect(ledger_file, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def _destroy(ledger_file: Path) -> None:
    connection = sqlite3.connect(ledger_file, isolation_level=None)
    connection.execute("ALTER TABLE heads RENAME TO gone")
    connection.close()


def test_when_the_ledger_is_down_the_sender_is_asked_to_come_again(doors: httpx.Client, tmp_path: Path, runs: Any) -> None:
    _destroy(tmp_path / "ledger.db")
    answer = deliver(doors)
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "heads" not in answer.text, "what is wrong inside is not the sender's to know"
    assert doors.get("/readyz").status_code == 503
    assert doors.get("/healthz").status_code == 200
    assert runs.asked == []


def test_a_delivery_that_waits_too_long_is_answered_in_time_and_still_started_once(
    open_doors: Any, ledger: Ledger, runs: Any, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    doors = open_doors(answer_seconds=0.2)
    with _write_lock(tmp_path / "ledger.db"):
        answer = deliver(doors)
        assert (answer.status_code, ledger.lines(INTAKE)) == (503, [])
        assert answer.headers["retry-after"]
    wait_until(lambda: ledger.find(INCIDENT, "run"))
    assert deliver(doors).status_code == 200
    assert runs.asked == [INCIDENT]


def test_more_than_can_be_taken_at_once_is_asked_to_come_again(
    open_doors: Any, ledger: Ledger, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    doors = open_doors(answer_seconds=0.1, most_at_once=2)
    bodies = [envelope(finding(id=str(number))) for number in range(3)]
    with _write_lock(tmp_path / "ledger.db"):
        answers = [deliver(doors, body) for body in bodies]
    assert [answer.status_code for answer in answers] == [503] * 3
    assert "at once" in answers[2].text
    assert answers[2].headers["retry-after"]
    wait_until(lambda: len(_deliveries(ledger)) == 2, what="the first two being written though nobody waited")
    wait_until(lambda: deliver(doors, bodies[2]).is_success, what="the places being free again")
    assert len(_deliveries(ledger)) == 3


def test_a_sender_that_stops_in_the_middle_leaves_no_place_taken(open_doors: Any, wait_until: Callable[..., None]) -> None:
    doors = open_doors(answer_seconds=0.5, most_at_once=1)
    head = f"POST {DOOR} HTTP/1.1\r\nHost: x\r\nX-Countermand-Key: current-key\r\nContent-Length: 100\r\n\r\n{{"
    for hang_up in (False, True):
        with socket.create_connection((doors.base_url.host, doors.base_url.port or 80), timeout=10) as wire:
            wire.sendall(head.encode())
            if not hang_up:
                assert b" 503 " in wire.recv(4096)
    wait_until(lambda: deliver(doors).status_code != 503, what="a place being free again")
    assert deliver(doors).status_code == 200


@given(raw=st.binary(max_size=200), headers=st.sampled_from([{}, {"Content-Encoding": "gzip"}, {"Content-Encoding": "br"}]))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_whatever_makes_the_door_fail(doors: httpx.Client, raw: bytes, headers: dict[str, str]) -> None:
    assert deliver(doors, raw, KEY | headers).status_code == 202


def test_deliveries_of_many_findings_at_once_are_all_kept(
    doors: httpx.Client, ledger: Ledger, runs: Any, wait_until: Callable[..., None]
) -> None:
    bodies = [envelope(finding(id=f"many-{number}")) for number in range(30)]
    barrier = threading.Barrier(10)

    def send(number: int) -> int:
        if number < 10:
            barrier.wait(10)
        return deliver(doors, bodies[number]).status_code

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(send, range(30))) == [202] * 30
    wait_until(lambda: len(set(runs.asked)) == 30)
    assert len(runs.asked) == 30
    assert ledger.verify(INTAKE) is None
