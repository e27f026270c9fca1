"""Security Hub's BatchImportFindings and BatchUpdateFindings, with the limits and rules that moto does not have.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html
https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
"""

from __future__ import annotations

import json
import re
from typing import Any

from drill.aws.errors import AwsError
from drill.aws.identity import Caller
from drill.aws.wire import Call

_AT_ONCE = 100
_LARGEST = 240 * 1024
_REQUIRED = (
    "SchemaVersion", "Id", "ProductArn", "GeneratorId", "AwsAccountId", "CreatedAt", "UpdatedAt", "Title", "Description",
    "Resources", "Severity",
)  # fmt: skip
_LONGEST = {"Id": 512, "GeneratorId": 512, "Title": 256, "Description": 1024}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")
_CUSTOMERS = ("Note", "UserDefinedFields", "VerificationState", "Workflow")
"""What an import sets only on a finding that is new."""


def batch_import_findings(call: Call, caller: Caller) -> dict[str, Any]:
    """BatchImportFindings."""
    from moto.securityhub.models import Finding

    backend = _backend(call, caller)
    asked: list[dict[str, Any]] = call.params.get("Findings") or []
    if not 1 <= len(asked) <= _AT_ONCE:
        raise AwsError("InvalidInputException", "Findings must have 1 to 100 findings")
    failed: list[dict[str, str]] = []
    for told in asked:
        problem = _problem(told, call, caller)
        if problem:
            failed.append({"Id": str(told.get("Id", "")), "ErrorCode": "InvalidInput", "ErrorMessage": problem})
            continue
        held = next((one for one in backend.findings if one.id == told["Id"]), None)
        if held is None:
            backend.findings.append(Finding(told["Id"], {"Workflow": {"Status": "NEW"}, "RecordState": "ACTIVE", **told}))
        else:
            held.data.update({name: value for name, value in told.items() if name not in _CUSTOMERS})
    return {"FailedCount": len(failed), "SuccessCount": len(asked) - len(failed), "FailedFindings": failed}


def batch_update_findings(call: Call, caller: Caller) -> dict[str, Any]:
    """BatchUpdateFindings, as far as it sets the workflow or a note."""
    backend = _backend(call, caller)
    done: list[dict[str, str]] = []
    not_done: list[dict[str, Any]] = []
    for one in call.params["FindingIdentifiers"]:
        held = next((kept for kept in backend.findings if kept.id == one["Id"]), None)
        if held is None or held.data["ProductArn"] != one["ProductArn"]:
            not_done.append({"FindingIdentifier": one, "ErrorCode": "FindingNotFound", "ErrorMessage": "Finding not found"})
            continue
        held.data.update({name: call.params[name] for name in ("Workflow", "Note") if name in call.params})
        done.append(one)
    return {"ProcessedFindings": done, "UnprocessedFindings": not_done}


def _backend(call: Call, caller: Caller) -> Any:
    from moto.securityhub.models import securityhub_backends

    backend = securityhub_backends[caller.account][call.region]
    if not backend.enabled:
        raise AwsError("InvalidAccessException", f"Account {caller.account} is not subscribed to AWS Security Hub", 401)
    return backend


def _problem(told: dict[str, Any], call: Call, caller: Caller) -> str:
    """Why a finding is not taken; empty where it is."""
    missing = [name for name in _REQUIRED if not told.get(name)]
    if missing:
        return f"Finding does not adhere to Amazon Finding Format: {missing[0]} is missing"
    too_long = [name for name, most in _LONGEST.items() if len(told[name]) > most]
    if too_long:
        return f"Finding does not adhere to Amazon Finding Format: {too_long[0]} is too long"
    badly_timed = [name for name in ("CreatedAt", "UpdatedAt") if not _MOMENT.fullmatch(told[name])]
    if badly_timed:
        return f"Finding does not adhere to Amazon Finding Format: {badly_timed[0]} is no timestamp"
    if told["AwsAccountId"] != caller.account or told.get("Region", call.region) != call.region:
        return "Finding belongs to another account or region"
    own = f"arn:aws:securityhub:{call.region}:{caller.account}:product/{caller.account}/default"
    if told["ProductArn"] != own and "product/aws/" not in told["ProductArn"]:
        return "Product is not enabled for this account"
    if len(told["Resources"]) > 32 or len(told.get("ProductFields") or {}) > 50 or len(json.dumps(told)) > _LARGEST:
        return "Finding is too large"
    return ""
