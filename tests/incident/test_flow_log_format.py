"""Formats of flow logs: what a person or a flow log gives, and the first line of a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident.flow_log_format import DEFAULT_FORMAT, FIELDS, FlowLogFormatError, parse_format, parse_header

ORDERS = st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, unique=True).map(tuple)


@given(ORDERS)
def test_every_order_of_fields_is_read_in_both_spellings(fields):
    assert parse_format(" ".join(f"${{{name}}}" for name in fields)) == fields
    assert parse_format(" ".join(fields)) == fields
    assert parse_header(" ".join(fields)) == fields


@pytest.mark.parametrize("text", ["", "version versoin", "version version", "${version", "2 123456789012"])
def test_what_is_no_format_is_refused(text):
    with pytest.raises(FlowLogFormatError):
        parse_format(text)


@pytest.mark.parametrize("line", ["2 123456789012 eni-1 - - - - - - - 1 2 - NODATA", "", "hello there", "srcaddr srcaddr"])
def test_what_is_no_first_line_names_nothing(line):
    assert parse_header(line) == ()


def test_a_field_that_aws_added_since_is_kept():
    assert parse_header("version srcaddr quantum-flavour") == ("version", "srcaddr", "quantum-flavour")


def test_the_default_format_has_the_fourteen_fields_of_version_2():
    assert len(DEFAULT_FORMAT) == 14
    assert (DEFAULT_FORMAT[0], DEFAULT_FORMAT[-1]) == ("version", "log-status")
