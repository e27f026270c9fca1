"""Detection: what the door carried is only a pointer; the finding itself is read back from GuardDuty.

What a responder opened by hand has nothing to be read back: their word, given with their code, stands for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from prefect import flow

from flows.case import Case, once
from incident import messages
from incident.finding import Finding, FindingError, parse_finding
from incident.ledger import INTAKE, Kind
from incident.named import delivered_finding
from incident.triage import triage
from tasks.aws import AwsError
from tasks.work import in_thread, post

RESPOND = "respond"
NOTIFY = "notify"


@dataclass(frozen=True)
class _Delivered:
    """The delivery that opened the incident; `by` says who, where it was a responder, and `problem` why it cannot be believed."""

    finding: Finding
    raw: Mapping[str, Any] = field(default_factory=dict[str, Any])
    by: Mapping[str, Any] = field(default_factory=dict[str, Any])
    problem: str = ""


@flow(name="detect", persist_result=True)
@once("detect")
async def detect(incident: str, look: int = 1) -> str:
    """Establish the finding and triage it. Answers `respond`, or `notify` where nothing may be done on it."""
    case = Case(incident)
    delivered = await in_thread(_delivered, case)
    finding, problem = await in_thread(_believed, case, delivered)
    verdict = triage(finding)
    respond = not problem and verdict.starts_response
    body = {
        "finding": finding.id,
        "type": finding.type,
        "severity": finding.severity,
        "account": finding.account,
        "region": finding.region,
        "suspects": list(finding.named_principals),
        "title": finding.title,
        "responds": respond,
        "pages": verdict.pages and not problem,
        "reason": problem or verdict.reason,
    }
    case.hands.ledger.append(incident, Kind.OPENED, "opened", body | ({"by": dict(delivered.by)} if delivered.by else {}))
    text, blocks = messages.opened(incident, finding.type, finding.title, finding.severity_word, finding.account, finding.region)
    await post(incident, "opened", text, blocks)
    if delivered.by:
        await post(incident, "opened-by", *messages.progress(f"{delivered.by['person']} opened it by hand"))
    if not respond:
        await post(incident, "not-responding", *messages.progress(f"Nothing is changed in AWS: {problem or verdict.reason}"))
    elif verdict.pages:
        await post(incident, "must-act", *messages.progress(f"A person must act now: {verdict.reason}"))
    return RESPOND if respond else NOTIFY


def _delivered(case: Case) -> _Delivered:
    """The delivery that opened the incident. Of one that was changed in the ledger people are told, and nothing is done on it."""
    for line in case.hands.ledger.lines(INTAKE, Kind.DELIVERY):
        body: object = line.body
        if not isinstance(body, Mapping) or body.get("incident") != case.incident:
            continue
        try:
            return _Delivered(delivered_finding(body), body["finding"], body.get("by", {}))
        except FindingError as error:
            why = f"its delivery in the ledger cannot be read ({error}); run `countermand ledger verify {INTAKE}`"
            return _Delivered(_unreadable(case.incident), problem=why)
    raise LookupError(f"no delivery in the ledger belongs to incident {case.incident}")


def _unreadable(incident: str) -> Finding:
    """What stands for a finding that cannot be read, so that people are told in the usual way."""
    return parse_finding({"id": incident, "type": "unreadable", "title": "The delivery of this incident cannot be read"})


def _believed(case: Case, delivered: _Delivered) -> tuple[Finding, str]:
    """The finding to act on, and why there is none."""
    account, accounts = delivered.finding.account, case.hands.config.aws.accounts
    if delivered.problem:
        return delivered.finding, delivered.problem
    if accounts and account not in accounts:
        return delivered.finding, f"account {account} is not among the accounts that the configuration covers"
    if not delivered.by:
        return _read_back(case, delivered.finding)
    case.hands.evidence.keep_first_json(case.incident, "finding.json", delivered.raw, "what a responder named by hand")
    return delivered.finding, ""


def _read_back(case: Case, delivered: Finding) -> tuple[Finding, str]:
    """GuardDuty's own finding, and why it could not be had. A forged or altered delivery changes nothing from here on."""
    account, region = delivered.account, delivered.region
    try:
        # The detector, too, is AWS's word and not the delivery's: a region has one.
        detectors = case.hands.aws.call(account, region, "guardduty", "ListDetectors", {}).get("DetectorIds") or [""]
        parameters = {"DetectorId": detectors[0], "FindingIds": [delivered.id]}
        answer = case.hands.aws.call(account, region, "guardduty", "GetFindings", parameters)
        found = [parse_finding(item) for item in answer.get("Findings", [])]
    except (AwsError, FindingError) as error:
        return delivered, f"the finding could not be read back from GuardDuty ({error})"
    own = next((finding for finding in found if finding.id == delivered.id), None)
    if own is None:
        return delivered, "GuardDuty does not know this finding"
    if not own.dated:
        return own, "the finding does not say from when on the actor acted, so the owner's calls cannot be told from theirs"
    raw = next(item for item in answer["Findings"] if item.get("Id") == own.id)
    case.hands.evidence.keep_first_json(case.incident, "finding.json", raw, "the finding as GuardDuty answered it")
    return own, ""
