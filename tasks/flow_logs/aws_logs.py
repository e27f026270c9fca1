"""The flow logs that AWS keeps, asked a named query: found, fetched into a temporary folder, and answered there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from tasks.aws import Aws
from tasks.flow_logs.fetch import Bounds, Fetcher
from tasks.flow_logs.found import FoundLogs
from tasks.flow_logs.local import Answer, LocalFlowLogs
from tasks.flow_logs.questions import Asked


def answer_from_aws(
    aws: Aws,
    found: FoundLogs,
    window: tuple[datetime, datetime],
    asked: Iterable[Asked],
    account: str = "",
    bounds: Bounds | None = None,
) -> tuple[Sequence[Answer], tuple[str, ...]]:
    """Read the flow logs once and put every question to them.

    Args:
        aws: who reads.
        found: which flow logs there are.
        window: from when until when.
        asked: the queries with their values.
        account: whose credentials read the buckets; empty means those of the flow log's account.
        bounds: how much is read at most.

    Returns:
        An answer for each question, none where there is nothing to ask, and what is not known of the flow logs, a sentence each.

    Raises:
        FlowLogFileError: the logs lack a field that a query needs.
    """
    nothing = () if found.logs or found.gaps else ("there is no flow log; what the network carried is not known",)
    with tempfile.TemporaryDirectory(prefix="countermand-flows-") as folder:
        fetched = Fetcher(aws, Path(folder), account, bounds).fetch(found.logs, *window)
        questions = list(asked)
        gaps = (*found.gaps, *nothing, *fetched.gaps, *_silent(found, questions))
        if not fetched.files:
            return (), gaps
        local = LocalFlowLogs(fetched.files)
        return local.ask_all(questions), gaps


def _silent(found: FoundLogs, questions: Iterable[Asked]) -> Iterable[str]:
    """Flow logs whose format lacks what a query needs: they cannot answer it, though others may."""
    for query in {query.name: query for query, _ in questions}.values():
        for log in found.logs:
            lacking = sorted(query.fields - set(log.fields))
            if lacking:
                yield f"{log.where}: it does not keep {', '.join(lacking)}, so it tells nothing for {query.name}"
