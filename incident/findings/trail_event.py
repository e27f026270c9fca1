"""CloudTrail records that EventBridge carries one by one: what in them must not wait for a GuardDuty finding."""

from __future__ import annotations

import re

from incident.families import family_for_event, family_for_kind
from incident.findings.finding import AccessKey, Finding, Named, Origin
from incident.policy import Policy, matches
from incident.record import Record, RecordError
from incident.settings import UNKNOWN, Entry, Fold, canonical, same
from incident.values import FindingError, lowered

SENDER = "CloudTrail"
_SEVERITY = 7.0
_EVERYBODY = re.compile(r"(?<![0-9.])0\.0\.0\.0/0|(?<![0-9a-fA-F:])::/0")
_OPENS_BY_ITSELF = frozenset({"ec2:AttachInternetGateway", "ec2:CreateEgressOnlyInternetGateway"})


def parse_event(raw: object) -> Finding:
    """Read one CloudTrail record as a finding that points at it. Its severity is ours: the record has none.

    Raises:
        FindingError: it is no CloudTrail record, or is nested deeper than any record is.
    """
    lowered(raw)
    try:
        record = Record.parse(raw)
    except RecordError as error:
        raise FindingError(f"{error}; give one as CloudTrail writes it") from None
    if not record.event_id:
        raise FindingError("this CloudTrail record has no eventID; give one as CloudTrail writes it")
    identity = record.identity
    user = identity.name or identity.principal_id
    key = AccessKey(identity.access_key, identity.principal_id, user, identity.type) if identity.access_key else None
    who = identity.label
    return Finding(
        id=record.event_id,
        type=f"CloudTrail:{record.operation.replace(':', '/')}",
        account=record.account,
        region=record.region,
        severity=_SEVERITY,
        title=f"{record.event_name} was called by {who}",
        description="",
        updated_at=record.time,
        first_seen=record.time,
        last_seen=record.time,
        count=1,
        detector_id="",
        resource_type="",
        access_key=key,
        instance=None,
        buckets=(),
        remote_ips=(),
        api_call=record.event_name,
        archived=False,
        sample=False,
        origin=Origin.CLOUDTRAIL,
        pointed=Named(records=(record.event_id,), person=SENDER, reason=record.event_name),
    )


def harmless(record: Record, policy: Policy, own: tuple[str, ...] = ()) -> str:
    """Why a change needs no response of its own, in one sentence; nothing where it opens the network to everybody.

    Args:
        own: the ARNs under which our own calls appear.
    """
    identity = record.identity
    callers = tuple(arn for arn in (identity.arn, identity.issuer_arn) if arn)
    if any(matches(arn, (*policy.responder_principals, *own)) for arn in callers):
        return "Countermand itself made this change"
    if not record.succeeded:
        return f"the call changed nothing: {record.error_code}"
    entries = _entries(record)
    opening = [entry for entry in entries if opens_to_everybody(entry)]
    if record.operation not in _OPENS_BY_ITSELF and not opening:
        return "it opens nothing to everybody"
    ticket = next((policy.ticket(entry) for entry in opening or entries if policy.ticket(entry)), "")
    return f"it is part of the approved change {ticket}" if ticket else ""


def _entries(record: Record) -> list[Entry]:
    """What the record wrote; nothing where its operation or shape is not understood."""
    family = family_for_event(record.operation)
    if family is None:
        return []
    try:
        return Fold().read(record, family.writes)
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def opens_to_everybody(entry: Entry) -> bool:
    """Whether a write lets everybody on the internet in or out."""
    if entry.after is UNKNOWN or entry.after is None or same(entry.before, entry.after):
        return False
    shown = f"{entry.key.name} {canonical(entry.after)}"
    return bool(_EVERYBODY.search(shown)) and family_for_kind(entry.key.kind).opens(entry.key, entry.after)
