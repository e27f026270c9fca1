"""What all tests share. In CI a test that needs an outside program must run: there, its skip is a failure."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings

from tasks.ledger import Ledger
from tests import botocore_classes

pytest_plugins = ("tests.policies_used", "tests.postgres", "tests.public_host", "pytester")

# How long an example takes says more about the machine's other work than about the code.
settings.register_profile("countermand", deadline=None, print_blob=True)
settings.register_profile("inner-loop", settings.get_profile("countermand"), max_examples=20)
settings.load_profile(os.environ.get("COUNTERMAND_HYPOTHESIS", "countermand"))

botocore_classes.keep()

ROOT = Path(__file__).resolve().parent.parent
_MUST_RUN_IN_CI = frozenset({"browser", "postgres", "redis"})


_SERVERS = {
    *("aws", "ec2", "public_range", "running", "_running", "faults", "undisturbed", "host"),
    *("serve", "desk", "doors", "open_doors", "client", "connect", "gateway_of", "slack", "sns_checks"),
}
"""The fixtures that are a server of a test's own, or need one."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The inner loop leaves out what asks a server."""
    for item in items:
        if _SERVERS & {*getattr(item, "fixturenames", ())}:
            item.add_marker("served")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    report = yield
    needs = _MUST_RUN_IN_CI & {mark.name for mark in item.iter_markers()}
    if report.skipped and needs and not hasattr(report, "wasxfail") and os.environ.get("CI") == "true":
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"may not be skipped in CI ({', '.join(sorted(needs))}): {why}"
    return report


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of public data, which is no part of the project."""
    folder = Path(os.environ.get("COUNTERMAND_CORPUS") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"the public data is not at {folder}; set COUNTERMAND_CORPUS to where it is")
    return folder


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """An empty ledger in a file of its own."""
    return Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", lambda: datetime.now(UTC))


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """`wait_until(predicate, deadline)` polls until the predicate holds, and fails when it does not within `deadline` seconds."""

    def wait(predicate: Callable[[], object], deadline: float = 10.0, what: str = "what was waited for") -> None:
        end = time.monotonic() + deadline
        while not predicate():
            assert time.monotonic() < end, f"{what} did not happen within {deadline} s"
            time.sleep(0.01)

    return wait
