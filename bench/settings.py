"""How fast and how large: records folded a second, plans by their size, and memory while a long file is explained.

Run it with `make bench`. All times are of one core's work, and nothing leaves this process but one child with a memory limit.
"""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from time import process_time

import orjson
from trail import ACCOUNT, network_changes, whole_trail

from incident.collector import collector_paused
from incident.explain import explain
from incident.families import family_for_event
from incident.planner import propose
from incident.record import Record
from incident.settings import Fold, Observed, Reversal, SettingKey, Source
from tasks.record_files import read_records

RECORDS = 200_000
CHUNK = 250
PLANS = (1_000, 10_000, 100_000)
MIB = 1 << 20
LIMIT = 256 * MIB
FILE = 288 * MIB


def main() -> None:
    if sys.argv[1:2] == ["explain"]:
        explain_within(int(sys.argv[2]), Path(sys.argv[3]))
        return
    memory()  # first: a child counts the memory of the parent that it came from
    folding("every record changes the network", network_changes)
    folding("one record of ten changes the network", whole_trail)
    planning()


def folding(what: str, trail: Callable[[int], Iterator[str]]) -> None:
    """Folding against a bare read of the same lines, with Python's collector paused, as an investigation does, and at work."""
    size, bare = _read(trail(RECORDS))
    with collector_paused():
        spent, writes = _folded(trail(RECORDS))
    collected, _ = _folded(trail(RECORDS))
    print(f"Folding {RECORDS:,} records, {size / MIB:,.0f} MiB; {what}")
    _row("bare read of the JSON lines (orjson)", _rate(bare), "")
    _row("folded, after parsing", _rate(spent["fold"]), f"{bare / spent['fold']:.2f} × the bare read; {writes:,} writes")
    _row("the same, collector at work", _rate(collected["fold"]), f"{bare / collected['fold']:.2f} × the bare read")
    _row("parsed and folded", _rate(spent["parse"] + spent["fold"]), "Record.parse included")
    _row("read, parsed and folded", _rate(sum(spent.values())), "from the line of text to the setting")
    print()


def _read(lines: Iterator[str]) -> tuple[int, float]:
    size, spent = 0, 0.0
    while chunk := list(islice(lines, CHUNK)):
        size += sum(map(len, chunk)) + len(chunk)
        started = process_time()
        for line in chunk:
            orjson.loads(line)
        spent += process_time() - started
    return size, spent


def _folded(lines: Iterator[str]) -> tuple[dict[str, float], int]:
    """Records as they stream: a chunk is read, then parsed, then folded, and each of the three has its own clock."""
    fold = Fold()
    spent = {"read": 0.0, "parse": 0.0, "fold": 0.0}
    gc.collect()
    while chunk := list(islice(lines, CHUNK)):
        started = process_time()
        read = [orjson.loads(line) for line in chunk]
        at_read = process_time()
        records = [Record.parse(raw) for raw in read]
        at_parsed = process_time()
        for record in records:
            family = family_for_event(record.operation)
            if family is not None:
                fold.read(record, family.writes)
        spent["read"] += at_read - started
        spent["parse"] += at_parsed - at_read
        spent["fold"] += process_time() - at_parsed
    return spent, sum(len(history.entries) for history in fold.histories.values())


def _rate(seconds: float) -> str:
    return f"{RECORDS / seconds:,.0f} records/s"


def planning() -> None:
    print("Planning")
    before = 0.0
    for count in PLANS:
        reversals, live = _changes(count)
        spent, steps = _planned(reversals, live, times=max(1, 10_000 // count))
        growth = f"× {spent / before:.1f} for ten times the changes" if before else ""
        _row(f"{count:,} changes, {steps:,} steps", f"{spent:,.2f} s", growth)
        before = spent


def _planned(reversals: list[Reversal], live: dict[SettingKey, Observed | None], times: int) -> tuple[float, int]:
    """The time of one plan, from as many as make a time that can be told."""
    gc.collect()
    started = process_time()
    for _ in range(times):
        proposal = propose(reversals, live)
    spent = (process_time() - started) / times
    return spent, len(proposal.steps)


def _changes(count: int) -> tuple[list[Reversal], dict[SettingKey, Observed | None]]:
    """An actor's work: groups of their own with the rules in it, rules that name those groups, routes turned elsewhere."""
    record = Record.parse(orjson.loads(next(network_changes(1))))
    reversals: list[Reversal] = []
    live: dict[SettingKey, Observed | None] = {}

    def changed(key: SettingKey, target: object, written: object) -> None:
        reversals.append(Reversal(key, target, Source.RECORD, written, (record,)))
        live[key] = None if written is None else Observed(key, written)

    for number in range(count):
        turn, what = divmod(number, 10)
        group, table = f"sg-{turn:017x}", f"rtb-{number:017x}"
        if what == 0:
            changed(_key("security-group", group), None, {"GroupName": group, "VpcId": "vpc-1"})
        elif what < 4:
            changed(_key("security-group-rule", "sg-old", f"ingress tcp {what}-{number} {group}"), None, {"description": ""})
        elif what < 7:
            network = f"10.{number // 250 % 250}.{number % 250}.0/24"
            changed(_key("security-group-rule", f"sg-kept-{number}", f"ingress tcp 22-22 {network}"), {"description": ""}, None)
        else:
            changed(_key("route", table, "0.0.0.0/0"), {"NatGatewayId": "nat-1"}, {"GatewayId": "igw-1"})
    return reversals, live


def _key(kind: str, resource_id: str, name: str = "") -> SettingKey:
    return SettingKey(ACCOUNT, "us-east-1", kind, resource_id, name)


def memory() -> None:
    """A file larger than the memory that a process may have is explained by that process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trail.jsonl"
        count = _write(file, network_changes(10**9), FILE)
        print(f"Memory: {count:,} records in a file of {FILE // MIB} MiB are explained within {LIMIT // MIB} MiB of address space")
        command = [sys.executable, __file__, "explain", str(LIMIT), str(file)]
        done = subprocess.run(command, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"the child with the memory limit failed: exit {done.returncode}")
    print()


def _write(file: Path, lines: Iterator[str], size: int) -> int:
    """Write lines until the file has its size; how many they were."""
    written = count = 0
    with file.open("w") as out:
        while written < size:
            written += out.write(next(lines) + "\n")
            count += 1
    return count


def explain_within(limit: int, file: Path) -> None:
    """Explain a file under a limit of the address space, and tell the peak of the resident memory on the way."""
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    mark, explained = 10_000, 0
    started = process_time()
    for _ in explain(read_records([file])):
        explained += 1
        if explained == mark:
            _row(f"after {explained:,} explanations", f"{_peak() / MIB:,.0f} MiB", "peak of resident memory")
            mark *= 3
    rate = f"{explained / (process_time() - started):,.0f} records/s, from the file to the undo"
    _row(f"after all {explained:,}", f"{_peak() / MIB:,.0f} MiB", rate)


def _peak() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _row(what: str, figure: str, remark: str) -> None:
    print(f"  {what:<40} {figure:>20}   {remark}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
