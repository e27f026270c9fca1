"""One-time codes: burnt on use, locked after failures, sealed at rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from tasks.ledger import Ledger
from tasks.roster import FAILURES_THAT_LOCK, LOCK_TIME, Roster


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def roster(tmp_path, clock) -> Roster:
    return Roster(tmp_path / "roster", Ledger.open(f"sqlite:///{tmp_path}/ledger.db", clock), clock)


def code_of(address: str, clock: Clock) -> str:
    return pyotp.TOTP(parse_qs(urlsplit(address).query)["secret"][0]).at(clock.now)


def test_a_right_code_counts_once_and_never_again(roster, clock):
    code = code_of(roster.enrol("alice"), clock)
    assert roster.check("alice", code) == ""
    assert "used already" in roster.check("alice", code)


def test_codes_of_the_neighbouring_half_minutes_count_for_clocks_that_differ(roster, clock):
    code = code_of(roster.enrol("alice"), clock)
    clock.later(seconds=30)
    assert roster.check("alice", code) == ""
    clock.later(seconds=90)
    assert "too old" in roster.check("alice", code)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "１２３４５６", "000000\n1"])
def test_a_code_of_another_form_is_only_wrong(roster, code):
    roster.enrol("alice")
    assert "wrong" in roster.check("alice", code)


def test_five_wrong_codes_lock_even_the_right_one_out_until_the_time_has_passed(roster, clock):
    address = roster.enrol("alice")
    for _ in range(FAILURES_THAT_LOCK):
        clock.later(seconds=1)
        assert "wrong" in roster.check("alice", "not it")
    assert "locked" in roster.check("alice", code_of(address, clock))
    clock.later(seconds=LOCK_TIME.total_seconds() + 1)
    assert roster.check("alice", code_of(address, clock)) == ""


def test_one_persons_failures_lock_nobody_else(roster, clock):
    roster.enrol("alice")
    bobs = roster.enrol("bob")
    for _ in range(FAILURES_THAT_LOCK):
        clock.later(seconds=1)
        roster.check("alice", "wrong!")
    assert roster.check("bob", code_of(bobs, clock)) == ""


def test_an_unknown_person_is_told_how_to_enrol(roster):
    assert "responders add" in roster.check("eve", "123456")


def test_the_secret_is_sealed_and_only_its_owner_can_read_the_files(roster, tmp_path):
    secret = parse_qs(urlsplit(roster.enrol("alice")).query)["secret"][0]
    for path in (tmp_path / "roster").iterdir():
        assert secret not in path.read_text()
        assert path.stat().st_mode & 0o077 == 0
    assert secret not in (tmp_path / "ledger.db").read_bytes().decode("latin-1")
