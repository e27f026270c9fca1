"""The store: what it promises, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_writers import open_and_append
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from incident.ledger import GENESIS
from tasks.ledger import Ledger, LedgerUnavailable

INCIDENT = "inc-000000000001"
Tamper = Callable[..., None]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgres])])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url").replace("postgresql://", "postgresql+psycopg://")
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Ledger]:
    ledger = Ledger.open(url, _clock())
    yield ledger
    ledger.close()


@pytest.fixture
def tamper(url: str) -> Tamper:
    return lambda *statements, **values: _tamper(url, *statements, **values)


def _clock() -> Callable[[], datetime]:
    ticks = count()
    return lambda: datetime(2026, 11, 24, 9, tzinfo=UTC) + timedelta(microseconds=next(ticks))


def _tamper(url: str, *statements: str, **values: Any) -> None:
    """What somebody who owns the database can do: take the triggers away, then write."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for table in ("lines", "heads"):
            if url.startswith("postgresql"):
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            else:
                triggers = text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table")
                for (name,) in connection.execute(triggers, {"table": table}).all():
                    connection.execute(text(f"DROP TRIGGER {name}"))
        for statement in statements:
            connection.execute(text(statement), values)
    engine.dispose()


def _five_lines(store: Ledger) -> None:
    for number in range(1, 6):
        store.append(INCIDENT, "note", f"note:{number}", {"number": number, "words": "größer", "nested": {"list": [1, 2.5, None]}})


def test_a_line_is_read_back_as_it_was_written(store: Ledger) -> None:
    written, new = store.append(INCIDENT, "note", "first", {"b": [1, 2.5, None, True], "a": "ü\u0000\n"})
    assert new
    assert written.position == 1
    assert written.previous == GENESIS
    assert store.find(INCIDENT, "first") == written
    assert store.lines(INCIDENT) == [written]
    assert store.head(INCIDENT) == (1, written.hash)
    assert store.verify(INCIDENT) is None


def test_the_same_key_returns_the_line_that_holds_it(store: Ledger) -> None:
    first, _ = store.append(INCIDENT, "note", "once", {"said": "first"})
    second, new = store.append(INCIDENT, "decision", "once", {"said": "second"})
    assert (second, new) == (first, False)
    assert len(store.lines(INCIDENT)) == 1


def test_chains_do_not_touch_each_other(store: Ledger) -> None:
    store.append("inc-b", "note", "same key", {})
    store.append("inc-a", "note", "same key", {})
    assert store.incidents() == ["inc-b", "inc-a"]
    assert store.head("inc-a")[0] == store.head("inc-b")[0] == 1
    assert store.find("inc-c", "same key") is None
    assert store.head("inc-c") == (0, GENESIS)
    assert store.verify("inc-c") is None


def test_lines_are_found_by_kind_and_place(store: Ledger) -> None:
    for number in range(4):
        store.append(INCIDENT, "note" if number % 2 else "phase", f"line:{number}", {})
    assert [line.key for line in store.lines(INCIDENT, "note")] == ["line:1", "line:3"]
    assert [line.key for line in store.lines(INCIDENT, after=2)] == ["line:2", "line:3"]


def test_several_lines_are_written_together_or_not_at_all(store: Ledger) -> None:
    written = store.append_all([(INCIDENT, "note", "a", {}), ("inc-2", "note", "a", {}), (INCIDENT, "note", "a", {})])
    assert [new for _, new in written] == [True, True, False]
    with pytest.raises(TypeError):
        store.append_all([(INCIDENT, "note", "b", {}), (INCIDENT, "note", "c", {1: 1, "1": 2})])
    assert [line.key for line in store.lines(INCIDENT)] == ["a"]


def test_text_that_no_database_keeps_is_replaced_and_still_verifies(store: Ledger) -> None:
    line, _ = store.append(INCIDENT, "note", "surrogate", {"\udc00": "a\ud800b", "whole": "😀"})
    assert line.body == {"\ufffd": "a\ufffdb", "whole": "😀"}
    assert store.find(INCIDENT, "surrogate") == line
    assert store.verify(INCIDENT) is None


@pytest.mark.parametrize("key", ["", "k" * 501, "nul\0", "lone \ud800"])
def test_a_key_that_only_one_database_would_take_is_refused_on_both(store: Ledger, key: str) -> None:
    with pytest.raises(ValueError, match="a ledger line's key"):
        store.append(INCIDENT, "note", key, {})
    assert store.lines(INCIDENT) == []


def test_times_are_kept_in_utc_to_the_microsecond(url: str) -> None:
    moment = datetime(2026, 11, 24, 10, 0, 0, 123456, tzinfo=UTC).astimezone()
    ledger = Ledger.open(url, lambda: moment)
    ledger.append(INCIDENT, "note", "a", {})
    (line,) = Ledger.open(url, _clock()).lines(INCIDENT)
    assert line.at.isoformat() == "2026-11-24T10:00:00.123456+00:00"
    assert ledger.verify(INCIDENT) is None


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        ("changed", "UPDATE lines SET body = '{}' WHERE position = 2"),
        ("removed", "DELETE FROM lines WHERE position = 2"),
        ("a head turned back", "UPDATE heads SET position = position - 1"),
        ("a head removed", "DELETE FROM heads"),
    ],
)
def test_the_database_refuses_to_change_what_was_written(store: Ledger, url: str, what: str, statement: str) -> None:
    _five_lines(store)
    engine = create_engine(url)
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))
    assert store.verify(INCIDENT) is None
    assert store.head(INCIDENT)[0] == 5


