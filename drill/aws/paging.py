"""Pages of EC2's describe calls. moto answers all at once; AWS honours MaxResults and hands out tokens."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

import botocore.session

from drill.aws.errors import AwsError
from drill.aws.wire import Answer, Call, parse_result, success

_SMALLEST, _LARGEST = 5, 1000


@cache
def _result_keys() -> dict[str, str]:
    loader = botocore.session.get_session().get_component("data_loader")
    model = loader.load_service_model("ec2", "paginators-1")["pagination"]
    return {operation: p["result_key"] for operation, p in model.items() if isinstance(p["result_key"], str)}


def is_paged(call: Call) -> bool:
    """Does the call ask for pages of something that has pages?"""
    asks = call.params.get("MaxResults") is not None or call.params.get("NextToken")
    return call.service == "ec2" and bool(asks) and call.operation in _result_keys()


def page(call: Call, ask: Callable[[Call], Answer]) -> Answer:
    """Ask for everything and hand out the page that the call wants.

    Raises:
        AwsError: MaxResults is out of range, or the token is not one that this query handed out.
    """
    limit = call.params.get("MaxResults")
    if limit is not None and not _SMALLEST <= int(limit) <= _LARGEST:
        words = f"Value ( {limit} ) for parameter maxResults is invalid. Expecting a value greater than {_SMALLEST}."
        raise AwsError("InvalidParameterValue", words)
    answer = ask(_without_page(call))
    if answer.status != 200:
        return answer
    key = _result_keys()[call.operation]
    items = parse_result(call, answer).get(key, [])
    signature = _signature(call)
    start = _start(call.params.get("NextToken"), signature)
    stop = start + int(limit or _LARGEST)
    result: dict[str, Any] = {key: items[start:stop]}
    if stop < len(items):
        result["NextToken"] = base64.urlsafe_b64encode(json.dumps([signature, stop]).encode()).decode()
    return success(call, result)


def _without_page(call: Call) -> Call:
    fields = parse_qsl(call.body.decode(), keep_blank_values=True)
    body = urlencode([(k, v) for k, v in fields if k not in ("MaxResults", "NextToken")]).encode()
    params = {k: v for k, v in call.params.items() if k not in ("MaxResults", "NextToken")}
    return replace(call, body=body, params=params)


def _signature(call: Call) -> str:
    asked = {k: v for k, v in call.params.items() if k not in ("MaxResults", "NextToken")}
    text = json.dumps([call.operation, call.region, asked], default=str, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _start(token: str | None, signature: str) -> int:
    if not token:
        return 0
    try:
        signed, start = json.loads(base64.urlsafe_b64decode(token))
    except ValueError as e:
        raise AwsError("InvalidNextToken", "The token is not valid.") from e
    if signed != signature:
        raise AwsError("InvalidNextToken", "The token was given out for another query.")
    return int(start)
