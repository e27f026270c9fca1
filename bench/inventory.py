"""The inventory of 17 regions with 1,000 security groups of 6 rules each, against its own calls issued bare, and Cloud Custodian.

Run it with `make bench`. One region is built on the range; its answers are kept and given for every region by a server that does
nothing else (`bench/replay.py`), so that the range's own speed is not what is measured. Each contestant is a process of its own,
from its start to its end; they take turns, and the better of two counts.

Cloud Custodian is installed into an environment of its own outside this folder (`~/.cache/countermand-peer`, or
where COUNTERMAND_PEER says) if it is not there; without it, that is said and nothing is claimed.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from practice import practice, responding
from replay import CALLS, Kept, recording, replaying

from drill.aws.config import DEFAULT_ACCOUNT, DEFAULT_REGIONS, KeyPair, bootstrap_keys
from drill.client import boto_client
from tasks.aws import Aws, at_one_name, boto3_name

GROUPS, RULES = 1_000, 6
DELAY = 0.08
ROUNDS = 2
HOME, OTHER = "us-east-1", "eu-west-1"
AT_ONCE = 16
PEER = Path(os.environ.get("COUNTERMAND_PEER", "~/.cache/countermand-peer")).expanduser()
PEER_PACKAGE = "c7n==0.9.53"
PEER_KINDS = (
    "vpc", "subnet", "network-acl", "security-group", "route-table", "eni", "internet-gateway", "peering-connection", "nat-gateway",
    "vpc-endpoint", "customer-gateway", "vpn-connection", "elastic-ip",
)  # fmt: skip
IDEAL, BEST_PEER = 1.15, 5.0


def main() -> None:
    match sys.argv[1:]:
        case ["ours", calls, *regions]:
            ours(calls, tuple(regions))
        case ["bare", calls]:
            bare(Path(calls))
        case _:
            compare()


def compare() -> None:
    told = f"{GROUPS:,} security groups of {RULES} rules in each"
    print(f"Inventory: {len(DEFAULT_REGIONS)} regions, {told}, {1000 * DELAY:.0f} ms a call")
    peer = installed_peer()
    kept = recorded(peer)
    mine = [sys.executable, __file__]
    with TemporaryDirectory() as folder:
        calls = str(Path(folder) / "calls")
        with replaying(kept, HOME, 0) as url:
            subprocess.run([*mine, "ours", calls, HOME, OTHER], env=surroundings(url, Path(folder)), check=True)  # noqa: S603
        with replaying(kept, HOME, DELAY) as url:
            contest = {"ours": [*mine, "ours", ""], "bare": [*mine, "bare", calls]}
            contest |= {"peer": custodian(peer, Path(folder))} if peer else {}
            show(played(contest, surroundings(url, Path(folder)), url))


def show(took: dict[str, Took]) -> None:
    ours, bare, peer = took["ours"], took["bare"], took.get("peer")
    print(f"  {'':<44} {'wall':>8} {'CPU':>8} {'calls':>7}")
    row("ours: every network setting, stored", ours, "")
    row("the same boto3 calls, nothing done with them", bare, against(ours.wall / bare.wall, IDEAL))
    print(f"    of CPU time ours takes {ours.cpu / bare.cpu:.2f} × this")
    if peer:
        times = peer.wall / ours.wall
        row(
            f"Cloud Custodian, {len(PEER_KINDS)} kinds",
            peer,
            f"{times:.1f} × ours; goal at least {BEST_PEER:g}, {said(times >= BEST_PEER)}",
        )
        print(f"    of CPU time it takes {peer.cpu / ours.cpu:.1f} × ours, of calls {peer.calls / ours.calls:.2f} ×")
    print()


@dataclass(frozen=True)
class Took:
    """What a contestant took: seconds from its start to its end, seconds of CPU time with its children, and calls."""

    wall: float
    cpu: float
    calls: int


def said(reached: bool) -> str:
    return "reached" if reached else "missed"


def against(ratio: float, goal: float) -> str:
    return f"ours takes {ratio:.2f} × this; goal at most {goal}, {said(ratio <= goal)}"


def played(contest: dict[str, list[str]], environment: dict[str, str], url: str) -> dict[str, Took]:
    """The best of each by either time. They take turns, so that what else the machine does weighs on all of them."""
    took: dict[str, list[Took]] = {name: [] for name in contest}
    for _ in range(ROUNDS):
        for name, command in contest.items():
            took[name].append(timed(command, environment, url))
    return {name: Took(min(one.wall for one in all_), min(one.cpu for one in all_), all_[0].calls) for name, all_ in took.items()}


def timed(command: list[str], environment: dict[str, str], url: str) -> Took:
    calls(url)
    before, began = getrusage(RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    wall, after = time.monotonic() - began, getrusage(RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr[-2000:]}")
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, calls(url))


def calls(url: str) -> int:
    with urlopen(url + CALLS) as answer:  # noqa: S310  the server of this measure
        return int(answer.read())


def surroundings(url: str, folder: Path) -> dict[str, str]:
    home = folder / "home"
    kept = {name: value for name, value in os.environ.items() if name != "AWS_SESSION_TOKEN"}
    return kept | {
        "COUNTERMAND_HOME": str(home),
        "COUNTERMAND_AWS": json.dumps({"accounts": [DEFAULT_ACCOUNT], "endpoint_url": url}),
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": HOME,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


# --- what is answered ---------------------------------------------------------------------------------------------------------


def recorded(peer: Path | None) -> Kept:
    """Build one region on the range, and keep what it answers to us and to the peer."""
    with practice((DEFAULT_ACCOUNT,)) as aws, responding(aws, (DEFAULT_ACCOUNT,)):
        keys = bootstrap_keys(DEFAULT_ACCOUNT)
        build(aws.url, keys)
        with recording(aws.url, HOME) as (url, kept), TemporaryDirectory() as folder:
            environment = surroundings(url, Path(folder))
            environment |= {"AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret}
            subprocess.run([sys.executable, __file__, "ours", "", HOME], env=environment, check=True)  # noqa: S603
            if peer:
                subprocess.run(custodian(peer, Path(folder), (HOME,)), env=environment, check=True, capture_output=True)  # noqa: S603
            return dict(kept)


def build(url: str, keys: KeyPair) -> None:
    """The security groups of one region, beside what every account has."""
    ec2 = boto_client(url, "ec2", HOME, keys)
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    for number in range(GROUPS - 1):
        group = ec2.create_security_group(GroupName=f"group-{number}", Description="bench", VpcId=vpc)["GroupId"]
        permissions = [
            {"IpProtocol": "tcp", "FromPort": 1000 + port, "ToPort": 1000 + port, "IpRanges": [{"CidrIp": f"10.{port}.0.0/16"}]}
            for port in range(RULES - 1)
        ]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permissions)


# --- contestants --------------------------------------------------------------------------------------------------------------


def ours(calls: str, regions: tuple[str, ...]) -> None:
    """The product's own inventory, as `countermand inventory --now` makes it; with a file, its calls are written down."""
    from gateway.commands.inventory import _swept
    from tasks.hands import hands

    wired = hands()
    noted = Noted(wired.aws) if calls else None
    problems = _swept(wired, [], list(regions))
    if problems:
        sys.exit(f"ours: {problems[0]}")
    if noted:
        Path(calls).write_bytes(pickle.dumps(noted.made))


