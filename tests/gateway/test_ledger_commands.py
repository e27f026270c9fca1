"""Verifying all chains, and against anchors that were kept elsewhere; and a copy of the ledger that is put back."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.commands.shell import UserError
from incident.ledger import Kind
from tasks.ledger import Ledger


@pytest.fixture
def own(tmp_path, monkeypatch) -> Ledger:
    """A ledger with two chains, which the command line finds."""
    monkeypatch.setenv("COUNTERMAND_HOME", str(tmp_path))
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", lambda: datetime.now(UTC))
    fill(ledger)
    return ledger


def fill(ledger: Ledger) -> None:
    for chain in ("inc-1", "inc-2"):
        for number in range(3):
            ledger.append(chain, Kind.NOTE, f"note:{number}", {"n": number})


def said(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["ledger", *arguments])
    return result.exit_code, str(result.exception) if isinstance(result.exception, UserError) else result.output


@pytest.fixture
def anchors(own, tmp_path) -> Path:
    code, told = said("anchors")
    assert code == 0
    file = tmp_path / "anchors.json"
    file.write_text(told)
    return file


def rewrite(folder: Path, *statements: str) -> None:
    """What the owner of the database can do, who takes the guards away first."""
    with sqlite3.connect(folder / "ledger.db") as database:
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            database.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            database.execute(statement)


def test_all_chains_are_verified_and_grow_beyond_their_anchors(own, anchors):
    assert {one["chain"]: one["position"] for one in json.loads(anchors.read_text())["anchors"]} == {"inc-1": 3, "inc-2": 3}
    own.append("inc-1", Kind.NOTE, "note:4", {})
    own.append("inc-3", Kind.NOTE, "note:0", {})
    assert said("verify") == (0, "intact: 3 chains\n")
    assert said("verify", "--anchors", str(anchors)) == (0, "intact: 3 chains; 2 as the anchors have them\n")
    code, told = said("verify", "inc-1", "--anchors", str(anchors))
    assert (code, told.startswith("intact: 4 lines")) == (0, True)


def test_a_changed_line_is_named_with_its_chain(own, tmp_path):
    rewrite(tmp_path, "UPDATE lines SET body = '{\"n\":9}' WHERE incident = 'inc-2' AND position = 2")
    code, told = said("verify")
    assert code == 1
    assert told.startswith("inc-2: broken at line 2: ")


def test_a_chain_that_was_written_anew_together_with_its_head_shows_by_the_anchors_alone(own, anchors, tmp_path):
    rewrite(tmp_path, "DELETE FROM lines WHERE incident = 'inc-1'", "DELETE FROM heads WHERE incident = 'inc-1'")
    own.append("inc-1", Kind.NOTE, "note:0", {"n": "another story"})
    assert said("verify")[0] == 0
    code, told = said("verify", "--anchors", str(anchors))
    assert (code, told) == (1, "inc-1: broken at line 3: the anchor knows this line, and the chain ends before it\n")
    for number in range(2):
        own.append("inc-1", Kind.NOTE, f"more:{number}", {})
    assert "the anchor knows another hash" in said("verify", "--anchors", str(anchors))[1]


def test_a_whole_chain_that_is_gone_shows(own, anchors, tmp_path):
    rewrite(tmp_path, "DELETE FROM lines WHERE incident = 'inc-1'", "DELETE FROM heads WHERE incident = 'inc-1'")
    assert said("verify", "--anchors", str(anchors))[0] == 1


@pytest.mark.parametrize("text", ["", "[]", '{"anchors": [{"chain": "inc-1", "position": 0, "hash": ""}]}', '{"anchors": 1}'])
def test_what_are_no_anchors_is_said_in_a_line(own, tmp_path, text):
    (tmp_path / "other.json").write_text(text)
    code, told = said("verify", "--anchors", str(tmp_path / "other.json"))
    assert code
    assert "other.json: " in told
    assert said("verify", "--anchors", str(tmp_path / "absent.json"))[0]


def test_a_copy_of_sqlite_that_was_taken_while_it_was_written_is_put_back(own, anchors, tmp_path):
    """As docs/operations.md says it."""
    with sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute(f"VACUUM INTO '{tmp_path / 'copy.db'}'")
    own.append("inc-1", Kind.NOTE, "after the copy", {})
    own.close()
    for left in tmp_path.glob("ledger.db*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    (tmp_path / "copy.db").rename(tmp_path / "ledger.db")
    assert said("verify", "--anchors", str(anchors)) == (0, "intact: 2 chains; 2 as the anchors have them\n")
    back = Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", lambda: datetime.now(UTC))
    assert back.append("inc-1", Kind.NOTE, "note:4", {})[0].position == 4
    with pytest.raises(sqlite3.IntegrityError, match="append-only"), sqlite3.connect(tmp_path / "ledger.db") as database:
        database.execute("DELETE FROM lines")


@pytest.mark.postgres
def test_a_dump_of_postgresql_is_put_back_into_an_empty_database(postgres_server, postgres_url, tmp_path, monkeypatch):
    """As docs/operations.md says it."""
    ledger = Ledger.open(postgres_url, lambda: datetime.now(UTC))
    fill(ledger)
    dump, restore = _client("pg_dump"), _client("pg_restore")
    subprocess.run([dump, "--format=custom", f"--file={tmp_path / 'copy.dump'}", postgres_url], check=True)
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE put_back")
    put_back = postgres_server.replace("/postgres?", "/put_back?")
    subprocess.run([restore, "--no-owner", "--exit-on-error", f"--dbname={put_back}", tmp_path / "copy.dump"], check=True)
    monkeypatch.setenv("COUNTERMAND_LEDGER_URL", put_back)
    assert said("verify") == (0, "intact: 2 chains\n")
    back = Ledger.open(put_back, lambda: datetime.now(UTC))
    assert [back.head(chain) for chain in ("inc-1", "inc-2")] == [ledger.head(chain) for chain in ("inc-1", "inc-2")]
    assert back.append("inc-1", Kind.NOTE, "note:4", {})[0].position == 4
    with pytest.raises(psycopg.Error, match="append-only"), psycopg.connect(put_back) as connection:
        connection.execute("DELETE FROM lines")
    for one in (ledger, back):
        one.close()


def _client(name: str) -> str:
    """A client program that stands beside the server's: one of another version refuses the server."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return str(found[0]) if found else shutil.which(name) or pytest.skip(f"{name} is not installed")


def test_the_version_is_printed():
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("countermand 0.")
