"""A gateway in a process of its own that kills itself at one boundary, and the account that its runs leave behind.

Run as `dying_gateway.py FOLDER BOUNDARY [apart]`, with the folders of the tests' helpers on PYTHONPATH; an
empty boundary lives, and `apart` lets it sort in a process of its own. It prints its port when its doors are open.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from findings import as_api, finding
from sorting import KnowingAws

from gateway import intake
from gateway.app import Settings, create_app
from gateway.dispatch.pace import Pace
from gateway.dispatch.sorter import Sorter
from gateway.dispatch.sorting_process import Sorts, sorting_apart
from incident.policy import Policy
from tasks.ledger import Ledger
from tasks.read_back import Reader

BOUNDARIES = (
    "the bytes are here",
    "written, before its commit",
    "written, before the answer",
    "a verdict, before its commit",
    "a verdict, before its run",
    "the run, before its line",
    "the run's line",
)

_BEFORE = {"delivery": "written, before its commit", "sorted": "a verdict, before its commit"}
_AFTER = {"delivery": "written, before the answer", "sorted": "a verdict, before its run", "run": "the run's line"}


class Nothing:
    """No exceptions."""

    def covering(self, finding: object) -> None:
        return None


class Dying:
    """Ends the process, as `kill -9` does, when its boundary is reached."""

    def __init__(self, boundary: str) -> None:
        assert not boundary or boundary in BOUNDARIES
        self._boundary = boundary

    def at(self, boundary: str) -> None:
        if boundary == self._boundary:
            os.kill(os.getpid(), signal.SIGKILL)


class DyingLedger(Ledger):
    """Dies in front of a commit, when the lines are in the transaction, or behind it."""

    dying: Dying

    def append_all(self, entries, all_new=()):
        entries = list(entries)
        written = super().append_all(entries, all_new)
        self.dying.at(_AFTER.get(_first_kind(entries), "nowhere"))
        return written

    def _append(self, connection, wanted):
        written = super()._append(connection, wanted)
        self.dying.at(_BEFORE.get(_first_kind(wanted), "nowhere"))
        return written


def _first_kind(entries) -> str:
    return str(entries[0][1])


def main(folder: Path, boundary: str, sorts_apart: bool = False) -> None:
    """Serve until killed. Where sorting has a process of its own, it is that process which dies."""

    def opened(dies_at: str) -> DyingLedger:
        ledger = DyingLedger.open(f"sqlite:///{folder / 'ledger.db'}", lambda: datetime.now(UTC))
        ledger.dying = Dying(dies_at)
        return ledger

    if not sorts_apart:
        ledger = opened(boundary)
        serve(folder, ledger, sorter_on(ledger))
        return
    with sorting_apart(lambda: sorter_on(opened(boundary))) as apart:
        ledger = opened("")
        assert apart is not None
        serve(folder, ledger, apart.instead_of(sorter_on(ledger)))


def sorter_on(ledger: Ledger) -> Sorter:
    aws = KnowingAws()
    # A long run of the fuzzer watches this process's memory.
    aws.asked = deque(maxlen=1)
    aws.findings[finding()["id"]] = as_api(finding())
    return Sorter(ledger, Reader(aws), Policy(), Nothing(), lambda: datetime.now(UTC), lag=timedelta())  # pyright: ignore


def serve(folder: Path, ledger: DyingLedger, sorter: Sorts) -> None:
    taken = intake.arrivals

    def arrived(content: object):
        ledger.dying.at("the bytes are here")
        return taken(content)

    intake.arrivals = arrived

    async def start(incident: str, finding: object, line: object) -> None:
        # As Prefect does with an idempotency key: the second asking finds the first one's run.
        (folder / "runs" / incident).touch()
        with (folder / "asked").open("a") as asked:
            asked.write(f"{incident}\n")
        ledger.dying.at("the run, before its line")
        await asyncio.to_thread(ledger.append, incident, "run", "run", {"flow_run": incident})

    settings = Settings(webhook_keys=("current-key",), reports=folder, poll_seconds=0.05)
    app = create_app(settings, ledger, start, sorter=sorter, pace=Pace(ledger, lambda: datetime.now(UTC)))

    class Server(uvicorn.Server):
        async def startup(self, sockets=None) -> None:
            await super().startup(sockets)
            print(self.servers[0].sockets[0].getsockname()[1], flush=True)

    Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning")).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], "apart" in sys.argv[3:])
