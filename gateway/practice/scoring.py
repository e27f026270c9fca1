"""The verdict of an exercise: what the responder did, and what an independent look at the range says of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from drill.aws.range import Range
from drill.scenario import Scenario
from drill.verdict import Verdict
from gateway.practice.card import expectation
from incident.reports.report import Report

_SHOWN_DIFFERENCES = 20
_OPEN = (
    "differences",
    "active_credentials",
    "working_credentials",
    "connected_instances",
    "unread",
    "unknown_regions",
    "not_understood",
)
_GOOD = ("done", "already right")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds from the webhook's acceptance; `None` where it was not reached."""

    total: float
    contain: float | None
    restore: float | None


def verdict_of(scenario: Scenario, written: Report, judged: Verdict, aws: Range, seconds: Times) -> dict[str, Any]:
    """Everything that a drill is judged by, as plain data."""
    proved = [item for item in written.actor.get("credentials", []) if item["link"] == "proved"]
    calls = [call for call in httpx.get(f"{aws.url}/range/calls", timeout=30).json() if _is_ours(call, aws, scenario)]
    return {
        "scenario": scenario.name,
        "incident": written.incident,
        "restored": judged.restored,
        "as_expected": _as_expected(scenario, judged, written),
        "differences": judged.differences,
        "leftovers": judged.leftovers,
        "claimed": written.proof,
        "actor": {
            "credentials": [item["access_key"] for item in proved],
            "principals": sorted({item["owner"] for item in proved}),
            "since": written.actor.get("since"),
        },
        "steps": [
            {"id": item.step, "phase": item.phase, "title": item.title, "outcome": item.result, "detail": item.detail}
            for item in written.done
        ],
        "regions": list(written.regions),
        "kept": list(written.kept),
        "unplanned": list(written.unplanned),
        "calls": [{name: call[name] for name in ("service", "operation", "region", "account", "params")} for call in calls],
        "seconds": {"total": seconds.total, "contain": seconds.contain, "restore": seconds.restore},
    }


def _as_expected(scenario: Scenario, judged: Verdict, written: Report) -> bool:
    """Whether the network is as the scenario expects, and the response proves as much as it expects."""
    return (judged.restored, bool(written.proof.get("complete"))) == expectation(scenario)


def _is_ours(call: dict[str, Any], aws: Range, scenario: Scenario) -> bool:
    keys = {aws.responder(account).access_key for account in scenario.account_ids}
    return "CountermandResponder" in str(call.get("principal", "")) or call.get("access_key") in keys


def show(console: Console, verdict: dict[str, Any], addresses: dict[str, str], took: float) -> None:
    """The short table and the last line."""
    table = Table(show_header=False, title=f"{verdict['scenario']}: {verdict['incident']}")
    for name, value in {**_rows(verdict), **addresses}.items():
        table.add_row(name, escape(value))
    console.print(table)
    for difference in verdict["differences"][:_SHOWN_DIFFERENCES]:
        console.print(f"  differs: {escape(json.dumps(difference, default=str))}", soft_wrap=True)
    equal = "equals" if verdict["restored"] else "DOES NOT EQUAL"
    line = f"The network {equal} its state before the attack plus the legitimate changes ({took:.0f} s)."
    console.print(line, soft_wrap=True, highlight=False)


def _rows(verdict: dict[str, Any]) -> dict[str, str]:
    statuses = [row["status"] for row in verdict["regions"]]
    covered, out = statuses.count("covered"), statuses.count("not enabled")
    good = sum(1 for step in verdict["steps"] if step["outcome"] in _GOOD)
    seconds = verdict["seconds"]
    return {
        "done": f"{good} of {len(verdict['steps'])} steps; {len(verdict['calls'])} calls changed something in AWS",
        "survived": "\n".join(verdict["kept"]) or "no other hand was on the actor's settings",
        "left to people": "\n".join(f"{item['status']}: {item['what']}" for item in verdict["unplanned"]) or "nothing",
        "proof": _proof(verdict["claimed"]),
        "left over": "\n".join(f"{item['kind']} {item['resource']} {item['detail']}" for item in verdict["leftovers"]) or "nothing",
        "regions": f"{covered} covered, {len(statuses) - covered - out} unknown, {out} opted out",
        "time": f"{_span(seconds['contain'])} to contain, {_span(seconds['restore'])} to restore, {_span(seconds['total'])} in all",
    }


def _proof(claimed: dict[str, Any]) -> str:
    """What the response itself says of its end."""
    if not claimed:
        return "none: nothing was changed"
    unproved = [name.replace("_", " ") for name, found in claimed.items() if isinstance(found, list) and found and name in _OPEN]
    return "complete" if claimed["complete"] else f"incomplete: {', '.join(unproved)}"


def _span(seconds: float | None) -> str:
    return "not reached" if seconds is None else f"{seconds:.1f} s"
