"""The two tables: the lines, and the head of each chain kept apart from them.

The time is kept as text, since the hash covers it to the microsecond and databases differ in how they keep moments.
"""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, String, Table, Text, UniqueConstraint

LONGEST_INCIDENT = 200
LONGEST_KEY = 500

REVISION = "0002"
"""The newest migration: a ledger that has it is opened without Alembic, which takes a third of a second to load."""

metadata = MetaData()

lines = Table(
    "lines",
    metadata,
    Column("incident", String(LONGEST_INCIDENT), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("key", String(LONGEST_KEY), nullable=False),
    Column("kind", String(60), nullable=False, index=True),
    Column("at", String(40), nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("incident", "key", name="one_line_for_a_key"),
)

heads = Table(
    "heads",
    metadata,
    Column("incident", String(LONGEST_INCIDENT), primary_key=True),
    Column("position", Integer, nullable=False),
    Column("hash", String(64), nullable=False),
)
