"""Imports an incident and its exposures into Security Hub, and lets their workflow follow.

An import never changes the workflow of a finding that is there already, so that it is set by a call of its own. Importing again
overwrites what was imported: it is safe to do after every report.
https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchImportFindings.html
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from incident.hub_findings import AT_ONCE, by_place, findings_of
from incident.ledger import Kind
from incident.reports.report import Report
from tasks.aws import Aws, AwsError
from tasks.ledger import Ledger


def import_findings(aws: Aws, ledger: Ledger, written: Report, at: datetime) -> list[str]:
    """Import what a report tells; what could not be imported, in words. The ledger has both."""
    problems: list[str] = []
    imported = 0
    for (account, region), several in by_place(findings_of(written, at)).items():
        for start in range(0, len(several), AT_ONCE):
            chunk = several[start : start + AT_ONCE]
            try:
                failed = _imported(aws, account, region, chunk)
            except AwsError as error:
                failed = [f"{account} {region}: {error}"] * len(chunk)
            imported += len(chunk) - len(failed)
            problems += failed
    problems = list(dict.fromkeys(problems))
    body = {"imported": imported, "problems": problems}
    ledger.append(written.incident, Kind.NOTE, f"security-hub:{at.isoformat()}", body)
    return problems


def _imported(aws: Aws, account: str, region: str, chunk: list[dict[str, Any]]) -> list[str]:
    """What of a batch was not imported, or whose workflow was not set."""
    answer = aws.call(account, region, "securityhub", "BatchImportFindings", {"Findings": chunk})
    failed = {str(one["Id"]): f"{one['Id']}: {one.get('ErrorMessage', one['ErrorCode'])}" for one in answer["FailedFindings"]}
    states: dict[str, list[dict[str, str]]] = {}
    for one in chunk:
        if one["Id"] not in failed:
            identifier = {"Id": one["Id"], "ProductArn": one["ProductArn"]}
            states.setdefault(one["Workflow"]["Status"], []).append(identifier)
    for status, identifiers in states.items():
        asked = {"FindingIdentifiers": identifiers, "Workflow": {"Status": status}}
        told = aws.call(account, region, "securityhub", "BatchUpdateFindings", asked)
        for one in told["UnprocessedFindings"]:
            name = str(one["FindingIdentifier"]["Id"])
            failed[name] = f"{name}: its workflow: {one.get('ErrorMessage', one['ErrorCode'])}"
    return list(failed.values())
