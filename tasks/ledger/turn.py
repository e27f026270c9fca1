"""One process at a time for work that two must not do at once, such as posting to Slack.

The operating system (SQLite: a lock on a file beside the ledger) or the database (PostgreSQL: an advisory lock of a session) gives
the turn back when the process that has it dies, so nobody waits for a dead one and no lease must be renewed in the ledger.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from tasks.ledger.sessions import sessions


class Turn:
    """The turn for one piece of work. Not for several threads at once.

    Args:
        url: the ledger's database URL.
        name: what the turn is for.
    """

    def __init__(self, url: str, name: str) -> None:
        self._name = name
        parsed = make_url(url)
        self._file = Path(f"{parsed.database}.{name}.lock") if parsed.get_backend_name() == "sqlite" else None
        self._descriptor = -1
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        if self._file is None:
            self._engine = sessions(parsed)

    def take(self) -> bool:
        """Whether this process has the turn now; whoever has it keeps it until it ends or gives it back."""
        return self._take_file(self._file) if self._file is not None else self._take_session()

    def give_back(self) -> None:
        """Let another process have it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _take_file(self, file: Path) -> bool:
        if self._descriptor >= 0:
            return True
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def _take_session(self) -> bool:
        try:
            if self._connection is not None:
                self._connection.exec_driver_sql("SELECT 1")
                return True
            return self._new_session()
        except SQLAlchemyError:
            # The session is gone, and the turn with it.
            self._connection = None
            return False

    def _new_session(self) -> bool:
        assert self._engine is not None
        connection = self._engine.connect()
        asked = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 1))")
        if not connection.execute(asked, {"name": self._name}).scalar():
            connection.close()
            return False
        self._connection = connection
        return True