def test_sqlite_refuses_to_replace_a_line(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store = Ledger.open(url, _clock())
    _five_lines(store)
    replace = "INSERT OR REPLACE INTO lines SELECT incident, position, 'other', kind, at, body, previous, hash FROM lines LIMIT 1"
    with pytest.raises(DBAPIError, match="append-only"), create_engine(url).begin() as connection:
        connection.execute(text(replace))


@pytest.mark.postgres
def test_postgresql_refuses_to_empty_the_tables(postgres_url: str) -> None:
    url = postgres_url.replace("postgresql://", "postgresql+psycopg://")
    _five_lines(Ledger.open(url, _clock()))
    for table in ("lines", "heads"):
        with pytest.raises(DBAPIError, match="append-only"), create_engine(url).begin() as connection:
            connection.execute(text(f"TRUNCATE {table}"))


_SWAP = (
    "UPDATE lines SET position = 99 WHERE position = 2",
    "UPDATE lines SET position = 2 WHERE position = 3",
    "UPDATE lines SET position = 3 WHERE position = 99",
)


@pytest.mark.parametrize(
    ("statements", "first_broken"),
    [
        pytest.param(["UPDATE lines SET body = replace(body, '3', '4') WHERE position = 3"], 3, id="changed"),
        pytest.param(["UPDATE lines SET at = '2026-11-24T09:00:00.000009+00:00' WHERE position = 3"], 3, id="redated"),
        pytest.param(["UPDATE lines SET at = 'noon' WHERE position = 3"], 3, id="unreadable date"),
        pytest.param(["UPDATE lines SET body = 'not json' WHERE position = 3"], 3, id="unreadable body"),
        pytest.param(["UPDATE lines SET kind = 'decision' WHERE position = 2"], 2, id="other kind"),
        pytest.param(["UPDATE lines SET key = 'note:x' WHERE position = 2"], 2, id="renamed key"),
        pytest.param(["UPDATE lines SET incident = 'inc-x' WHERE position = 5"], 5, id="given to another incident"),
        pytest.param(["DELETE FROM lines WHERE position = 1"], 1, id="removed first"),
        pytest.param(["DELETE FROM lines WHERE position = 3"], 3, id="removed middle"),
        pytest.param(["DELETE FROM lines WHERE position = 5"], 5, id="removed last"),
        pytest.param(["DELETE FROM lines WHERE position > 3"], 4, id="removed the last two"),
        pytest.param(["DELETE FROM lines"], 1, id="removed all"),
        pytest.param([*_SWAP], 2, id="swapped"),
        pytest.param(
            ["UPDATE lines SET position = 99 WHERE position = 2", "UPDATE lines SET position = position - 1 WHERE position > 2"],
            2,
            id="moved to the end",
        ),
        pytest.param(["DELETE FROM heads"], 1, id="removed head"),
    ],
)
def test_verify_names_the_first_line_that_does_not_hold(
    store: Ledger, tamper: Tamper, statements: list[str], first_broken: int
) -> None:
    _five_lines(store)
    assert store.verify(INCIDENT) is None
    for statement in statements:
        tamper(statement)
    broken = store.verify(INCIDENT)
    assert broken is not None
    assert broken.position == first_broken


def test_a_removed_line_is_named_though_its_neighbours_were_renumbered(store: Ledger, tamper: Tamper) -> None:
    _five_lines(store)
    tamper("DELETE FROM lines WHERE position = 2")
    for position in (3, 4, 5):
        tamper("UPDATE lines SET position = :new WHERE position = :old", old=position, new=position - 1)
    broken = store.verify(INCIDENT)
    assert broken is not None
    assert broken.position == 2


def test_other_chains_stay_whole_when_one_is_broken(store: Ledger, tamper: Tamper) -> None:
    _five_lines(store)
    store.append("inc-other", "note", "a", {})
    tamper(f"UPDATE lines SET body = '{{}}' WHERE incident = '{INCIDENT}' AND position = 1")
    assert store.verify("inc-other") is None
    assert store.verify(INCIDENT) is not None


def test_processes_that_start_and_write_at_once_leave_one_gapless_chain(url: str) -> None:
    writers, each = 4, 12
    context = multiprocessing.get_context("forkserver")
    with context.Pool(writers) as pool:
        written = pool.starmap(open_and_append, [(url, INCIDENT, writer, each) for writer in range(writers)])
    store = Ledger.open(url, _clock())
    lines = store.lines(INCIDENT)
    assert [line.position for line in lines] == list(range(1, writers * each + each + 1))
    assert store.verify(INCIDENT) is None
    own, shared = zip(*written, strict=True)
    assert list(own) == [each] * writers
    assert sum(shared) == each, "each shared key is new for exactly one writer"


def test_writers_that_take_two_chains_in_opposite_orders_do_not_wait_for_each_other_for_ever(url: str) -> None:
    context = multiprocessing.get_context("forkserver")
    with context.Pool(2) as pool:
        pool.starmap(open_and_append, [(url, "inc-a", 0, 15, "inc-b"), (url, "inc-b", 1, 15, "inc-a")])
    store = Ledger.open(url, _clock())
    for chain in ("inc-a", "inc-b"):
        assert store.verify(chain) is None
        assert store.head(chain)[0] == 60


def test_a_database_that_cannot_be_had_is_one_line_without_the_password() -> None:
    with pytest.raises(LedgerUnavailable) as failed:
        Ledger.open("postgresql://countermand:s3cret@127.0.0.1:1/nowhere", _clock())
    assert "\n" not in str(failed.value)
    assert "127.0.0.1" in str(failed.value)
    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize("url", ["mysql://localhost/x", "nonsense", "sqlite:////proc/nowhere/ledger.db"])
def test_an_address_that_cannot_be_opened_is_one_line(url: str) -> None:
    with pytest.raises(LedgerUnavailable, match=r"cannot be opened: .+"):
        Ledger.open(url, _clock())


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("these are notes, no database, and enough of them to fill a page header\n" * 20)
    with pytest.raises(LedgerUnavailable, match="not a database"):
        Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}", _clock())


