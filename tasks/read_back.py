"""Reads back from AWS what a door carried: nothing acts on a delivery's own word.

GuardDuty: https://docs.aws.amazon.com/guardduty/latest/APIReference/API_GetFindings.html
Security Hub: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetFindings.html
CloudTrail: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from incident.findings.arrivals import parse_arrival
from incident.findings.finding import Finding, FindingError, Origin
from tasks.aws import Aws, AwsError

MOST_IDS = 50
"""How many findings GetFindings answers at once."""

_ACCOUNT = re.compile(r"\d{12}")
_REGION = re.compile(r"[a-z]{2,8}(-[a-z]+)+-[0-9]{1,2}")
_ASKED = {Origin.GUARDDUTY: "GuardDuty", Origin.SECURITY_HUB: "Security Hub", Origin.CLOUDTRAIL: "CloudTrail"}


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What AWS says of a delivered finding.

    Attributes:
        finding: AWS's own version, or the delivered one where AWS has none.
        raw: AWS's own words; empty where it has none.
        problem: why the finding may not be acted on, in one sentence; empty where it may.
        unknown: whether AWS answered and does not know it, which a forged one never gets past.
    """

    finding: Finding
    raw: Mapping[str, Any]
    problem: str = ""
    unknown: bool = False

    @property
    def asked(self) -> str:
        """The name of the service that was asked."""
        return _ASKED[self.finding.origin]


class Reader:
    """Asks the service that a finding is said to come from."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    def one(self, delivered: Finding) -> ReadBack:
        """AWS's own version of one delivered finding."""
        return self.many([delivered])[0]

    def many(self, delivered: Sequence[Finding]) -> list[ReadBack]:
        """AWS's own versions, in the order of what was delivered; GuardDuty's are asked for together."""
        answers: dict[tuple[str, str, str, str], ReadBack] = {}
        for place, findings in _by_place(delivered).items():
            for answer in self._at(*place, findings):
                answers[_name(answer.finding)] = answer
        return [answers[_name(finding)] for finding in delivered]

    def _at(self, origin: Origin, account: str, region: str, findings: list[Finding]) -> Iterator[ReadBack]:
        problem = self._not_covered(account, region)
        if problem:
            yield from (ReadBack(finding, {}, problem, unknown=True) for finding in findings)
            return
        distinct = list({finding.id: finding for finding in findings}.values())
        size = MOST_IDS if origin is Origin.GUARDDUTY else 1
        for start in range(0, len(distinct), size):
            yield from self._asked(origin, account, region, distinct[start : start + size])

    def _not_covered(self, account: str, region: str) -> str:
        """A place that nobody named to us is not asked: a delivery could name an account that its sender owns."""
        if not _ACCOUNT.fullmatch(account) or not _REGION.fullmatch(region):
            return "it names no account and region of AWS"
        try:
            covered = self._aws.covered()
        except AwsError as error:
            return f"which accounts are covered could not be read ({error})"
        if account not in covered:
            return f"account {account} is not among the accounts that the configuration covers"
        return ""

    def _asked(self, origin: Origin, account: str, region: str, findings: Sequence[Finding]) -> Iterator[ReadBack]:
        try:
            words = list(self._words(origin, account, region, [finding.id for finding in findings]))
        except (AwsError, ValueError, KeyError) as error:
            why = f"the finding could not be read back from {_ASKED[origin]} ({error})"
            yield from (ReadBack(finding, {}, why) for finding in findings)
            return
        own: dict[str, tuple[Finding, Mapping[str, Any]]] = {}
        for raw in words:
            try:
                parsed = parse_arrival(raw)
            except FindingError:
                continue
            own[parsed.id] = (parsed, raw)
        yield from (_judged(finding, own.get(finding.id)) for finding in findings)

    def _words(self, origin: Origin, account: str, region: str, ids: list[str]) -> Iterable[Mapping[str, Any]]:
        match origin:
            case Origin.GUARDDUTY:
                # The detector, too, is AWS's word and not the delivery's: a region has one.
                found = self._aws.call(account, region, "guardduty", "ListDetectors", {}).get("DetectorIds") or [""]
                asked = {"DetectorId": found[0], "FindingIds": ids}
                return self._aws.call(account, region, "guardduty", "GetFindings", asked).get("Findings", [])
            case Origin.SECURITY_HUB:
                named = [{"Value": id_, "Comparison": "EQUALS"} for id_ in ids]
                asked = {"Filters": {"Id": named, "AwsAccountId": [{"Value": account, "Comparison": "EQUALS"}]}}
                return self._aws.call(account, region, "securityhub", "GetFindings", asked).get("Findings", [])
            case Origin.CLOUDTRAIL:
                asked = {"LookupAttributes": [{"AttributeKey": "EventId", "AttributeValue": ids[0]}]}
                events = self._aws.call(account, region, "cloudtrail", "LookupEvents", asked).get("Events", [])
                return [json.loads(event["CloudTrailEvent"]) for event in events]


def _judged(delivered: Finding, own: tuple[Finding, Mapping[str, Any]] | None) -> ReadBack:
    asked = _ASKED[delivered.origin]
    if own is None:
        what = "record" if delivered.origin is Origin.CLOUDTRAIL else "finding"
        return ReadBack(delivered, {}, f"{asked} does not know this {what}", unknown=True)
    finding, raw = own
    if _name(finding) != _name(delivered):
        return ReadBack(delivered, {}, f"{asked} knows it in another account or region", unknown=True)
    if not finding.dated:
        why = "the finding does not say from when on the actor acted, so the owner's calls cannot be told from theirs"
        return ReadBack(finding, raw, why)
    return ReadBack(finding, raw)


def _name(finding: Finding) -> tuple[str, str, str, str]:
    return (finding.origin, finding.account, finding.region, finding.id)


def _by_place(findings: Sequence[Finding]) -> dict[tuple[Origin, str, str], list[Finding]]:
    places: dict[tuple[Origin, str, str], list[Finding]] = {}
    for finding in findings:
        places.setdefault((finding.origin, finding.account, finding.region), []).append(finding)
    return places
