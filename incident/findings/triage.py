"""Triage: what a finding is about, and which phases and plans it leads to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from incident.findings.finding import NOTE, Finding, Origin
from incident.findings.finding_types import PLAYBOOK, ROOT, group_of, subject_of

RESPONSE_PHASES = ("detect", "identify", "scope", "evidence", "contain", "eradicate", "recover", "prove", "report")
NOTIFY_PHASES = ("detect", "report")
RESPONSE_PLANS = ("evidence", "contain", "restore")
_ROOT = "Root"
_OF_SOMEBODY = ("TTPs/", "Effects/", "Unusual Behaviors/")
_ROOT_REASON = (
    "root credentials cannot be contained by a policy: a person must act by hand; what was changed is still found and undone"
)


@dataclass(frozen=True, slots=True)
class Triage:
    """What a finding leads to.

    Attributes:
        starts_response: whether the whole response runs; otherwise people are told and nothing is changed.
        pages: whether a person must be paged, since nothing that the software may do contains the actor. The response runs all the
            same: what the actor changed is found and undone.
        reason: why, in one sentence.
        phases: the phases that run, in order.
        plans: the plans that may be made; each needs its own approval, except for evidence, which only adds.
        principal: the principal that the finding names, or nothing.
        resources: ids of what it is about.
    """

    finding: Finding
    group: str
    subject: str
    starts_response: bool
    pages: bool
    reason: str
    phases: tuple[str, ...]
    plans: tuple[str, ...]
    principal: str
    resources: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        finding = self.finding
        return {
            "id": finding.id,
            "type": finding.type,
            "group": self.group,
            "subject": self.subject,
            "severity": finding.severity,
            "severity_word": finding.severity_word,
            "account": finding.account,
            "region": finding.region,
            "resources": list(self.resources),
            "principal": self.principal,
            "remote_ips": list(finding.remote_ips),
            "starts_response": self.starts_response,
            "pages": self.pages,
            "phases": list(self.phases),
            "plans": list(self.plans),
            "reason": self.reason,
        }


def triage(finding: Finding) -> Triage:
    """Decide what a finding leads to. An unknown type is notified, never dropped."""
    respond, reason = _verdict(finding)
    return Triage(
        finding=finding,
        group=_group(finding),
        subject=subject_of(finding.type),
        starts_response=respond,
        pages=_is_root(finding) and not finding.sample and not finding.archived,
        reason=reason,
        phases=RESPONSE_PHASES if respond else NOTIFY_PHASES,
        plans=RESPONSE_PLANS if respond else (),
        principal=_principal(finding),
        resources=_resources(finding),
    )


def _verdict(finding: Finding) -> tuple[bool, str]:
    if finding.type == NOTE and finding.named is not None:
        return False, "it is a note: whoever reads it names what is the actor's with `countermand open --joins`"
    if finding.named is not None:
        return True, f"a responder opened it: {finding.named.reason}"
    if finding.sample:
        return False, "this is one of GuardDuty's sample findings"
    if finding.archived:
        return False, "the finding is archived: someone has dealt with it or suppressed it"
    if finding.origin is Origin.SECURITY_HUB:
        return _security_hub_verdict(finding)
    if _is_root(finding):
        return True, _ROOT_REASON
    if finding.origin is Origin.CLOUDTRAIL:
        return True, "it opens the network to everybody, and no approved change explains it"
    if finding.type in PLAYBOOK:
        return True, "the playbook starts a response with this type"
    group = group_of(finding.type)
    if group == "IAM":
        return True, "it names a credential, as the playbook's own types do"
    if group == "unknown":
        return False, "this type is not known; a person must look at it"
    return False, f"the playbook starts no response with this {group} type; a person decides"


def _group(finding: Finding) -> str:
    if finding.named is not None:
        return "manual"
    return group_of(finding.type) if finding.origin is Origin.GUARDDUTY else str(finding.origin)


def _security_hub_verdict(finding: Finding) -> tuple[bool, str]:
    """Whoever may write to Security Hub may import findings of a product of their own, so only AWS's own start a response."""
    if not finding.by_aws:
        return False, "a product that is not AWS's own made this Security Hub finding; a person decides"
    if not finding.type.removeprefix("SecurityHub:").startswith(_OF_SOMEBODY):
        return False, "this Security Hub finding tells of a state and not of what somebody did; a person decides"
    pointed = finding.pointed
    named = pointed and (pointed.resources or pointed.users or pointed.roles or pointed.instances or pointed.buckets)
    if not named and finding.access_key is None:
        return False, "this Security Hub finding names no resource and no credential; a person decides"
    return True, "Security Hub tells of what somebody did, and names the resource or the credential"


def _is_root(finding: Finding) -> bool:
    key = finding.access_key
    return key.user_type == _ROOT if key is not None and key.user_type else finding.type in ROOT


def _principal(finding: Finding) -> str:
    key = finding.access_key
    if finding.named is not None:
        return finding.named_principals[0] if len(finding.named_principals) == 1 else ""
    if key is None:
        return finding.instance.profile_arn if finding.instance else ""
    if key.user_type == _ROOT:
        return f"arn:aws:iam::{finding.account}:root"
    if key.user_type == "AssumedRole":
        session = key.principal_id.partition(":")[2]
        return f"arn:aws:sts::{finding.account}:assumed-role/{key.user_name}{'/' + session if session else ''}"
    return f"arn:aws:iam::{finding.account}:user/{key.user_name}" if key.user_name else ""


def _resources(finding: Finding) -> tuple[str, ...]:
    key, instance, said = finding.access_key, finding.instance, finding.named
    if said is not None:
        return (*said.resources, *said.access_keys, *said.instances, *(f"arn:aws:s3:::{bucket}" for bucket in said.buckets))
    named = [key.access_key_id if key else "", instance.instance_id if instance else ""]
    named += list(instance.interfaces) if instance else []
    named += [f"arn:aws:s3:::{bucket}" for bucket in finding.buckets]
    return tuple(name for name in named if name)
