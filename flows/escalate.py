"""The second net of escalation: what the gateway would do, on a schedule, for when it is down."""

from __future__ import annotations

from prefect import flow

from tasks.escalating import escalating
from tasks.hands import hands
from tasks.work import in_thread


@flow(name="escalate", persist_result=False)
async def escalate() -> str:
    """Tell whoever is due to be told of an incident, and carry what the second channels have not taken yet."""
    driver = escalating(hands())
    if driver is None:
        return "no escalation policy is configured"
    next_at = await in_thread(driver.look)
    return f"next look due at {next_at:%Y-%m-%d %H:%M:%S} UTC" if next_at else "nothing is due"
