"""What the Prefect UI shows of an incident beside its runs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import UUID

from prefect.artifacts import acreate_markdown_artifact, acreate_progress_artifact, aupdate_progress_artifact

from incident.messages import markdown, summary_of
from incident.plan import Plan
from incident.words import counted

_NOT_IN_A_KEY = re.compile(r"[^a-z0-9-]+")


def _key(*parts: object) -> str:
    return _NOT_IN_A_KEY.sub("-", "-".join(str(part) for part in parts).lower())


def plan_address(ui_url: str, incident: str, name: str, look: int) -> str:
    """Where the Prefect UI shows a plan that `show_plan` put there."""
    return f"{ui_url}/v2/artifacts/key/{_key(incident, name, look)}"


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


async def show_progress(plan: Plan, shown: Mapping[str, str], artifact: UUID | None) -> UUID | None:
    """How far a plan's snapshots are, together; `shown` maps each to its per cent, as AWS says it.

    Returns:
        The artifact, to be given the next time.
    """
    told = [float(done.rstrip("%")) for done in shown.values() if done.rstrip("%").isdigit()]
    if not told:
        return artifact
    so_far = sum(told) / len(told)
    if artifact is None:
        description = f"{plan.title}: {counted(len(told), 'snapshot')}"
        key = _key(plan.incident, plan.title, plan.look)
        return await acreate_progress_artifact(progress=so_far, key=key, description=description)
    await aupdate_progress_artifact(artifact, progress=so_far)
    return artifact


async def show_report(incident: str, report: str) -> None:
    """The report in Markdown."""
    await acreate_markdown_artifact(key=_key(incident, "report"), markdown=report, description="Report of the incident")
