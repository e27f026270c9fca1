"""What the Prefect UI shows of an incident beside its runs: artifacts, under keys that stay, so that each is a history of versions.

They only show. What they say stands in the ledger, so none of them may hold up or fail a response: a server that does not take
one is noted in the run's log, and the next moment shows everything anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import ParamSpec
from uuid import UUID

from prefect.artifacts import acreate_markdown_artifact, acreate_progress_artifact, aupdate_progress_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.logging import get_logger

from flows.case import Case
from incident.people.messages import markdown, summary_of
from incident.people.status import status
from incident.plan import Plan
from incident.reports.run_page import Places, Shown, run_page
from incident.words import counted
from tasks.config import Config
from tasks.work import in_thread

_NOT_IN_A_KEY = re.compile(r"[^a-z0-9-]+")
_PATIENCE_SECONDS = 15.0
"""So long a response waits for the server to take what is only shown."""

_shown: dict[str, str] = {}
"""The digest of what this process showed last under each key: what did not change is no new version."""

_Args = ParamSpec("_Args")


def only_shows(show: Callable[_Args, Awaitable[None]]) -> Callable[_Args, Awaitable[None]]:
    """Let nothing that goes wrong with showing reach the response."""

    @wraps(show)
    async def shown(*args: _Args.args, **kwargs: _Args.kwargs) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await show(*args, **kwargs)
        except Exception as error:
            # Whatever it is: the ledger has the fact, and the response is worth more than its picture.
            get_logger("countermand.artifacts").warning("Not shown in Prefect: %s: %.500s", type(error).__name__, error)

    return shown


def _key(*parts: object) -> str:
    return _NOT_IN_A_KEY.sub("-", "-".join(str(part) for part in parts).lower())


def plan_address(ui_url: str, incident: str, name: str, look: int) -> str:
    """Where the Prefect UI shows a plan that `show_plan` put there."""
    return f"{ui_url}/v2/artifacts/key/{_key(incident, name, look)}"


@only_shows
async def show_case(case: Case) -> None:
    """Bring the run's page up to date: summary, plans, regions, timeline and links, each where it changed."""
    run, page = await in_thread(_page, case)
    made = [_artifact(case.incident, one, run) for one in page]
    news = [one for one in made if _shown.get(str(one.key)) != _digest(one)]
    if not news:
        return
    async with get_client() as client:
        for one in news:
            await client.create_artifact(one)
            _shown[str(one.key)] = _digest(one)


def _page(case: Case) -> tuple[UUID | None, list[Shown]]:
    """The response's run, on which everything is shown even from within a phase, and what it shows."""
    lines = case.hands.ledger.lines(case.incident)
    now = status(case.incident, lines, case.hands.policy, case.hands.clock())
    return UUID(now.run) if now.run else None, run_page(lines, now, places(case.hands.config))


def places(config: Config) -> Places:
    """Where things are, as this configuration says."""
    return Places(config.prefect_ui_url, config.gateway.public_url, config.slack.team, config.slack.channel)


def _artifact(incident: str, shown: Shown, run: UUID | None) -> ArtifactCreate:
    kind, data = _as_data(shown)
    return ArtifactCreate(type=kind, key=_key(incident, shown.name), description=shown.description, data=data, flow_run_id=run)


def _digest(made: ArtifactCreate) -> str:
    return hashlib.sha256(made.model_dump_json().encode()).hexdigest()


def _as_data(shown: Shown) -> tuple[str, str | float]:
    match shown.content:
        case str():
            return "markdown", shown.content
        case list():
            return "table", json.dumps(shown.content)
        case _:
            return "progress", shown.content


@only_shows
async def show_plan(incident: str, name: str, look: int, plan: Plan) -> None:
    """The whole plan, step by step, with what takes each step back."""
    rows = ["| step | what it does | calls | taken back by | permissions |", "| --- | --- | --- | --- | --- |"]
    for step in plan.steps:
        calls = ", ".join(call.operation for call in step.calls)
        undo = ", ".join(call.operation for call in step.undo) or step.irreversible or "nothing"
        cells = (step.title, calls, undo, ", ".join(step.permissions))
        rows.append(f"| `{step.id}` | {' | '.join(markdown(cell) for cell in cells)} |")
    left = [
        f"- {markdown(item.status)}: {markdown(item.what)}: {markdown(item.why)}. {markdown(item.advice)}"
        for item in plan.unplanned
    ]
    body = [f"# {markdown(plan.title)}", f"{markdown(summary_of(plan))}. Digest `{plan.digest}`.", "\n".join(rows)]
    if plan.cut_off:
        body.append("## Who else is cut off\n\n" + "\n".join(f"- {markdown(line)}" for line in plan.cut_off))
    if left:
        body.append("## Left to people\n\n" + "\n".join(left))
    await acreate_markdown_artifact(key=_key(incident, name, look), markdown="\n\n".join(body), description=plan.title)


class SnapshotsShown:
    """How far a plan's snapshots are, together, as one artifact that moves on."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._artifact: UUID | None = None

    async def show(self, shown: Mapping[str, str]) -> None:
        """Show it anew; `shown` maps each snapshot to its per cent, as AWS says it."""
        await self._show(shown)

    @only_shows
    async def _show(self, shown: Mapping[str, str]) -> None:
        told = [float(done.rstrip("%")) for done in shown.values() if done.rstrip("%").isdigit()]
        if not told:
            return
        so_far = sum(told) / len(told)
        if self._artifact is not None:
            await aupdate_progress_artifact(self._artifact, progress=so_far)
            return
        plan = self._plan
        key, description = _key(plan.incident, plan.title, plan.look), f"{plan.title}: {counted(len(told), 'snapshot')}"
        self._artifact = await acreate_progress_artifact(progress=so_far, key=key, description=description)


@only_shows
async def show_report(incident: str, report: str) -> None:
    """The report in Markdown."""
    await acreate_markdown_artifact(key=_key(incident, "report"), markdown=report, description="Report of the incident")
