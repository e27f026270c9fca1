"""What the run shows in the Prefect UI: complete, inert, and never more certain than the ledger."""

from __future__ import annotations

import re

import pytest
from examples import NOON
from told_incident import INCIDENT, Names, told, with_more

from incident.ledger import Kind
from incident.people.status import status
from incident.policy import Policy, Responder
from incident.reports.run_page import MOST_ROWS, Places, run_page

PLACES = Places("http://prefect:4200", "https://door/", "T0TEAM", "C0CHANNEL")
POLICY = Policy(responders=(Responder(name="alice"),))
EVIL = "x <img src=x onerror=alert(1)> | [link](javascript:1) **b** \u202e\n# head"


def shown(lines, now=NOON):
    return {one.name: one.content for one in run_page(lines, status(INCIDENT, lines, POLICY, now), PLACES)}


def test_before_an_incident_is_opened_nothing_is_shown():
    assert run_page([], status(INCIDENT, [], POLICY, NOON), PLACES) == []


def test_every_part_is_there_and_the_summary_leads_with_what_happened():
    page = shown(told())
    assert set(page) == {"summary", "plans", "regions", "regions-read", "timeline", "links"}
    headings = re.findall(r"^#+ (.*)$", page["summary"], re.M)
    assert headings[1:] == ["What happened", "What was done", "What is not known"]


def test_what_could_not_be_read_stands_first_and_keeps_the_progress_below_the_whole():
    page = shown(told(proved=False))
    assert page["regions"][0]["status"] == "denied"
    assert page["regions-read"] == pytest.approx(66.7)
    assert "denied" in page["summary"].split("What is not known")[1]
    assert shown(told())["regions-read"] == 100


def test_each_step_says_how_it_stands_and_how_it_is_taken_back():
    lines = told()
    rows = shown(lines)["plans"]
    assert [row["stands"] for row in rows] == ["done"] * 3
    halfway = [line for line in lines if line.position <= next(one.position for one in lines if one.kind == Kind.OUTCOME)]
    contain = [row for row in shown(halfway)["plans"] if row["plan"] == "Contain the actor"]
    assert [row["stands"] for row in contain] == ["done"]
    before = shown([line for line in halfway if line.kind != Kind.OUTCOME])["plans"]
    assert {row["stands"] for row in before} == {"not begun"}


def test_a_step_that_was_stopped_says_why():
    lines = told()
    last = [line for line in lines if line.kind == Kind.OUTCOME][-1]
    again = with_more(lines, (Kind.OUTCOME, "again", {**last.body, "result": "stopped", "detail": "somebody else changed it"}))
    assert shown(again)["plans"][0]["stands"] == "stopped: somebody else changed it"


def test_nothing_that_an_attacker_names_is_markup_in_what_is_shown():
    page = shown(told(Names(user=EVIL, group_name=EVIL, title=EVIL, table=EVIL)))
    for name in ("summary", "links"):
        assert "<img" not in page[name]
        assert "](javascript" not in page[name]
        assert re.findall(r"^# (.*)$", page[name], re.M) != ["head"]
        assert "\u202e" not in page[name]
    for name in ("plans", "timeline", "regions"):
        assert not any(re.search(r"[\u202e\n]", cell) for row in page[name] for cell in row.values())


def test_the_timeline_has_the_actor_and_the_response_newest_first_and_ends_with_a_count():
    rows = shown(told())["timeline"]
    assert {row["who"] for row in rows} == {"actor", "response"}
    assert [row["at"] for row in rows] == sorted((row["at"] for row in rows), reverse=True)
    outcome = [line for line in told() if line.kind == Kind.OUTCOME][-1].body
    many = with_more(told(), *((Kind.OUTCOME, f"outcome:{n}", {**outcome, "step": f"s{n}"}) for n in range(MOST_ROWS)))
    long = shown(many)["timeline"]
    assert len(long) == MOST_ROWS + 1
    assert re.fullmatch(r"… and \d+ more rows, in the report", long[-1]["who"])
    assert list(long[-1]) == list(long[0]), "the UI takes its columns from the first row"


def test_the_links_lead_to_the_report_once_it_is_there_and_to_the_thread():
    lines = told()
    links = shown(lines)["links"]
    assert "not written yet" in links
    assert "/v2/runs/flow-run/0e6f1c1e-5d5b-4f5e-9d0a-2a4b6c8d0e1f" in links
    assert "slack.com" not in links
    sent = (Kind.MESSAGE, "sent:opened", {"key": "opened", "ts": "1790000000.000100", "channel": ""})
    written = (Kind.REPORT, "report:1", {"status": "restored", "url": ""})
    links = shown(with_more(lines, sent, written))["links"]
    assert f"(https://door/incidents/{INCIDENT}/report)" in links
    assert "(https://app.slack.com/client/T0TEAM/C0CHANNEL/thread/C0CHANNEL-1790000000.000100)" in links
