"""What Prefect must know of Countermand: the work pool, the deployments of `prefect.yaml`, and the automation that notices a run
whose process died together with its worker. Doing it again changes nothing.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
import yaml
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound, PrefectException

from gateway.processes import POOL, ROOT, prefect_command

AUTOMATIONS = ROOT / "deployments" / "prefect-automations.yaml"


class NotDeployed(Exception):
    """Prefect did not take something; the message is one line that says what."""


async def deploy(pool: str = POOL, automations: Path = AUTOMATIONS) -> None:
    """Make the pool if it is not there, deploy all that `prefect.yaml` names, and set the automations.

    Raises:
        NotDeployed: Prefect is not reached, or refused something.
    """
    try:
        async with get_client() as client:
            await _pool(client, pool)
            await _automations(client, automations)
    except (PrefectException, httpx.HTTPError) as error:
        raise NotDeployed(f"Prefect does not take the work pool or the automations: {type(error).__name__}: {error}") from None
    command = [*prefect_command(), "--no-prompt", "deploy", "--all"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if ended.returncode:
        said = " ".join((ended.stderr or ended.stdout).split())[-400:]
        raise NotDeployed(f"`prefect deploy --all` ended with {ended.returncode}: {said}")


async def _pool(client: PrefectClient, name: str) -> None:
    """An operator's own settings of a pool that is there stay as they are."""
    try:
        await client.read_work_pool(name)
    except ObjectNotFound:
        try:
            await client.create_work_pool(WorkPoolCreate(name=name, type="process"))
        except ObjectAlreadyExists:
            # Another host was quicker.
            return


async def _automations(client: PrefectClient, file: Path) -> None:
    """One of each name, as the file has it."""
    for wanted in yaml.safe_load(file.read_text())["automations"]:
        automation = AutomationCore.model_validate(wanted)
        held = await client.read_automations_by_name(automation.name)
        if not held:
            await client.create_automation(automation)
            continue
        await client.update_automation(held[0].id, automation)
        for other in held[1:]:
            await client.delete_automation(other.id)
