"""Drills as training: the card's rule, the library's teaching notes, the history, and who may read it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console
from told_incident import told

from drill.scenario import HARDEST, ScenarioError, library, load, loads
from drill.verdict import Verdict
from gateway.practice.card import ask_at, card_of, decisions_answered, quizzed
from incident.reports.report import report
from incident.score_card import NETWORK, Answered, ScoreCard, Seconds, card_text, compared, score_of, time_points
from tasks.drills import DrillRecords, last_drill

AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
GOOD = Verdict([], [])
KEYS = {"mallory": ["AKIAMALLORYEXAMPLE"], "second": ["AKIASECONDEXAMPLE1"]}
WRONG = {
    "account": "1",
    "region": "r",
    "resource": "security group sg-1 (web)",
    "setting": "tcp 22",
    "expected": "absent",
    "found": "0.0.0.0/0",
}
LEFT = {"account": "1", "region": "r", "kind": "access key", "resource": "AKIALEFT", "detail": "is Active"}


@pytest.fixture(scope="module")
def scenario():
    """The told incident's people take twenty minutes each; the goals allow that."""
    loaded = load("open-ssh-to-world")
    return replace(loaded, teaching=replace(loaded.teaching, goals={"contain": 3600, "restore": 7200}))


def card(scenario, judged=GOOD, keys=KEYS, answers=(), proved=True, **more) -> ScoreCard:
    made = card_of(scenario, keys, judged, report(told(proved=proved)), answers, attended=True, at=AT)
    return made.model_copy(update=more)


def points(card: ScoreCard) -> dict[str, float]:
    return {one.part: one.reached for one in card.points}


def test_a_faultless_run_has_a_hundred_and_missed_nothing(scenario):
    quick = card(scenario)
    assert (quick.passed, quick.missed) == (True, ())
    assert points(quick)["network"] == NETWORK
    assert "questions" not in points(quick), "what was not asked costs nothing"
    assert quick.score == 100


def test_what_was_missed_is_named_and_costs_as_the_rule_says(scenario):
    bad = card(scenario, Verdict([WRONG], [LEFT]), {**KEYS, "ghost": ["AKIAGHOST"]}, proved=False)
    assert not bad.passed
    assert points(bad) | {"contained in time": 0, "restored in time": 0} == {
        "network": 35, "nothing left": 10, "actors found": 10, "proof": 0, "contained in time": 0, "restored in time": 0,
    }  # fmt: skip
    told_of = "\n".join(bad.missed)
    for what in ("AKIAGHOST of ghost", "AKIALEFT", "tcp 22 should be absent", "ap-south-1"):
        assert what in told_of


def test_a_response_that_claims_more_than_the_scenario_allows_does_not_pass(scenario):
    unprovable = replace(scenario, expect={"restored": True, "complete": False})
    assert not card(unprovable).passed
    assert points(card(unprovable))["proof"] == 0
    assert card(unprovable, proved=False).passed


def test_time_counts_fully_to_the_goal_and_not_at_all_from_three_times_it():
    assert [time_points("x", 10, took, 60).reached for took in (None, 10, 60, 120, 180, 900)] == [0, 10, 10, 5, 0, 0]


def test_wrong_answers_cost_their_share_and_are_shown_with_the_right_one(scenario):
    answers = [Answered(ask="a?", given="x", right="x"), Answered(ask="b?", given="", right="y", why="because <b>")]
    asked = card(scenario, answers=answers)
    assert points(asked)["questions"] == 5
    assert asked.score < 100
    text = card_text(asked)
    assert "b? — not answered; right is: y" in text.replace("&#45;", "-")
    assert "<b>" not in text


def test_what_people_answered_is_held_against_what_was_right(scenario):
    lines = told()
    assert [(one.given, one.well) for one in decisions_answered(scenario, lines)] == [("approve", True)] * 2
    strict = replace(scenario, teaching=replace(scenario.teaching, answers={"restore": "reject"}))
    assert [one.well for one in decisions_answered(strict, lines)] == [True, False]


def test_a_score_is_never_a_hundred_by_rounding(scenario):
    almost = [one.model_copy(update={"reached": one.reached - 0.1}) for one in card(scenario).points[:1]]
    assert score_of([*almost, *card(scenario).points[1:]]) == 99


def test_a_run_is_compared_with_earlier_ones_of_its_kind_only(scenario):
    now = card(scenario, score=90, at=AT, seconds=Seconds(contain=100), missed=("left: a key",))
    before = now.model_copy(update={"score": 70, "at": AT - timedelta(days=7), "seconds": Seconds(contain=160)})
    others = [before.model_copy(update={"attended": False}), before.model_copy(update={"scenario": "other"})]
    assert "first attended run" in compared(now, others)[0]
    said = "\n".join(compared(now, [*others, before]))
    assert "20 more than the last run (2026-11-17)" in said
    assert "60 s faster" in said
    assert "Missed again: left: a key" in said


