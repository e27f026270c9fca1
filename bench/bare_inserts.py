"""The lines of a ledger put into an empty table of the same shape, by the driver alone: what the engine itself can do."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import create_engine, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from tasks.ledger.schema import lines

Row = tuple[Any, ...]
_COLUMNS = [column.name for column in lines.columns]
_NAMES = sql.SQL(", ").join(map(sql.Identifier, _COLUMNS))
_VALUES = sql.SQL(", ").join([sql.Placeholder()] * len(_COLUMNS))
_INSERT = sql.SQL("INSERT INTO lines ({}) VALUES ({})").format(_NAMES, _VALUES)


def deliveries(url: str, most: int) -> list[Row]:
    """The first deliveries of a ledger, as they stand in its table."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    query = select(lines).where(lines.c.kind == "delivery").order_by(lines.c.position).limit(most)
    with engine.connect() as connection:
        rows = [tuple(row) for row in connection.execute(query)]
    engine.dispose()
    return rows


def on_sqlite(file: Path, rows: Sequence[Row], at_once: int = 1) -> float:
    """Rows a second, so many with one commit; a commit is on the disk before the next, as the ledger has it."""
    with sqlite3.connect(file, isolation_level=None) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        for statement in _schema(sqlite.dialect()):
            connection.execute(statement)
        insert, began = _INSERT.as_string(None).replace("%s", "?"), perf_counter()
        for start in range(0, len(rows), at_once):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(insert, rows[start : start + at_once])
            connection.execute("COMMIT")
        spent = perf_counter() - began
    connection.close()
    return len(rows) / spent


def on_postgresql(url: str, rows: Sequence[Row], at_once: int = 1, connections: int = 1) -> float:
    """The same, over several connections side by side, whose commits PostgreSQL may write together."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in _schema(postgresql.dialect()):
            connection.execute(sql.SQL(statement))  # pyright: ignore

    def insert(own: Sequence[Row]) -> None:
        with psycopg.connect(url) as connection, connection.cursor() as cursor:
            for start in range(0, len(own), at_once):
                if at_once == 1:
                    cursor.execute(_INSERT, own[start])
                else:
                    cursor.executemany(_INSERT, own[start : start + at_once])
                connection.commit()

    began = perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(insert, [rows[number::connections] for number in range(connections)]))
    return len(rows) / (perf_counter() - began)


def _schema(dialect: Any) -> list[str]:
    made = [CreateTable(lines), *(CreateIndex(index) for index in lines.indexes)]
    return [str(statement.compile(dialect=dialect)) for statement in made]
