"""Attack scenarios: who acts in which estate, what they do, and what GuardDuty says about it.

`load` reads a YAML file and checks everything that can be checked without running it: keys, principals, regions,
operations, parameters (against botocore's models), names and durations. `drill/scenarios/README.md` describes the
format; `drill.stage` performs it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drill.scenario_check import check_finding, check_steps, read_duration, require
from drill.scenario_faults import check_count, check_faults
from drill.scenario_flows import check_flows
from drill.scenario_principals import check_principals
from drill.scenario_teaching import HARDEST, Teaching, check_teaching
from drill.scenario_yaml import ScenarioError, Source

__all__ = ["HARDEST", "FindingSpec", "Principal", "Scenario", "ScenarioError", "Step", "library", "load", "loads"]

_TOP = {
    "name", "description", "teaching", "difficulty", "hints", "good_responder", "questions", "answers", "goals",
    "accounts", "regions", "principals", "estate", "attack", "finding", "expect",
    "baseline", "config", "trail_files", "delivery_lag", "snapshot_seconds", "snapshot_failures", "faults", "flows",
}  # fmt: skip
_EXPECT = {"restored", "complete", "actors"}
_GOALS = {"contain": 900.0, "restore": 3600.0}
"""The goals in seconds where a scenario names none."""
_SCENARIOS = Path(__file__).parent / "scenarios"


@dataclass(frozen=True)
class Principal:
    """Someone who acts.

    Attributes:
        user: An IAM user's name, or "".
        role: A role's name, or "".
        root: Whether it is the account's root user.
        made_by: The principal who makes the user's key during the exercise, or asks for the federated session, or "".
        assumed_by: The principal who assumes the role, or "".
        source_identity, tags, transitive: What the role is assumed with.
        session_of: The principal whose GetSessionToken gives the session, or "".
        federated: The name of a GetFederationToken session, or "".
        profile_of: The saved name of the instance whose session it is, or "".
        function_role: The Lambda function whose session it is, or "".
        console, mfa: Whether it works in the console, and signs in with a second factor.
        source_ip: Where the calls come from; "" for an instance's own address.
    """

    name: str
    account: str
    user: str = ""
    role: str = ""
    root: bool = False
    made_by: str = ""
    assumed_by: str = ""
    session: str = ""
    source_identity: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    session_of: str = ""
    federated: str = ""
    profile_of: str = ""
    function_role: str = ""
    console: bool = False
    mfa: bool = False
    source_ip: str = ""
    user_agent: str = ""


@dataclass(frozen=True)
class Step:
    """One API call. `label` says where it stands in the file; `through` is the service that makes it for the principal.

    `service_role` is the role that the service uses for it; without one it uses the principal's own credentials. `proxied`
    calls are made by the console by itself, from no address.
    """

    label: str
    principal: str
    region: str
    service: str
    method: str
    params: dict[str, Any]
    save: dict[str, str] = field(default_factory=dict)
    fails: str = ""
    after: float = 0.0
    legitimate: bool = False
    through: str = ""
    service_role: str = ""
    proxied: bool = False


@dataclass(frozen=True)
class FindingSpec:
    """What GuardDuty is to report."""

    type: str
    region: str
    principal: str
    severity: float = 8.0
    instance: str = ""
    bucket: str = ""
    title: str = ""
    description: str = ""


@dataclass(frozen=True)
class Scenario:
    """A scenario that has passed every check."""

    name: str
    accounts: dict[str, str]
    regions: tuple[str, ...]
    principals: dict[str, Principal]
    estate: tuple[Step, ...]
    attack: tuple[Step, ...]
    finding: FindingSpec
    expect: dict[str, Any]
    description: str = ""
    teaching: Teaching = field(default_factory=Teaching)
    baseline: bool = True
    config: bool = False
    trail_files: bool = False
    delivery_lag: float = 0.0
    snapshot_seconds: float = 0.0
    snapshot_failures: int = 0
    faults: tuple[dict[str, Any], ...] = ()
    flows: tuple[dict[str, Any], ...] = ()

    @property
    def account_ids(self) -> tuple[str, ...]:
        return tuple(self.accounts.values())


def load(path: str | Path) -> Scenario:
    """Read a scenario from a file, or one of the range's own by its name.

    Raises:
        ScenarioError: Something in it is wrong; the message is one line with file, line and remedy.
    """
    file = Path(path)
    if not file.exists() and file.parent == Path(".") and (_SCENARIOS / f"{file.name}.yaml").exists():
        file = _SCENARIOS / f"{file.name}.yaml"
    return _build(Source.read(file))


@dataclass(frozen=True)
class Entry:
    """A scenario of the library, as a list shows it; `difficulty` is 0 where nobody has rated it."""

    file: Path
    name: str
    difficulty: int
    description: str


def library() -> list[Entry]:
    """The range's own scenarios, the easiest first; `load` checks one."""
    found: list[Entry] = []
    for file in sorted(_SCENARIOS.glob("*.yaml")):
        data = Source.read(file).data
        found.append(Entry(file, str(data["name"]), int(data.get("difficulty", 0)), " ".join(str(data["description"]).split())))
    return sorted(found, key=lambda one: (one.difficulty or HARDEST + 1, one.name))


