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

# The first day of a partition may lie a month before its last; a file may come a day after its traffic.
_OF_THE_TIME = (
    "first_day BETWEEN DATE_FORMAT(FROM_UNIXTIME(:since - 2764800), '%Y-%m-%d') "
    "AND DATE_FORMAT(FROM_UNIXTIME(:until + 86400), '%Y-%m-%d')"
)

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

    def lines_for_duckdb(self, values: Mapping[str, Parameter], suffix: str) -> tuple[str, dict[str, Parameter]]:
        """Of which lines the query tells, as a condition in DuckDB's dialect, and the condition's parameters.

        Args:
            values: the parameters.
            suffix: what the names of this condition's parameters end in, so that several can stand side by side.
        """
        where = _parsed(self.sql).args.get("where")
        if not isinstance(where, exp.Where):
            return "TRUE", {}
        bound: dict[str, Parameter] = {}
        for one in where.find_all(exp.Placeholder):
            name = f"{one.name}{suffix}"
            bound[name] = values[one.name]
            one.set("this", name)
        return where.this.sql(dialect="duckdb"), bound

    def for_athena(self, table: str, values: Mapping[str, Parameter], by_day: bool = False) -> tuple[str, list[str]]:
        """The query on a table of Athena, and its execution parameters in order, as SQL literals.

        See https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements-querying.html

        Args:
            table: its name.
            values: the parameters.
            by_day: whether the table is partitioned as `deployments/aws/flow-logs-athena.yaml` does it, so that only partitions are
                read that may tell of the time.
        """
        sql, names = self.athena_text(table, by_day)
        return sql, [_literal(values[name]) for name in names]

    def athena_text(self, table: str, by_day: bool = False) -> tuple[str, tuple[str, ...]]:
        """The query on a table of Athena, and the names of its parameters in order."""
        tree = _parsed(self.sql)
        for one in tree.find_all(exp.Table):
            if one.name == _TABLE:
                one.replace(exp.to_table(table, dialect="athena"))
        if by_day and isinstance(tree, exp.Select):
            tree = tree.where(_parsed(_OF_THE_TIME))
        text = tree.sql(dialect="athena")
        return _PLACEHOLDER.sub("?", text), tuple(_PLACEHOLDER.findall(text))


Asked = tuple[FlowQuery, Mapping[str, Parameter]]
"""A query with its values."""


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
