"""The named queries over flow logs in files: answers that are known, every way of storing them, and what is honestly not known."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident.flow_log_format import DEFAULT_FORMAT
from tasks.flow_logs.local import FlowLogFileError, LocalFlowLogs
from tasks.flow_logs.questions import flow_queries

pytestmark = pytest.mark.served

PLAYBOOK = {
    "accepted-traffic",
    "admin-port-traffic",
    "ipv4-traffic",
    "ipv6-traffic",
    "rejected-tcp-traffic",
    "rejected-traffic",
    "ssh-rdp-traffic",
    "top-talkers",
    "top-talkers-packet-level",
    "top-talking-instances",
    "top-talking-subnets",
    "top-tcp-traffic",
    "total-bytes-transferred",
    "total-bytes-transferred-packet-level",
    "traffic-from-source-address",
    "traffic-to-destination-address",
}
WIDE = (*DEFAULT_FORMAT, "vpc-id", "subnet-id", "instance-id", "type", "pkt-srcaddr", "pkt-dstaddr")
ALL = {"since": 0, "until": 2**33, "most": 1000, "address": "10.0.0.1"}

FLOWS = st.lists(
    st.fixed_dictionaries(
        {
            "src": st.integers(1, 4),
            "dst": st.integers(1, 4),
            "srcport": st.sampled_from([22, 40000, 3389]),
            "dstport": st.sampled_from([22, 443, 3389, 53]),
            "protocol": st.sampled_from([6, 17, 1]),
            "packets": st.integers(0, 2**40),
            "start": st.integers(1_700_000_000, 1_700_000_600),
            "action": st.sampled_from(["ACCEPT", "REJECT"]),
            "v6": st.booleans(),
        }
    ),
    max_size=25,
)


def line(flow: dict) -> str:
    def address(number: int) -> str:
        return f"2001:db8::{number}" if flow["v6"] else f"10.0.0.{number}"

    source, target = address(flow["src"]), address(flow["dst"])
    told = {
        "version": 3,
        "account-id": "111122223333",
        "interface-id": f"eni-{flow['dst']}",
        "srcaddr": source,
        "dstaddr": target,
        "srcport": flow["srcport"],
        "dstport": flow["dstport"],
        "protocol": flow["protocol"],
        "packets": flow["packets"],
        "bytes": flow["packets"] * 40,
        "start": flow["start"],
        "end": flow["start"] + 60,
        "action": flow["action"],
        "log-status": "OK",
        "vpc-id": "vpc-1",
        "subnet-id": f"subnet-{flow['dst'] % 2}",
        "instance-id": f"i-{flow['dst']}" if flow["dst"] < 4 else "-",
        "type": "IPv6" if flow["v6"] else "IPv4",
        "pkt-srcaddr": source,
        "pkt-dstaddr": target,
    }
    return " ".join(str(told[name]) for name in WIDE)


def logs(folder: Path, *lines: str, fields: tuple[str, ...] = WIDE, name: str = "flows.log") -> LocalFlowLogs:
    (folder / name).write_text("\n".join((" ".join(fields), *lines)) + "\n")
    return LocalFlowLogs([folder])


def ask(opened: LocalFlowLogs, name: str, **values) -> list[tuple]:
    return list(opened.ask(flow_queries()[name], ALL | values).rows)


def test_the_sixteen_queries_of_the_playbook_are_there():
    assert set(flow_queries()) >= PLAYBOOK


def _summed(flows, key, kept=lambda flow: True) -> dict:
    total: Counter = Counter()
    for flow in flows:
        if kept(flow):
            total[key(flow)] += flow["packets"]
    return dict(total)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flows=FLOWS)
def test_every_query_adds_up_what_the_flows_say(tmp_path, flows):
    def pair(flow):
        made = [f"2001:db8::{flow[end]}" if flow["v6"] else f"10.0.0.{flow[end]}" for end in ("src", "dst")]
        return tuple(made)

    opened = logs(tmp_path, *map(line, flows))
    admin = (22, 3389)
    assert len(ask(opened, "accepted-traffic")) == sum(flow["action"] == "ACCEPT" for flow in flows)
    assert len(ask(opened, "rejected-traffic")) == sum(flow["action"] == "REJECT" for flow in flows)
    assert {(a, b): p for a, b, p, *_ in _by(ask(opened, "ipv6-traffic"))} == _summed(flows, pair, lambda flow: flow["v6"])
    assert {(a, b): p for a, b, p, *_ in _by(ask(opened, "ipv4-traffic"))} == _summed(flows, pair, lambda flow: not flow["v6"])
    assert {row[0]: row[2] for row in ask(opened, "top-talkers")} == _summed(flows, lambda flow: pair(flow)[0])
    assert {row[0]: row[2] for row in ask(opened, "top-talkers-packet-level")} == _summed(flows, lambda flow: pair(flow)[0])
    assert {row[0]: row[2] for row in ask(opened, "top-talking-instances")} == _summed(
        flows, lambda flow: f"i-{flow['dst']}", lambda flow: flow["dst"] < 4
    )
    assert {row[0]: row[2] for row in ask(opened, "top-talking-subnets")} == _summed(
        flows, lambda flow: f"subnet-{flow['dst'] % 2}"
    )
    for name in ("total-bytes-transferred", "total-bytes-transferred-packet-level"):
        assert {row[:2]: row[3] for row in ask(opened, name)} == _summed(flows, lambda flow: tuple(sorted(pair(flow))))
    assert {row[:4]: row[5] for row in ask(opened, "top-tcp-traffic")} == _summed(
        flows,
        lambda flow: (pair(flow)[0], flow["srcport"], pair(flow)[1], flow["dstport"]),
        lambda flow: flow["protocol"] == 6,
    )
    assert {row[:3]: row[3] for row in ask(opened, "rejected-tcp-traffic")} == _summed(
        flows, lambda flow: (*pair(flow), flow["dstport"]), lambda flow: flow["protocol"] == 6 and flow["action"] == "REJECT"
    )
    for name, kept in (
        ("ssh-rdp-traffic", lambda flow: flow["protocol"] == 6 and (flow["dstport"] in admin or flow["srcport"] in admin)),
        ("admin-port-traffic", lambda flow: flow["dstport"] in admin or flow["srcport"] in admin),
    ):
        packets = 7 if name == "ssh-rdp-traffic" else 5
        assert sum(row[packets] for row in ask(opened, name)) == sum(flow["packets"] for flow in flows if kept(flow))
    one = "10.0.0.1"
    sent, got = ([flow for flow in flows if pair(flow)[end] == one] for end in (0, 1))
    assert sum(row[7] for row in ask(opened, "traffic-from-source-address")) == sum(flow["packets"] for flow in sent)
    assert sum(row[7] for row in ask(opened, "traffic-to-destination-address")) == sum(flow["packets"] for flow in got)
    touched = [flow for flow in flows if one in pair(flow)]
    assert sum(row[8] for row in ask(opened, "touched-by-address")) == sum(flow["packets"] for flow in touched)


def _by(rows: list[tuple]) -> list[tuple]:
    """Pairs whatever became of them: accepted and rejected added up."""
    total: Counter = Counter()
    for source, target, _, packets, *_ in rows:
        total[source, target] += packets
    return [(*pair, packets) for pair, packets in total.items()]


ONE = {"src": 1, "dst": 2, "srcport": 40000, "dstport": 22, "protocol": 6, "packets": 5, "start": 1_700_000_000}
ONE |= {"action": "ACCEPT", "v6": False}


@pytest.mark.parametrize(
    ("since", "until", "rows"), [(0, 1_700_000_000, 0), (0, 1_700_000_001, 1), (1_700_000_060, 2**33, 1), (1_700_000_061, 2**33, 0)]
)
def test_a_flow_counts_that_touches_the_time(tmp_path, since, until, rows):
    assert len(ask(logs(tmp_path, line(ONE)), "accepted-traffic", since=since, until=until)) == rows


def test_text_gzip_and_parquet_of_other_formats_are_one_table(tmp_path):
    (tmp_path / "a.log").write_text(" ".join(WIDE) + "\n" + line(ONE) + "\n")
    with gzip.open(tmp_path / "b.log.gz", "wt") as packed:
        packed.write("dstaddr srcaddr bytes packets start end action log-status interface-id srcport dstport protocol\n")
        packed.write("10.0.0.9 10.0.0.1 7 7 1700000000 1700000060 ACCEPT OK eni-9 1 2 17\n")
    row = "'10.0.0.3' AS srcaddr, '10.0.0.1' AS dstaddr, 11 AS packets, 440 AS bytes, 1700000000 AS start, 1700000060 AS \"end\""
    more = "'ACCEPT' AS action, 'OK' AS log_status, 'eni-3' AS interface_id, 1 AS srcport, 2 AS dstport, 6 AS protocol"
    duckdb.sql(f"COPY (SELECT {row}, {more}) TO '{tmp_path / 'c.parquet'}' (FORMAT parquet)")
    assert sorted(found[2] for found in ask(LocalFlowLogs([tmp_path]), "top-talkers")) == [11, 12]
    assert {found[0] for found in ask(LocalFlowLogs([tmp_path]), "touched-by-address")} == {"eni-2", "eni-9", "eni-3"}


def test_what_the_logs_do_not_tell_is_said(tmp_path):
    opened = logs(tmp_path, line(ONE), "torn line", line(ONE).replace(" OK", " SKIPDATA").replace(" 22 6 ", " - - "))
    answer = opened.ask(flow_queries()["accepted-traffic"], ALL)
    assert [doubt.split(" ", 1)[1] for doubt in answer.doubts] == [
        "line could not be read as flow logs",
        "skipped records in 1 interval (SKIPDATA): traffic of then is missing",
    ]


def test_queries_asked_at_once_answer_as_alone(tmp_path):
    later = {**ONE, "src": 3, "start": ONE["start"] + 1000}
    opened = logs(tmp_path, line(ONE), line(later), line({**ONE, "dst": 4}))
    asked = [
        (flow_queries()["touched-by-address"], ALL | {"address": "10.0.0.3"}),
        (flow_queries()["touched-by-address"], ALL | {"address": "10.0.0.4"}),
        (flow_queries()["top-talkers"], ALL | {"until": ONE["start"] + 500, "most": 1}),
        (flow_queries()["traffic-from-source-address"], ALL | {"address": "10.0.0.3", "until": ONE["start"] + 500}),
    ]
    together = [answer.rows for answer in opened.ask_all(asked)]
    assert together == [opened.ask(*one).rows for one in asked]
    assert [len(rows) for rows in together] == [1, 1, 1, 0]


def test_what_aws_skipped_is_told_whatever_is_asked(tmp_path):
    opened = logs(tmp_path, line(ONE), line(ONE | {"start": 5}).replace(" OK", " SKIPDATA"))
    answer = opened.ask(flow_queries()["traffic-from-source-address"], ALL | {"since": ONE["start"], "address": "10.0.0.1"})
    assert (len(answer.rows), answer.doubts) == (
        1,
        ("AWS skipped records in 1 interval (SKIPDATA): traffic of then is missing",),
    )


def test_a_query_that_the_format_cannot_answer_says_which_field_is_missing(tmp_path):
    opened = logs(tmp_path, fields=DEFAULT_FORMAT)
    with pytest.raises(FlowLogFileError, match="needs instance-id"):
        ask(opened, "top-talking-instances")


@pytest.mark.parametrize(("content", "words"), [("one two three\n", "3 columns and the format has 14"), (None, "no such file")])
def test_what_is_no_flow_log_is_refused_in_one_line(tmp_path, content, words):
    file = tmp_path / "x.log"
    if content is not None:
        file.write_text(content)
    with pytest.raises(FlowLogFileError, match=words):
        LocalFlowLogs([file])


def test_a_torn_gzip_is_named(tmp_path):
    file = tmp_path / "x.gz"
    file.write_bytes(gzip.compress(b"version srcaddr\n")[:9])
    with pytest.raises(FlowLogFileError, match=r"x\.gz: it cannot be read"):
        LocalFlowLogs([file])


def test_an_address_is_bound_and_not_pasted(tmp_path):
    assert ask(logs(tmp_path, line(ONE)), "touched-by-address", address="x' OR 1=1 --") == []


def test_athena_gets_the_parameters_in_the_order_in_which_they_stand():
    sql, values = flow_queries()["touched-by-address"].for_athena('"db"."t"', ALL | {"since": 5, "until": 9, "most": 3})
    assert sql.count("?") == len(values)
    assert values == ["'10.0.0.1'", "9", "5", "'10.0.0.1'", "'10.0.0.1'", "3"]
    # To Athena two parameters are never the same expression: what is grouped by may hold none.
    assert "?" not in sql.partition("GROUP BY")[2].partition("ORDER BY")[0]
    assert 'FROM "db"."t"' in sql
    assert flow_queries()["top-talkers"].for_athena("t", ALL | {"address": "it's"})[1] == ["8589934592", "0", "1000"]
