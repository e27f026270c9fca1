"""What a scenario teaches: how hard it is, hints, what a good responder does, and questions with known answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drill.scenario_yaml import Path, ScenarioError, Source

HARDEST = 5
_KEYS = {"ask", "choices", "right", "why"}
_ANSWERS = {"approve", "reject"}
_ASKED = {"contain", "restore", "addition", "release"}


@dataclass(frozen=True)
class Question:
    """One question to whoever was drilled: exactly one of the choices is right, and `why` says so afterwards."""

    ask: str
    choices: tuple[str, ...]
    right: str
    why: str


@dataclass(frozen=True)
class Teaching:
    """What is said about a scenario to people.

    Attributes:
        difficulty: from 1 (the smallest complete incident) to 5; 0 where nobody has rated it.
        notes: what there is to learn.
        hints: for whoever is stuck, from the vague to the plain.
        good: what a good responder does, in its order.
        questions: asked after an attended drill.
        answers: the right answer to the response's own questions, by their kind; whatever is not named is to be approved.
        goals: within how many seconds to contain and to restore, from the finding on.
    """

    difficulty: int = 0
    notes: str = ""
    hints: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    answers: dict[str, str] | None = None
    goals: dict[str, float] | None = None


def check_teaching(source: Source, goals: dict[str, float]) -> Teaching:
    """Read what a scenario's file says of teaching; `goals` are its goals in seconds, already read.

    Raises:
        ScenarioError: a part of it is wrong.
    """
    return Teaching(
        difficulty=_difficulty(source),
        notes=" ".join(str(source.data.get("teaching", "")).split()),
        hints=_lines(source, "hints"),
        good=_lines(source, "good_responder"),
        questions=_questions(source),
        answers=_answers(source),
        goals=goals,
    )


def _difficulty(source: Source) -> int:
    value = source.data.get("difficulty", 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= HARDEST:
        raise source.error(("difficulty",), f"difficulty is {value!r}", f"write a whole number from 1 to {HARDEST}")
    return value


def _lines(source: Source, key: str) -> tuple[str, ...]:
    value = source.data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) and one.strip() for one in value):
        raise source.error((key,), f"{key} is no list of sentences", "write - a sentence; in quotes where it holds a colon")
    return tuple(" ".join(one.split()) for one in value)


def _questions(source: Source) -> tuple[Question, ...]:
    value = source.data.get("questions", [])
    if not isinstance(value, list):
        raise source.error(("questions",), "questions is no list", _EXAMPLE)
    return tuple(_question(source, ("questions", place), one) for place, one in enumerate(value))


_EXAMPLE = "write - {ask: …, choices: [one, other], right: one, why: …}"


def _question(source: Source, path: Path, value: Any) -> Question:
    if not isinstance(value, dict) or set(value) != _KEYS:
        raise source.error(path, "the question is incomplete, or says too much", _EXAMPLE)
    choices, right = value["choices"], value["right"]
    if not isinstance(choices, list) or len({str(one) for one in choices}) != len(choices) or len(choices) < 2:
        raise source.error((*path, "choices"), "there are not two different choices", _EXAMPLE)
    if right not in choices:
        raise source.error((*path, "right"), f"{right!r} is not among the choices", "repeat one of the choices word for word")
    return Question(str(value["ask"]), tuple(str(one) for one in choices), str(right), str(value["why"]))


def _answers(source: Source) -> dict[str, str]:
    value = source.data.get("answers", {})
    if not isinstance(value, dict):
        raise source.error(("answers",), "answers is no mapping", "write answers: {restore: reject}")
    for key, answer in value.items():
        if key not in _ASKED or answer not in _ANSWERS:
            remedy = f"name one of {', '.join(sorted(_ASKED))}, with approve or reject"
            raise _wrong(source, str(key), answer, remedy)
    return {str(key): str(answer) for key, answer in value.items()}


def _wrong(source: Source, key: str, answer: object, remedy: str) -> ScenarioError:
    return source.error(("answers", key), f"answers.{key} is {answer!r}", remedy)
