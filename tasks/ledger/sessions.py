"""Sessions of PostgreSQL that hold a lock for as long as they live, and end soon when the other side has gone without a word."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.pool import NullPool

_IDLE, _INTERVAL, _COUNT = 30, 10, 3
"""A side that says nothing for 30 s is asked, every 10 s; after three questions without an answer it counts as gone."""

GONE_SECONDS = _IDLE + _INTERVAL * _COUNT
"""After so long the database gives back what a host held that was cut off."""


def sessions(url: URL) -> Engine:
    """Sessions of their own, never pooled: a pool would run out where many wait, and would keep a lock for somebody else.

    Both sides must notice that the other has gone. What libpq is told is for the client only; the server asks after two hours if
    the session does not say otherwise, and all that time a host that was cut off would keep its locks. See
    https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-TCP-KEEPALIVES-IDLE
    """
    alive = {"keepalives_idle": str(_IDLE), "keepalives_interval": str(_INTERVAL), "keepalives_count": str(_COUNT)}
    address = url.set(drivername="postgresql+psycopg").update_query_dict(alive)
    engine = create_engine(address, poolclass=NullPool, isolation_level="AUTOCOMMIT", hide_parameters=True)
    event.listen(engine, "connect", _ask_when_silent)
    return engine


def _ask_when_silent(connection: Any, record: object) -> None:
    for name, value in (("idle", _IDLE), ("interval", _INTERVAL), ("count", _COUNT)):
        connection.execute(f"SET tcp_keepalives_{name} = {value}")
    connection.commit()
