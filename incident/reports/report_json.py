"""The report as JSON of a stated schema, for other programs: `docs/report.schema.json` is made from the same types."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from incident.reports.report import Report

SCHEMA = "countermand.report/1"
"""Its name and version. A field that is added keeps the version; one that is taken away or changes its meaning raises it."""

_ADAPTER: TypeAdapter[Report] = TypeAdapter(Report)


def report_json(written: Report) -> str:
    """The report with its schema's name; times are ISO 8601, durations are ISO 8601 durations."""
    body: dict[str, Any] = _ADAPTER.dump_python(written, mode="json")
    told = {"schema": SCHEMA, "status": written.status, **body}
    return json.dumps(told, indent=1, ensure_ascii=True) + "\n"


def report_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of what `report_json` writes."""
    made = _ADAPTER.json_schema(mode="serialization")
    made["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    made["title"] = SCHEMA
    made["properties"] |= {"schema": {"const": SCHEMA}, "status": {"enum": ["restored", "incomplete", "no action"]}}
    made["required"] = ["schema", "status", *made["required"]]
    made["additionalProperties"] = False
    return made
