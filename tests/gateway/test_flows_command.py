"""`countermand flows`: the queries, an answer, and mistakes in one line."""

from __future__ import annotations

import json

import pytest

LOG = """version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
2 111122223333 eni-1 198.51.100.7 10.0.0.5 40000 22 6 20 4249 1700000000 1700000060 ACCEPT OK
2 111122223333 eni-1 - - - - - - - 1700000060 1700000120 - SKIPDATA
"""


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "flows.log"
    file.write_text(LOG)
    return file


def test_the_queries_are_listed(run):
    code, out, _ = run("flows")
    assert code == 0
    assert "ssh-rdp-traffic" in out


def test_an_answer_with_what_is_not_known(run, log):
    code, out, err = run("flows", "ssh-rdp-traffic", log)
    assert code == 0
    assert "198.51.100.7" in out
    assert "2023-11-14 22:13:20" in out
    assert "SKIPDATA" in err


def test_an_answer_as_json(run, log):
    code, out, _ = run("flows", "traffic-from-source-address", log, "--address", "198.51.100.7", "--json")
    told = json.loads(out)
    assert code == 0
    assert [row["dstport"] for row in told["rows"]] == [22]
    assert len(told["doubts"]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("top-walkers",), "no query"),
        (("top-talkers", "/nowhere"), "no such file"),
        (("top-talkers",), "no flow log file"),
        (("traffic-from-source-address", "LOG"), "give it with --address"),
        (("traffic-from-source-address", "LOG", "--address", "nobody"), "no IP address"),
        (("top-talkers", "LOG", "--since", "yesterday"), "--since is no moment"),
        (("top-talkers", "LOG", "--until", "2026-11-24"), "no time zone"),
        (("top-talking-instances", "LOG"), "needs instance-id"),
        (("top-talkers", "LOG", "--format", "version versoin"), "no field"),
    ],
)
def test_a_mistake_ends_in_one_line(run, log, arguments, words):
    code, _, err = run("flows", *(log if one == "LOG" else one for one in arguments))
    assert code == 2
    assert words in err
    assert err.count("\n") == 1
