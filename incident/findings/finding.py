"""GuardDuty findings in every form in which they arrive.

`GetFindings` answers UpperCamel, EventBridge carries lowerCamel, SNS wraps either in a text.
https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

from incident.settings import canonical
from incident.values import FindingError, from_json, lowered, mapping, mappings, moment, number, text

MANUAL = "Countermand:Manual/Named"
"""The type of a finding that a responder made by hand."""

NOTE = "Countermand:Manual/Note"
"""The type of a responder's note, which names nothing that may be acted on."""

_MOST_ENVELOPES = 4
_ADDRESS_FIELDS = ("ipAddressV4", "ipAddressV6")
_NO_MOMENT = datetime.fromtimestamp(0, UTC)
_ARN = re.compile(r"arn:[a-z-]+:guardduty:(?P<region>[a-z0-9-]+):(?P<account>\d+):detector/(?P<detector>[^/]+)")


class Origin(StrEnum):
    """Whose word a finding is, and where it is read back."""

    GUARDDUTY = "guardduty"
    SECURITY_HUB = "securityhub"
    CLOUDTRAIL = "cloudtrail"


@dataclass(frozen=True, slots=True)
class AccessKey:
    """The credential that a finding names. `user_name` is the role's name where `user_type` is `AssumedRole`."""

    access_key_id: str
    principal_id: str
    user_name: str
    user_type: str


@dataclass(frozen=True, slots=True)
class Instance:
    """The EC2 instance that a finding names."""

    instance_id: str
    profile_arn: str
    interfaces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """What a responder named when they opened an incident by hand, and who they are.

    Attributes:
        resources: ids or ARNs of what looks changed or unknown.
        records: ids of CloudTrail records that are the actor's.
        access_keys, users, roles, instances, buckets, addresses, agents: what the actor used or holds, as far as it is known.
        person: the responder's name in the policy.
        reason: why they opened it, in their words.
    """

    resources: tuple[str, ...] = ()
    records: tuple[str, ...] = ()
    access_keys: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    buckets: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    person: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One version of one finding.

    Times are UTC, and 1970 where the finding gives none (`dated` tells). `severity` runs from 1 to 10, 0 where none is given.
    `named` is there only where a responder opened the incident by hand; `pointed` where Security Hub or CloudTrail names resources
    or records, with the service in the person's place. `by_aws` tells whether an AWS service made it, or somebody else's product.
    """

    id: str
    type: str
    account: str
    region: str
    severity: float
    title: str
    description: str
    updated_at: datetime
    first_seen: datetime
    last_seen: datetime
    count: int
    detector_id: str
    resource_type: str
    access_key: AccessKey | None
    instance: Instance | None
    buckets: tuple[str, ...]
    remote_ips: tuple[str, ...]
    api_call: str
    archived: bool
    sample: bool
    named: Named | None = None
    origin: Origin = Origin.GUARDDUTY
    pointed: Named | None = None
    by_aws: bool = True

    @property
    def dated(self) -> bool:
        """Whether the finding says from when on the actor acted. Without that, everything ever done would count as theirs."""
        return self.first_seen > _NO_MOMENT

    @property
    def named_principals(self) -> tuple[str, ...]:
        """The ARNs of the users and roles whom the finding names: they may not decide on it."""
        user = self.access_key.user_name if self.access_key else ""
        users, roles = (self.named.users, self.named.roles) if self.named else ((), ())
        named = [("user", name) for name in (user, *users) if name] + [("role", name) for name in roles]
        return tuple(f"arn:aws:iam::{self.account}:{kind}/{name}" for kind, name in named)

    @property
    def severity_word(self) -> str:
        """GuardDuty's own levels: low under 4, medium under 7, high under 9, critical from 9; unknown where none is given."""
        return severity_word(self.severity)


def severity_word(severity: float) -> str:
    """GuardDuty's word for a severity; see `Finding.severity_word`."""
    if severity <= 0:
        return "unknown"
    for limit, word in ((4, "low"), (7, "medium"), (9, "high")):
        if severity < limit:
            return word
    return "critical"


def incident_id(finding: Finding) -> str:
    """The incident that a finding opens: the same for every version of it, from whichever door.

    A name without a slash is one that no delivered finding can have: nobody at a door can take a hand-made incident's place.
    """
    parts = (finding.account, finding.region, finding.id)
    name = "/".join(parts) if finding.named is None else ":".join(("by-hand", *parts))
    if finding.origin is not Origin.GUARDDUTY:
        # Half a surrogate, which JSON can carry, is a name like any other.
        digest = hashlib.sha256(canonical(list(parts)).encode(errors="surrogatepass")).hexdigest()
        name = f"{finding.origin}:{digest}"
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()
    return f"inc-{digest[:12]}"


