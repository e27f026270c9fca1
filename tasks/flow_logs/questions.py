"""The named queries: each a file of Athena SQL over the table `flow_logs`, which runs on DuckDB as well.

A query takes `:since` and `:until` (seconds since 1970, UTC; a flow counts that touches the time between), `:most` rows, and some
take an `:address`. Parameters are bound, never pasted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import sqlglot
from sqlglot import exp

from incident.flow_log_format import COLUMNS

_FOLDER = Path(__file__).with_name("queries")
_TABLE = "flow_logs"
_PLACEHOLDER = re.compile(r":([a-z]+)")

Parameter = int | str


@dataclass(frozen=True)
class FlowQuery:
    """A named query.

    Attributes:
        name: as on the command line, such as `top-talkers`.
        title: what it tells, in one sentence.
        sql: Athena's SQL.
        parameters: the names that it takes, in the order in which they stand in it; one may stand twice.
        fields: the flow logs' fields without which it cannot be answered.
    """

    name: str
    title: str
    sql: str
    parameters: tuple[str, ...]
    fields: frozenset[str]

    @property
    def needs_address(self) -> bool:
        return "address" in self.parameters

    def for_duckdb(self) -> str:
        """The query in DuckDB's dialect, with named parameters (`$since`)."""
        return _parsed(self.sql).sql(dialect="duckdb")

    def for_athena(self, table: str, values: Mapping[str, Parameter]) -> tuple[str, list[str]]:
        """The query on a table of Athena, and its execution parameters in order, as SQL literals.

        See https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements-querying.html
        """
        tree = _parsed(self.sql)
        for one in tree.find_all(exp.Table):
            if one.name == _TABLE:
                one.replace(exp.to_table(table, dialect="athena"))
        return _PLACEHOLDER.sub("?", tree.sql(dialect="athena")), [_literal(values[name]) for name in self.parameters]


@lru_cache(maxsize=1)
def flow_queries() -> Mapping[str, FlowQuery]:
    """Every named query, by its name."""
    return {file.stem: _read(file) for file in sorted(_FOLDER.glob("*.sql"))}


def _read(file: Path) -> FlowQuery:
    comment, _, sql = file.read_text().partition("\n")
    tree = _parsed(sql)
    used = {one.name for one in tree.find_all(exp.Column)}
    return FlowQuery(
        name=file.stem,
        title=comment.removeprefix("-- ").rstrip("."),
        sql=sql.strip(),
        parameters=tuple(_PLACEHOLDER.findall(tree.sql(dialect="athena"))),
        fields=frozenset(COLUMNS[name] for name in used if name in COLUMNS),
    )


def _parsed(sql: str) -> exp.Expression:
    return sqlglot.parse_one(sql, dialect="athena")


def _literal(value: Parameter) -> str:
    return exp.convert(value).sql(dialect="athena")
