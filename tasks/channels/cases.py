"""Cases that AWS opens: with AWS Support, and with AWS Security Incident Response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from incident.family import Read, Scope
from incident.people.notices import Notice
from tasks.aws import Aws, AwsError
from tasks.channels.base import NotTaken, WillNotTake

_SUPPORT_REGION = "us-east-1"
_SUPPORT_REFUSALS = {
    "SubscriptionRequiredException": "AWS Support takes cases by its API only with a Business support plan or better; open the "
    "case by hand in the Support Center",
    "CaseCreationLimitExceeded": "AWS Support has as many open cases of this account as it takes; open it by hand, or close others",
    "ValidationException": "AWS Support does not know a code of the case; compare the policy with `aws support describe-services`",
}
_RESPONSE_REFUSALS = {
    "SecurityIncidentResponseNotActiveException": "this account has no active membership of AWS Security Incident Response; enable "
    "it, or take the stakeholder out of the escalation policy",
    "ValidationException": "AWS Security Incident Response does not take the case as it is; compare it with the escalation policy",
}


class SupportCases:
    """Opens cases with AWS Support. It has no idempotency of its own: a later attempt looks for our mark first.

    See https://docs.aws.amazon.com/awssupport/latest/APIReference/API_CreateCase.html
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def deliver(self, notice: Notice, attempt: int) -> str:
        case: Mapping[str, Any] = notice.details["case"]
        mark = f"(countermand {notice.dedup[:12]})"
        parameters = {
            "subject": f"{notice.subject[:200]} {mark}",
            "serviceCode": case["service"],
            "categoryCode": case["category"],
            "severityCode": case["severity"],
            "communicationBody": notice.text,
            "ccEmailAddresses": list(case["cc"]),
            "language": case["language"],
            "issueType": "technical",
        }
        try:
            found = self._with(mark) if attempt > 1 else ""
            return found or str(self._aws.call("", _SUPPORT_REGION, "support", "CreateCase", parameters)["caseId"])
        except AwsError as error:
            raise _as_channel_error(error, _SUPPORT_REFUSALS) from None

    def _with(self, mark: str) -> str:
        """The case whose subject bears our mark, or nothing."""
        read = Read("support", "DescribeCases", {"includeResolvedCases": True, "includeCommunications": False})
        for page in self._aws.read_all(Scope("", _SUPPORT_REGION), read):
            for case in page.get("cases", []):
                if mark in str(case.get("subject", "")):
                    return str(case["caseId"])
        return ""


class SecurityIncidentCases:
    """Opens cases with AWS Security Incident Response; the client token makes one of all attempts.

    See https://docs.aws.amazon.com/security-ir/latest/APIReference/API_CreateCase.html
    """

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def deliver(self, notice: Notice, attempt: int) -> str:
        case: Mapping[str, Any] = notice.details["case"]
        facts = notice.details
        parameters = {
            "clientToken": notice.dedup,
            "resolverType": case["resolver"],
            "title": notice.subject[:300],
            "description": notice.text[:8000],
            "engagementType": "Security Incident",
            "reportedIncidentStartDate": facts["opened_at"],
            "impactedAccounts": [facts["account"]] if facts["account"] else [],
            "watchers": [_watcher(one) for one in case["watchers"]],
            **({"impactedAwsRegions": [{"region": facts["region"]}]} if facts["region"] else {}),
        }
        try:
            return str(self._aws.call("", case["region"], "security-ir", "CreateCase", parameters)["caseId"])
        except AwsError as error:
            raise _as_channel_error(error, _RESPONSE_REFUSALS) from None


def _watcher(one: Mapping[str, Any]) -> dict[str, str]:
    return {"email": one["email"], "name": one["name"], **({"jobTitle": one["title"]} if one["title"] else {})}


def _as_channel_error(error: AwsError, refusals: Mapping[str, str]) -> NotTaken | WillNotTake:
    """What somebody may mend, such as a permission, is tried again; what AWS will never take is not."""
    refusal = refusals.get(error.code)
    return WillNotTake(f"{refusal} ({error.code})") if refusal else NotTaken(str(error))
