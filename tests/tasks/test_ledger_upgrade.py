"""A ledger of the first release is brought up to date when it is opened, and one of a later release is refused."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from incident.ledger import GENESIS
from incident.settings import canonical
from tasks.ledger import Ledger, LedgerUnavailable
from tasks.ledger import migrate as migrations
from tasks.ledger.schema import REVISION

BEGUN = datetime(2026, 11, 24, 9, 18, 40, 123456, tzinfo=UTC)
CHAINS = {"intake": 3, "inc-0123456789ab": 40}

# As the first release made it, written down so that no later change of the migrations changes it too.
FIRST_TABLES = """
CREATE TABLE lines (
    incident VARCHAR(200) NOT NULL, position INTEGER NOT NULL, key VARCHAR(500) NOT NULL, kind VARCHAR(60) NOT NULL,
    at VARCHAR(40) NOT NULL, body TEXT NOT NULL, previous VARCHAR(64) NOT NULL, hash VARCHAR(64) NOT NULL,
    PRIMARY KEY (incident, position), CONSTRAINT one_line_for_a_key UNIQUE (incident, key)
);
CREATE INDEX ix_lines_kind ON lines (kind);
CREATE TABLE heads (incident VARCHAR(200) NOT NULL, position INTEGER NOT NULL, hash VARCHAR(64) NOT NULL, PRIMARY KEY (incident));
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));
INSERT INTO alembic_version (version_num) VALUES ('0001');
"""
FIRST_GUARDS_SQLITE = """
CREATE TRIGGER refuse_update BEFORE UPDATE ON lines BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER refuse_delete BEFORE DELETE ON lines BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
"""
FIRST_GUARDS_POSTGRESQL = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON lines FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
WAYS_ROUND = {
    "sqlite": ("INSERT OR REPLACE INTO lines SELECT * FROM lines", "UPDATE heads SET position = 1", "DELETE FROM heads"),
    "postgresql": ("TRUNCATE lines", "UPDATE heads SET position = 1", "DELETE FROM heads", "TRUNCATE heads"),
}


def first_lines() -> list[tuple[str, int, str, str, str, str, str, str]]:
    """Rows as the first release wrote them; the hash is computed here as it was then."""
    rows: list[tuple[str, int, str, str, str, str, str, str]] = []
    for chain, number in CHAINS.items():
        previous = GENESIS
        for position in range(1, number + 1):
            at, body = (BEGUN + timedelta(seconds=position)).isoformat(), {"n": position, "name": "Łukasz 💡"}
            content = canonical([chain, position, f"note:{position}", "note", at, body, previous])
            digest = hashlib.sha256(content.encode()).hexdigest()
            rows.append((chain, position, f"note:{position}", "note", at, canonical(body), previous, digest))
            previous = digest
    return rows


def heads() -> dict[str, tuple[str, int, str]]:
    return {row[0]: (row[0], row[1], row[7]) for row in first_lines()}


@pytest.fixture
def first_on_sqlite(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.executescript(FIRST_TABLES + FIRST_GUARDS_SQLITE)
        connection.executemany("INSERT INTO lines VALUES (?, ?, ?, ?, ?, ?, ?, ?)", first_lines())
        connection.executemany("INSERT INTO heads VALUES (?, ?, ?)", heads().values())
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def first_on_postgresql(postgres_url: str) -> str:
    with psycopg.connect(postgres_url) as connection:
        connection.execute(FIRST_TABLES + FIRST_GUARDS_POSTGRESQL)
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO lines VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", first_lines())
            cursor.executemany("INSERT INTO heads VALUES (%s, %s, %s)", list(heads().values()))
    return postgres_url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def first(request: pytest.FixtureRequest) -> str:
    """The URL of a ledger that the first release made and wrote."""
    return str(request.getfixturevalue(f"first_on_{request.param}"))


def utc() -> datetime:
    return datetime.now(UTC)


def engine_of(url: str):
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")


def passes(url: str, statement: str) -> bool:
    """Whether the database lets a statement through; it is taken back either way."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
            connection.rollback()
    except SQLAlchemyError:
        return False
    finally:
        engine.dispose()
    return True


def test_opening_it_upgrades_it_and_every_chain_holds(first):
    ways_round = WAYS_ROUND[first.partition(":")[0]]
    assert all(passes(first, way) for way in ways_round), "the first release's ledger had these ways round"
    ledger = Ledger.open(first, utc)
    assert [(line.incident, line.position, line.hash) for chain in CHAINS for line in ledger.lines(chain)] == [
        (row[0], row[1], row[7]) for row in first_lines()
    ]
    for chain, number in CHAINS.items():
        assert ledger.verify(chain) is None
        line, new = ledger.append(chain, "note", "after the upgrade", {})
        assert (line.position, new) == (number + 1, True)
        assert ledger.append(chain, "note", "note:1", {})[1] is False
        assert ledger.verify(chain) is None
    ledger.close()
    assert not any(passes(first, way) for way in ways_round), "the upgrade closes them"
    assert not passes(first, "UPDATE lines SET body = '{}'")


def test_opening_it_again_changes_nothing(first):
    def version() -> str:
        with engine_of(first).connect() as connection:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()

    Ledger.open(first, utc).close()
    upgraded = version()
    assert upgraded > "0001"
    Ledger.open(first, utc).close()
    assert version() == upgraded


def test_a_line_that_was_changed_before_the_upgrade_is_still_found(first):
    with engine_of(first).connect() as connection:
        drop = "DROP TRIGGER refuse_update" if first.startswith("sqlite") else "DROP TRIGGER refuse_change ON lines"
        connection.execute(text(drop))
        connection.execute(text("UPDATE lines SET body = '[]' WHERE incident = 'inc-0123456789ab' AND position = 7"))
    broken = Ledger.open(first, utc).verify("inc-0123456789ab")
    assert broken is not None
    assert broken.position == 7


def test_a_ledger_of_a_later_release_is_refused_in_a_line_and_left_alone(first):
    with engine_of(first).connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    with pytest.raises(LedgerUnavailable) as refused:
        Ledger.open(first, utc)
    said = str(refused.value)
    assert "its schema is 0999" in said
    assert said.endswith("install a newer Countermand")
    assert "\n" not in said
    assert passes(first, WAYS_ROUND[first.partition(":")[0]][0]), "nothing of it was changed"


def test_the_revision_that_is_opened_without_alembic_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == REVISION
