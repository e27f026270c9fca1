"""Brings a ledger's schema up to date with Alembic, from inside the program."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Engine, inspect, text

from tasks.ledger.schema import REVISION

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x0C0FFEE


class NewerLedger(Exception):
    """The database is newer than this program; nothing was changed. The message is one line."""


def migrate(engine: Engine) -> None:
    """Apply the migrations that the database lacks; several processes may do so at once.

    Raises:
        NewerLedger: the database is newer than this program; nothing was changed.
    """
    if not _is_current(engine):
        _upgrade(engine)


def _is_current(engine: Engine) -> bool:
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [REVISION]


def _upgrade(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    newest, known = scripts.get_current_head(), {script.revision for script in scripts.walk_revisions()}
    with engine.begin() as connection:
        # SQLite's BEGIN IMMEDIATE already keeps the others out.
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = MigrationContext.configure(connection).get_current_revision()
        if found is not None and found not in known:
            raise NewerLedger(
                f"its schema is {found[:40]}, and this version knows none after {newest}; install a newer Countermand"
            )
        if found != newest:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
