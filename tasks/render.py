"""The report as a page and as Markdown. Jinja escapes everything; the page loads nothing from anywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from incident.people.messages import markdown
from incident.reports.lifecycle import OUTCOMES
from incident.reports.report import Report
from incident.words import moment, span_in_words
from tasks.pictures.actor_graph import actor_graph_svg
from tasks.pictures.network import network_svg
from tasks.pictures.timeline import timeline_svg

_TEMPLATES = Path(__file__).parent / "templates"


def html(report: Report) -> str:
    """The self-contained page."""
    # The pictures are markup of our own making, in which every name is escaped; all else is text.
    drawn = {"who": actor_graph_svg(report.who), "when": timeline_svg(report.when), "network": network_svg(report.changed)}
    pictures = {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704
    return _environment(autoescape=True).get_template("report.html").render(report=report, outcomes=OUTCOMES, **pictures)


def text(report: Report) -> str:
    """The report in Markdown, for artifacts and tickets."""
    return _environment(autoescape=False).get_template("report.md").render(report=report)


def _environment(autoescape: bool) -> Environment:
    # The Markdown template escapes each value with its own filter: HTML escaping would show entities to readers of plain text.
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=autoescape,  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = moment
    environment.filters["epoch"] = epoch
    environment.filters["duration"] = span_in_words
    environment.filters["md"] = markdown
    return environment


def epoch(seconds: object) -> str:
    """A time as flow logs count it, in words; empty where there is none."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC" if isinstance(seconds, int) else ""