class Noted:
    """Every call of a sweep by its region and the thread that made it: those of one thread came one after the other."""

    def __init__(self, aws: Aws) -> None:
        self.made: dict[str, dict[int, list[tuple[str, str, dict[str, Any]]]]] = {}
        plain = aws.call

        def call(account: str, region: str, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
            if operation != "DescribeRegions":
                row = self.made.setdefault(region, {}).setdefault(threading.get_ident(), [])
                # The product adds the account where a service wants to be told it.
                told = {"AccountId": account, **parameters} if service == "s3control" else dict(parameters)
                row.append((service, operation, told))
            return plain(account, region, service, operation, parameters)

        aws.call = call  # type: ignore[method-assign]


def bare(calls: Path) -> None:
    """The same calls by boto3 alone, as many at once, and their answers dropped."""
    made = pickle.loads(calls.read_bytes())  # noqa: S301
    session = boto3.Session()
    making = threading.Lock()

    def region(name: str) -> None:
        clients: dict[str, Any] = {}
        rows = list(made[HOME if name == HOME else OTHER].values())

        def client(service: str) -> Any:
            with making:
                if service not in clients:
                    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=50)
                    clients[service] = session.client(service, region_name=name, config=config)
                    at_one_name(clients[service])
                return clients[service]

        def one_after_the_other(row: list[tuple[str, str, dict[str, Any]]]) -> None:
            for service, operation, parameters in row:
                one = client(service)
                with suppress(ClientError):
                    getattr(one, boto3_name(one, operation))(**parameters)

        with ThreadPoolExecutor(len(rows)) as pool:
            list(pool.map(one_after_the_other, rows))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(region, DEFAULT_REGIONS))


def custodian(peer: Path, folder: Path, regions: tuple[str, ...] = DEFAULT_REGIONS) -> list[str]:
    """Cloud Custodian over the same regions; each policy without a filter writes down all there are of its kind."""
    policies = {"policies": [{"name": kind, "resource": f"aws.{kind}"} for kind in PEER_KINDS]}
    file = folder / "policies.json"
    file.write_text(json.dumps(policies))
    places = [word for region in regions for word in ("-r", region)]
    return [str(peer), "run", "-s", str(folder / "out"), "--cache-period", "0", *places, str(file)]


def installed_peer() -> Path | None:
    command = PEER / "bin" / "custodian"
    if not command.exists():
        print(f"  installing {PEER_PACKAGE} into an environment of its own", flush=True)
        for step in ([sys.executable, "-m", "venv", str(PEER)], [str(PEER / "bin" / "pip"), "install", "-q", PEER_PACKAGE]):
            if subprocess.run(step, capture_output=True, check=False).returncode:  # noqa: S603
                shutil.rmtree(PEER, ignore_errors=True)
                print("  Cloud Custodian cannot be installed here: it is not compared")
                return None
    return command


def row(what: str, took: Took, remark: str) -> None:
    print(f"  {what:<44} {took.wall:>6.1f} s {took.cpu:>6.1f} s {took.calls:>7,}   {remark}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
