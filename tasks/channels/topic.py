"""SNS: e-mail, SMS, chat or whatever subscribes to a topic."""

from __future__ import annotations

from typing import Any

from incident.people.notices import Notice
from tasks.aws import Aws, AwsError
from tasks.channels.base import NotTaken, WillNotTake

_LONGEST_SUBJECT = 100
_FINAL = frozenset({"InvalidParameter", "InvalidParameterValue", "ValidationException", "PlatformApplicationDisabled"})


class Topic:
    """Publishes to topics, each in the region that its ARN names.

    A FIFO topic drops a copy within five minutes by its deduplication id; a standard topic cannot, so a message whose answer was
    lost may come twice. See https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def deliver(self, notice: Notice, attempt: int) -> str:
        region = notice.to.split(":")[3]
        try:
            answer = self._aws.call("", region, "sns", "Publish", _publication(notice))
        except AwsError as error:
            raise (WillNotTake if error.code in _FINAL else NotTaken)(str(error)) from None
        return str(answer["MessageId"])


def _publication(notice: Notice) -> dict[str, Any]:
    attributes = {"notice": notice.dedup, "incident": notice.incident, "severity": str(notice.details["severity"])}
    published: dict[str, Any] = {
        "TopicArn": notice.to,
        "Subject": _subject(notice.subject),
        "Message": notice.text,
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }
    if notice.to.endswith(".fifo"):
        published |= {"MessageGroupId": notice.incident, "MessageDeduplicationId": notice.dedup}
    return published


def _subject(text: str) -> str:
    """SNS takes ASCII, up to 100 characters, beginning with a letter, digit or punctuation."""
    ascii_only = text.encode("ascii", "replace").decode().strip()
    return (ascii_only or "Countermand")[:_LONGEST_SUBJECT]
