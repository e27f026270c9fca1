"""Security Hub findings (ASFF). One that Security Hub had from GuardDuty stands for GuardDuty's own finding.

https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from incident.findings.finding import AccessKey, Finding, Instance, Named, Origin
from incident.values import FindingError, lowered, mapping, mappings, moment, number, text

SENDER = "Security Hub"
_NO_MOMENT = datetime.fromtimestamp(0, UTC)
_GUARDDUTY = re.compile(r"arn:[a-z-]+:guardduty:([a-z0-9-]+):(\d{12}):detector/([^/]+)/finding/([^/]+)")
_AWS_PRODUCT = re.compile(r"arn:[a-z-]+:securityhub:[a-z0-9-]*:[0-9]*:product/aws/[a-z0-9-]+")
_SEVERITIES = {"INFORMATIONAL": 1.0, "LOW": 3.0, "MEDIUM": 5.0, "HIGH": 8.0, "CRITICAL": 9.0}
_CLOSED = ("SUPPRESSED", "RESOLVED")
_NAMED_AS = {"AwsIamUser": "users", "AwsIamRole": "roles", "AwsEc2Instance": "instances", "AwsS3Bucket": "buckets"}
_PRINCIPALS = {"User": "IAMUser", "Role": "AssumedRole"}
_KEY = re.compile(r"(AKIA|ASIA)[A-Z0-9]{12,124}")


def is_asff(body: Mapping[str, Any]) -> bool:
    """Whether a body with lowerCamel keys is one Security Hub finding."""
    return bool(body.get("productArn") and body.get("awsAccountId"))


def parse_asff(raw: object) -> Finding:
    """Read one Security Hub finding.

    Raises:
        FindingError: it is none, or is nested deeper than any finding is.
    """
    body = lowered(raw)
    id_ = text(body.get("id"))
    if not is_asff(body) or not id_:
        raise FindingError(
            "this is no Security Hub finding: it has no Id, ProductArn or AwsAccountId; give one as Security Hub writes it"
        )
    own = _GUARDDUTY.fullmatch(id_)
    type_ = next(iter(_types(body)), "")
    workflow = text(mapping(body.get("workflow")).get("status"))
    updated = moment(body.get("updatedAt")) or moment(body.get("createdAt")) or _NO_MOMENT
    region, account = text(body.get("region")) or _region(body), text(body.get("awsAccountId"))
    detector = ""
    if own is not None:
        region, account, detector, id_ = own.groups()
        type_ = type_.rpartition("/")[2].replace("-", "/", 1) or "GuardDuty"
    return Finding(
        id=id_,
        type=type_ if own else f"SecurityHub:{type_ or text(body.get('generatorId')) or 'unknown'}",
        account=account,
        region=region,
        severity=_severity(mapping(body.get("severity"))),
        title=text(body.get("title")),
        description=text(body.get("description")),
        updated_at=updated,
        first_seen=moment(body.get("firstObservedAt")) or moment(body.get("createdAt")) or updated,
        last_seen=moment(body.get("lastObservedAt")) or updated,
        count=int(number(mapping(body.get("productFields")).get("aws/guardduty/service/count")) or 1),
        detector_id=detector,
        resource_type=next((text(item.get("type")) for item in mappings(body.get("resources"))), ""),
        access_key=_access_key(body),
        instance=next(_instances(body), None),
        buckets=(),
        remote_ips=(),
        api_call="",
        archived=text(body.get("recordState")) == "ARCHIVED" or workflow in _CLOSED,
        sample=body.get("sample") is True,
        origin=Origin.GUARDDUTY if own else Origin.SECURITY_HUB,
        pointed=None if own else _pointed(body),
        by_aws=bool(_AWS_PRODUCT.fullmatch(text(body.get("productArn")))),
    )


def _types(body: Mapping[str, Any]) -> list[str]:
    types = body.get("types")
    found = cast(list[object], types) if isinstance(types, list) else []
    return [text(one) for one in found if text(one)]


def _region(body: Mapping[str, Any]) -> str:
    parts = text(body.get("productArn")).split(":")
    return parts[3] if len(parts) > 3 else ""


def _severity(said: Mapping[str, Any]) -> float:
    return _SEVERITIES.get(text(said.get("label")), min(10.0, max(0.0, number(said.get("normalized")) / 10)))


def _access_key(body: Mapping[str, Any]) -> AccessKey | None:
    for item in mappings(body.get("resources")):
        details = mapping(mapping(item.get("details")).get("awsIamAccessKey"))
        found = _KEY.search(text(details.get("accessKeyId")) or text(item.get("id")))
        if text(item.get("type")) == "AwsIamAccessKey" and found:
            name = text(details.get("principalName")) or text(details.get("userName"))
            kind = {"User": "IAMUser", "Role": "AssumedRole"}.get(
                text(details.get("principalType")), text(details.get("principalType"))
            )
            return AccessKey(found.group(), text(details.get("principalId")), name, kind)
    return None


def _instances(body: Mapping[str, Any]) -> Iterator[Instance]:
    for item in mappings(body.get("resources")):
        if text(item.get("type")) == "AwsEc2Instance":
            details = mapping(mapping(item.get("details")).get("awsEc2Instance"))
            yield Instance(_last(text(item.get("id"))), text(details.get("iamInstanceProfileArn")), ())


def _pointed(body: Mapping[str, Any]) -> Named:
    """The resources that the finding is about, as a responder would name them."""
    named: dict[str, list[str]] = {}
    for item in mappings(body.get("resources")):
        kind, id_ = text(item.get("type")), text(item.get("id"))
        if not id_ or kind in ("AwsAccount", "AwsIamAccessKey"):
            continue
        named.setdefault(_NAMED_AS.get(kind, "resources"), []).append(_last(id_))
    return Named(
        resources=tuple(named.get("resources", ())),
        users=tuple(named.get("users", ())),
        roles=tuple(named.get("roles", ())),
        instances=tuple(named.get("instances", ())),
        buckets=tuple(named.get("buckets", ())),
        person=SENDER,
        reason=text(body.get("title")),
    )


def _last(arn: str) -> str:
    """A resource's own name: what stands last in its ARN."""
    return arn.rpartition(":")[2].rpartition("/")[2] if arn.startswith("arn:") else arn
