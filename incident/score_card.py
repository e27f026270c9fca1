"""A drill's score card: what was reached of what could be, by a rule that is printed with it, and what earlier runs reached.

A card is made for one run and never changed. `countermand readiness` and whoever else wants to know reads the cards that
`tasks.drills` keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from incident.people.messages import markdown
from incident.words import counted

SCHEMA = "countermand.drill/1"

NETWORK, LEFT_OVER, ACTORS, PROOF, CONTAIN, RESTORE, QUESTIONS = (40, 15, 15, 5, 10, 5, 10)
_EACH_DIFFERENCE, _EACH_LEFTOVER = 5, 5
_TOO_LATE = 3
"""A goal missed by this factor gives nothing."""

RULE = (
    f"Network as the scenario expects it: {NETWORK}, less {_EACH_DIFFERENCE} for each setting that differs",
    f"Nothing of the actor's left: {LEFT_OVER}, less {_EACH_LEFTOVER} for each thing that still works",
    f"Actors found: {ACTORS}, by the share of their known credentials that were identified",
    f"Proof: {PROOF}, when the response proves as much as the scenario allows, and no more",
    f"Contained in time: {CONTAIN}, restored in time: {RESTORE}; at the goal all, at {_TOO_LATE} times the goal nothing",
    f"Questions: {QUESTIONS}, by the share of right answers; left out where nothing was asked",
    "The score is what was reached of what could be, as a whole number of 100. A drill is passed when network and proof are as "
    "the scenario expects, whatever the score",
)
"""The rule, in the words in which it is printed."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Points(_Frozen):
    """What was reached of one part, and why not more."""

    part: str
    reached: float
    possible: float
    why: str = ""


class Answered(_Frozen):
    """A question of the response or of the scenario, with what was said; `given` is empty where nobody answered."""

    ask: str
    given: str
    right: str
    why: str = ""

    @property
    def well(self) -> bool:
        return self.given == self.right


class Seconds(_Frozen):
    """How long each took, in seconds as the report tells them; `None` where it was not reached.

    Detection counts from the actor's first call to the finding, everything else from the finding.
    """

    detect: float | None = None
    contain: float | None = None
    eradicate: float | None = None
    restore: float | None = None


class ScoreCard(_Frozen):
    """One run of one scenario.

    Attributes:
        at: when it ended, in UTC.
        attended: whether a person answered; otherwise scripted responders did.
        passed: whether the network and the proof are as the scenario expects.
        score: 0 to 100.
        missed: what the response did not find, stop or put back, in words.
    """

    format: Literal["countermand.drill/1"] = SCHEMA
    scenario: str = Field(max_length=200)
    difficulty: int
    incident: str
    at: AwareDatetime
    attended: bool
    passed: bool
    score: int
    seconds: Seconds
    points: tuple[Points, ...]
    missed: tuple[str, ...]
    answers: tuple[Answered, ...]

    @property
    def result(self) -> str:
        """One line for a list: `passed, 96 of 100`."""
        return f"{'passed' if self.passed else 'not passed'}, {self.score} of 100"


def network_points(differences: int, expected: bool) -> Points:
    """`expected` is whether the scenario expects the network restored; where it does not, differences cost nothing."""
    reached = max(0, NETWORK - _EACH_DIFFERENCE * differences) if expected else NETWORK
    why = f"{counted(differences, 'setting')} not as it should be" if differences else ""
    return Points(part="network", reached=reached, possible=NETWORK, why=why)


def leftover_points(leftovers: int) -> Points:
    why = f"{counted(leftovers, 'thing')} of the actor's left" if leftovers else ""
    return Points(part="nothing left", reached=max(0, LEFT_OVER - _EACH_LEFTOVER * leftovers), possible=LEFT_OVER, why=why)


def actor_points(known: int, found: int) -> Points:
    """Of `known` credentials of the actors, `found` were identified."""
    why = "" if found == known else f"{found} of {counted(known, 'credential')} identified"
    return Points(part="actors found", reached=round(ACTORS * found / known, 1) if known else ACTORS, possible=ACTORS, why=why)


def proof_points(as_expected: bool) -> Points:
    why = "" if as_expected else "the response claims more, or proves less, than the scenario allows"
    return Points(part="proof", reached=PROOF if as_expected else 0, possible=PROOF, why=why)


def time_points(part: str, possible: int, took: float | None, goal: float) -> Points:
    """All at the goal, nothing at three times the goal, in between in proportion."""
    if took is None:
        return Points(part=part, reached=0, possible=possible, why="not reached")
    share = min(1.0, max(0.0, (_TOO_LATE * goal - took) / ((_TOO_LATE - 1) * goal)))
    why = "" if took <= goal else f"{took:.0f} s, the goal is {goal:.0f} s"
    return Points(part=part, reached=round(possible * share, 1), possible=possible, why=why)


