"""Our incidents and exposures as findings of Security Hub (ASFF), within its limits.

What AWS lets an attacker name comes into titles and descriptions: it is one line, without control characters, and cut.
https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from incident.network.values import items, structures, text
from incident.people.messages import plain
from incident.posture.readiness import standard_arn
from incident.reports.report import Report

OWN = "countermand/"
"""What the ids and generators of our findings begin with."""

AT_ONCE = 100
_TITLE, _DESCRIPTION, _TEXT = 256, 1024, 512
_MOST_EXPOSURES = 500
_EXPOSED = "Software and Configuration Checks/AWS Security Best Practices/Network Reachability"
_CHANGED = "Unusual Behaviors/Network Flow"
_WORKFLOW = {"restored": "RESOLVED", "no action": "NEW"}
"""An incident that is incomplete, or still going on, is somebody's: `NOTIFIED`."""


def findings_of(told: Report, at: datetime) -> list[dict[str, Any]]:
    """The incident, and each exposure that it opened or that remains open, each for its own account and region."""
    opened, shown = _moment(told.timeline[0].at if told.timeline else at), told.exposures
    incident = _incident(told, opened, _moment(at))
    still = {_identity(one) for one in structures(shown.get("still_open"))}
    exposed = {_identity(one): one for name in ("opened", "still_open") for one in structures(shown.get(name))}
    chosen = list(exposed.items())[:_MOST_EXPOSURES]
    return [incident, *(_exposure(told.incident, key, one, key in still, opened, _moment(at)) for key, one in chosen)]


def _incident(told: Report, opened: str, at: str) -> dict[str, Any]:
    account, region = text(told.finding.get("account")), text(told.finding.get("region"))
    where = f"{len(told.done)} steps, {len(told.unplanned)} left to people"
    words = f"{told.status}: {where}. {text(told.finding.get('type'))}: {text(told.finding.get('reason'))}"
    return {
        **_common(account, region, f"{OWN}{told.incident}", f"{OWN}incident", opened, at),
        "Types": [_CHANGED],
        "Title": plain(f"Incident {told.incident}: {told.title}", _TITLE),
        "Description": plain(words, _DESCRIPTION),
        "Severity": {"Label": _label(told.finding.get("severity"))},
        "Resources": [{"Type": "AwsAccount", "Id": f"AWS::::Account:{account}", **_place(region)}],
        "Workflow": {"Status": "RESOLVED" if told.closed else _WORKFLOW.get(told.status, "NOTIFIED")},
        "ProductFields": {f"{OWN}incident": plain(told.incident, 200), f"{OWN}status": told.status},
    }


def _exposure(incident: str, key: str, one: Mapping[str, Any], is_open: bool, opened: str, at: str) -> dict[str, Any]:
    account, region, resource = (text(one.get(name)) for name in ("account", "region", "resource"))
    reached = "; ".join(text(way) for way in items(one.get("reached"))) or "nothing for sure"
    path = " → ".join(f"{text(hop.get('words'))} ({text(hop.get('resource'))})" for hop in structures(one.get("path")))
    state = "The internet reaches" if is_open else "Closed again: the internet reached"
    return {
        **_common(account, region, f"{OWN}{incident}/{key}", f"{OWN}exposure", opened, at),
        "Types": [_EXPOSED],
        "Title": plain(f"{text(one.get('what'))} {resource} was opened to the internet in incident {incident}", _TITLE),
        "Description": plain(f"{state} {reached} by {path or 'a path that was not told'}", _DESCRIPTION),
        "Severity": {"Label": "HIGH" if is_open else "INFORMATIONAL"},
        "Resources": [_resource(one, account, region)],
        "Remediation": {"Recommendation": {"Text": plain("Close what is not meant to be open; the report says how.", _TEXT)}},
        "Workflow": {"Status": "NEW" if is_open else "RESOLVED"},
        "ProductFields": {f"{OWN}incident": plain(incident, 200)},
    }


def _common(account: str, region: str, id_: str, generator: str, opened: str, at: str) -> dict[str, Any]:
    partition = _partition(region)
    return {
        "SchemaVersion": "2018-10-08",
        "Id": plain(id_, 512),
        "ProductArn": f"arn:{partition}:securityhub:{region}:{account}:product/{account}/default",
        "GeneratorId": generator,
        "AwsAccountId": account,
        "Region": region,
        "CreatedAt": opened,
        "UpdatedAt": at,
        "FirstObservedAt": opened,
        "LastObservedAt": at,
        "RecordState": "ACTIVE",
    }


def _resource(one: Mapping[str, Any], account: str, region: str) -> dict[str, Any]:
    resource = text(one.get("resource"))
    kinds = {"interface": ("AwsEc2NetworkInterface", "network-interface"), "load balancer": ("AwsElbv2LoadBalancer", "")}
    kind, named = kinds.get(text(one.get("what")), ("Other", ""))
    arn = f"arn:{_partition(region)}:ec2:{region}:{account}:{named}/{resource}" if named else resource
    return {"Type": kind, "Id": plain(arn, 512) or "unknown", **_place(region)}


def _place(region: str) -> dict[str, str]:
    return {"Partition": _partition(region), "Region": region}


def _partition(region: str) -> str:
    return standard_arn(region).split(":")[1]


def _identity(one: Mapping[str, Any]) -> str:
    named = [text(one.get(name)) for name in ("account", "region", "what", "resource", "address")]
    return hashlib.sha256("\n".join(named).encode()).hexdigest()[:16]


def _label(severity: object) -> str:
    said = float(severity) if isinstance(severity, int | float) else 0.0
    return next((label for most, label in ((4, "LOW"), (7, "MEDIUM"), (9, "HIGH")) if said < most), "CRITICAL")


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


def by_place(findings: Iterable[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The findings by account and region: each is imported where it belongs."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in findings:
        found.setdefault((one["AwsAccountId"], one["Region"]), []).append(one)
    return found
