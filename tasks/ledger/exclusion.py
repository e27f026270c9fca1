"""One worker at a time: a lock that lives as long as whoever holds it, on the ledger's own database.

A lease would have to guess how long a step may take; these locks end by themselves with the process or the connection that holds
them, so a killed worker keeps nobody waiting.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from tasks.ledger.sessions import sessions

_TAKE = text("SELECT pg_advisory_lock(hashtextextended(:name, 1))")
_TRY = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 1))")

Still = Callable[[], None]
"""Asks whether the lock is still held, and raises if it is not."""


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
            self._sessions = sessions(engine.url)
        elif engine.url.database and engine.url.database != ":memory:":
            self._folder = Path(f"{engine.url.database}.locks")

    @contextmanager
    def holding(self, name: str) -> Iterator[Still]:
        """Hold a name; whoever else wants it waits.

        Raises:
            SQLAlchemyError: the database does not give the lock, or has lost it.
            OSError: the lock's file cannot be opened.
        """
        if self._sessions is not None:
            with self._session(self._sessions, name) as session:
                yield lambda: session.exec_driver_sql("SELECT 1").close()
        elif self._folder is not None:
            with _file(self._folder, name):
                yield lambda: None
        else:
            with self._threads.setdefault(name, threading.Lock()):
                yield lambda: None

    def is_held(self, name: str) -> bool:
        """Whether anybody holds a name just now.

        Raises:
            SQLAlchemyError: the database does not say.
            OSError: the lock's file cannot be opened.
        """
        if self._sessions is not None:
            with self._sessions.connect() as session:
                return not session.execute(_TRY, {"name": name}).scalar()
        if self._folder is not None:
            return _file_is_held(self._folder, name)
        return name in self._threads and self._threads[name].locked()

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
    handle = os.open(_place(folder, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _file_is_held(folder: Path, name: str) -> bool:
    try:
        handle = os.open(_place(folder, name), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _place(folder: Path, name: str) -> Path:
    return folder / hashlib.sha256(name.encode()).hexdigest()[:24]
