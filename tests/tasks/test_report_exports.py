"""The report for other programs: STIX 2.1, CSV, and JSON of a stated schema."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import stix2
from hypothesis import given, settings
from hypothesis import strategies as st
from stix2.pattern_visitor import create_pattern_object

sys.path.append(str(Path(__file__).parents[1] / "incident"))
from examples import NOON
from told_incident import ACTOR_IP, AGENT, INCIDENT, Names, told, with_more

from incident.ledger import Kind
from incident.reports.indicators import Indicator, indicators, is_public
from incident.reports.report import report
from incident.reports.report_json import SCHEMA, report_json, report_schema
from incident.reports.report_table import COLUMNS, report_csv
from tasks.report_files import write_pages
from tasks.stix import bundle

_SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "report.schema.json"


def ast_of(pattern: str) -> list[str]:
    """The constants that a pattern compares with, as a reader of patterns understands them."""
    tree = create_pattern_object(pattern, version="2.1")
    return [tree.operand.rhs.value.replace("\\'", "'").replace("\\\\", "\\")]


def objects(lines, **more) -> list:
    return list(stix2.parse(bundle(indicators(lines, **more)), allow_custom=False).objects)


def test_the_bundle_is_valid_stix_and_holds_what_others_can_look_for():
    made = objects(told())
    patterns = {one.pattern for one in made if one.type == "indicator"}
    assert f"[ipv4-addr:value = '{ACTOR_IP}']" in patterns
    assert any(Names().key in pattern for pattern in patterns)
    assert any(AGENT in pattern for pattern in patterns)
    known = {one.id for one in made}
    refs = [ref for one in made if one.type == "report" for ref in one.object_refs]
    assert refs
    assert set(refs) <= known
    links = [one for one in made if one.type == "relationship"]
    assert links
    assert {ref for one in links for ref in (one.source_ref, one.target_ref)} <= known
    techniques = {one.external_references[0].external_id for one in made if one.type == "attack-pattern"}
    assert {"T1098.001", "T1562.007"} <= techniques


def test_ids_are_the_same_each_time_and_as_the_ledger_grows():
    assert bundle(indicators(told())) == bundle(indicators(told()))
    more = with_more(told(), (Kind.NOTE, "late-events:1", {"until": ""}))
    first, later = ({one.id: one for one in objects(lines) if one.type == "indicator"} for lines in (told(), more))
    assert first.keys() == later.keys()
    assert all(first[id_].created == later[id_].created for id_ in first)
    assert all(first[id_].modified < later[id_].modified for id_ in first)


def test_an_incident_without_an_actor_still_makes_a_bundle():
    lines = [line for line in told() if not line.key.startswith(("calls:", "means:")) and line.kind != Kind.ACTOR]
    assert [one.type for one in objects(lines)] == ["identity", "report"]


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=1, max_size=60))
def test_whatever_a_user_agent_holds_the_pattern_stays_one_pattern(agent):
    seen = Indicator("user-agent", agent, NOON, NOON, 1)
    found = replace(indicators(told()), indicators=(seen,), techniques=(), programs=())
    (made,) = (one for one in stix2.parse(bundle(found)).objects if one.type == "indicator")
    (comparison,) = ast_of(made.pattern)
    assert comparison == agent


@pytest.mark.parametrize(
    ("text", "public"),
    [("198.51.100.7", True), ("10.1.2.3", False), ("2001:db8::1", True), ("fe80::1", False), ("AWS Internal", False), ("", False)],
)
def test_only_addresses_of_the_internet_are_indicators(text, public):
    assert is_public(text) is public


def test_the_table_has_every_part_and_no_cell_is_a_formula():
    said = {"section": "intent", "text": "=HYPERLINK(1)", "person": "@alice", "at": "2026-03-01T12:00:00+00:00"}
    written = report(with_more(told(), (Kind.REMARK, "remark:1", said)))
    rows = list(csv.DictReader(io.StringIO(report_csv(written))))
    assert tuple(rows[0]) == COLUMNS
    assert {row["incident"] for row in rows} == {INCIDENT}
    parts = {"time", "happened", "done", "intent", "step", "left to people", "decision", "region", "network", "evidence"}
    assert parts <= {row["part"] for row in rows}
    assert any(row["what"] == "'=HYPERLINK(1)" for row in rows)
    assert not [cell for row in rows for cell in row.values() if cell[:1] in ("=", "+", "-", "@", "\t", "\r")]


@pytest.mark.parametrize("proved", [True, False])
def test_the_json_is_of_the_schema_that_it_names(proved):
    told_ = json.loads(report_json(report(told(proved=proved))))
    jsonschema.validate(told_, report_schema(), cls=jsonschema.Draft202012Validator)
    assert told_["schema"] == SCHEMA
    assert told_["times"][0]["took"] == "PT50M"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**told_, "times": "soon"}, report_schema(), cls=jsonschema.Draft202012Validator)


def test_the_schema_in_the_docs_is_the_one_of_the_code():
    written = json.dumps(report_schema(), indent=1, sort_keys=True) + "\n"
    assert _SCHEMA_FILE.read_text() == written, "write it anew: countermand report-schema > docs/report.schema.json"


def test_the_pages_are_written_whatever_a_name_holds(tmp_path):
    written = replace(report(told()), title="half \ud800 a surrogate, \x00, \u202e and <script>")
    write_pages(tmp_path / "reports", written)
    assert sorted(path.suffix for path in (tmp_path / "reports").iterdir()) == [".html", ".json", ".md"]
