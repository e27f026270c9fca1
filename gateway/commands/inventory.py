"""What there is on the network, what the internet reaches of it and by which path, and what changed since."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gateway.commands.shell import Json, Several, UserError, console, moment
from incident.people.messages import plain

if TYPE_CHECKING:
    from incident.exposures.inventory import Sight
    from incident.family import Scope

app = typer.Typer()
_COLORS = {"open": "red", "unknown": "yellow", "out only": "dim"}


@app.command()
def inventory(
    account: Annotated[Several, typer.Option("--account", help="Only this account; may be given again.")] = None,
    region: Annotated[Several, typer.Option("--region", help="Only this region; may be given again.")] = None,
    at: Annotated[str, typer.Option("--at", help="As it was at this moment, such as 2026-11-24T02:00:00Z.")] = "",
    since: Annotated[str, typer.Option("--since", help="Show what changed since the newest sweep until this moment.")] = "",
    now: Annotated[bool, typer.Option("--now", help="Sweep first, and keep it as the baseline.")] = False,
    prowler: Annotated[bool, typer.Option("--prowler", help="Run Prowler's internet-exposed checks beside it.")] = False,
    as_json: Json = False,
) -> None:
    """Show the stored inventory by account and region, and what the internet reaches. Reads AWS only with --now or --prowler."""
    if now and at:
        raise UserError("--now and --at exclude each other: a sweep shows how it is, not how it was")
    from incident.exposures.inventory import as_json as told
    from tasks.hands import utc_now

    until, earlier = _time(at, "--at") if at else None, _time(since, "--since") if since else None
    hands = _hands()
    problems = _swept(hands, account or [], region or []) if now else []
    until = until or utc_now()
    if earlier and earlier >= until:
        raise UserError("--since is to be before --at")
    if problems and not any(_is_chosen(place, account or [], region or []) for place in hands.baselines.history()):
        raise UserError("; ".join(problems))
    sights, missing = _sights(hands, until, account or [], region or [])
    before = _sights(hands, earlier, account or [], region or []) if earlier else ([], [])
    found = told(sights, before[0], [*problems, *missing, *(f"{line}, so nothing is compared" for line in before[1])])
    if prowler:
        found["prowler"] = _prowler(sights)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        _show(found)


def _hands() -> Any:
    from tasks.hands import hands

    return hands()


def _time(text: str, option: str) -> datetime:
    told = moment(text, option)
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _sights(hands: Any, until: datetime, accounts: list[str], regions: list[str]) -> tuple[list[Sight], list[str]]:
    """What is stored of every chosen place, and the places of which nothing is."""
    from tasks.sights import sight_at

    history = hands.baselines.history()
    chosen = sorted((place for place in history if _is_chosen(place, accounts, regions)), key=lambda one: (one.account, one.region))
    if not chosen:
        raise UserError("no baseline is stored for this; `countermand inventory --now` sweeps first")
    found = {place: sight_at(hands.baselines, place, until) for place in chosen}
    missing = [f"{place.account} {place.region}: no baseline is stored from before {until:%Y-%m-%d %H:%M:%SZ}" for place in chosen]
    unswept = [line for line, place in zip(missing, chosen, strict=True) if found[place] is None]
    known = {place.account for place in history}
    unswept += [f"{one}: no region was ever swept" for one in hands.config.aws.accounts if one not in known]
    return [sight for sight in found.values() if sight is not None], unswept


def _is_chosen(place: Scope, accounts: list[str], regions: list[str]) -> bool:
    return (not accounts or place.account in accounts) and (not regions or place.region in regions)


def _swept(hands: Any, accounts: list[str], regions: list[str]) -> list[str]:
    """Sweep every chosen region that is enabled, as the scheduled sweep does; what could not be told, in words."""
    from concurrent.futures import ThreadPoolExecutor

    from incident.family import Scope
    from tasks.aws import AwsError
    from tasks.baseline import sweep_region

    problems: list[str] = []
    places: list[Scope] = []
    for account in accounts or hands.config.aws.accounts or (_own_account(hands),):
        try:
            enabled = hands.aws.regions(account).enabled
        except AwsError as error:
            problems.append(f"{account}: its regions are not known: {error}")
            continue
        places += [Scope(account, region) for region in enabled if not regions or region in regions]
        problems += [f"{account} {region}: not an enabled region" for region in regions if region not in enabled]
    started = hands.clock()
    with ThreadPoolExecutor(16) as pool:
        for swept in pool.map(lambda place: sweep_region(hands.aws, place, started), places):
            hands.baselines.keep(swept)
    return problems


def _own_account(hands: Any) -> str:
    from tasks.aws import AwsError

    try:
        return str(hands.aws.own_account())
    except AwsError as error:
        raise UserError(f"the accounts are not known: {error}; name them in aws.accounts, and check the credentials") from None


# --- Prowler ------------------------------------------------------------------------------------------------------------------


def _prowler(sights: list[Sight]) -> dict[str, Any]:
    """What Prowler says, each finding with the exposures of ours that its resource stands on."""
    from dataclasses import asdict

    from incident.exposures.ocsf import names_resource
    from incident.exposures.reachability import exposures
    from tasks.prowler import INSTALL, ProwlerError, run_prowler

    try:
        found = run_prowler(sorted({sight.seen.scope.region for sight in sights}))
    except ProwlerError as error:
        return {"ran": False, "why": str(error), "failed": []}
    if found is None:
        return {"ran": False, "why": INSTALL, "failed": []}
    ours = [one for sight in sights for one in exposures(sight.seen) if one.verdict in ("open", "unknown")]
    on_path = {one.resource: [one.resource, one.instance, *(hop.resource for hop in one.path)] for one in ours}
    failed = [
        {**asdict(one), "on_path_of": [ours for ours, ids in on_path.items() if any(names_resource(one, name) for name in ids)]}
        for one in found.failed
    ]
    return {"ran": True, "failed": failed, "passed": found.passed, "muted": found.muted, "unreadable": found.unreadable}


# --- for people ---------------------------------------------------------------------------------------------------------------


def _say(words: str, color: str = "") -> None:
    shown = escape(plain(words, 1500))
    console.print(f"[{color}]{shown}[/{color}]" if color else shown, soft_wrap=True, highlight=False)


def _show(found: dict[str, Any]) -> None:
    table = Table(title="What there is (? is not known; what is not named, there is none of)")
    for name in ("account", "region", "read at"):
        table.add_column(name, no_wrap=True)
    table.add_column("there is", overflow="fold")
    for place in found["places"]:
        counted = ", ".join(f"{'?' if count is None else count} {name}" for name, count in place["counts"].items() if count != 0)
        table.add_row(place["account"], place["region"], f"{place['at'][:19]}Z", counted or "nothing")
    console.print(table)
    _show_exposures(found["exposures"])
    for changed in found["changes"]:
        _show_changes(changed)
    if "prowler" in found:
        _show_prowler(found["prowler"])
    for line in found["not_known"]:
        _say(f"not known: {line}", "yellow")


def _show_exposures(exposures: list[dict[str, Any]]) -> None:
    counted = {verdict: sum(one["verdict"] == verdict for one in exposures) for verdict in _COLORS}
    _say(f"From the internet: {counted['open']} open, {counted['unknown']} unknown; {counted['out only']} reach out only")
    for one in exposures:
        if one["verdict"] == "out only":
            continue
        _say(_headline(one), _COLORS[one["verdict"]])
        for hop in [*one["path"], *one["behind"]]:
            _say(f"    → {hop['words']} ({hop['resource']})")
        for line in one["not_known"]:
            _say(f"    not known: {line}", "yellow")


def _headline(one: dict[str, Any]) -> str:
    owner = f" of {one['instance']}" if one["instance"] else ""
    address = f" at {one['address']}" if one["address"] else ""
    opened = "; ".join(one["reached"]) or f"perhaps {'; '.join(one['perhaps']) or 'everything'}"
    return f"{one['verdict']}: {one['what']} {one['resource']}{owner}{address} ({one['account']} {one['region']}): {opened}"


def _show_changes(changed: dict[str, Any]) -> None:
    place, times = f"{changed['account']} {changed['region']}", f"{changed['from'][:19]}Z to {changed['to'][:19]}Z"
    _say(f"{place}, from {times}: {len(changed['settings'])} settings differ")
    for one in changed["settings"]:
        value = one["after"] if one["change"] == "added" else one["before"]
        told = f"{json.dumps(one['before'])} → {json.dumps(one['after'])}" if one["change"] == "changed" else json.dumps(value)
        _say(f"    {one['change']}: {one['kind']} {one['resource']} {one['name']} {told}")
    for word, color in (("opened", "red"), ("closed", "green")):
        for one in changed[word]:
            _say(f"    {word} to the internet: {_headline({**one, 'verdict': word})}", color)
    if changed["not_compared"]:
        _say(f"    not compared, for one of the two did not read them whole: {', '.join(changed['not_compared'])}", "yellow")


def _show_prowler(told: dict[str, Any]) -> None:
    if not told["ran"]:
        _say(f"Prowler: {told['why']}", "yellow")
        return
    _say(f"Prowler's internet-exposed checks: {len(told['failed'])} failed, {told['passed']} passed, {told['muted']} muted")
    for one in told["failed"]:
        ours = f"; on the way to {', '.join(one['on_path_of'])}" if one["on_path_of"] else ""
        _say(f"    {one['severity']}: {one['check']}: {one['resource']} ({one['account']} {one['region']}): {one['detail']}{ours}")
    if told["unreadable"]:
        _say(f"    not known: {told['unreadable']} of its findings are of another shape", "yellow")
