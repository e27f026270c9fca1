"""Findings in OCSF, as Prowler writes them: what of its internet-exposed checks failed, on which resource.

Prowler's JSON-OCSF output is a list of Detection Findings (class 2004). Read tolerantly: a finding of another shape is counted, and
said, never taken for a pass.
https://docs.prowler.com/projects/prowler-open-source/en/latest/tutorials/reporting/
https://schema.ocsf.io/1.4.0/classes/detection_finding
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from incident.network.values import items, mapping, structures, text


@dataclass(frozen=True, slots=True)
class Checked:
    """One failed check on one resource."""

    check: str
    title: str
    severity: str
    account: str
    region: str
    resource: str
    detail: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found; `passed` and `muted` are counts, `unreadable` is how many entries had another shape."""

    failed: tuple[Checked, ...]
    passed: int
    muted: int
    unreadable: int


def read_findings(content: Any) -> Findings:
    """Read Prowler's output, the list of it or one finding.

    Raises:
        ValueError: it is neither a list nor a finding.
    """
    if not isinstance(content, Mapping | list):
        raise ValueError("the OCSF output is no list of findings")  # noqa: TRY004
    failed: list[Checked] = []
    passed = muted = unreadable = 0
    for one in items(cast(object, content)):
        found = mapping(one)
        code = text(found.get("status_code")).upper()
        if code == "PASS":
            passed += 1
        elif code in ("FAIL", "MANUAL") and text(found.get("status")) in ("Suppressed", "Muted"):
            muted += 1
        elif code in ("FAIL", "MANUAL"):
            failed += _checked(found)
        else:
            unreadable += 1
    return Findings(tuple(failed), passed, muted, unreadable)


def _checked(found: Mapping[str, Any]) -> list[Checked]:
    """The finding, once for each resource that it names; without one it is still a finding."""
    info, cloud = mapping(found.get("finding_info")), mapping(found.get("cloud"))
    check = text(mapping(found.get("metadata")).get("event_code")) or text(info.get("uid"))
    account = text(mapping(cloud.get("account")).get("uid"))
    return [
        Checked(
            check=check,
            title=text(info.get("title")),
            severity=text(found.get("severity")),
            account=account,
            region=text(one.get("region")) or text(cloud.get("region")),
            resource=text(one.get("uid")) or text(one.get("name")),
            detail=text(found.get("status_detail")),
        )
        for one in structures(found.get("resources")) or [{}]
    ]


def names_resource(checked: Checked, resource: str) -> bool:
    """Whether a finding is about a resource, which it may name by its ARN."""
    return bool(resource) and (checked.resource == resource or checked.resource.endswith((f"/{resource}", f":{resource}")))
