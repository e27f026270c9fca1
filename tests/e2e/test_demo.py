"""The demo as a newcomer runs it: the command line, its verdict, its dumps and its exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from gateway.practice.exercise import DEMO
from tasks.drills import last_drill


@pytest.fixture(scope="module")
def drilled(tmp_path_factory):
    """One unattended drill of the demo's scenario."""
    folder = tmp_path_factory.mktemp("drill")
    command = [sys.executable, "-m", "gateway.cli", "drill", str(DEMO), "--unattended"]
    command += ["--json", str(folder / "verdict.json"), "--dump", str(folder / "dumps")]
    ours = {**os.environ, "COUNTERMAND_HOME": str(folder / "home")}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=ours)
    return ended, folder


@pytest.mark.slow
def test_the_demo_restores_the_network_and_says_so(drilled):
    ended, folder = drilled
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "The network equals its state before the attack" in ended.stdout.splitlines()[-1]
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["restored"]
    assert verdict["differences"] == []
    assert verdict["leftovers"] == []
    assert verdict["claimed"]["complete"]
    assert {step["outcome"] for step in verdict["steps"]} == {"done"}
    assert len(verdict["actor"]["credentials"]) == 2
    assert any("9100" in line for line in verdict["kept"])
    statuses = [row["status"] for row in verdict["regions"]]
    assert statuses.count("covered") == 17
    assert set(statuses) == {"covered", "not enabled"}


@pytest.mark.slow
def test_the_drill_is_scored_and_the_card_is_kept(drilled):
    ended, folder = drilled
    card = last_drill(folder / "home")
    assert card is not None
    assert card.model_dump(mode="json") == json.loads((folder / "verdict.json").read_text())["card"]
    assert (card.scenario, card.passed, card.missed, card.attended) == ("network-takeover", True, (), False)
    assert card.score >= 90, card.points
    assert [answer.given for answer in card.answers] == ["approve", "approve"]
    assert None not in card.seconds.model_dump().values()
    assert "The rule of the score" in ended.stdout


@pytest.mark.slow
def test_both_surfaces_were_used_by_two_people(drilled):
    ended, _ = drilled
    assert "alice answered approve in slack" in ended.stdout
    assert "bob answered approve in prefect" in ended.stdout
    assert ended.stdout.count("Waiting for people") == 2, "nobody is asked again about what is as it was"


@pytest.mark.slow
def test_the_dumps_show_the_attack_come_and_go(drilled):
    _, folder = drilled
    states = {name: json.loads((folder / "dumps" / f"{name}.json").read_text()) for name in ("before", "attacked", "after")}
    groups = {name: _open_to_the_world(state["111122223333"]["us-east-1"]) for name, state in states.items()}
    assert 22 in groups["attacked"]
    assert 22 not in groups["before"] | groups["after"]


def _open_to_the_world(region) -> set[int]:
    permissions = [permission for group in region["security_groups"] for permission in group["IpPermissions"]]
    return {
        item.get("FromPort") for item in permissions if any(entry["CidrIp"] == "0.0.0.0/0" for entry in item.get("IpRanges", []))
    }
