"""AWS Config's history, asked for what a resource was before a moment.

See https://docs.aws.amazon.com/config/latest/APIReference/API_GetResourceConfigHistory.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from incident.config_items import Question
from incident.family import Read, Scope
from tasks.aws import Aws, AwsError

_NEVER_SEEN = "ResourceNotDiscoveredException"
_NOT_RECORDING = frozenset({"NoAvailableConfigurationRecorderException", "NoAvailableConfigurationRecorder"})
_LEAST_STEP = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Answered:
    """The newest item of each resource that a question is about, from before its moment.

    `problem` says why there may be more than is told: Config is not recording, or a read failed. Unknown is not absent.
    """

    question: Question
    before: datetime
    items: tuple[dict[str, Any], ...]
    problem: str = ""
    recording: bool = True

    def to_json(self) -> dict[str, Any]:
        """The answer as it is kept as evidence."""
        asked = self.question
        return {
            "account": asked.scope.account,
            "region": asked.scope.region,
            "type": asked.type,
            "resource": asked.resource or asked.name,
            "before": self.before.isoformat(),
            "problem": self.problem,
            "items": [dict(item) for item in self.items],
        }


def ask_config(aws: Aws, questions: Mapping[Question, datetime]) -> list[Answered]:
    """Ask every question; a place that does not record is asked once."""
    silent: dict[Scope, Answered] = {}
    answers: list[Answered] = []
    for question, before in sorted(questions.items(), key=lambda asked: _place(asked[0])):
        known = silent.get(question.scope)
        answer = Answered(question, before, (), known.problem, recording=False) if known else ask_one(aws, question, before)
        if not answer.recording:
            silent[question.scope] = answer
        answers.append(answer)
    return answers


def ask_one(aws: Aws, question: Question, before: datetime) -> Answered:
    """Ask one question; a resource that Config never saw has no item, and that is an answer."""
    items: list[dict[str, Any]] = []
    try:
        for resource in [question.resource] if question.resource else _all_of(aws, question):
            item = _newest(aws, question, resource, before)
            items += [item] if item else []
    except AwsError as error:
        return Answered(question, before, tuple(items), str(error), recording=error.code not in _NOT_RECORDING)
    return Answered(question, before, tuple(items))


def _newest(aws: Aws, question: Question, resource: str, before: datetime) -> dict[str, Any] | None:
    # Records have whole seconds: an item of the moment itself may already show the change.
    parameters = {
        "resourceType": question.type,
        "resourceId": resource,
        "laterTime": before - _LEAST_STEP,
        "chronologicalOrder": "Reverse",
        "limit": 1,
    }
    try:
        for page in aws.read_all(question.scope, Read("config", "GetResourceConfigHistory", parameters)):
            for item in page.get("configurationItems", []):
                return dict(item)
    except AwsError as error:
        if error.code != _NEVER_SEEN:
            raise
    return None


def _all_of(aws: Aws, question: Question) -> list[str]:
    """Every resource of a type, or of a type and a name, that Config has seen, those that are gone as well."""
    parameters = {"resourceType": question.type, "includeDeletedResources": True}
    if question.name:
        parameters["resourceName"] = question.name
    pages = aws.read_all(question.scope, Read("config", "ListDiscoveredResources", parameters))
    return [str(one["resourceId"]) for page in pages for one in page.get("resourceIdentifiers", []) if one.get("resourceId")]


def _place(question: Question) -> tuple[str, ...]:
    return question.scope.account, question.scope.region, question.type, question.resource, question.name
