"""One worker at a time: a lock that lives as long as whoever holds it, on the ledger's own database.

A lease would have to guess how long a step may take; these locks end by themselves with the process or the connection that holds
them, so a killed worker keeps nobody waiting.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

_TAKE = text("SELECT pg_advisory_lock(hashtextextended(:name, 1))")
_ALIVE_SECONDS = {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}


class Exclusion:
    """Locks by name: between threads, between processes, and on PostgreSQL between machines.

    On PostgreSQL it is an advisory lock of a session of its own, for which the server tells a dead client
    (https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS); on SQLite, which one machine uses, a file lock.
    """

    def __init__(self, engine: Engine) -> None:
        self._folder: Path | None = None
        self._sessions: Engine | None = None
        self._threads: dict[str, threading.Lock] = {}
        if engine.dialect.name == "postgresql":
            # A pool would run out where many steps wait at once, and would keep a session, with its lock, for somebody else.
            address = engine.url.update_query_dict(_ALIVE_SECONDS)
            self._sessions = create_engine(address, poolclass=NullPool, isolation_level="AUTOCOMMIT", hide_parameters=True)
        elif engine.url.database and engine.url.database != ":memory:":
            self._folder = Path(f"{engine.url.database}.locks")

    @contextmanager
    def holding(self, name: str) -> Iterator[None]:
        """Hold a name; whoever else wants it waits.

        Raises:
            SQLAlchemyError: the database does not give the lock.
            OSError: the lock's file cannot be opened.
        """
        if self._sessions is not None:
            with self._session(self._sessions, name):
                yield
        elif self._folder is not None:
            with _file(self._folder, name):
                yield
        else:
            with self._threads.setdefault(name, threading.Lock()):
                yield

    @contextmanager
    def _session(self, sessions: Engine, name: str) -> Iterator[Connection]:
        connection = sessions.connect()
        try:
            connection.execute(_TAKE, {"name": name})
            yield connection
        finally:
            # Closing the session is what gives the lock back; a session that is broken has given it back already.
            try:
                connection.close()
            except SQLAlchemyError:
                connection.invalidate()


@contextmanager
def _file(folder: Path, name: str) -> Iterator[None]:
    """An empty file for each name. It stays: to remove it would let two hold one name."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(folder / hashlib.sha256(name.encode()).hexdigest()[:24], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
