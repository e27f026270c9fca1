"""The stored baseline: every setting of a region as it was read at one moment."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from incident.collector import collector_paused
from incident.families import FAMILIES
from incident.family import Family, Read, Scope
from incident.ledger import BASELINE_CHAIN, Kind
from incident.settings import Observed, PriorValue, SettingKey, Source
from tasks.aws import Aws, AwsError
from tasks.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Swept:
    """One region's sweep: what was read, and which reads failed and why. Unknown is not clean.

    `covered` are the kinds whose every read succeeded: what the sweep does not show of them was absent.
    """

    scope: Scope
    at: datetime
    settings: tuple[Observed, ...]
    failed: dict[str, str]
    covered: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Baseline:
    """One region as it was read before the window.

    `covered` are the kinds of which everything was read, `failed` the reads that failed and why, `passed_over` newer files that are
    not as they were written, or not there.
    """

    scope: Scope
    at: datetime
    settings: tuple[tuple[SettingKey, PriorValue], ...]
    covered: frozenset[str]
    failed: Mapping[str, str] = field(default_factory=dict[str, str])
    passed_over: tuple[str, ...] = ()


_AT_ONCE = 4
"""How many listings of one region run side by side: well under the rate that AWS grants a region's reads."""


def sweep_region(aws: Aws, scope: Scope, at: datetime, only: frozenset[str] | None = None) -> Swept:
    """Read every setting of one region that can be listed; a read that fails is recorded, never skipped.

    With `only`, no more than the families that own one of these kinds are asked.
    """
    with collector_paused():
        return _swept(aws, scope, at, only)


def _swept(aws: Aws, scope: Scope, at: datetime, only: frozenset[str] | None) -> Swept:
    found: list[Observed] = []
    failed: dict[str, str] = {}
    in_part: set[str] = set()
    asked = [family for family in FAMILIES if family.inventory and (not family.home_only or scope.region == aws.config.home_region)]
    if only is not None:
        asked = [family for family in asked if only & set(family.kinds)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        listings = [(read, pool.submit(_with_details, aws, family, scope, read)) for family in asked for read in family.inventory]
    for read, listing in listings:
        try:
            listed = listing.result()
        except AwsError as error:
            failed[_named(read)] = str(error)
            continue
        found.extend(listed.found)
        failed.update(listed.failed)
        in_part.update({_named(read)} if listed.failed else ())
    lost = failed.keys() | in_part
    whole = [family for family in asked if not any(_named(read) in lost for read in family.inventory)]
    covered = frozenset(kind for family in whole for kind in family.kinds)
    return Swept(scope, at, tuple({observed.key: observed for observed in found}.values()), failed, covered)


def _named(read: Read) -> str:
    return f"{read.service}:{read.operation}"


@dataclass(frozen=True, slots=True)
class _Listed:
    """What a listing shows, and which reads of a listed resource failed and why."""

    found: list[Observed]
    failed: dict[str, str]


def _with_details(aws: Aws, family: Family, scope: Scope, read: Read) -> _Listed:
    """What one listing shows, and what only a read of each listed resource shows, however deep.

    One resource that cannot be read, such as a bucket whose policy shuts everybody out, hides no other.
    """
    found: list[Observed] = []
    failed: dict[str, str] = {}
    waiting = [read]
    done: set[str] = set()
    while waiting:
        asked = waiting.pop()
        if f"{asked}" in done:
            continue
        done.add(f"{asked}")
        try:
            listed = [observed for page in aws.read_all(scope, asked) for observed in family.observe(scope, asked, page)]
        except AwsError as error:
            if error.code not in family.absent_codes:
                if asked == read:
                    raise
                failed[f"{_named(asked)} {_about(asked)}"] = str(error)
                continue
            # It has none, such as a function without a policy or an account without rules for passwords; or it went since it was
            # listed, and then is not there.
            found = [observed for observed in found if family.read(observed.key) != asked]
            continue
        # A deleted prefix list is still listed; its entries cannot be read any more.
        standing = [observed.key for observed in listed if not observed.key.name and observed.value is not None]
        waiting += [detail for key in standing for detail in family.details(key)]
        found += listed
    return _Listed(found, failed)


def _about(read: Read) -> str:
    """Which resource a read is of."""
    return ", ".join(str(value) for value in read.parameters.values())[:200]


class Baselines:
    """Sweeps kept with history, hashed in the ledger."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self._folder, self._ledger = folder, ledger

    def keep(self, swept: Swept) -> str:
        """Store a sweep and return its SHA-256 in hex."""
        with collector_paused():
            content = _content(swept)
        digest = hashlib.sha256(content).hexdigest()
        name = f"{swept.scope.account}/{swept.scope.region}/{swept.at:%Y%m%dT%H%M%S%f}.json.gz"
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(content)
        body = {
            "file": name,
            "sha256": digest,
            "at": swept.at.isoformat(),
            "account": swept.scope.account,
            "region": swept.scope.region,
            "settings": len(swept.settings),
            "failed": swept.failed,
        }
        self._ledger.append(BASELINE_CHAIN, Kind.COVERAGE, f"sweep:{name}", body)
        return digest

    def newest(self, scope: Scope, before: datetime) -> Baseline | None:
        """The newest sweep of a region that was made before a moment and whose file is as it was written."""
        passed_over: list[str] = []
        for line in reversed(self._ledger.lines(BASELINE_CHAIN, Kind.COVERAGE)):
            body = line.body
            at = datetime.fromisoformat(str(body["at"]))
            if (body["account"], body["region"]) != (scope.account, scope.region) or at >= before:
                continue
            content = self._intact(str(body["file"]), str(body["sha256"]))
            if content is not None:
                told = json.loads(gzip.decompress(content))
                covered, failed = frozenset(told.get("covered", ())), dict(told.get("failed", {}))
                return Baseline(scope, at, tuple(_priors(told, at)), covered, failed, tuple(passed_over))
            passed_over.append(str(body["file"]))
        return None

    def at(self, scope: Scope, moment: datetime) -> Baseline | None:
        """The newest sweep of a region until a moment, whose file is as it was written."""
        return self.newest(scope, moment + timedelta(microseconds=1))

    def history(self) -> dict[Scope, tuple[datetime, ...]]:
        """When each place was swept, oldest first."""
        found: dict[Scope, list[datetime]] = {}
        for line in self._ledger.lines(BASELINE_CHAIN, Kind.COVERAGE):
            place = Scope(str(line.body["account"]), str(line.body["region"]))
            found.setdefault(place, []).append(datetime.fromisoformat(str(line.body["at"])))
        return {place: tuple(sorted(times)) for place, times in found.items()}

    def _intact(self, name: str, digest: str) -> bytes | None:
        path = self._folder / name
        content = path.read_bytes() if path.exists() else b""
        return content if hashlib.sha256(content).hexdigest() == digest else None


def _content(swept: Swept) -> bytes:
    rows = [[list(item.key), item.value, dict(item.handles)] for item in swept.settings]
    told = {"settings": rows, "failed": swept.failed, "covered": sorted(swept.covered)}
    return gzip.compress(json.dumps(told, default=str).encode(), mtime=0)


def _priors(content: dict[str, Any], at: datetime) -> Iterator[tuple[SettingKey, PriorValue]]:
    for key, value, handles in content["settings"]:
        yield SettingKey(*key), PriorValue(value, at, Source.BASELINE, tuple(handles.values()))
