"""A desk that sorts deliveries, with an AWS that knows what it is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.dispatch.sorter import Sorter
from gateway.intake import Ingested, ingest
from incident.findings.joining import Sorted
from incident.policy import Policy
from tasks.aws import AwsError
from tasks.change_requests import KeptRequests
from tasks.ledger import Ledger
from tasks.read_back import Reader

ACCOUNTS = ("111122223333", "444455556666")


class KnowingAws:
    """GuardDuty, Security Hub and CloudTrail, each with what it is told; it remembers what it was asked."""

    def __init__(self) -> None:
        self.findings: dict[str, dict[str, Any]] = {}
        self.hub: dict[str, dict[str, Any]] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.failing = ""

    def covered(self) -> tuple[str, ...]:
        return ACCOUNTS

    def own_principal(self, account: str) -> str:
        return f"arn:aws:sts::{account}:assumed-role/CountermandResponder"

    def act_for(self, incident: str) -> None:
        """Nothing here tells incidents apart."""

    def call(self, account: str, region: str, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append((account, region, operation))
        if self.failing:
            raise AwsError(operation, self.failing, "it is so")
        match service, operation:
            case "guardduty", "ListDetectors":
                return {"DetectorIds": ["d0"]}
            case "guardduty", "GetFindings":
                return {"Findings": [self.findings[id_] for id_ in parameters["FindingIds"] if id_ in self.findings]}
            case "securityhub", "GetFindings":
                wanted = [one["Value"] for one in parameters["Filters"]["Id"]]
                return {"Findings": [self.hub[id_] for id_ in wanted if id_ in self.hub]}
            case "cloudtrail", "LookupEvents":
                id_ = parameters["LookupAttributes"][0]["AttributeValue"]
                return {"Events": [{"CloudTrailEvent": json.dumps(self.records[id_])}] if id_ in self.records else []}
        raise AssertionError(f"nobody expects {service}:{operation}")


class Desk:
    """Delivers to the ledger and sorts, at a time of its own."""

    def __init__(self, ledger: Ledger, suppressions: Any, policy: Policy | None = None) -> None:
        self.ledger, self.aws = ledger, KnowingAws()
        self.policy, self.suppressions = policy or Policy(), suppressions
        self.ahead = timedelta()
        self.sorter = self.new_sorter()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def new_sorter(self) -> Sorter:
        """Another gateway's, or the same one's after a restart."""

        def own(account: str) -> tuple[str, ...]:
            principal = self.aws.own_principal(account)
            return (principal, f"{principal}/*")

        requests = KeptRequests(self.ledger).latest
        reader = Reader(self.aws)  # pyright: ignore
        return Sorter(self.ledger, reader, self.policy, self.suppressions, self.now, own, requests=requests)

    def deliver(self, content: object) -> Ingested:
        return ingest(json.dumps(content).encode(), {"door": "webhook"}, self.ledger)

    def sort(self, *contents: object) -> list[Sorted]:
        """Deliver and sort; the verdicts in the order of the ledger."""
        for content in contents:
            self.deliver(content)
        return self.sorter.sort()
