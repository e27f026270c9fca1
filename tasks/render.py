"""Reports and score cards as pages, and reports as Markdown. Jinja escapes everything; no page loads anything from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from incident.people.messages import markdown
from incident.reports.lifecycle import OUTCOMES
from incident.reports.report import Report
from incident.score_card import RULE, ScoreCard, before
from incident.words import moment, span_in_words
from tasks.pictures.actor_graph import actor_graph_svg
from tasks.pictures.network import network_svg
from tasks.pictures.timeline import timeline_svg

_TEMPLATES = Path(__file__).parent / "templates"
_RUNS_SHOWN = 20


def html(report: Report) -> str:
    """The self-contained page."""
    # The pictures are markup of our own making, in which every name is escaped; all else is text.
    drawn = {"who": actor_graph_svg(report.who), "when": timeline_svg(report.when), "network": network_svg(report.changed)}
    pictures = {name: Markup(svg) for name, svg in drawn.items()}  # noqa: S704
    return _environment(autoescape=True).get_template("report.html").render(report=report, outcomes=OUTCOMES, **pictures)


def text(report: Report) -> str:
    """The report in Markdown, for artifacts and tickets."""
    return _environment(autoescape=False).get_template("report.md").render(report=report)


def score_card_page(card: ScoreCard, comparison: Sequence[str], earlier: Sequence[ScoreCard]) -> str:
    """A drill's card as a self-contained page.

    Args:
        comparison: how it compares with earlier runs, in sentences.
        earlier: all cards that are kept; those of its scenario and manner are shown beside it.
    """
    runs = [*before(card, earlier)[-_RUNS_SHOWN:], card]
    page = _environment(autoescape=True).get_template("score_card.html")
    return page.render(card=card, comparison=comparison, runs=runs, rule=RULE)


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
    environment.filters["seconds"] = lambda took: span_in_words(None if took is None else timedelta(seconds=took))
    return environment


def epoch(seconds: object) -> str:
    """A time as flow logs count it, in words; empty where there is none."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC" if isinstance(seconds, int) else ""
