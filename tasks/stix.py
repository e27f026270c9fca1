"""The actor's indicators as a STIX 2.1 bundle, for other people's tools.

https://docs.oasis-open.org/cti/stix/v2.1/os/stix-v2.1-os.html. Ids are computed from the incident and the value, so that the same
incident exported twice gives the same objects.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import stix2

from incident.reports.attack import Technique
from incident.reports.indicators import Indicator, Indicators

_NAMESPACE = UUID("6f1f2a5e-3b0c-5a52-9d0e-5f3f3f8a7c11")
_IDENTITY_CREATED = "2026-01-01T00:00:00Z"
_KILL_CHAIN = "mitre-attack"
_TOOL_LIMIT = 200


def bundle(found: Indicators) -> str:
    """The bundle as JSON: a report that refers to indicators, observables, programs and attack patterns.

    Raises:
        stix2.exceptions.STIXError: an object is none of STIX 2.1, which no ledger should bring about.
    """
    identity = stix2.Identity(  # pyright: ignore[reportUnknownMemberType]
        id=_id("identity", "countermand"),
        name="Countermand",
        identity_class="system",
        created=_IDENTITY_CREATED,
        modified=_IDENTITY_CREATED,
    )
    maker = _Maker(found, str(identity.id))
    objects = [*maker.observables(), *maker.indicators(), *maker.tools(), *maker.patterns()]
    told = [*objects, *maker.links(objects)]
    report = maker.report(told or [identity])
    made = stix2.Bundle(id=_id("bundle", found.incident, found.head), objects=[identity, *told, report], allow_custom=False)
    return str(made.serialize(pretty=True)) + "\n"


def _id(kind: str, *parts: str) -> str:
    return f"{kind}--{uuid5(_NAMESPACE, '|'.join((kind, *parts)))}"


def quoted(value: str) -> str:
    """A string constant of a STIX pattern."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


class _Maker:
    """Makes the objects of one incident; made when it was opened, and modified with its newest line."""

    def __init__(self, found: Indicators, identity: str) -> None:
        self._found = found
        self._common = {"created_by_ref": identity, "created": found.opened, "modified": found.at}

    def observables(self) -> Iterator[Any]:
        for one in self._found.indicators:
            if one.kind == "address":
                four = ipaddress.ip_address(one.value).version == 4
                yield (stix2.IPv4Address if four else stix2.IPv6Address)(value=one.value)
            elif one.kind == "access-key":
                yield stix2.UserAccount(user_id=one.value, account_type="aws-access-key")

    def indicators(self) -> Iterator[Any]:
        for one in self._found.indicators:
            yield stix2.Indicator(
                id=_id("indicator", self._found.incident, one.kind, one.value),
                name=f"{one.kind.replace('-', ' ')} {one.value}"[:_TOOL_LIMIT],
                description=f"{one.calls} calls of the actor of {self._found.incident}, last {one.last.isoformat()}",
                indicator_types=["malicious-activity"],
                pattern=_pattern(one),
                pattern_type="stix",
                valid_from=one.first,
                valid_until=_after(one.last),
                **self._common,
            )

    def tools(self) -> Iterator[Any]:
        for program in self._found.programs:
            yield stix2.Tool(id=_id("tool", self._found.incident, program), name=program[:_TOOL_LIMIT], **self._common)

    def patterns(self) -> Iterator[Any]:
        for one in self._found.techniques:
            yield stix2.AttackPattern(
                id=_id("attack-pattern", self._found.incident, one.id),
                name=one.name,
                external_references=[{"source_name": _KILL_CHAIN, "external_id": one.id, "url": _address(one)}],
                kill_chain_phases=[{"kill_chain_name": _KILL_CHAIN, "phase_name": one.tactic.lower().replace(" ", "-")}],
                **self._common,
            )

    def links(self, objects: list[Any]) -> Iterator[Any]:
        """Each indicator indicates what the actor did, as far as it is known."""
        for one in (made for made in objects if made.type == "indicator"):
            for other in (made for made in objects if made.type == "attack-pattern"):
                yield stix2.Relationship(
                    id=_id("relationship", one.id, other.id),
                    relationship_type="indicates",
                    source_ref=one.id,
                    target_ref=other.id,
                    confidence=30,
                    **self._common,
                )

    def report(self, objects: list[Any]) -> Any:
        types = ", ".join(self._found.finding_types) or "opened by hand"
        return stix2.Report(
            id=_id("report", self._found.incident, self._found.head),
            name=f"{self._found.incident}: unauthorized network changes in AWS",
            description=f"Indicators of the actor, from findings {types}. Techniques are inferred from the calls.",
            report_types=["indicator", "attack-pattern"],
            published=self._found.at,
            object_refs=[made.id for made in objects],
            **self._common,
        )


def _after(last: datetime) -> datetime:
    """An address changes hands: what was seen of it says little after a while."""
    return last + timedelta(days=90)


def _address(one: Technique) -> str:
    return f"https://attack.mitre.org/techniques/{one.id.replace('.', '/')}/"


def _pattern(one: Indicator) -> str:
    match one.kind:
        case "address":
            kind = "ipv4-addr" if ipaddress.ip_address(one.value).version == 4 else "ipv6-addr"
            return f"[{kind}:value = {quoted(one.value)}]"
        case "access-key":
            return f"[user-account:user_id = {quoted(one.value)} AND user-account:account_type = 'aws-access-key']"
        case _:
            header = "network-traffic:extensions.'http-request-ext'.request_header.'User-Agent'"
            return f"[{header} = {quoted(one.value)}]"
