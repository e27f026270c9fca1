"""Reads of an instance and of what it is used for, from which its isolation is planned and proved."""

from __future__ import annotations

from incident.family import Read, Scope
from incident.planner import Unread
from incident.settings import SettingKey
from incident.surroundings import Answers, Surroundings, further_reads, is_needed, reads, surroundings
from tasks.aws import Aws, AwsError

_NO_SUCH_INSTANCE = "InvalidInstanceID.NotFound"


def surroundings_of(aws: Aws, instance: SettingKey) -> Surroundings | Unread | None:
    """What is live of an instance and around it; `None` where it is gone."""
    answers: Answers = []
    gaps: list[str] = []
    try:
        _ask(aws, instance, reads(instance), answers, gaps)
        _ask(aws, instance, further_reads(answers), answers, gaps)
    except AwsError as error:
        return None if error.code == _NO_SUCH_INSTANCE else Unread(str(error))
    return surroundings(instance, answers, gaps)


def _ask(aws: Aws, instance: SettingKey, questions: list[Read], answers: Answers, gaps: list[str]) -> None:
    """Read every page. What an instance is used for may stay unknown: then it is isolated all the same, and people are told."""
    for read in questions:
        try:
            answers.extend((read, page) for page in list(aws.read_all(Scope(instance.account, instance.region), read)))
        except AwsError as error:
            if is_needed(read) or error.code == _NO_SUCH_INSTANCE:
                raise
            gaps.append(str(error))
