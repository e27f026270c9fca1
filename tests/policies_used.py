"""`--compare-policies`: a whole run ends by comparing the policies with the calls its tests made: none missing, none unused.

Each range writes the actions that the responder took into a folder (`drill.aws.access`), from whatever process and worker; the
first process compares when all have ended. The tests of the range itself are left out: they use the responder's key for anything.
A call that no policy allows is refused in any test whose range has the generated policies, and needs no comparison.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from drill.aws.access import ACTIONS_FOLDER
from incident.permissions import needed

_FOLDER = Path(__file__).resolve().parent.parent / "test-artifacts" / "actions"

NOT_SEEN: dict[str, tuple[str, ...]] = {
    "AWS asks it of whoever makes or changes an Auto Scaling group with a launch template": ("ec2:RunInstances",),
    "AWS asks for it along with another call, and the range asks for the call's own action alone": (
        "iam:PassRole",
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:UpdateLogDelivery",
        "s3:DeleteObjectVersion",
        "sts:SetSourceIdentity",
    ),
}
"""Actions that the policies allow and no test's call shows, by the reason."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--compare-policies", action="store_true", help="compare the policies with the calls of this run")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--compare-policies") and not hasattr(config, "workerinput"):
        shutil.rmtree(_FOLDER, ignore_errors=True)
        _FOLDER.mkdir(parents=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if not item.config.getoption("--compare-policies") or "drill" in item.path.parent.parts[-1:]:
        return (yield)
    os.environ[ACTIONS_FOLDER] = str(_FOLDER)
    try:
        return (yield)
    finally:
        del os.environ[ACTIONS_FOLDER]


def differences(seen: frozenset[str]) -> list[str]:
    """What the policies allow and nothing used, and what is on the list of reasons and was used after all."""
    allowed = frozenset[str]().union(*needed().values())
    excused = {action for some in NOT_SEEN.values() for action in some}
    unused = [f"{action} is allowed, and no call of the tests needs it" for action in sorted(allowed - seen - excused)]
    stale = [f"{action} is in NOT_SEEN, and a call needs it: take it off" for action in sorted(excused & seen)]
    gone = [f"{action} is in NOT_SEEN, and no policy allows it: take it off" for action in sorted(excused - allowed)]
    return [*unused, *stale, *gone]


def seen_in(folder: Path) -> frozenset[str]:
    return frozenset(line for file in folder.glob("*.txt") for line in file.read_text().splitlines())


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if not config.getoption("--compare-policies") or hasattr(config, "workerinput"):
        return
    found = differences(seen_in(_FOLDER))
    config.stash[_FOUND] = found
    if found and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


_FOUND = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    found = config.stash.get(_FOUND, None)
    if found is None:
        return
    terminalreporter.section("policies against calls")
    terminalreporter.write_line("\n".join(found) or "none unused: every action that the policies allow was needed by a call")
