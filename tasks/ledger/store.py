"""Appending to and reading the ledger. Two processes may append at once; positions stay gapless and chained."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, create_engine, event, insert, select, text, update
from sqlalchemy.engine import Row, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from incident.ledger import GENESIS, Broken, Line, chained, verify
from incident.settings import canonical
from tasks.ledger.exclusion import Exclusion, Still
from tasks.ledger.migrate import NewerLedger, migrate
from tasks.ledger.schema import LONGEST_INCIDENT, LONGEST_KEY, heads, lines

_BUSY_SECONDS = 30
_CONNECT_SECONDS = 5
_KEYS_AT_ONCE = 500
Entry = tuple[str, str, str, Mapping[str, Any]]
"""Incident, kind, key and body of a line that is to be written."""


class LedgerUnavailable(Exception):
    """The ledger cannot be read or written; the message is one line that says why. Nothing may be done that cannot be recorded."""


class Taken(Exception):
    """A line that had to be new is there already: somebody else was first."""


class Ledger:
    """The ledger on one database.

    Args:
        engine: an engine whose schema is current; `Ledger.open` makes one.
        clock: the time that is written into lines, in UTC.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine, self._clock = engine, clock
        self._reader = engine.execution_options(read_only=True)
        self._exclusion = Exclusion(engine)

    @classmethod
    def open(cls, url: str, clock: Callable[[], datetime]) -> Ledger:
        """Open the ledger at a database URL and bring its schema up to date; safe when several processes do so at once.

        Raises:
            LedgerUnavailable: the database is not reached, is newer than this program, or the URL names none.
        """
        try:
            engine = _engine(url)
            migrate(engine)
        except (SQLAlchemyError, NewerLedger, OSError, ImportError) as error:
            raise LedgerUnavailable(f"the ledger at {_without_password(url)} cannot be opened: {_reason(error)}") from None
        return cls(engine, clock)

    def append(self, incident: str, kind: str, key: str, body: Mapping[str, Any]) -> tuple[Line, bool]:
        """Write one line and return it with `True`; a key that is taken returns the line that holds it with `False`.

        The line is durable before this returns.

        Args:
            incident: the chain, at most 200 characters.
            key: at most 500 characters; unique within the incident.
            body: JSON values. A lone surrogate, which no database can keep, becomes U+FFFD.

        Raises:
            LedgerUnavailable: the line could not be written.
            ValueError: an incident or key that is empty, too long, or holds a character that no database keeps.
        """
        return self.append_all([(incident, kind, key, body)])[0]

    def append_all(self, entries: Iterable[Entry], all_new: Iterable[str] = ()) -> list[tuple[Line, bool]]:
        """Write several lines, or none of them, in one transaction; see `append`.

        Args:
            all_new: kinds of which every line must be new.

        Raises:
            Taken: a key of such a line is taken already; nothing was written.
        """
        wanted = list(entries)
        for incident, _, key, _ in wanted:
            _check_name("incident", incident, LONGEST_INCIDENT)
            _check_name("key", key, LONGEST_KEY)
        with self._transaction() as connection:
            # Every writer takes the chains in the same order, or two of them could wait for each other for ever.
            for incident in sorted({entry[0] for entry in wanted}):
                _hold_chain(connection, incident)
            written = self._append(connection, wanted)
            if any(not new and line.kind in set(map(str, all_new)) for line, new in written):
                # Leaving the transaction so takes back what it wrote.
                raise Taken
            return written

    def find(self, incident: str, key: str) -> Line | None:
        """The line of an incident with this key."""
        with self._reading() as connection:
            return next(iter(_found(connection, incident, [key])), None)

    def lines(self, incident: str, kind: str | None = None, after: int = 0, most: int | None = None) -> list[Line]:
        """An incident's lines in their order, all or of one kind, those behind position `after`, and no more than `most`."""
        query = select(lines).where(lines.c.incident == incident, lines.c.position > after).order_by(lines.c.position).limit(most)
        if kind is not None:
            query = query.where(lines.c.kind == str(kind))
        with self._reading() as connection:
            return [_line(row) for row in connection.execute(query)]

    def incidents(self) -> list[str]:
        """The names of all chains, the newest last."""
        first = select(lines.c.incident).where(lines.c.position == 1).order_by(lines.c.at, lines.c.incident)
        with self._reading() as connection:
            return [str(name) for (name,) in connection.execute(first)]

    def incidents_with(self, kind: str) -> list[str]:
        """The names of the chains that have a line of this kind."""
        query = select(lines.c.incident).where(lines.c.kind == str(kind)).distinct().order_by(lines.c.incident)
        with self._reading() as connection:
            return [str(name) for (name,) in connection.execute(query)]

    def heads(self) -> dict[str, int]:
        """How many lines each chain has."""
        with self._reading() as connection:
            return {str(name): int(position) for name, position in connection.execute(select(heads.c.incident, heads.c.position))}

    def head(self, incident: str) -> tuple[int, str]:
        """The last position and hash that the store remembers apart from the lines; (0, genesis) for no chain."""
        with self._reading() as connection:
            return _head(connection, incident)

    def verify(self, incident: str) -> Broken | None:
        """The first line of an incident that was changed, removed or moved."""
        with self._reading() as connection:
            query = select(lines).where(lines.c.incident == incident).order_by(lines.c.position)
            kept = [_line(row) for row in connection.execute(query)]
            head = _head(connection, incident)
        broken = verify(kept, head)
        if broken is not None and kept and head == (0, GENESIS):
            return Broken(1, "the head that the store keeps apart from the lines was removed")
        return broken

    @contextmanager
    def holding(self, name: str) -> Iterator[Still]:
        """Hold a name for the time of a `with`: another worker on this ledger that wants it waits, and a dead one holds nothing.
        What it yields may be called to ask whether the name is still held.

        Raises:
            LedgerUnavailable: the lock cannot be had, or was lost when it was asked for.
        """
        with ExitStack() as held:
            try:
                still = held.enter_context(self._exclusion.holding(name))
            except (SQLAlchemyError, OSError) as error:
                raise LedgerUnavailable(f"the ledger gives no lock: {_reason(error)}") from None

            def asked() -> None:
                try:
                    still()
                except SQLAlchemyError as error:
                    raise LedgerUnavailable(f"the ledger lost a lock: {_reason(error)}") from None

            yield asked

    def is_held(self, name: str) -> bool:
        """Whether a worker on this ledger holds a name just now.

        Raises:
            LedgerUnavailable: the ledger does not say.
        """
        try:
            return self._exclusion.is_held(name)
        except (SQLAlchemyError, OSError) as error:
            raise LedgerUnavailable(f"the ledger does not show a lock: {_reason(error)}") from None

    def close(self) -> None:
        self._engine.dispose()

    def _append(self, connection: Connection, wanted: list[Entry]) -> list[tuple[Line, bool]]:
        """A few statements for each chain, however many lines: a storm writes hundreds at once."""
        chains: dict[str, list[str]] = {}
        for incident, _, key, _ in wanted:
            chains.setdefault(incident, []).append(key)
        held = {(incident, line.key): line for incident, keys in chains.items() for line in _found(connection, incident, keys)}
        ends = {incident: _head(connection, incident) for incident in chains}
        written: list[tuple[Line, bool]] = []
        for incident, kind, key, body in wanted:
            line = held.get((incident, key))
            new = line is None
            if line is None:
                position, previous = ends[incident]
                line = chained(incident, position + 1, key, str(kind), self._clock().astimezone(UTC), _plain(body), previous)
                ends[incident] = (line.position, line.hash)
                held[incident, key] = line
            written.append((line, new))
        added = [line for line, new in written if new]
        if added:
            connection.execute(insert(lines), [_row(line) for line in added])
            _move_heads(connection, added)
        return written

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise LedgerUnavailable(f"the ledger cannot be written: {_reason(error)}") from None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._reader.connect() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise LedgerUnavailable(f"the ledger cannot be read: {_reason(error)}") from None


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        address = parsed.set(drivername="postgresql+psycopg")
        if "connect_timeout" not in parsed.query:
            address = address.update_query_dict({"connect_timeout": str(_CONNECT_SECONDS)})
        return create_engine(address, pool_pre_ping=True, pool_size=5, max_overflow=15, hide_parameters=True)
    if parsed.get_backend_name() != "sqlite":
        raise ArgumentError(f"{parsed.get_backend_name()} is not supported; use sqlite or postgresql")
    if parsed.database and parsed.database != ":memory:":
        file = Path(parsed.database)
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.touch(mode=0o600)
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _prepare_sqlite(connection: Any, record: object) -> None:
    """WAL lets readers go on while one writes; FULL makes a committed line survive a power cut."""
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock before reading the head, or two writers would chain behind the same line."""
    options = connection.get_execution_options()
    connection.exec_driver_sql("BEGIN" if options.get("read_only") else "BEGIN IMMEDIATE")


def _hold_chain(connection: Connection, incident: str) -> None:
    """Nobody else appends to this chain until the transaction ends. On SQLite, BEGIN IMMEDIATE has seen to it."""
    if connection.dialect.name == "postgresql":
        # A row lock would not hold back the first line of a new chain; the advisory lock does.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:chain, 0))"), {"chain": incident})


def _head(connection: Connection, incident: str) -> tuple[int, str]:
    row = connection.execute(select(heads.c.position, heads.c.hash).where(heads.c.incident == incident)).first()
    return (int(row.position), str(row.hash)) if row else (0, GENESIS)


def _move_heads(connection: Connection, added: list[Line]) -> None:
    """One step for each line: the database itself refuses a head that jumps."""
    first = [{"incident": line.incident, "position": 1, "hash": line.hash} for line in added if line.position == 1]
    after = [{"chain": line.incident, "place": line.position, "digest": line.hash} for line in added if line.position > 1]
    if first:
        connection.execute(insert(heads), first)
    if after:
        chain = heads.c.incident == bindparam("chain")
        connection.execute(update(heads).where(chain).values(position=bindparam("place"), hash=bindparam("digest")), after)


def _found(connection: Connection, incident: str, keys: list[str]) -> Iterator[Line]:
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        query = select(lines).where(lines.c.incident == incident, lines.c.key.in_(keys[start : start + _KEYS_AT_ONCE]))
        yield from (_line(row) for row in connection.execute(query))


def _line(row: Row[Any]) -> Line:
    """A stored row as a line. What cannot be read as one is shown as it stands, so that verifying names it."""
    try:
        body = json.loads(row.body)
    except (ValueError, RecursionError):
        body = {"unreadable": str(row.body)}
    try:
        at = datetime.fromisoformat(row.at)
    except ValueError:
        at = datetime.min.replace(tzinfo=UTC)
    return Line(row.incident, row.position, row.key, row.kind, at, body, row.previous, row.hash)


def _row(line: Line) -> dict[str, Any]:
    return {
        "incident": line.incident,
        "position": line.position,
        "key": line.key,
        "kind": line.kind,
        "at": line.at.isoformat(),
        "body": canonical(line.body),
        "previous": line.previous,
        "hash": line.hash,
    }


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body exactly as a later read will give it back, so that its hash can be computed again."""
    text_ = canonical(body)
    return json.loads(text_.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _check_name(what: str, name: str, longest: int) -> None:
    if not 0 < len(name) <= longest:
        raise ValueError(f"a ledger line's {what} has 1 to {longest} characters, this has {len(name)}")
    if "\0" in name or any("\ud800" <= character <= "\udfff" for character in name):
        raise ValueError(f"a ledger line's {what} holds a character that no database keeps")


def _reason(error: Exception) -> str:
    """The driver's own first line; the lines behind it may quote the row."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]


def _without_password(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "the given address"