def test_a_ledger_newer_than_the_program_is_left_alone(store: Ledger, tamper: Tamper, url: str) -> None:
    tamper("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerUnavailable, match="9999"):
        Ledger.open(url, _clock())


def test_a_failed_write_does_not_show_what_was_being_written(store: Ledger, tamper: Tamper) -> None:
    tamper("DROP TABLE heads")
    with pytest.raises(LedgerUnavailable) as failed:
        store.append(INCIDENT, "note", "a", {"secret": "hunter2"})
    assert "heads" in str(failed.value)
    assert "hunter2" not in str(failed.value)
    assert "\n" not in str(failed.value)


def test_only_the_owner_may_read_the_file(tmp_path: Path) -> None:
    Ledger.open(f"sqlite:///{tmp_path / 'new' / 'ledger.db'}", _clock())
    assert (tmp_path / "new" / "ledger.db").stat().st_mode & 0o077 == 0


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=6,
)
_APPENDS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.dictionaries(st.text(), _JSON, max_size=3)), min_size=1, max_size=12)
_MUTATIONS = {
    "body": "UPDATE lines SET body = '[\"planted\"]' WHERE incident = :chain AND position = :at",
    "key": "UPDATE lines SET key = 'planted' WHERE incident = :chain AND position = :at",
    "kind": "UPDATE lines SET kind = 'planted' WHERE incident = :chain AND position = :at",
    "time": "UPDATE lines SET at = '2026-11-25T00:00:00+00:00' WHERE incident = :chain AND position = :at",
    "previous": "UPDATE lines SET previous = :digest WHERE incident = :chain AND position = :at",
    "hash": "UPDATE lines SET hash = :digest WHERE incident = :chain AND position = :at",
    "removed": "DELETE FROM lines WHERE incident = :chain AND position = :at",
    "moved to the end": "UPDATE lines SET position = 1000 WHERE incident = :chain AND position = :at",
    "moved to the start": "UPDATE lines SET position = 0 WHERE incident = :chain AND position = :at",
    "incident": "UPDATE lines SET incident = :elsewhere WHERE incident = :chain AND position = :at",
    "head's hash": "UPDATE heads SET hash = :digest WHERE incident = :chain",
    "head's place": "UPDATE heads SET position = position + 1 WHERE incident = :chain",
}
_CHAINS = count()


@given(appends=_APPENDS, mutation=st.sampled_from(sorted(_MUTATIONS)), where=st.integers(min_value=0, max_value=11))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_written_verifies_and_whatever_is_changed_is_found(
    store: Ledger, tamper: Tamper, appends: list[tuple[str, dict[str, Any]]], mutation: str, where: int
) -> None:
    chain = f"chain-{next(_CHAINS)}"
    first: dict[str, Any] = {}
    for key, body in appends:
        line, new = store.append(chain, "note", key, body)
        assert new == (key not in first)
        assert line == first.setdefault(key, line)
    assert store.lines(chain) == list(first.values())
    assert store.verify(chain) is None

    statement, at = _MUTATIONS[mutation], where % len(first) + 1
    values = {"chain": chain, "at": at, "digest": "f" * 64, "elsewhere": f"{chain}-elsewhere"}
    tamper(statement, **{name: value for name, value in values.items() if f":{name}" in statement})
    broken = store.verify(chain)
    assert broken is not None
    if mutation.startswith("head"):
        assert broken.position == len(first) + 1
    else:
        assert broken.position == (1 if mutation == "moved to the start" else at)
