"""Whatever is wrong with an escalation policy is one line that names file, line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.config import Config, ConfigError
from tasks.escalation_file import load_escalation

EXAMPLE = Path(__file__).resolve().parents[2] / "deployments" / "escalation.example.yaml"
FILE = """\
contacts:
  a: {email: [a@example.com]}
  b:
    webhook: [pager]
    quiet:
      - {zone: Europe/Berlin, from: "22:00", until: "07:00"}
ladders:
  main:
    levels:
      - name: one
        whom: [a]
        wait_minutes: 5
      - {name: two, whom: [b]}
rules:
  - {severity: 7, ladder: main}
  - {ladder: main}
fallback: {whom: [a]}
"""


@pytest.fixture
def load(tmp_path):
    def load_(text: str, **more: object):
        file = tmp_path / "escalation.yaml"
        file.write_text(text)
        given = {
            "home": tmp_path,
            "escalation_file": file,
            "email": {"host": "localhost", "sender": "countermand@example.com"},
            "webhooks": {"pager": {"url": "https://example.com/", "key": "k"}},
            "slack": {"channel": "C0TEST"},
        }
        return load_escalation(Config(**{**given, **more}))

    return load_


def test_a_good_one_is_read(load):
    assert [level.name for level in load(FILE).ladders["main"].levels] == ["one", "two"]


def test_the_example_is_good(load):
    assert load(EXAMPLE.read_text()).rule(8, "waiting").ladder == "urgent"


def test_without_a_file_there_is_none(tmp_path):
    assert load_escalation(Config(home=tmp_path)) is None


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("whom: [a]\n        wait", "whom: [z]\n        wait", 11, "there is no contact 'z'; name one of a, b"),
        ("wait_minutes: 5", "wait_minutes: soon", 12, "wait_minutes: Input should be a valid number"),
        ("wait_minutes: 5", "wait_minute: 5", 12, "wait_minute: Extra inputs are not permitted; remove it, or correct its name"),
        ("wait_minutes: 5", "wait_minutes: 0", 12, "greater than 0"),
        ("{name: two, whom: [b]}", "{whom: [b]}", 13, "name: Field required; add it"),
        (
            "{name: two, whom: [b]}",
            "{name: two, whom: [b], channels: [email]}",
            13,
            "'b' has no address for email; give the contact",
        ),
        ("{name: two, whom: [b]}", "{name: two, whom: [b], channels: [fax]}", 13, "Input should be 'slack', 'email', 'sns' or"),
        ("a@example.com", "nobody", 2, "String should match pattern"),
        ("Europe/Berlin", "Europe/Bärlin", 6, "this is no time zone; name one of the tz database"),
        ('from: "22:00"', 'from: "25:00"', 6, "give a time such as 22:00"),
        ("ladder: main}\n  -", "ladder: other}\n  -", 15, "there is no ladder 'other'; name one of main, or none"),
        ("  - {ladder: main}", "  - {ladder: main, severity: 3}", 16, "end the rules with one that has only `ladder`"),
        ("  a: {email", "  b: {email", 3, "'b' is given twice; remove one of the two"),
        ("contacts:", "contacts: [", 1, "not readable as YAML"),
        ("[pager]", "[other]", 4, "no webhook 'other' is configured; add other to webhooks"),
        ("fallback: {whom: [a]}", "fallback: {whom: [a], channels: [slack]}", 17, "'a' has no address for"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_its_remedy(load, old, new, line, says):
    assert old in FILE
    with pytest.raises(ConfigError) as refused:
        load(FILE.replace(old, new, 1))
    where, _, what = str(refused.value).partition(": ")
    if line > 1:
        assert where.endswith(f"escalation.yaml:{line}")
    assert says in what
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"email": {}}, "no mail server is configured; set email.host"),
        ({"escalation_file": Path("missing.yaml")}, "correct escalation_file"),
    ],
)
def test_a_channel_that_is_not_configured_is_said_before_it_is_needed(load, more, says):
    with pytest.raises(ConfigError, match=says):
        load(FILE, **more)


def test_nothing_at_all_and_something_else_are_refused(load):
    for text in ("", "[]", "7", "contacts: 7"):
        with pytest.raises(ConfigError, match=r"escalation\.yaml:1: "):
            load(text)
