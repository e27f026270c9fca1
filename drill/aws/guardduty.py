"""GuardDuty's findings. Detectors are moto's own; the findings of each account and region are kept here."""

from __future__ import annotations

import json
import threading
import uuid
from collections import defaultdict
from datetime import datetime
from typing import Any

from drill.aws.clock import Clock, iso_millis
from drill.aws.errors import AwsError
from drill.aws.identity import Caller
from drill.aws.wire import Call

Finding = dict[str, Any]

_BAD = "The request is rejected because an invalid or out-of-range value is specified as an input parameter."
_COMPARE = {
    "Gt": lambda a, b: a > b,
    "GreaterThan": lambda a, b: a > b,
    "Gte": lambda a, b: a >= b,
    "GreaterThanOrEqual": lambda a, b: a >= b,
    "Lt": lambda a, b: a < b,
    "LessThan": lambda a, b: a < b,
    "Lte": lambda a, b: a <= b,
    "LessThanOrEqual": lambda a, b: a <= b,
}


class Findings:
    """Findings by account and region, in the shape of `GetFindings`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], dict[str, Finding]] = defaultdict(dict)

    def add(self, finding: Finding) -> Finding:
        """Keep a finding, or a newer version of it."""
        for key in ("AccountId", "Region", "Id", "Type"):
            if not finding.get(key):
                raise ValueError(f"a finding needs {key}")
        with self._lock:
            self._kept[finding["AccountId"], finding["Region"]][finding["Id"]] = finding
        return finding

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()

    def _here(self, call: Call, caller: Caller) -> dict[str, Finding]:
        detector = call.params.get("DetectorId", "")
        if detector not in detectors(caller.account, call.region):
            message = "The request is rejected because the input detectorId is not owned by the current account."
            raise AwsError("BadRequestException", message)
        return self._kept[caller.account, call.region]

    def list_findings(self, call: Call, caller: Caller) -> dict[str, Any]:
        """ListFindings, with criteria, order and pages."""
        criteria = (call.params.get("FindingCriteria") or {}).get("Criterion") or {}
        found = [f for f in self._here(call, caller).values() if _meets(f, criteria)]
        order = call.params.get("SortCriteria") or {}
        if order.get("AttributeName"):
            found.sort(key=lambda f: str(_attribute(f, order["AttributeName"])), reverse=order.get("OrderBy") == "DESC")
        limit = int(call.params.get("MaxResults") or 50)
        if not 1 <= limit <= 50:
            raise AwsError("BadRequestException", _BAD)
        start = _page_start(call.params.get("NextToken"))
        page = [f["Id"] for f in found[start : start + limit]]
        more = start + limit < len(found)
        return {"FindingIds": page, "NextToken": str(start + limit) if more else ""}

    def get_findings(self, call: Call, caller: Caller) -> dict[str, Any]:
        """GetFindings: at most 50 ids; ids that do not exist are left out."""
        ids = call.params.get("FindingIds") or []
        if not 1 <= len(ids) <= 50:
            raise AwsError("BadRequestException", _BAD)
        here = self._here(call, caller)
        return {"Findings": [here[i] for i in ids if i in here]}

    def archive_findings(self, call: Call, caller: Caller) -> dict[str, Any]:
        """ArchiveFindings."""
        return self._set_archived(call, caller, True)

    def unarchive_findings(self, call: Call, caller: Caller) -> dict[str, Any]:
        """UnarchiveFindings."""
        return self._set_archived(call, caller, False)

    def _set_archived(self, call: Call, caller: Caller, archived: bool) -> dict[str, Any]:
        here = self._here(call, caller)
        ids = call.params.get("FindingIds") or []
        if any(i not in here for i in ids):
            raise AwsError("BadRequestException", _BAD)
        for i in ids:
            here[i].setdefault("Service", {})["Archived"] = archived
        return {}

    def update_findings_feedback(self, call: Call, caller: Caller) -> dict[str, Any]:
        """UpdateFindingsFeedback: taken and forgotten."""
        self._here(call, caller)
        return {}

    def create_sample_findings(self, call: Call, caller: Caller) -> dict[str, Any]:
        """CreateSampleFindings: one of each type asked for, marked as a sample."""
        self._here(call, caller)
        for kind in call.params.get("FindingTypes") or ["UnauthorizedAccess:IAMUser/TorIPCaller"]:
            self.add(_sample(kind, caller.account, call.region, call.params["DetectorId"], self._clock.now()))
        return {}


def detectors(account: str, region: str) -> list[str]:
    """The ids of the detectors of an account in a region."""
    from moto.guardduty.models import guardduty_backends

    return list(guardduty_backends[account][region].detectors)


def _page_start(token: str | None) -> int:
    if not token:
        return 0
    if not token.isdigit():
        raise AwsError("BadRequestException", _BAD)
    return int(token)


def _attribute(finding: Finding, path: str) -> Any:
    value: Any = finding
    for part in path.split("."):
        value = value.get(part[:1].upper() + part[1:]) if isinstance(value, dict) else None
    return value


def _number(value: Any) -> float:
    if isinstance(value, str) and not value.replace(".", "", 1).isdigit():
        return datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp() * 1000
    return float(value)


def _meets(finding: Finding, criteria: dict[str, Any]) -> bool:
    for path, condition in criteria.items():
        value = _attribute(finding, path)
        text = str(value).lower()
        for name in ("Eq", "Equals"):
            if name in condition and text not in [str(w).lower() for w in condition[name]]:
                return False
        for name in ("Neq", "NotEquals"):
            if name in condition and text in [str(w).lower() for w in condition[name]]:
                return False
        for name, holds in _COMPARE.items():
            if name in condition and (value is None or not holds(_number(value), float(condition[name]))):
                return False
    return True


def _sample(kind: str, account: str, region: str, detector: str, now: float) -> Finding:
    ident = uuid.uuid4().hex
    when = iso_millis(now)
    return {
        "SchemaVersion": "2.0",
        "AccountId": account,
        "Region": region,
        "Partition": "aws",
        "Id": ident,
        "Arn": f"arn:aws:guardduty:{region}:{account}:detector/{detector}/finding/{ident}",
        "Type": kind,
        "Severity": 5.0,
        "Title": f"[SAMPLE] {kind}",
        "Description": "A sample finding.",
        "CreatedAt": when,
        "UpdatedAt": when,
        "Resource": {
            "ResourceType": "AccessKey",
            "AccessKeyDetails": {
                "AccessKeyId": "GeneratedFindingAccessKeyId",
                "PrincipalId": "GeneratedFindingPrincipalId",
                "UserName": "GeneratedFindingUserName",
                "UserType": "IAMUser",
            },
        },
        "Service": {
            "ServiceName": "guardduty",
            "DetectorId": detector,
            "Archived": False,
            "Count": 1,
            "ResourceRole": "TARGET",
            "EventFirstSeen": when,
            "EventLastSeen": when,
            "AdditionalInfo": {"Type": "default", "Value": json.dumps({"sample": True})},
        },
    }