def test_cards_are_kept_and_read_back_and_what_is_no_card_is_named(scenario, tmp_path):
    assert last_drill(tmp_path) is None
    records = DrillRecords(tmp_path)
    first, second = card(scenario, at=AT), card(scenario, at=AT + timedelta(days=1), incident="inc-2")
    text = records.keep(second).with_suffix(".md").read_text()
    records.keep(first)
    (records.folder / "20270101T000000Z-inc-3.json").write_text("{}")
    assert records.read() == ([first, second], ["20270101T000000Z-inc-3.json"])
    assert last_drill(tmp_path) == second
    assert text.startswith("# Drill")


def test_the_page_of_a_card_shows_earlier_runs_of_its_kind_and_runs_nothing(scenario, tmp_path):
    hostile = "<img src=x onerror=alert(1)>{{ 7 * 7 }}"
    now = card(scenario, missed=(hostile,), answers=(Answered(ask=hostile, given=hostile, right="contain it", why=hostile),))
    records = DrillRecords(tmp_path)
    for days, more in ((7, {"score": 71}), (6, {"score": 72, "attended": False}), (5, {"score": 73, "scenario": "other"})):
        records.keep(now.model_copy(update={"at": AT - timedelta(days=days), "incident": f"inc-{days}", **more}))
    page = records.keep(now).read_text()
    assert "<img" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;{{ 7 * 7 }}") == 5, "missed, missed again, and a question of three parts"
    assert ">71<" in page, "an earlier run of this scenario, answered by a person too"
    assert ">72<" not in page
    assert ">73<" not in page
    assert "http" not in page, "it loads nothing"
    assert "<script" not in page


def test_the_history_shows_each_run_beside_the_one_before(run, scenario, tmp_path):
    records = DrillRecords(tmp_path / "home")
    for days, score in ((0, 80), (1, 95)):
        records.keep(card(scenario, at=AT + timedelta(days=days), score=score, incident=f"inc-{days}"))
    code, out, _ = run("drill", "--history")
    assert code == 0
    assert "+15" in "".join(out.split())
    assert "No drill" in run("drill", "other", "--history")[1]


def test_the_library_is_listed_from_easy_to_hard(run):
    entries = library()
    assert len(entries) >= 10
    assert [one.difficulty for one in entries] == sorted(one.difficulty for one in entries)
    assert {one.difficulty for one in entries} == set(range(1, HARDEST + 1))
    code, out, _ = run("drill", "--list")
    assert code == 0
    assert out.index("open-ssh-to-world") < out.index("network-takeover") < out.index("standing-back-doors")


@pytest.mark.parametrize("entry", library(), ids=lambda entry: entry.name)
def test_every_scenario_of_the_library_teaches(entry):
    teaching = load(entry.file).teaching
    assert teaching.notes
    assert len(teaching.hints) >= 2
    assert len(teaching.good) >= 3
    assert teaching.questions


def test_a_drill_without_a_scenario_says_how_to_find_one(run):
    code, _, err = run("drill")
    assert code == 2
    assert "--list" in err
    assert "nosuch" in run("drill", "nosuch", "--notes")[2]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("difficulty: 9", "from 1 to 5"),
        ("hints: do it", "list of sentences"),
        ("questions: [{ask: a}]", "incomplete"),
        ("questions: [{ask: a, choices: [x, y], right: z, why: w}]", "not among the choices"),
        ("answers: {restore: perhaps}", "approve or reject"),
        ("goals: {dinner: 1h}", "contain and restore"),
    ],
)
def test_what_is_wrong_with_teaching_is_said_in_one_line(line, says, scenario):
    text = library()[0].file.read_text()
    kept = "\n".join(part for part in text.splitlines() if not part.startswith("difficulty:")) if "difficulty" in line else text
    if "hints" in line or "questions" in line:
        kept = text[: text.index("difficulty:")] + text[text.index("accounts:") :]
    with pytest.raises(ScenarioError) as wrong:
        loads(f"{kept}\n{line}\n")
    assert says in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_the_card_is_of_a_stated_format(scenario):
    told_json = json.loads(card(scenario).model_dump_json())
    assert told_json["format"] == "countermand.drill/1"
    assert ScoreCard.model_validate(told_json) == card(scenario)


def test_the_questions_are_asked_at_the_keyboard_and_a_wrong_key_asks_again(scenario, monkeypatch):
    typed = iter(["seven", "9", "2", ""])
    monkeypatch.setattr("builtins.input", lambda *prompt: next(typed))
    told_to = StringIO()
    answers = quizzed(scenario, ask_at(Console(file=told_to)))
    assert [one.given for one in answers] == [scenario.teaching.questions[0].choices[1], ""]
    assert [one.well for one in answers] == [True, False]
    assert scenario.teaching.questions[0].ask in told_to.getvalue()
    assert quizzed(scenario, None) == []
