"""Quiet hours in the zones people live in, also when the clocks change; and what a policy may not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from escalating import policy
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from incident.people.escalation import Contact, QuietHours, faults

BERLIN = ZoneInfo("Europe/Berlin")


def contact(*quiet: dict[str, object]) -> Contact:
    return Contact.model_validate({"email": ["a@example.com"], "quiet": list(quiet)})


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


NIGHT = {"zone": "Europe/Berlin", "from": "22:00", "until": "07:00"}


@pytest.mark.parametrize(
    ("now", "awake"),
    [
        ("2026-02-10 21:59", "2026-02-10 21:59"),
        ("2026-02-10 22:00", "2026-02-11 07:00"),
        ("2026-02-11 03:00", "2026-02-11 07:00"),
        ("2026-02-11 07:00", "2026-02-11 07:00"),
        # The night in which clocks go forward is an hour shorter, the one in which they go back an hour longer.
        ("2026-03-28 22:00", "2026-03-29 07:00"),
        ("2026-03-29 03:30", "2026-03-29 07:00"),
        ("2026-10-24 22:00", "2026-10-25 07:00"),
    ],
)
def test_a_night_ends_by_the_clock_on_the_wall(now, awake):
    assert contact(NIGHT).awake_from(berlin(now), 5) == berlin(awake)


def test_a_night_across_a_change_of_clocks_has_the_length_it_has():
    spring = contact(NIGHT).awake_from(berlin("2026-03-28 22:00"), 5) - berlin("2026-03-28 22:00").astimezone(UTC)
    autumn = contact(NIGHT).awake_from(berlin("2026-10-24 22:00"), 5) - berlin("2026-10-24 22:00").astimezone(UTC)
    assert (spring, autumn) == (timedelta(hours=8), timedelta(hours=10))


def test_an_hour_that_comes_twice_does_not_begin_the_quiet_again():
    early = {"zone": "Europe/Berlin", "from": "22:00", "until": "02:30"}
    end = contact(early).awake_from(berlin("2026-10-24 23:00"), 5)
    assert end == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert contact(early).awake_from(berlin("2026-10-25 02:10", fold=1), 5) == berlin("2026-10-25 02:10", fold=1)


def test_an_end_in_an_hour_that_the_clocks_skip_comes_all_the_same():
    early = {"zone": "Europe/Berlin", "from": "22:00", "until": "02:30"}
    assert contact(early).awake_from(berlin("2026-03-28 23:00"), 5) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_what_is_severe_enough_waits_for_no_morning():
    now = berlin("2026-02-11 03:00")
    assert contact(NIGHT).awake_from(now, 7) == now
    assert contact(NIGHT).awake_from(now, 6.9) > now


def test_days_are_those_on_which_the_quiet_begins():
    friday = {**NIGHT, "days": ["fri"]}
    assert contact(friday).awake_from(berlin("2026-02-14 03:00"), 5) == berlin("2026-02-14 07:00")
    assert contact(friday).awake_from(berlin("2026-02-13 03:00"), 5) == berlin("2026-02-13 03:00")


def test_quiet_hours_that_follow_each_other_are_one():
    weekend = {"zone": "Europe/Berlin", "from": "07:00", "until": "22:00", "days": ["sat", "sun"]}
    assert contact(NIGHT, weekend).awake_from(berlin("2026-02-13 23:00"), 5) == berlin("2026-02-16 07:00")


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),  # noqa: DTZ001
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]),
    st.times(),
    st.times(),
)
def test_whoever_wakes_is_awake_and_does_not_sleep_longer_than_a_day(now, zone, since, until):
    if since.replace(second=0, microsecond=0) == until.replace(second=0, microsecond=0):
        return
    at = now.replace(tzinfo=UTC)
    quiet = {"zone": zone, "from": since.strftime("%H:%M"), "until": until.strftime("%H:%M")}
    awake = contact(quiet).awake_from(at, 5)
    assert at <= awake <= at + timedelta(hours=25)
    assert QuietHours.model_validate(quiet).end_at(awake) is None


@pytest.mark.parametrize(
    ("quiet", "why"),
    [
        ([{**NIGHT, "zone": "Mars/Olympus"}], "no time zone"),
        ([{**NIGHT, "until": "22:00"}], "the same"),
        ([NIGHT, {**NIGHT, "from": "07:00", "until": "22:00"}], "never end"),
        ([{**NIGHT, "from": "22:00+01:00"}], "no zone of their own"),
    ],
)
def test_quiet_hours_that_cannot_be(quiet, why):
    with pytest.raises(ValidationError, match=why):
        contact(*quiet)


LEVELS = {"levels": [{"name": "one", "whom": ["a"]}]}


@pytest.mark.parametrize(
    ("parts", "path", "what"),
    [
        ({"rules": [{"ladder": "other"}]}, ("rules", 0, "ladder"), "no ladder 'other'"),
        ({"rules": [{"ladder": "main", "severity": 5}]}, ("rules", 0), "does not fit everything"),
        ({"rules": [{"ladder": "none"}]}, ("rules", 0), "does not fit everything"),
        ({"rules": [{"ladder": "none", "phases": ["called"]}, {"ladder": "main"}]}, ("rules", 0, "ladder"), "calls for help"),
        ({"ladders": {"main": LEVELS, "none": LEVELS}}, ("ladders", "none"), "nobody is told"),
        (
            {"ladders": {"main": {"levels": [{"name": "one", "whom": ["z"]}]}}},
            ("ladders", "main", "levels", 0, "whom", 0),
            "no contact 'z'",
        ),
        (
            {"ladders": {"main": {"levels": [{"name": "one", "whom": ["a"], "channels": ["sns"]}]}}},
            ("ladders", "main", "levels", 0, "whom", 0),
            "'a' has no address for sns",
        ),
        ({"fallback": {"whom": ["z"]}}, ("fallback", "whom", 0), "no contact 'z'"),
        ({"stakeholders": [{"name": "x", "whom": ["law"]}, {"name": "x", "whom": ["law"]}]}, ("stakeholders", 1, "name"), "two"),
    ],
)
def test_what_does_not_fit_together_is_named_with_its_place(parts, path, what):
    (fault, *_) = faults(policy(**parts))
    assert fault.path == path
    assert what in fault.what
    assert fault.remedy
