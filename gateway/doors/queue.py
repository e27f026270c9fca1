"""An SQS queue that EventBridge or SNS writes to: fetched from, so that no door need be open to the outside.

A message is deleted only when it stands in the ledger. One that cannot be read stands there too, in quarantine, and is left to the
queue, which moves it to its dead-letter queue after as many receives as its redrive policy says.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.body import LARGEST_BODY
from gateway.intake import Ingested
from tasks.aws import Aws, AwsError
from tasks.ledger import LedgerUnavailable

_REST_SECONDS = 5.0
_MOST_MESSAGES = 10
_log = logging.getLogger("countermand.gateway")


@dataclass(frozen=True, slots=True)
class Place:
    """A queue, and how it is fetched from (seconds)."""

    url: str
    account: str
    region: str
    wait: int = 20
    visibility: int = 120


class Queue:
    """Fetches from one queue for as long as the doors are open."""

    def __init__(self, place: Place, aws: Aws, take: Callable[[bytes, Mapping[str, Any]], Ingested]) -> None:
        self._place, self._aws, self._take = place, aws, take
        self._redrives: bool | None = None

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.fetch)
            except (AwsError, LedgerUnavailable) as error:
                # What was received and not deleted becomes visible again.
                _log.warning("the queue %s: %s", self._place.url, error)
                await asyncio.sleep(_REST_SECONDS)

    def fetch(self) -> int:
        """Fetch once and take what came; how many messages were received.

        Raises:
            AwsError: the queue is not reached.
            LedgerUnavailable: something could not be written; it is fetched again.
        """
        if self._redrives is None:
            self._redrives = bool(self._attributes().get("RedrivePolicy"))
            if not self._redrives:
                _log.warning("the queue %s has no dead-letter queue: the unreadable is kept in the ledger only", self._place.url)
        answer = self._call(
            "ReceiveMessage",
            MaxNumberOfMessages=_MOST_MESSAGES,
            WaitTimeSeconds=self._place.wait,
            VisibilityTimeout=self._place.visibility,
        )
        messages = answer.get("Messages", [])
        for message in messages:
            self._handle(message)
        return len(messages)

    def _handle(self, message: Mapping[str, Any]) -> None:
        body = str(message.get("Body", "")).encode(errors="replace")
        # What is larger than any finding is not read; its beginning is kept, and the queue keeps the whole.
        provenance = {"door": "sqs", "queue": self._place.url, "message": str(message.get("MessageId"))}
        taken = self._take(body[: LARGEST_BODY + 1], provenance)
        if taken.outcome == "quarantined" and self._redrives:
            self._call("ChangeMessageVisibility", ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        else:
            self._call("DeleteMessage", ReceiptHandle=message["ReceiptHandle"])

    def _attributes(self) -> Mapping[str, Any]:
        return self._call("GetQueueAttributes", AttributeNames=["RedrivePolicy"]).get("Attributes") or {}

    def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        asked = {"QueueUrl": self._place.url, **parameters}
        return self._aws.call(self._place.account, self._place.region, "sqs", operation, asked)
