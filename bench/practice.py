"""A range in a process of its own, and this process as the responder in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import flows.inquiry
from drill.aws.config import DEFAULT_REGIONS, responder_keys
from drill.client import RangeClient
from tasks.hands import hands
from tasks.work import look_up


@contextmanager
def practice(accounts: tuple[str, ...], regions: tuple[str, ...] = DEFAULT_REGIONS) -> Iterator[RangeClient]:
    """A running range, whose work does not count as ours."""
    command = [sys.executable, "-m", "drill.serve", "--port", "0", "--accounts", ",".join(accounts), "--regions", ",".join(regions)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as served:  # noqa: S603
        assert served.stdout is not None
        try:
            said = served.stdout.readline().split()
            if said[:2] != ["range", "at"]:
                raise RuntimeError("the range did not start; run the command above by hand to see why: " + " ".join(command))
            yield RangeClient(said[2])
        finally:
            served.terminate()


@contextmanager
def responding(aws: RangeClient, accounts: tuple[str, ...]) -> Iterator[None]:
    """Let `hands()` work on the range, with an empty ledger and unused clients."""
    keys = responder_keys(accounts[0])
    with TemporaryDirectory() as folder:
        os.environ |= {
            "COUNTERMAND_HOME": str(Path(folder)),
            "COUNTERMAND_AWS": json.dumps({"accounts": accounts, "endpoint_url": aws.url, "delivery_lag_seconds": 0}),
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret,
            "AWS_SESSION_TOKEN": keys.token,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        hands.cache_clear()
        yield
        hands.cache_clear()


def without_prefect() -> None:
    """Let an inquiry look up as its task does, without a run of that task on a Prefect server."""
    plain: Callable[..., Coroutine[Any, Any, Any]] = look_up.fn
    flows.inquiry.look_up = plain  # type: ignore[assignment]


def memory(mark: str = "VmRSS") -> int:
    """The resident memory of this process in bytes: now, or with `VmHWM` the most since `forget_peak`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{mark}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"this kernel does not tell {mark}")


def forget_peak() -> None:
    """Let the peak begin from now: the imports have one of their own."""
    Path("/proc/self/clear_refs").write_text("5")