def loads(text: str, file: str = "scenario.yaml") -> Scenario:
    """The same for a text at hand; `file` is only for messages."""
    return _build(Source(file, text))


def _build(source: Source) -> Scenario:
    data = require(source, (), dict, "a mapping with name, accounts, regions, principals, attack and finding")
    for key in data:
        if key not in _TOP:
            raise source.error((key,), f"unknown key {key!r}", f"use one of {', '.join(sorted(_TOP))}")
    name = require(source, ("name",), str, "name: a-short-name")
    accounts = _accounts(source)
    regions = _regions(source)
    raw = require(source, ("principals",), dict, "principals: {mallory: {user: mallory}}")
    filled_in = check_principals(source, raw, accounts)
    principals = {name: Principal(**value) for name, value in filled_in.items()}
    names = {f"account_{key}" for key in accounts}
    steps = {part: tuple(Step(**s) for s in check_steps(source, part, filled_in, regions, names)) for part in ("estate", "attack")}
    finding = FindingSpec(**check_finding(source, principals, regions, names))
    return Scenario(
        name=name,
        accounts=accounts,
        regions=regions,
        principals=principals,
        estate=steps["estate"],
        attack=steps["attack"],
        finding=finding,
        expect=_expect(source, principals),
        description=str(data.get("description", "")),
        teaching=check_teaching(source, _goals(source)),
        baseline=_flag(source, ("baseline",), True),
        config=_flag(source, ("config",), False),
        trail_files=_flag(source, ("trail_files",), False),
        delivery_lag=_duration(source, "delivery_lag"),
        snapshot_seconds=_duration(source, "snapshot_seconds"),
        snapshot_failures=check_count(source, "snapshot_failures"),
        faults=check_faults(source),
        flows=check_flows(source, regions, names),
    )


def _accounts(source: Source) -> dict[str, str]:
    accounts = require(source, ("accounts",), dict, 'accounts: {main: "111122223333"}')
    if not accounts:
        raise source.error(("accounts",), "no account is given", 'write accounts: {main: "111122223333"}')
    for key, ident in accounts.items():
        if not isinstance(ident, str) or not ident.isdigit() or len(ident) != 12:
            remedy = 'write twelve digits in quotes, as in main: "111122223333"'
            raise source.error(("accounts", key), f"account {key!r} is {ident!r}", remedy)
    if len(set(accounts.values())) != len(accounts):
        raise source.error(("accounts",), "two accounts have the same id", "give each its own twelve digits")
    return {str(k): v for k, v in accounts.items()}


def _regions(source: Source) -> tuple[str, ...]:
    from drill.aws.config import all_regions

    regions = require(source, ("regions",), list, "regions: [us-east-1, eu-central-1]")
    known = all_regions()
    if not regions:
        raise source.error(("regions",), "no region is given", "write regions: [us-east-1]")
    for i, region in enumerate(regions):
        if region not in known:
            raise source.error(("regions", i), f"unknown region {region!r}", f"use one of {', '.join(known)}")
    return tuple(dict.fromkeys(regions))


def _expect(source: Source, principals: dict[str, Principal]) -> dict[str, Any]:
    expect = source.data.get("expect", {})
    if not isinstance(expect, dict):
        raise source.error(("expect",), "expect is no mapping", "write expect: {restored: true}")
    for key in expect:
        if key not in _EXPECT:
            remedy = f"use one of {', '.join(sorted(_EXPECT))}"
            raise source.error(("expect", key), f"unknown key {key!r} in expect", remedy)
    _flag(source, ("expect", "complete"), _flag(source, ("expect", "restored"), True))
    actors = expect.get("actors", [])
    if not isinstance(actors, list):
        raise source.error(("expect", "actors"), f"actors is {actors!r}", "write a list, as in [mallory]")
    for i, name in enumerate(actors):
        if name not in principals:
            remedy = f"use one of {', '.join(principals)}"
            raise source.error(("expect", "actors", i), f"unknown principal {name!r}", remedy)
    return expect


def _goals(source: Source) -> dict[str, float]:
    """Within how many seconds whoever is drilled should get there, from the finding on."""
    given = source.data.get("goals", {})
    if not isinstance(given, dict) or set(given) - set(_GOALS):
        raise source.error(("goals",), "goals is no mapping of contain and restore", "write goals: {contain: 15m, restore: 1h}")
    return {name: read_duration(source, ("goals", name), given[name]) if name in given else usual for name, usual in _GOALS.items()}


def _flag(source: Source, path: tuple[str, ...], default: bool) -> bool:
    value: Any = source.data
    for part in path:
        value = value.get(part, default) if isinstance(value, dict) else default
    if not isinstance(value, bool):
        raise source.error(path, f"{path[-1]} is {value!r}", "write true or false")
    return value


def _duration(source: Source, key: str) -> float:
    value = source.data.get(key, 0)
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    return read_duration(source, (key,), value)
