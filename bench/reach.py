"""How far and how fast the investigation reaches: what it asks of CloudTrail, at which pace, and how soon it has read every region.

Run it with `make bench`. Every part runs in a process of its own, against a range in another process, over HTTP and with boto3.
Identification and the sweep are the product's own; only Prefect's bookkeeping of task runs is left out.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from least import Asked, Truth, least
from practice import forget_peak, memory, practice, responding, without_prefect
from schedule import Job, Watched, one_after_the_other, side_by_side, timed
from trail import network_changes, whole_trail

from drill.aws.config import DEFAULT_ACCOUNT
from drill.client import RangeClient
from drill.scenario import load
from drill.stage import Stage
from flows.case import Case
from flows.identify import _closed, _scopes
from flows.inquiry import Inquiry
from incident.actor import Actor
from incident.families import FAMILIES
from incident.family import Scope
from incident.record import Record
from tasks.cloudtrail import CALLS_PER_SECOND, PAGE
from tasks.hands import hands
from tasks.work import _POOL, sweep

SCENARIOS = ("stolen-key", "chained-role", "planted-user", "federated-session", "network-takeover")
EVENTS = (1_000, 10_000)
SHARES = {"us-east-1": 0.4, "eu-central-1": 0.35, "ap-northeast-1": 0.25}
DELAY = 0.08
MIB = 1 << 20
KEY, ADDRESS = "AKIAMALLORYEXAMPLE", "198.51.100.7"
CHUNK = 1_000


def main() -> None:
    match sys.argv[1:]:
        case ["calls"]:
            calls()
        case ["pace", count]:
            pace(int(count))
        case ["sweep"]:
            sweeping()
        case _:
            for part in (["calls"], *(["pace", str(count)] for count in EVENTS), ["sweep"]):
                subprocess.run([sys.executable, __file__, *part], check=True)  # noqa: S603


# --- calls against the least possible -------------------------------------------------------------------------------------------


def calls() -> None:
    """LookupEvents calls of identification, and those that an oracle would have made."""
    print("Identification: LookupEvents calls that the range saw, in 17 regions, against the least that an oracle needs; goal 1.1")
    without_prefect()
    accounts = tuple(dict.fromkeys(account for name in SCENARIOS for account in load(name).account_ids))
    with practice(accounts) as aws:
        for name in SCENARIOS:
            aws.reset()
            _calls_of(aws, name)
    print()


def _calls_of(aws: RangeClient, name: str) -> None:
    scenario = load(name)
    stage = Stage(scenario, aws)
    stage.build_estate()
    stage.attack()
    finding = stage.finding().api
    with responding(aws, scenario.account_ids):
        scopes, actor, seconds = _identified(aws, name, finding)
        seen = _lookups(aws)
    made = Counter(asked for asked, _ in seen)
    keys = {key: scenario.principals[name].account for name, held in stage.actor_keys.items() for key in held}
    records = tuple(Record.parse(raw) for raw in aws.records())
    places = tuple((scope.account, scope.region) for scope in scopes)
    needed = least(Truth(records, keys, finding["Resource"]["AccessKeyDetails"]["AccessKeyId"], places))
    few = sum(needed.values())
    row(f"{name}", f"{len(seen)} calls", f"{len(seen) / few:.2f} × the least, {few}; {seconds:.1f} s")
    unneeded = {asked: count for asked, count in made.items() if asked not in needed}
    again = {asked: made[asked] - pages for asked, pages in needed.items() if made[asked] > pages}
    missing = {asked: pages for asked, pages in needed.items() if asked not in made}
    for what, these in (("no finding needed", unneeded), ("asked again", again), ("not asked by us", missing)):
        for (attribute, value, account), count in _totals(these).items():
            held = actor.credentials.get(value)
            whose = f", {held.kind} {held.owner.rpartition('/')[2]} of account {held.account}" if held else ""
            row(f"  {what}", f"{count} calls", f"in {account}: {attribute} {value}{whose}")


def _totals(calls: dict[Asked, int]) -> dict[tuple[str, str, str], int]:
    """Calls by question, whatever the region."""
    totals: dict[tuple[str, str, str], int] = defaultdict(int)
    for asked, count in calls.items():
        totals[asked.attribute, asked.value, asked.account] += count
    return totals


def _identified(aws: RangeClient, incident: str, finding: dict[str, Any]) -> tuple[list[Scope], Actor, float]:
    """Identify the actor as the flow does; the regions, the actor, and the seconds that it took."""
    hands().evidence.keep_json(incident, "finding.json", finding, "the finding")
    aws.settings(watch_traffic=1)
    began = time.monotonic()
    case = Case(incident)
    scopes, gaps = _scopes(case)
    inquiry = Inquiry(case, scopes)
    actor = asyncio.run(_closed(case, 1, inquiry))
    seconds = time.monotonic() - began
    aws.settings(watch_traffic=0)
    unanswered = [*(gap for gap in gaps if gap[1] != "not enabled"), *inquiry.gaps]
    if unanswered:
        sys.exit(f"{incident}: the range did not answer everything: {unanswered[0]}")
    return scopes, actor, seconds


def _lookups(aws: RangeClient) -> list[tuple[Asked, int]]:
    """Every LookupEvents call with its status."""
    seen = [call for call in aws.traffic() if call["operation"] == "LookupEvents"]
    return [(_asked(call), call["status"]) for call in seen]


def _asked(call: dict[str, Any]) -> Asked:
    chosen = call["params"]["LookupAttributes"][0]
    return Asked(call["account"], call["region"], chosen["AttributeKey"], chosen["AttributeValue"])


# --- at the pace that AWS allows ------------------------------------------------------------------------------------------------


def pace(count: int) -> None:
    """Identification of an actor with many events, where the range throttles as AWS does."""
    if count == EVENTS[0]:
        print(f"Identification at {CALLS_PER_SECOND} LookupEvents a second in each region, which the range enforces; goal 1.15")
    without_prefect()
    with practice((DEFAULT_ACCOUNT,)) as aws, responding(aws, (DEFAULT_ACCOUNT,)):
        started = datetime.now(UTC) - timedelta(seconds=count + 60)
        _file(aws, count, started)
        forget_peak()
        at_rest, spent = memory(), time.process_time()
        _, actor, seconds = _identified(aws, "pace", _finding(started))
        spent = time.process_time() - spent
        peak = memory("VmHWM")
        seen = _lookups(aws)
    refused = sum(1 for _, status in seen if status != 200)
    busiest = max(Counter(asked.region for asked, status in seen if status == 200).values())
    limit = busiest / CALLS_PER_SECOND
    row(f"{count:,} events in {len(SHARES)} regions", f"{seconds:.1f} s", f"{seconds / limit:.2f} × the limit, {limit:.1f} s")
    row("  pages of the busiest region", f"{busiest}", f"at least {_least_pages(count)}; {refused} calls throttled")
    row("  our CPU time", f"{spent:.1f} s", f"of which the limit leaves room for {limit:.0f} s")
    grown = f"{(peak - at_rest) / 1024 / count:.1f} KiB an event"
    row("  peak memory", f"{peak / MIB:.0f} MiB", f"{at_rest / MIB:.0f} MiB before; {grown}")
    if not actor.proved:
        sys.exit("nobody was identified")
    if count == EVENTS[-1]:
        print()


def _least_pages(count: int) -> int:
    """In the busiest region: the pages of all of the actor's events, and those of everybody's changes, which are half of them."""
    there = int(count * max(SHARES.values()))
    return -(-there // PAGE) + -(-there // 2 // PAGE)


def _file(aws: RangeClient, count: int, started: datetime) -> None:
    """Put the actor's events into the trail: a second apart, every other one a read, the regions by their shares."""
    lines = iter(_events(count, started))
    while chunk := list(islice(lines, CHUNK)):
        aws.keep_records(chunk)


