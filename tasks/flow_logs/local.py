"""Flow logs in files on this machine, asked by DuckDB: plain text, gzip or Parquet, in any format, of any version."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from incident.flow_log_format import COLUMNS, DEFAULT_FORMAT, FIELDS, FlowLogField, column, parse_header
from incident.words import counted
from tasks.flow_logs.questions import Asked, FlowQuery, Parameter

_SUFFIXES = (".log", ".txt", ".gz", ".parquet")
_LONGEST_LINE = 65_536
_HAS_REJECTED = "SELECT COUNT(*) FROM duckdb_tables() WHERE table_name = 'reject_errors'"
_REJECTED = "SELECT COUNT(DISTINCT (file_path, line)) FROM reject_errors JOIN reject_scans USING (scan_id, file_id)"
_IS_SKIPPED = "log_status = 'SKIPDATA'"
_SKIPPED = f"SELECT COUNT(*) FROM flow_logs WHERE {_IS_SKIPPED}"  # noqa: S608
_TEXT = FlowLogField(0)
"""What a field is taken for that AWS added since."""


class FlowLogFileError(Exception):
    """A file that holds no flow logs, or a question that these do not answer; the message says what to do."""


@dataclass(frozen=True)
class Answer:
    """What a query answered.

    Attributes:
        columns, rows: the table.
        doubts: what of the logs could not be read or is not told by them, a sentence each.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    doubts: tuple[str, ...] = ()


@dataclass
class _Group:
    """Files of one format; `skip` lines at the head of each name the fields."""

    fields: tuple[str, ...]
    skip: int
    files: list[str] = field(default_factory=list)


