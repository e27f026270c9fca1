"""One way in for every door: what is authentic is written to the ledger before anybody gets an answer."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from incident.findings.arrivals import Arrival, arrivals
from incident.findings.finding import Finding, FindingError, Origin, incident_id
from incident.ledger import INTAKE, Kind, Line
from incident.settings import canonical
from tasks.ledger import Ledger
from tasks.ledger.store import Entry

_LONGEST_VERSION = 400
_log = logging.getLogger("countermand.gateway")


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a delivery: `accepted`, `duplicate` or `quarantined`."""

    outcome: str
    line: Line
    finding: Finding | None = None
    incident: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A delivery that was read, and the lines that it is to become: one for each finding or change request in it, or one
    in quarantine."""

    entries: list[Entry]
    findings: tuple[Finding, ...]

    def outcome(self, written: Sequence[tuple[Line, bool]]) -> Ingested:
        """What became of it, from what the ledger answered for each entry."""
        # A delivery of several is new where any of them is.
        place = next((place for place, (_, new) in enumerate(written) if new), 0)
        line, new = written[place]
        if line.kind == Kind.QUARANTINE:
            return Ingested("quarantined", line)
        if not self.findings:
            return Ingested("accepted" if new else "duplicate", line)
        finding = self.findings[place]
        return Ingested("accepted" if new else "duplicate", line, finding, incident_id(finding))


def ingest(raw: bytes, provenance: Mapping[str, Any], ledger: Ledger) -> Ingested:
    """Take one authentic delivery; durable when this returns.

    Raises:
        LedgerUnavailable: nothing was written; the sender must try again.
    """
    one = prepare(raw, provenance)
    return one.outcome(ledger.append_all(one.entries))


def prepare(raw: bytes, provenance: Mapping[str, Any]) -> Prepared:
    """Read one authentic delivery, whatever it is.

    Every version of a finding is one line: GuardDuty repeats itself, and overwrites the actor's details when it updates.

    Args:
        raw: the body as it arrived.
        provenance: through which door it came and from whom, as far as the door knows.
    """
    digest = hashlib.sha256(raw).hexdigest()
    try:
        content: Any = json.loads(raw, parse_constant=refused, parse_float=_finite)
        found = arrivals(content)
    except FindingError as error:
        return Prepared([quarantine(raw, digest, provenance, str(error))], ())
    except (ValueError, RecursionError):
        return Prepared([quarantine(raw, digest, provenance, "it is not JSON")], ())
    # A reader that stumbles is our fault: the sender would only come again with the same, and at last give up.
    except Exception as error:
        _log.exception("a delivery could not be read")
        return Prepared([quarantine(raw, digest, provenance, f"reading it failed ({type(error).__name__})")], ())
    entries: list[Entry] = [
        (INTAKE, Kind.DELIVERY, delivery_key(one.finding, one.content), _body(one, provenance, digest)) for one in found
    ]
    return Prepared(entries, tuple(one.finding for one in found))


def _body(one: Arrival, provenance: Mapping[str, Any], digest: str) -> dict[str, Any]:
    return {"incident": incident_id(one.finding), "finding": one.content, "provenance": dict(provenance), "sha256": digest}


def delivery_key(finding: Finding, content: object = None) -> str:
    """The key of a delivery: one for each version of a finding. Names that no key can hold are replaced by their hash."""
    version = f"{finding.account}:{finding.region}:{finding.id}:{finding.updated_at.isoformat()}:{finding.count}"
    if finding.origin is not Origin.GUARDDUTY:
        # A forged one with the same id must not make a duplicate of the true one, which may come later.
        digest = hashlib.sha256(canonical(content).encode(errors="surrogatepass")).hexdigest()
        version = f"{finding.origin}:{version}:{digest[:16]}"
    if len(version) > _LONGEST_VERSION or not version.isprintable():
        version = hashlib.sha256(version.encode(errors="surrogatepass")).hexdigest()
    return f"delivery:{version}"


def quarantine(raw: bytes, digest: str, provenance: Mapping[str, Any], why: str, chain: str = INTAKE) -> Entry:
    """Authentic but unreadable: kept whole for a person, since asking the sender to try again would not help."""
    try:
        kept = {"text": raw.decode()}
    except UnicodeDecodeError:
        kept = {"base64": base64.b64encode(raw).decode()}
    body = {"why": why, "provenance": dict(provenance), "sha256": digest, "bytes": len(raw), **kept}
    return (chain, Kind.QUARANTINE, f"quarantine:{digest}", body)


def refused(constant: str) -> NoReturn:
    """What Python would take for JSON and nobody else does, such as NaN."""
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    """A number too large for a float would be written back as `Infinity`, which no other reader of the ledger takes."""
    number = float(text)
    return number if math.isfinite(number) else refused(text[:40])
