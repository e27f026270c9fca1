"""The least that Prefect can run: a flow with one task, and nothing in either."""

from __future__ import annotations

from prefect import flow, task


@task
async def nothing() -> None:
    """Does nothing."""


@flow(name="empty", persist_result=False)
async def empty() -> None:
    await nothing()