def parse_finding(raw: object, *, by_hand: bool = False) -> Finding:
    """Read one finding.

    Args:
        by_hand: whether it comes from where only responders write. What came through a door says nothing in their name.

    Raises:
        FindingError: `raw` is no finding, is several, or is nested deeper than any finding is.
    """
    body = _unwrapped(raw)
    said = _named(body) if by_hand else None
    service, resource = mapping(body.get("service")), mapping(body.get("resource"))
    action = mapping(service.get("action"))
    arn = _ARN.match(text(body.get("arn")))
    named = arn.groupdict() if arn else {}
    id_, type_ = text(body.get("id")), text(body.get("type"))
    if not id_ or not type_:
        raise FindingError("this is no GuardDuty finding: it has no id or no type; give one as GuardDuty or EventBridge writes it")
    updated = moment(body.get("updatedAt")) or moment(body.get("createdAt")) or _NO_MOMENT
    first = moment(service.get("eventFirstSeen")) or moment(body.get("createdAt")) or updated
    return Finding(
        id=id_,
        type=type_,
        account=text(body.get("accountId")) or named.get("account", ""),
        region=text(body.get("region")) or named.get("region", ""),
        severity=number(body.get("severity")),
        title=text(body.get("title")),
        description=text(body.get("description")),
        updated_at=updated,
        first_seen=first,
        last_seen=moment(service.get("eventLastSeen")) or updated,
        count=int(number(service.get("count")) or 1),
        detector_id=text(service.get("detectorId")) or named.get("detector", ""),
        resource_type=text(resource.get("resourceType")),
        access_key=_access_key(mapping(resource.get("accessKeyDetails"))),
        instance=_instance(mapping(resource.get("instanceDetails"))),
        buckets=tuple(filter(None, (text(item.get("name")) for item in mappings(resource.get("s3BucketDetails"))))),
        remote_ips=said.addresses if said else tuple(dict.fromkeys(_remote_addresses(action))),
        api_call=text(mapping(action.get("awsApiCallAction")).get("api")),
        archived=service.get("archived") is True or body.get("archived") is True,
        sample=_is_sample(mapping(service.get("additionalInfo"))),
        named=said,
    )


def _unwrapped(raw: object) -> Mapping[str, Any]:
    """The finding itself with lowerCamel keys, whatever it was wrapped in."""
    body, outer = lowered(raw), dict[str, Any]()
    for _ in range(_MOST_ENVELOPES):
        if body.get("type") == "Notification" and isinstance(body.get("message"), str):
            body = lowered(from_json(cast(str, body["message"])))
        elif isinstance(body.get("detail"), Mapping) and "detail-type" in body:
            if body["detail-type"] != "GuardDuty Finding":
                raise FindingError(f"an EventBridge event of type {text(body['detail-type'])[:60]!r} carries no GuardDuty finding")
            body, outer = mapping(body["detail"]), {"accountId": body.get("account"), "region": body.get("region")}
        elif isinstance(body.get("findings"), list):
            body = lowered(_only(cast(list[object], body["findings"])))
        else:
            return outer | {name: item for name, item in body.items() if item is not None}
    raise FindingError("the finding is wrapped too often; give it as GuardDuty or EventBridge writes it")


def _only(findings: list[object]) -> object:
    if len(findings) != 1:
        raise FindingError(f"this holds {len(findings)} findings; give one")
    return findings[0]


def _access_key(details: Mapping[str, Any]) -> AccessKey | None:
    if not details:
        return None
    return AccessKey(
        access_key_id=text(details.get("accessKeyId")),
        principal_id=text(details.get("principalId")),
        user_name=text(details.get("userName")),
        user_type=text(details.get("userType")),
    )


def _instance(details: Mapping[str, Any]) -> Instance | None:
    if not details.get("instanceId"):
        return None
    interfaces = (text(item.get("networkInterfaceId")) for item in mappings(details.get("networkInterfaces")))
    profile = text(mapping(details.get("iamInstanceProfile")).get("arn"))
    return Instance(text(details.get("instanceId")), profile, tuple(name for name in interfaces if name))


def _named(body: Mapping[str, Any]) -> Named:
    """What a responder named, from a finding that `incident.findings.named.named_finding` made."""
    said = mapping(body.get("countermand"))
    if body.get("type") not in (MANUAL, NOTE) or not text(said.get("person")):
        raise FindingError("this finding was not made by `countermand open`; it does not say which responder made it")
    if body.get("type") == NOTE:
        return Named(person=text(said.get("person")), reason=text(said.get("reason")))
    return Named(
        resources=_texts(said, "resources"),
        records=_texts(said, "records"),
        access_keys=_texts(said, "accessKeys"),
        users=_texts(said, "users"),
        roles=_texts(said, "roles"),
        instances=_texts(said, "instances"),
        buckets=_texts(said, "buckets"),
        addresses=_texts(said, "addresses"),
        agents=_texts(said, "agents"),
        person=text(said.get("person")),
        reason=text(said.get("reason")),
    )


def _texts(said: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = said.get(name)
    texts = tuple(text(value) for value in cast(list[object], values)) if isinstance(values, list) else ()
    if not isinstance(values, list) or not all(texts):
        raise FindingError(f"the {name} of this hand-made finding are no list of texts; open the incident again")
    return texts


def _remote_addresses(action: Mapping[str, Any]) -> Iterator[str]:
    """The addresses of the other side, from whichever kind of action the finding has.

    Only real addresses: CloudTrail writes words such as `AWS Internal` in their place, which would match the calls of everybody.
    """
    for details in action.values():
        part = mapping(details)
        for side in (part, *mappings(part.get("portProbeDetails"))):
            remote = mapping(side.get("remoteIpDetails"))
            for name in _ADDRESS_FIELDS:
                try:
                    yield str(ipaddress.ip_address(text(remote.get(name))))
                except ValueError:
                    continue


def _is_sample(info: Mapping[str, Any]) -> bool:
    """EventBridge carries the mark as a field, GetFindings as JSON in the text of `Value`."""
    if info.get("sample") is True:
        return True
    try:
        return mapping(from_json(text(info.get("value")))).get("sample") is True
    except FindingError:
        return False
