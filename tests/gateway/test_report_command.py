"""`countermand report` in every form, for us and for outsiders."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import stix2
from told_incident import ACTOR_IP, INCIDENT, Names, told

from tasks.hands import utc_now
from tasks.ledger import Ledger

FORMS = ("md", "html", "json", "stix", "csv")


@pytest.fixture
def told_home(run, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    ledger = Ledger.open(f"sqlite:///{home / 'ledger.db'}", utc_now)
    ledger.append_all([(INCIDENT, line.kind, line.key, line.body) for line in told()])
    return run


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_what_it_says(told_home, form):
    code, out, err = told_home("report", INCIDENT, "--format", form)
    assert (code, err) == (0, "")
    match form:
        case "html":
            assert out.startswith("<!doctype html>")
        case "json":
            assert json.loads(out)["schema"] == "countermand.report/1"
        case "stix":
            assert stix2.parse(out).type == "bundle"
        case "csv":
            assert len(list(csv.DictReader(io.StringIO(out)))) > 30
        case _:
            assert out.startswith(f"# {INCIDENT}")


@pytest.mark.parametrize("form", FORMS)
def test_the_redacted_form_goes_to_a_file_and_says_what_must_be_read_first(told_home, form, tmp_path):
    file = tmp_path / f"for-outsiders.{form}"
    code, out, err = told_home("report", INCIDENT, "--format", form, "--redacted", "--output", str(file))
    assert (code, out) == (0, "")
    assert "2 passages that people wrote" in err
    content = file.read_text()
    assert not [one for one in Names().all if one in content]
    assert ACTOR_IP in content


def test_a_file_that_cannot_be_written_is_one_line(told_home, tmp_path):
    code, _, err = told_home("report", INCIDENT, "--output", str(tmp_path / "nowhere" / "r.md"))
    assert (code, err.count("\n")) == (2, 1)
    assert told_home("report", "inc-nobody")[0] == 2


def test_the_schema_is_printed_as_the_docs_have_it(run):
    assert run("report-schema")[1] == (Path(__file__).parents[2] / "docs" / "report.schema.json").read_text()
