"""Tables as CSV that people open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Also the full-width forms, which some spreadsheets take for the plain ones."""


def cell(value: object) -> str:
    """One cell, as text that no spreadsheet runs as a formula: what would begin one is put behind an apostrophe.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    told = "" if value is None else str(value)
    return f"'{told}" if told.lstrip(" \u00a0").startswith(_STARTS_A_FORMULA) else told


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table with its line of column names."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(one) for one in row] for row in rows)
    return text.getvalue()
