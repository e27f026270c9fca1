"""One exercise played to its end on the real stack: what the verdict says, and what was told on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console

from gateway.practice.exercise import Exercise


def played(scenario: Path, folder: Path, kind: type[Exercise] = Exercise, **more: Any) -> tuple[dict[str, Any], str]:
    """Play a scenario with scripted responders; it must end as the scenario expects."""
    log, verdict_file = folder / "log", folder / "verdict.json"
    with log.open("w") as told:
        console = Console(file=told, width=200)
        ended = kind(scenario, interactive=False, json_out=verdict_file, dump=None, console=console, **more).run()
    assert ended == 0, log.read_text()
    return json.loads(verdict_file.read_text()), log.read_text()
