"""After the response, on the command line: notes, backlog, closing; each written down once, by a person who proved who they are."""

from __future__ import annotations

import json
import time
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from told_incident import INCIDENT, answered, told

from incident.ledger import ROSTER_CHAIN, Kind
from incident.reports.backlog import STORIES
from incident.reports.case_file import CaseFile
from incident.reports.recommendations import recommendations
from tasks.hands import utc_now
from tasks.ledger import Ledger
from tasks.roster import STEP_SECONDS, Roster

SUSPECT = "arn:aws:iam::111122223333:user/deploybot"


@pytest.fixture
def desk(run, tmp_path, monkeypatch):
    """A home with the told incident, three responders, one of whom the finding names; commands with a fresh code each."""
    home = tmp_path / "home"
    home.mkdir()
    people = f"responders: [{{name: alice}}, {{name: bob}}, {{name: mallory, principals: ['{SUSPECT}']}}]\n"
    (home / "policy.yaml").write_text(people)
    monkeypatch.setenv("COUNTERMAND_POLICY_FILE", str(home / "policy.yaml"))
    ledger = Ledger.open(f"sqlite:///{home / 'ledger.db'}", utc_now)
    roster = Roster(home / "roster", ledger, utc_now)

    def fill(lines) -> None:
        ledger.append_all([(INCIDENT, line.kind, line.key, line.body) for line in lines])

    secrets = {name: parse_qs(urlsplit(roster.enrol(name)).query)["secret"][0] for name in ("alice", "bob", "mallory")}

    def say(*words: str, person: str = "alice", code: str = ""):
        # A code is burnt by its use: those of the half minutes before and after count too.
        now = int(time.time()) // STEP_SECONDS
        step = next(step for step in (now, now - 1, now + 1) if not ledger.find(ROSTER_CHAIN, f"code:{person}:{step}"))
        fresh = pyotp.TOTP(secrets[person]).generate_otp(step)
        return run(*words, "--as", person, "--code", code or fresh)

    return ledger, fill, say, run


def test_a_note_stands_in_the_report_with_name_and_line(desk, tmp_path):
    ledger, fill, say, run = desk
    fill(told())
    code, _, err = say("note", INCIDENT, "they wanted <b>payments</b>", "--section", "intent")
    assert (code, err) == (0, "")
    (remark,) = ledger.lines(INCIDENT, Kind.REMARK)
    assert (remark.body["person"], remark.body["method"]) == ("alice", "one-time-code")
    page = (tmp_path / "home" / "reports" / f"{INCIDENT}.html").read_text()
    assert "they wanted &lt;b&gt;payments&lt;/b&gt;" in page
    assert f"line {remark.position}" in page
    assert "alice" in run("report", INCIDENT)[1]


@pytest.mark.parametrize(
    ("words", "more", "said"),
    [
        (("note", INCIDENT, "x", "--section", "motive"), {}, "no section"),
        (("note", "inc-nobody", "x", "--section", "intent"), {}, "knows no incident"),
        (("note", INCIDENT, "x", "--section", "intent"), {"person": "mallory"}, "named in the finding"),
        (("note", INCIDENT, "x", "--section", "intent"), {"code": "000000"}, "wrong"),
        (("backlog", "done", "item-none", "--how", "x"), {}, "no item"),
        (("backlog", "add", "x", "--perspective", "sideways"), {}, "no perspective"),
        (("backlog", "add"), {}, "say what is to be done"),
        (("close", INCIDENT, "--reason", " "), {}, "say why"),
    ],
)
def test_what_cannot_be_written_down_is_one_line_and_changes_nothing(desk, words, more, said):
    ledger, fill, say, _ = desk
    fill(told())
    before = ledger.head(INCIDENT)
    code, _, err = say(*words, **more)
    assert (code, err.count("\n")) == (2, 1)
    assert said in err
    assert ledger.head(INCIDENT) == before


def test_what_a_report_recommends_becomes_items_with_owners_once(desk):
    ledger, fill, say, run = desk
    fill(told())
    wanted = recommendations(CaseFile(ledger.lines(INCIDENT)))
    assert say("backlog", "add", "--incident", INCIDENT, "--recommended")[::2] == (0, "")
    assert say("backlog", "add", "--incident", INCIDENT, "--recommended")[0] == 2, "nothing is left to take up"
    items = json.loads(run("backlog", "list", "--incident", INCIDENT, "--json")[1])
    assert [(one["title"], one["perspective"]) for one in items] == [(one.text, str(one.perspective)) for one in wanted]
    first = items[0]["id"]
    assert say("backlog", "assign", first, "--owner", "network team", "--due", "2026-13-01", "--incident", INCIDENT)[0] == 2
    assert say("backlog", "assign", first, "--owner", "network team", "--due", "2026-12-01", "--incident", INCIDENT)[::2] == (0, "")
    assert say("backlog", "done", first, "--how", "in all accounts", "--incident", INCIDENT, person="bob")[0] == 0
    item = json.loads(run("backlog", "list", "--incident", INCIDENT, "--json")[1])[0]
    assert (item["owner"], item["due"], item["done"]) == ("network team", "2026-12-01", "in all accounts")


def test_the_playbooks_stories_stand_in_a_backlog_of_their_own(desk):
    _, _, say, run = desk
    assert say("backlog", "add", "--stories")[0] == 0
    told_ = json.loads(run("backlog", "list", "--json")[1])
    assert [one["title"] for one in told_] == list(STORIES)
    assert {one["incident"] for one in told_} == {""}


def test_closing_is_refused_with_every_reason_until_it_is_forced_by_name(desk):
    ledger, fill, say, run = desk
    fill(told(proved=False))
    code, _, err = say("close", INCIDENT, "--reason", "enough")
    assert code == 2
    assert "region is not known" in err
    assert "left to people" in err
    assert "Intent" in err
    assert ledger.find(INCIDENT, "closed") is None
    assert say("close", INCIDENT, "--reason", "the region is accepted", "--force", person="bob")[0] == 0
    closed = ledger.find(INCIDENT, "closed").body
    assert (closed["person"], closed["forced"]) == ("bob", True)
    assert any("region is not known" in reason for reason in closed["against"])
    assert "closed" in run("incidents")[1]
    assert json.loads(run("incidents", "--json")[1])[0]["status"].startswith("closed")
    assert say("close", INCIDENT, "--reason", "again")[0] == 2


def test_an_incident_with_nothing_left_closes_without_force_and_shows_it(desk):
    ledger, fill, say, run = desk
    fill([line for line in answered(told()) if line.kind != Kind.PLAN])
    assert "Not to be closed yet" not in run("show", INCIDENT)[1]
    assert say("close", INCIDENT, "--reason", "done")[0] == 0
    assert ledger.find(INCIDENT, "closed").body["forced"] is False
    assert "Closed by alice: done" in run("show", INCIDENT)[1]
