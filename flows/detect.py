"""Detection: what the door carried is only a pointer; the finding itself is read back from GuardDuty."""

from __future__ import annotations

from prefect import flow

from flows.case import Case, once
from incident import messages
from incident.finding import Finding, FindingError, parse_finding
from incident.ledger import INTAKE, Kind
from incident.triage import triage
from tasks.aws import AwsError
from tasks.work import in_thread, post

RESPOND = "respond"
NOTIFY = "notify"


@flow(name="detect", persist_result=True)
@once("detect")
async def detect(incident: str, look: int = 1) -> str:
    """Read the finding back and triage it. Answers `respond`, or `notify` where nothing may be done on it."""
    case = Case(incident)
    delivered = await in_thread(_delivered, case)
    finding, problem = await in_thread(_read_back, case, delivered)
    verdict = triage(finding)
    respond = not problem and verdict.starts_response
    body = {
        "finding": finding.id,
        "type": finding.type,
        "severity": finding.severity,
        "account": finding.account,
        "region": finding.region,
    }
    case.hands.ledger.append(
        incident, Kind.OPENED, "opened", {**body, "title": finding.title, "responds": respond, "reason": problem or verdict.reason}
    )
    text, blocks = messages.opened(incident, finding.type, finding.title, finding.severity_word, finding.account, finding.region)
    await post(incident, "opened", text, blocks)
    if not respond:
        await post(incident, "not-responding", *messages.progress(f"Nothing is changed in AWS: {problem or verdict.reason}"))
    return RESPOND if respond else NOTIFY


def _delivered(case: Case) -> Finding:
    """The delivery that opened the incident."""
    for line in case.hands.ledger.lines(INTAKE, Kind.DELIVERY):
        if line.body.get("incident") == case.incident:
            return parse_finding(line.body["finding"])
    raise LookupError(f"no delivery in the ledger belongs to incident {case.incident}")


def _read_back(case: Case, delivered: Finding) -> tuple[Finding, str]:
    """GuardDuty's own finding, and why it could not be had. A forged or altered delivery changes nothing from here on."""
    account, region = delivered.account, delivered.region
    accounts = case.hands.config.aws.accounts
    if accounts and account not in accounts:
        return delivered, f"account {account} is not among the accounts that the configuration covers"
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
