"""The score card of an exercise: the scenario's known answers, held against what the response found and what people answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drill.scenario import Scenario
from drill.scenario_teaching import Question
from drill.verdict import Verdict
from incident.ledger import Kind, Line
from incident.reports.report import Report
from incident.score_card import (
    CONTAIN,
    RESTORE,
    RULE,
    Answered,
    ScoreCard,
    Seconds,
    actor_points,
    leftover_points,
    network_points,
    proof_points,
    question_points,
    score_of,
    time_points,
    times_in_words,
)

Quiz = Callable[[Question], str]
"""Puts one of the scenario's questions to whoever is drilled, and returns the choice."""

_UNPROVED = {
    "unread": "could not be read",
    "unknown_regions": "region of which something is not known",
    "not_understood": "change that was not understood",
}


def card_of(
    scenario: Scenario,
    actor_keys: Mapping[str, Sequence[str]],
    judged: Verdict,
    written: Report,
    answers: Sequence[Answered],
    *,
    attended: bool,
    at: datetime,
) -> ScoreCard:
    """Score one run.

    Args:
        actor_keys: every key of each actor, as the stage knows them.
        judged: the independent look at the range.
        answers: of the response's questions and of the scenario's.
    """
    restored, complete = expectation(scenario)
    proof_holds = bool(written.proof.get("complete")) == complete
    known = {key for keys in actor_keys.values() for key in keys}
    found = {str(item["access_key"]) for item in written.actor.get("credentials", ())}
    seconds = Seconds(**{span.name: _seconds(span.took) for span in written.times})
    goals = scenario.teaching.goals or {}
    points = (
        network_points(len(judged.differences), restored),
        leftover_points(len(judged.leftovers)),
        actor_points(len(known), len(known & found)),
        proof_points(proof_holds),
        time_points("contained in time", CONTAIN, seconds.contain, goals["contain"]),
        time_points("restored in time", RESTORE, seconds.restore, goals["restore"]),
        *question_points(answers),
    )
    return ScoreCard(
        scenario=scenario.name,
        difficulty=scenario.teaching.difficulty,
        incident=written.incident,
        at=at,
        attended=attended,
        passed=judged.restored == restored and proof_holds,
        score=score_of(points),
        seconds=seconds,
        points=points,
        missed=tuple(_missed(actor_keys, found, judged, written)),
        answers=tuple(answers),
    )


def expectation(scenario: Scenario) -> tuple[bool, bool]:
    """Whether the network is to be as before, and whether the response is to prove that everything is as it must be."""
    restored = bool(scenario.expect.get("restored", True))
    return restored, bool(scenario.expect.get("complete", restored))


def _seconds(took: timedelta | None) -> float | None:
    return None if took is None else round(took.total_seconds(), 1)


def _missed(actor_keys: Mapping[str, Sequence[str]], found: set[str], judged: Verdict, written: Report) -> Iterable[str]:
    for actor, keys in actor_keys.items():
        lost = [key for key in keys if key not in found]
        if lost:
            yield f"not identified: {', '.join(lost)} of {actor}"
    for item in judged.leftovers:
        yield f"left: {item['kind']} {item['resource']} {item['detail']}"
    for one in judged.differences:
        yield f"{one['resource']}: {one['setting']} should be {one['expected']}, is {one['found']}"
    for name, words in _UNPROVED.items():
        for item in written.proof.get(name, ()):
            place = f"{item['account']} {item['region']}" if isinstance(item, Mapping) else str(item)
            yield f"{words}: {place}"


# ---- questions -------------------------------------------------------------------------------------------------------


def decisions_answered(scenario: Scenario, lines: Sequence[Line]) -> list[Answered]:
    """What people said to the response's own questions, beside what was right: to approve, unless the scenario says otherwise."""
    said: dict[str, str] = {}
    for line in lines:
        if line.kind == Kind.DECISION:
            # Of several people one rejection decides.
            asked, answer = str(line.body["question"]), str(line.body["answer"])
            said[asked] = answer if said.get(asked) != "reject" else "reject"
    void = {line.key.removeprefix("void:") for line in lines if line.kind == Kind.VOID}
    titles = {str(line.body["digest"]): str(line.body["plan"]["title"]) for line in lines if line.kind == Kind.PLAN}
    right = scenario.teaching.answers or {}
    return [
        Answered(
            ask=f"{titles.get(str(line.body['digest']), line.body['question'])}?",
            given=said.get(str(line.body["id"]), ""),
            right=right.get(str(line.body["question"]), "approve"),
        )
        for line in lines
        if line.kind == Kind.QUESTION and (str(line.body["id"]) not in void or str(line.body["id"]) in said)
    ]


def quizzed(scenario: Scenario, quiz: Quiz | None) -> list[Answered]:
    """The scenario's questions, put to whoever is there; nothing where nobody is."""
    if quiz is None:
        return []
    return [Answered(ask=one.ask, given=quiz(one), right=one.right, why=one.why) for one in scenario.teaching.questions]


def ask_at(console: Console) -> Quiz:
    """Puts questions at the keyboard; no answer is taken for none."""

    def ask(question: Question) -> str:
        console.print(f"\n{escape(question.ask)}", highlight=False)
        for number, choice in enumerate(question.choices, 1):
            console.print(f"  {number}  {escape(choice)}", highlight=False)
        while True:
            try:
                given = console.input(f"1 to {len(question.choices)}, or Enter to pass: ").strip()
            except (EOFError, KeyboardInterrupt):
                return ""
            if not given:
                return ""
            if given.isdecimal() and 1 <= int(given) <= len(question.choices):
                return question.choices[int(given) - 1]

    return ask


# ---- shown -----------------------------------------------------------------------------------------------------------


def show_card(console: Console, card: ScoreCard, scenario: Scenario, comparison: Sequence[str]) -> None:
    """The card at the end of a drill, with its rule and what the scenario teaches."""
    table = Table("part", "reached", "of", "why not more", title=f"{escape(card.scenario)}: {card.result}")
    for one in card.points:
        table.add_row(one.part, f"{one.reached:g}", f"{one.possible:g}", escape(one.why))
    console.print(table)
    said = [f"Times: {times_in_words(card.seconds)}."]
    said += [f"Missed: {one}" for one in card.missed]
    said += [
        f"Answered wrongly: {one.ask} {one.given or 'not answered'}; right is: {one.right}{f' ({one.why})' if one.why else ''}"
        for one in card.answers
        if not one.well
    ]
    said += [*comparison, "The rule of the score:", *(f"  {line}" for line in RULE)]
    if scenario.teaching.notes:
        said.append(f"What it teaches: {scenario.teaching.notes}")
    if scenario.teaching.good:
        said += ["What a good responder does:", *(f"  {line}" for line in scenario.teaching.good)]
    for line in said:
        console.print(escape(line), soft_wrap=True, highlight=False)
