"""Drives escalation for as long as the doors are open. `flows/escalate.py`, on a schedule, is the second net."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor

from tasks.escalating import Escalating
from tasks.ledger import LedgerUnavailable

_WORKERS = 8
_log = logging.getLogger("countermand.gateway")


class Escalator:
    """Looks every few seconds whether somebody is due to be told. A mail server that hangs holds up no other message."""

    def __init__(self, escalating: Escalating, every_seconds: float = 2.0) -> None:
        self._escalating, self._every = escalating, every_seconds
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="escalation")

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(self._every)
        finally:
            # What was claimed and not begun comes back when its lease is over.
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def look(self) -> None:
        """Tell whoever is due."""
        try:
            await asyncio.to_thread(self._escalating.look, self._pool.submit)
        except LedgerUnavailable as error:
            _log.warning("%s", error)
