"""A coroutine that runs beside a test, as the gateway runs those beside its doors."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any


class in_a_thread:
    """Runs a coroutine in a loop of its own and cancels it at the end, as the gateway does."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._until_cancelled(),))
        self._task: asyncio.Task[None] | None = None

    async def _until_cancelled(self) -> None:
        self._task = asyncio.current_task()
        try:
            await self._work()
        except asyncio.CancelledError:
            return

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        assert self._task is not None
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(15)
        assert not self._thread.is_alive(), "Socket Mode did not end when it was cancelled"
        self._loop.close()
