"""Prowler, an outside program, where it is installed: its internet-exposed checks run beside our own judgement.

https://docs.prowler.com/projects/prowler-open-source/en/latest/
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from incident.exposures.ocsf import Findings, read_findings

INSTALL = "Prowler is not installed; `pipx install prowler` brings it, then run this again"
_SAFE_NAME = "countermand"
_ENDED_WELL = (0, 3)
"""Prowler ends with 3 where a check failed, which is an answer and no fault."""


class ProwlerError(Exception):
    """Prowler gave no answer; the message says why."""


def run_prowler(regions: Sequence[str], timeout_seconds: float = 3600) -> Findings | None:
    """Run its internet-exposed checks with the credentials of this process; `None` where it is not installed.

    Raises:
        ProwlerError: it failed, took longer than the time, or wrote nothing that can be read.
    """
    program = shutil.which("prowler")
    if program is None:
        return None
    with TemporaryDirectory() as folder:
        command = [program, "aws", "--categories", "internet-exposed", "-M", "json-ocsf", "-F", _SAFE_NAME, "-o", folder]
        command += ["--region", *regions] if regions else []
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout_seconds, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise ProwlerError(f"prowler took more than {timeout_seconds:g} seconds and was stopped") from None
        except OSError as error:
            raise ProwlerError(f"prowler did not start: {error}") from None
        written = sorted(Path(folder).rglob("*.ocsf.json"))
        if not written:
            said = (ended.stderr or ended.stdout).strip().splitlines()[-1:] or ["it said nothing"]
            raise ProwlerError(f"prowler ended with {ended.returncode} and wrote no findings: {said[0][:300]}")
        if ended.returncode not in _ENDED_WELL:
            raise ProwlerError(f"prowler ended with {ended.returncode}; what it wrote may be cut short and is not used")
        return _read(written[0])


def _read(file: Path) -> Findings:
    try:
        return read_findings(json.loads(file.read_text()))
    except (ValueError, RecursionError) as error:
        raise ProwlerError(f"what prowler wrote cannot be read: {error}") from None
