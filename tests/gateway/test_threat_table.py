"""The threat table of `docs/doors.md` says the truth: what it must answer is in it, and each row's tests exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MUST_BE_ANSWERED = (
    "forged finding",
    "altered finding",
    "replay",
    "out of order",
    "5,000 distinct",
    "huge, deep and gzip-bombed",
    "wrong and non-ASCII keys",
    "SubscribeURL",
    "certificate",
    "foreign topic",
    "version 1 signature",
    "mrkdwn, HTML, Markdown, log and template injection",
    "our own ARN",
    "poison message",
    "clock skew",
    "gateway killed",
    "PostgreSQL killed",
    "Prefect's server killed",
)


def rows() -> dict[str, str]:
    """Each threat, and what shows its answer."""
    table = (ROOT / "docs" / "doors.md").read_text().partition("## Threats")[2]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("| ")]
    return {threat: shown for threat, _, shown in cells[1:]}


@cache
def named_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("threat", rows())
def test_each_row_names_tests_that_exist(threat):
    file, *named = re.findall(r"`([^`]+)`", rows()[threat])
    assert (ROOT / file).is_file()
    assert named
    assert set(named) <= named_in(file)


@pytest.mark.parametrize("threat", MUST_BE_ANSWERED)
def test_it_leaves_out_none(threat):
    assert any(threat in row for row in rows())


@pytest.mark.parametrize("guide", ["security.md", "architecture.md", "operations.md"])
def test_guides_name_files_that_exist(guide):
    named = re.findall(
        r"`((?:tests|gateway|tasks|incident|flows|deployments|bench|docs)/[^` ]*)`", (ROOT / "docs" / guide).read_text()
    )
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