def _events(count: int, started: datetime) -> Iterable[dict[str, Any]]:
    places = [region for region, share in SHARES.items() for _ in range(int(share * 20))]
    changes = network_changes(count)
    reads = (line for number, line in enumerate(whole_trail(2 * count)) if number % 10)
    for number in range(count):
        record = json.loads(next(reads if number % 2 else changes))
        record["awsRegion"] = places[number // 2 % len(places)]
        record["eventTime"] = (started + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        record["eventID"] = f"{number:08x}-0000-4000-8000-{number:012x}"
        arn = f"arn:aws:iam::{DEFAULT_ACCOUNT}:user/mallory"
        record["userIdentity"] |= {"arn": arn, "userName": "mallory", "accessKeyId": KEY, "principalId": "AIDAMALLORYEXAMPLE"}
        yield record


def _finding(first_seen: datetime) -> dict[str, Any]:
    key = {"AccessKeyId": KEY, "PrincipalId": "AIDAMALLORYEXAMPLE", "UserName": "mallory", "UserType": "IAMUser"}
    call = {"Api": "CreateRoute", "ServiceName": "ec2.amazonaws.com", "RemoteIpDetails": {"IpAddressV4": ADDRESS}}
    moment = first_seen.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "AccountId": DEFAULT_ACCOUNT,
        "Region": "us-east-1",
        "Id": "reach",
        "Type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller.Custom",
        "Severity": 8,
        "CreatedAt": moment,
        "UpdatedAt": moment,
        "Resource": {"ResourceType": "AccessKey", "AccessKeyDetails": key},
        "Service": {"EventFirstSeen": moment, "Action": {"ActionType": "AWS_API_CALL", "AwsApiCallAction": call}},
    }


# --- the sweep of every region --------------------------------------------------------------------------------------------------


def sweeping() -> None:
    """The sweep of all regions against the best schedule of the calls that it made."""
    print(f"Sweep of 17 regions, {1000 * DELAY:.0f} ms added to each call; goal 1.15 × the ideal schedule")
    scenario = load("network-takeover")
    with practice(scenario.account_ids) as aws, responding(aws, scenario.account_ids):
        stage = Stage(scenario, aws)
        stage.build_estate()
        stage.attack()
        scopes = [Scope(aws.health()["accounts"][0], region) for region in aws.health()["regions"]]
        watched = Watched(hands().aws)
        aws.settings(call_delay=DELAY)
        for what in ("first sweep, clients are made on the way", "second sweep, clients are there"):
            _swept(aws, scopes, watched, what)
    print()


def _swept(aws: RangeClient, scopes: list[Scope], watched: Watched, what: str) -> None:
    aws.settings(watch_traffic=1)
    began, spent = time.monotonic(), time.process_time()
    swept = asyncio.run(_all_at_once(scopes))
    seconds, spent = time.monotonic() - began, time.process_time() - spent
    aws.settings(watch_traffic=0)
    seen = aws.traffic()
    home = hands().aws.config.home_region
    jobs = [job for scope in scopes for job in watched.jobs(scope, FAMILIES, home=scope.region == home)]
    timed(jobs, _durations(seen))
    row(what, f"{seconds:.1f} s", f"{len(seen):,} calls; {sum(len(one.settings) for one in swept):,} settings")
    chain, ideal = one_after_the_other(jobs), side_by_side(jobs, _POOL._max_workers)
    row("  calls of a region one after the other", f"{chain:.1f} s", f"{seconds / chain:.2f} × this")
    row(f"  ideal, {_POOL._max_workers} calls at once", f"{ideal:.1f} s", f"{seconds / ideal:.2f} × this")
    _remarks(jobs, seen, seconds, spent)
    failed = Counter(read for one in swept for read in one.failed)
    if failed:
        row("  reads that failed", f"{sum(failed.values())}", ", ".join(f"{read} ({count})" for read, count in failed.items()))


def _remarks(jobs: list[Job], seen: list[dict[str, Any]], seconds: float, spent: float) -> None:
    row("  our CPU time", f"{spent:.1f} s", f"{1000 * spent / len(seen):.1f} ms a call")
    worked = sum(call["worked"] for call in seen)
    waited = sum(call["seconds"] - DELAY - call["worked"] for call in seen)
    behind = f"{seconds / worked:.2f} × this; a call waited {waited / len(seen) * 1000:.0f} ms for its turn"
    row("  the range's own work, one call at a time", f"{worked:.1f} s", behind)
    repeated = Counter(f"{job.service}:{job.operation}" for job in jobs if job.repeated)
    most = ", ".join(f"{name} ({count})" for name, count in repeated.most_common(3))
    row("  reads made again for another family", f"{sum(repeated.values())}", most)
    if len(jobs) != len(seen):
        row("  calls that the schedule does not know", f"{len(seen) - len(jobs)}", "")


async def _all_at_once(scopes: list[Scope]) -> list[Any]:
    at = datetime.now(UTC)
    return await asyncio.gather(*(sweep.fn(scope, at) for scope in scopes))


def _durations(seen: list[dict[str, Any]]) -> dict[tuple[str, str], float]:
    """How long a call of each operation takes at its mean: the delay and the range's work on it, without the wait for its turn."""
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    for call in seen:
        spent[call["service"], call["operation"]].append(DELAY + call["worked"])
    return {operation: sum(took) / len(took) for operation, took in spent.items()}


def row(what: str, figure: str, remark: str) -> None:
    print(f"  {what:<44} {figure:>12}   {remark}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
