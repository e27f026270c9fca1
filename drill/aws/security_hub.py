"""Security Hub's GetFindings with its filters, which moto ignores."""

from __future__ import annotations

from typing import Any

from drill.aws.errors import AwsError
from drill.aws.identity import Caller
from drill.aws.wire import Call

_COMPARE = {
    "EQUALS": lambda value, wanted: value == wanted,
    "PREFIX": lambda value, wanted: value.startswith(wanted),
    "NOT_EQUALS": lambda value, wanted: value != wanted,
    "PREFIX_NOT_EQUALS": lambda value, wanted: not value.startswith(wanted),
}
_LIKE = ("EQUALS", "PREFIX")
_KNOWN = frozenset({"Id", "AwsAccountId", "ProductArn", "GeneratorId", "Region", "RecordState", "Title", "Type"})


def get_findings(call: Call, caller: Caller) -> dict[str, Any]:
    """GetFindings. https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html"""
    from moto.securityhub.models import securityhub_backends

    backend = securityhub_backends[caller.account][call.region]
    if not backend.enabled:
        raise AwsError("InvalidAccessException", f"Account {caller.account} is not subscribed to AWS Security Hub", 401)
    filters: dict[str, list[dict[str, str]]] = call.params.get("Filters") or {}
    unknown = sorted(set(filters) - _KNOWN)
    if unknown:
        raise AwsError("InvalidInputException", f"the range knows no filter {unknown[0]}")
    limit = int(call.params.get("MaxResults") or 100)
    if not 1 <= limit <= 100:
        raise AwsError("InvalidInputException", "MaxResults is out of range")
    kept = [finding.data for finding in backend.findings]
    found = [one for one in kept if all(_meets(str(one.get(name, "")), asked) for name, asked in filters.items())]
    start = int(call.params.get("NextToken") or 0)
    more = start + limit < len(found)
    return {"Findings": found[start : start + limit], **({"NextToken": str(start + limit)} if more else {})}


def _meets(value: str, asked: list[dict[str, str]]) -> bool:
    """Any of the likenesses, and all of the unlikenesses."""
    likes = [one for one in asked if one["Comparison"] in _LIKE]
    others = [one for one in asked if one["Comparison"] not in _LIKE]
    liked = not likes or any(_COMPARE[one["Comparison"]](value, one["Value"]) for one in likes)
    return liked and all(_COMPARE[one["Comparison"]](value, one["Value"]) for one in others)
