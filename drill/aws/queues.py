"""SQS's long poll, which moto answers by holding everything up."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from drill.aws.identity import Caller
from drill.aws.wire import Call


def waiting_messages(call: Call, caller: Caller) -> bool:
    """Whether the queue that a call asks has a message to give, or does not exist, so that waiting changes nothing."""
    from moto.sqs.models import sqs_backends

    name = str(call.params.get("QueueUrl", "")).rpartition("/")[2]
    queue: Any = sqs_backends[caller.account][call.region].queues.get(name)
    return queue is None or bool(queue.messages)


def without_waiting(call: Call) -> Call:
    """The same call, answered at once."""
    params = {**call.params, "WaitTimeSeconds": 0}
    if call.protocol == "json":
        body = json.dumps({**json.loads(call.body), "WaitTimeSeconds": 0}).encode()
    else:
        given = parse_qsl(call.body.decode(), keep_blank_values=True)
        fields = [(name, value) for name, value in given if name != "WaitTimeSeconds"]
        body = urlencode([*fields, ("WaitTimeSeconds", "0")]).encode()
    return replace(call, params=params, body=body)
