"""The report in the forms in which it leaves: a page, Markdown, JSON."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from incident.reports.report import Report
from incident.reports.report_json import report_json
from tasks import render


def write_pages(folder: Path, written: Report) -> None:
    """Write the three forms into the folder from which the gateway shows them; a reader sees an old one or a new one, never half.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for ending, content in (("html", render.html(written)), ("md", render.text(written)), ("json", report_json(written))):
        write_whole(folder / f"{written.incident}.{ending}", content)


def write_whole(path: Path, content: str) -> None:
    """Write a file that is there as a whole or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:60]}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
