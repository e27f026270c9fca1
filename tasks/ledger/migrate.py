"""Brings a ledger's schema up to date with Alembic, from inside the program."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, text

_FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x0C0FFEE


def migrate(engine: Engine) -> None:
    """Apply the migrations that the database lacks; several processes may do so at once.

    Raises:
        CommandError: the database is newer than this program; nothing was changed.
    """
    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    newest, known = scripts.get_current_head(), {script.revision for script in scripts.walk_revisions()}
    with engine.begin() as connection:
        # SQLite's BEGIN IMMEDIATE already keeps the others out.
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = _revision(connection)
        if found is not None and found not in known:
            raise CommandError(
                f"its schema is {found[:40]}, and this version knows none after {newest}; install a newer Countermand"
            )
        if found != newest:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
