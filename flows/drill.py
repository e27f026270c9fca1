"""Training: a scenario replayed in the practice range, as a deployment that can be scheduled."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger

from incident.people.messages import markdown
from incident.score_card import ScoreCard, card_text, compared
from tasks.config import load_config
from tasks.drills import DrillRecords


class DrillFailed(Exception):
    """The drill did not end as its scenario expects; the message says what differs."""


@flow(name="drill", persist_result=False)
async def drill(scenario: str = "drill/scenarios/network-takeover.yaml") -> str:
    """Replay one scenario in a range, a Prefect server and a Slack of its own, and show the verdict.

    Raises:
        DrillFailed: the network was not restored as the scenario expects.
    """
    with tempfile.TemporaryDirectory() as folder:
        verdict_file = Path(folder) / "verdict.json"
        command = [sys.executable, "-m", "gateway.cli", "drill", scenario, "--unattended", "--json", str(verdict_file)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        output, _ = await process.communicate()
        get_run_logger().info(output.decode(errors="replace"))
        if not verdict_file.exists():
            raise DrillFailed(f"the drill ended with {process.returncode} and no verdict; its log says why")
        verdict = json.loads(verdict_file.read_text())
    await acreate_markdown_artifact(key="drill", markdown=_in_words(scenario, verdict), description="The drill's verdict")
    if process.returncode:
        raise DrillFailed(f"{len(verdict['differences'])} settings differ from what the scenario expects")
    return f"restored: {verdict['restored']}, {verdict['seconds']['total']} s"


def _in_words(scenario: str, verdict: dict[str, object]) -> str:
    if "card" in verdict:
        card = ScoreCard.model_validate(verdict["card"])
        return card_text(card, compared(card, DrillRecords(load_config().folder).all()))
    rows = [
        f"- {markdown(name)}: {markdown(json.dumps(verdict.get(name)))}"
        for name in ("restored", "actor", "regions", "calls", "seconds")
    ]
    return "\n".join([f"# Drill {markdown(scenario)}", *rows])