def question_points(answers: Sequence[Answered]) -> list[Points]:
    """One part, or none where nothing was asked."""
    if not answers:
        return []
    well = sum(one.well for one in answers)
    why = "" if well == len(answers) else f"{well} of {counted(len(answers), 'answer')} right"
    return [Points(part="questions", reached=round(QUESTIONS * well / len(answers), 1), possible=QUESTIONS, why=why)]


def score_of(points: Iterable[Points]) -> int:
    """Never 100 by rounding: that says that everything was reached."""
    points = list(points)
    reached, possible = sum(one.reached for one in points), sum(one.possible for one in points)
    if not possible:
        return 0
    return 100 if reached == possible else min(99, round(100 * reached / possible))


# ---- beside earlier runs ---------------------------------------------------------------------------------------------


def before(card: ScoreCard, cards: Iterable[ScoreCard]) -> list[ScoreCard]:
    """The earlier runs of its scenario, the oldest first; of an attended run only attended ones."""
    alike = (one for one in cards if (one.scenario, one.attended) == (card.scenario, card.attended))
    return sorted((one for one in alike if one.at < card.at), key=lambda one: one.at)


def compared(card: ScoreCard, cards: Iterable[ScoreCard]) -> list[str]:
    """How a run compares with the earlier ones of its scenario, in sentences."""
    alike = before(card, cards)
    if not alike:
        return [f"The first {_manner(card)} run of {card.scenario} that is kept here."]
    last, best = alike[-1], max(alike, key=lambda one: one.score)
    told = [
        f"Score {card.score}: {_more_or_less(card.score - last.score)} than the last run ({last.at:%Y-%m-%d}); best of "
        f"{len(alike)} before: {best.score}."
    ]
    for name in ("contain", "eradicate", "restore"):
        now, then = getattr(card.seconds, name), getattr(last.seconds, name)
        if now is not None and then is not None:
            told.append(f"To {name}: {now:.0f} s, {_faster_or_slower(now - then)} the last run.")
        elif (now is None) != (then is None):
            told.append(f"To {name}: {'not reached this time' if now is None else 'reached this time, not the last'}.")
    again = sorted(set(card.missed) & set(last.missed))
    told += [f"Missed again: {one}." for one in again]
    return told


def _manner(card: ScoreCard) -> str:
    return "attended" if card.attended else "unattended"


def _more_or_less(points: int) -> str:
    return f"{points} more" if points > 0 else f"{-points} less" if points < 0 else "no more and no less"


def _faster_or_slower(seconds: float) -> str:
    if abs(seconds) < 0.5:
        return "as fast as"
    return f"{abs(seconds):.0f} s {'slower' if seconds > 0 else 'faster'} than"


# ---- in words --------------------------------------------------------------------------------------------------------


def card_text(card: ScoreCard, comparison: Sequence[str] = ()) -> str:
    """The card as Markdown."""
    who = "a person answered" if card.attended else "scripted responders answered"
    parts = [
        f"# Drill {markdown(card.scenario)}: {card.result}",
        f"Difficulty {card.difficulty} of 5, incident `{markdown(card.incident)}`, {card.at:%Y-%m-%d %H:%M} UTC; {who}.",
        _points_table(card.points),
        f"Times: {times_in_words(card.seconds)}.",
        "## What was missed\n\n" + _list(_escaped(card.missed) or ["Nothing, by the scenario's known answers."]),
        _questions(card.answers),
        "## Beside earlier runs\n\n" + _list(_escaped(comparison)) if comparison else "",
        "## The rule\n\n" + _list(RULE),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _escaped(lines: Iterable[str]) -> list[str]:
    return [markdown(one, 600) for one in lines]


def times_in_words(seconds: Seconds) -> str:
    told = ((name, getattr(seconds, name)) for name in ("detect", "contain", "eradicate", "restore"))
    return ", ".join(f"to {name} {'not reached' if took is None else f'{took:.0f} s'}" for name, took in told)


def _points_table(points: Iterable[Points]) -> str:
    rows = [f"| {one.part} | {one.reached:g} | {one.possible:g} | {markdown(one.why)} |" for one in points]
    return "\n".join(["| part | reached | of | why not more |", "| --- | --- | --- | --- |", *rows])


def _questions(answers: Sequence[Answered]) -> str:
    if not answers:
        return ""
    told = [
        f"{'right' if one.well else '**wrong**'}: {markdown(one.ask, 600)} — {markdown(one.given or 'not answered', 300)}"
        + ("" if one.well else f"; right is: {markdown(one.right, 300)}")
        + (f" ({markdown(one.why, 600)})" if one.why else "")
        for one in answers
    ]
    return "## Questions\n\n" + _list(told)


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