class LocalFlowLogs:
    """Flow logs in files, opened as the table `flow_logs`.

    Args:
        files: files and folders.
        format_: the fields of files that do not say them, as what CloudWatch Logs holds; AWS's default format if not given.

    Raises:
        FlowLogFileError: a file cannot be read or holds no flow logs.
    """

    def __init__(self, files: Iterable[Path], format_: Sequence[str] = DEFAULT_FORMAT) -> None:
        self._database = duckdb.connect(config={"enable_external_access": True, "preserve_insertion_order": False})
        self._database.execute("SET TimeZone='UTC'")
        self._spill = TemporaryDirectory(prefix="countermand-flow-logs-")
        self._database.execute(f"SET temp_directory='{self._spill.name}'")
        self._texts: dict[tuple[tuple[str, ...], int], _Group] = {}
        self._parquet: list[str] = []
        for file in _found(files):
            self._take(file, tuple(format_))
        if not self._texts and not self._parquet:
            raise FlowLogFileError("there is no flow log file; name files that end in .log, .txt, .gz or .parquet, or their folder")
        self.fields = self._open_table()

    def ask(self, query: FlowQuery, values: Mapping[str, Parameter]) -> Answer:
        """Answer a named query; see `ask_all`."""
        return self.ask_all([(query, values)])[0]

    def ask_all(self, asked: Sequence[Asked]) -> list[Answer]:
        """Answer named queries from one reading of the files, each with its values.

        Raises:
            FlowLogFileError: the logs lack a field that a query needs.
        """
        for query, _ in asked:
            lacking = sorted(query.fields - self.fields)
            if lacking:
                raise FlowLogFileError(
                    f"{query.name} needs {', '.join(lacking)}, which these flow logs do not keep; add it to their format"
                )
        try:
            self._read(asked)
        except duckdb.Error as error:
            raise _unreadable(error) from None
        return [self._answer(query.for_duckdb(), {name: values[name] for name in set(query.parameters)}) for query, values in asked]

    def _read(self, asked: Sequence[Asked]) -> None:
        """Keep the lines of which a query tells, and those in which AWS says that it skipped some.

        Unpacking and splitting lines is most of the work, so it is done once. What does not fit into memory goes to a folder of
        DuckDB's own.
        """
        fields = frozenset[str]().union(*(query.fields for query, _ in asked)) | ({"log-status"} & self.fields)
        told = [_IS_SKIPPED] if "log-status" in self.fields else []
        values: dict[str, Parameter] = {}
        for number, (query, given) in enumerate(asked):
            condition, bound = query.lines_for_duckdb(given, f"_{number}")
            told.append(condition)
            values |= bound
        columns = ", ".join(f'"{column(name)}"' for name in sorted(fields))
        lines = " OR ".join(f"({one})" for one in told)
        made = f"CREATE OR REPLACE TEMP TABLE flow_logs AS SELECT {columns} FROM memory.main.flow_logs WHERE {lines}"  # noqa: S608
        self._database.execute(made, values)

    def _answer(self, sql: str, values: Mapping[str, Parameter]) -> Answer:
        try:
            found = self._database.execute(sql, dict(values))
            names = tuple(one[0] for one in found.description or ())
            rows = tuple(found.fetchall())
        except duckdb.Error as error:
            raise _unreadable(error) from None
        return Answer(names, rows, tuple(self._doubts()))

    def _doubts(self) -> list[str]:
        """Lines that are no flow log, and what AWS itself says that it could not record."""
        rejected = self._count(_REJECTED) if self._count(_HAS_REJECTED) else 0
        doubts = [f"{counted(rejected, 'line')} could not be read as flow logs"] if rejected else []
        skipped = self._count(_SKIPPED) if "log-status" in self.fields else 0
        if skipped:
            doubts.append(f"AWS skipped records in {counted(skipped, 'interval')} (SKIPDATA): traffic of then is missing")
        return doubts

    def _count(self, sql: str) -> int:
        row = self._database.execute(sql).fetchone()
        return int(row[0]) if row else 0

    def _take(self, file: Path, format_: tuple[str, ...]) -> None:
        if file.suffix == ".parquet":
            self._parquet.append(str(file))
            return
        first = _first_line(file)
        named = parse_header(first)
        fields, skip = (named, 1) if named else (format_, 0)
        if not skip and first and len(first.split()) != len(fields):
            columns = counted(len(first.split()), "column")
            raise FlowLogFileError(f"{file}: its lines have {columns} and the format has {len(fields)}; give its own with --format")
        self._texts.setdefault((fields, skip), _Group(fields, skip)).files.append(str(file))

    def _open_table(self) -> frozenset[str]:
        """One view over all files; a column that only some have is NULL in the others. Answers the fields that all of them keep."""
        relations: list[duckdb.DuckDBPyRelation] = [self._text(group) for group in self._texts.values()]
        kept = [set(group.fields) for group in self._texts.values()]
        if self._parquet:
            relation = self._database.read_parquet(self._parquet, union_by_name=True, hive_partitioning=False)
            kept.append({COLUMNS[name] for name in relation.columns if name in COLUMNS})
            relations.append(relation)
        for number, relation in enumerate(relations):
            relation.create_view(f"part_{number}")
        every = " UNION ALL BY NAME ".join(f"SELECT * FROM part_{number}" for number in range(len(relations)))  # noqa: S608
        self._database.execute(f"CREATE VIEW flow_logs AS {every}")
        return frozenset[str]().union(*kept)

    def _text(self, group: _Group) -> duckdb.DuckDBPyRelation:
        columns = {column(name): "BIGINT" if FIELDS.get(name, _TEXT).is_number else "VARCHAR" for name in group.fields}
        return self._database.read_csv(
            group.files,
            columns=columns,
            delimiter=" ",
            header=bool(group.skip),
            na_values="-",
            quotechar="",
            escapechar="",
            auto_detect=False,
            ignore_errors=True,
            store_rejects=True,
            max_line_size=_LONGEST_LINE,
        )


def _unreadable(error: duckdb.Error) -> FlowLogFileError:
    return FlowLogFileError(f"the flow logs cannot be read: {str(error).splitlines()[0]}")


def moment(at: datetime) -> int:
    """A time as flow logs count it: whole seconds since 1970, UTC."""
    return int(at.timestamp())


def _found(files: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for file in files:
        if file.is_dir():
            found += sorted(one for one in file.rglob("*") if one.suffix in _SUFFIXES and one.is_file())
        elif file.is_file():
            found.append(file)
        else:
            raise FlowLogFileError(f"{file}: there is no such file or folder")
    return found


def _first_line(file: Path) -> str:
    try:
        with gzip.open(file, "rt", errors="replace") if file.suffix == ".gz" else file.open(errors="replace") as lines:
            return lines.readline(_LONGEST_LINE).strip()
    except (OSError, EOFError, zlib.error) as error:
        raise FlowLogFileError(f"{file}: it cannot be read ({error}); is it a flow log file?") from None
