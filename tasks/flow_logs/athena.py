"""The named queries in Athena, over the table that `deployments/aws/flow-logs-athena.yaml` makes.

See https://docs.aws.amazon.com/athena/latest/APIReference/API_StartQueryExecution.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from incident.family import Read, Scope
from tasks.aws import Aws, AwsError
from tasks.config import FlowLogsConfig
from tasks.flow_logs.local import Answer
from tasks.flow_logs.questions import FlowQuery, Parameter

_POLL_SECONDS = 1.0
_NUMBERS = frozenset({"tinyint", "smallint", "integer", "bigint"})
_NOT_TOLD = (
    "Athena tells of what its table covers: the accounts and regions of its location, and the days whose partitions are loaded; "
    "lines that it cannot read count as empty"
)


class AthenaError(Exception):
    """Athena does not answer; one line that says why, and what to do."""


class AthenaFlowLogs:
    """Flow logs as a table in Athena.

    Args:
        aws: who asks.
        config: workgroup, database and table.
        clock: a time in seconds that only rises.
        pause: waits for so many seconds.

    Raises:
        AthenaError: the configuration names no workgroup.
    """

    def __init__(
        self,
        aws: Aws,
        config: FlowLogsConfig,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        if not config.workgroup:
            raise AthenaError("there is no Athena workgroup; set flow_logs.workgroup and flow_logs.database, or leave --athena out")
        self._aws, self._config, self._clock, self._pause = aws, config, clock, pause

    def ask(self, query: FlowQuery, values: Mapping[str, Parameter]) -> Answer:
        """Answer a named query.

        Raises:
            AthenaError: Athena refuses it, fails, or takes too long.
        """
        try:
            scope = Scope(self._config.athena_account or self._aws.own_account(), self._config.athena_region or self._home)
            execution = self._start(scope, query, values)
            self._wait_for(scope, execution)
            pages = list(self._aws.read_all(scope, Read("athena", "GetQueryResults", {"QueryExecutionId": execution})))
        except AwsError as error:
            raise AthenaError(f"Athena does not answer: {error}") from None
        told = pages[0]["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
        rows = tuple(_rows(pages, [str(one["Type"]) for one in told]))
        # The first row of a SELECT repeats the names of the columns.
        return Answer(tuple(str(one["Name"]) for one in told), rows[1:], (_NOT_TOLD,))

    @property
    def _home(self) -> str:
        return self._aws.config.home_region

    def _call(self, scope: Scope, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return self._aws.call(scope.account, scope.region, "athena", operation, parameters)

    def _start(self, scope: Scope, query: FlowQuery, values: Mapping[str, Parameter]) -> str:
        sql, parameters = query.for_athena(self._config.table, values, by_day=True)
        asked = {
            "QueryString": sql,
            "QueryExecutionContext": {"Database": self._config.database},
            "WorkGroup": self._config.workgroup,
            "ExecutionParameters": parameters,
        }
        return str(self._call(scope, "StartQueryExecution", asked)["QueryExecutionId"])

    def _wait_for(self, scope: Scope, execution: str) -> None:
        end = self._clock() + self._config.wait_seconds
        while True:
            asked = {"QueryExecutionId": execution}
            status = self._call(scope, "GetQueryExecution", asked)["QueryExecution"]["Status"]
            if status["State"] == "SUCCEEDED":
                return
            if status["State"] in ("FAILED", "CANCELLED"):
                why = " ".join(str(status.get("StateChangeReason", "without a reason")).split())[:300]
                raise AthenaError(f"Athena's query {execution} {status['State'].lower()}: {why}")
            if self._clock() >= end:
                self._stop(scope, execution)
                raise AthenaError(
                    f"Athena's query {execution} takes longer than {self._config.wait_seconds:g} s and was stopped; "
                    "ask for a shorter time, or set flow_logs.wait_seconds higher"
                )
            self._pause(_POLL_SECONDS)

    def _stop(self, scope: Scope, execution: str) -> None:
        """What nobody waits for any longer is not to cost on."""
        self._call(scope, "StopQueryExecution", {"QueryExecutionId": execution})


def _rows(pages: list[dict[str, Any]], kinds: list[str]) -> Iterator[tuple[Any, ...]]:
    for page in pages:
        for row in page["ResultSet"]["Rows"]:
            cells = [cell.get("VarCharValue") for cell in row.get("Data", ())]
            yield tuple(_value(cell, kind) for cell, kind in zip(cells, kinds, strict=True))


def _value(text: str | None, kind: str) -> Any:
    """A number as such; the row of names holds none."""
    return int(text) if text is not None and kind in _NUMBERS and text.lstrip("-").isdigit() else text
