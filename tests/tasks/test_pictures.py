"""The report's pictures: well-formed whatever a name holds, no label over another, and nothing that happened left out."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree

import pytest
from attacks import ACCOUNT, NOON, SEED, Ledger, actor_of, attack, call, gives_session, told
from hypothesis import given, settings
from hypothesis import strategies as st

from incident.actor import Actor, Credential, Link
from incident.attribution import followed
from incident.reports.report import report
from incident.reports.story import ActorGraph, Calls, Lane, Mark, Timeline, actor_graph, timeline
from tasks import render
from tasks.pictures.actor_graph import actor_graph_svg
from tasks.pictures.axis import axis
from tasks.pictures.canvas import shown, wide
from tasks.pictures.timeline import timeline_svg

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    '"><script>alert(1)</script>',
    "\u202egpj.exe\u2066\u2069\u061c\ufeff",
    "' onload='alert(1)",
    "]]><!--&lt;",
    "name" * 2_500,
    "\ud800\ufffe\x00\x1b[31m",
    "漢字" * 50,
    "z\u0300\u0301\u0302\u0303\u0304" * 40,
)


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(root: ElementTree.Element) -> list[ElementTree.Element]:
    return list(root.iter(f"{SVG}text"))


def box(text: ElementTree.Element) -> tuple[float, float, float, float]:
    """Where a text stands: left, right, top, bottom."""
    size, words = float(text.attrib["font-size"]), text.text or ""
    width = wide(words, size, mono="mono" in text.attrib["font-family"])
    start = {"start": 0.0, "middle": width / 2, "end": width}[text.attrib["text-anchor"]]
    left, base = float(text.attrib["x"]) - start, float(text.attrib["y"])
    return left, left + width, base - size * 0.8, base + size * 0.2


def overlapping(svg: str) -> list[tuple[str, str]]:
    boxes = [(text.text or "", *box(text)) for text in texts(parsed(svg))]
    return [
        (one, other)
        for number, (one, left, right, top, bottom) in enumerate(boxes)
        for other, left2, right2, top2, bottom2 in boxes[:number]
        if left < right2 and left2 < right and top < bottom2 and top2 < bottom
    ]


def outside(svg: str) -> list[str]:
    root = parsed(svg)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    places = [(text.text, *box(text)) for text in texts(root)]
    return [text for text, left, right, top, bottom in places if left < 0 or right > width or top < 0 or bottom > height]


def titles(svg: str, kind: str) -> list[str]:
    groups = parsed(svg).iter(f"{SVG}g")
    return [group.findtext(f"{SVG}title") or "" for group in groups if group.get("class") == kind]


def pictures(lines) -> tuple[str, str]:
    return actor_graph_svg(actor_graph(lines)), timeline_svg(timeline(lines))


@pytest.fixture(scope="module", params=[60, 86_400 * 9], ids=["at once", "days later"])
def incident(request):
    records = attack(300)
    return records, told(records, actor_of(records), after=1_800 + request.param)


def test_at_three_hundred_events_no_label_lies_over_another_or_outside(incident):
    for svg in pictures(incident[1]):
        assert overlapping(svg) == []
        assert outside(svg) == []


def test_every_change_has_its_mark_with_record_and_time_and_is_counted_in_a_label(incident):
    records, lines = incident
    changed = [one for one in records if one.succeeded and not one.read_only and one.event_name != "CreateAccessKey"]
    svg = timeline_svg(timeline(lines))
    marks = titles(svg, "change")
    assert len(marks) == len(changed)
    for one in changed:
        assert any(one.event_id in mark and f"{one.time:%Y-%m-%d %H:%M:%S} UTC" in mark for mark in marks)
    labels = [title.splitlines()[0] for title in titles(svg, "label") if re.match(r"(\d+ × )?[A-Z]\w+$", title.splitlines()[0])]
    counted = sum(int(label.partition(" × ")[0]) if " × " in label else 1 for label in labels)
    assert counted == len(changed)


def test_every_call_and_every_moment_of_the_response_can_be_found(incident):
    records, lines = incident
    svg = timeline_svg(timeline(lines))
    everything = "\n".join(title for kind in ("change", "gave", "refused", "read") for title in titles(svg, kind))
    assert all(one.event_id in everything for one in records)
    steps = [line.position for line in lines if line.kind == "step-outcome"]
    assert len(titles(svg, "step")) + len(titles(svg, "step-not-well")) == len(steps)


def test_the_graph_says_for_each_link_which_record_shows_it_and_draws_suspicion_dashed(incident):
    records, lines = incident
    svg = actor_graph_svg(actor_graph(lines))
    proved = titles(svg, "edge proved")
    assert f"proved by record {records[0].event_id}" in proved
    assert f"proved by record {records[1].event_id}" in proved
    groups = [group for group in parsed(svg).iter(f"{SVG}g") if group.get("class", "").startswith(("edge", "credential"))]
    for group in groups:
        dashed = any("stroke-dasharray" in shape.attrib for shape in group)
        assert dashed == ("suspected" in group.attrib["class"])
    assert titles(svg, "edge suspected")


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_leaves_its_place(name):
    records = attack(40)
    graph = actor_graph(told(records, actor_of(records)))
    graph = replace(
        graph,
        held=tuple(replace(node, owner=name, how=name, record=name, event=name, addresses=(name,) * 3) for node in graph.held),
        touched=tuple(replace(node, kind=name, names=(name,) * 9, regions=(name,), records=(name,)) for node in graph.touched),
        edges=tuple(replace(edge, record=name) for edge in graph.edges),
    )
    call_ = Calls(NOON, NOON, name, name, name, name, name, False, True, name)
    calls = (
        call_,
        replace(call_, refused=True, changed=False),
        replace(call_, changed=False, count=3, until=NOON + timedelta(seconds=9)),
    )
    mark = Mark(NOON + timedelta(hours=5), None, Lane.STEPS, name, name, False, 1)
    story = Timeline(calls, (mark, replace(mark, lane=Lane.PHASES), replace(mark, lane=Lane.PEOPLE, what=name, alike=name)))
    for svg in (actor_graph_svg(graph), timeline_svg(story)):
        root = parsed(svg)
        assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
            "svg",
            "defs",
            "g",
            "title",
            "text",
            "rect",
            "path",
            "line",
            "circle",
        }
        assert not any(key.startswith("on") or "href" in key for element in root.iter() for key in element.attrib)
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u061c\u200b-\u200f\ufeff]", svg)
        assert (overlapping(svg), outside(svg)) == ([], [])
        assert len(svg) < 200_000


@given(st.text(max_size=300), st.integers(1, 80))
def test_what_is_shown_is_one_line_that_xml_can_hold(text, limit):
    line = shown(text, limit)
    assert len(line) <= limit
    assert "\n" not in line
    ElementTree.fromstring(f"<a>{line.replace('&', '').replace('<', '').replace(']]>', '')}</a>")


@pytest.mark.parametrize("lines", [[], Ledger().lines], ids=["none", "empty"])
def test_an_empty_ledger_makes_pictures_that_say_so(lines):
    graph, when = pictures(lines)
    assert "Nobody is proved" in texts(parsed(graph))[0].text
    assert "Nothing is known" in texts(parsed(when))[0].text


def test_an_older_ledger_without_calls_shows_the_responses_moments():
    records = attack(30)
    lines = [line for line in told(records, actor_of(records)) if not line.key.startswith("calls:")]
    svg = timeline_svg(timeline(lines))
    assert any("keeps no calls" in (text.text or "") for text in texts(parsed(svg)))
    assert titles(svg, "step")


def test_many_credentials_and_a_long_chain_still_fit_without_overlap():
    records = [gives_session(f"ASIAWIDE{n:04}", f"Role{n}", n) for n in range(120)]
    records += [gives_session(f"ASIADEEP{n:04}", "Deep", 200 + n, by=f"ASIADEEP{n - 1:04}" if n else SEED) for n in range(15)]
    seed = Credential(SEED, "mallory", "user", Link.PROVED, "the finding names it", "", ACCOUNT)
    actor = followed(Actor({SEED: seed}, NOON, "", SEED), records)
    svg = actor_graph_svg(actor_graph(told(records, actor)))
    assert (overlapping(svg), outside(svg)) == ([], [])
    assert "more keys" in svg


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 400_000), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), st.sampled_from(["a", "b"])), max_size=80
    )
)
def test_no_label_lies_over_another_whatever_happened_when(events):
    calls = [call(f"Create{name * 20}", at, region=region) for at, name, region in events]
    records = [*attack(2), *calls]
    svg = timeline_svg(timeline(told(records, actor_of(records), after=1000)))
    assert (overlapping(svg), outside(svg)) == ([], [])
    assert len(titles(svg, "change")) == len(calls)


@given(st.lists(st.datetimes(min_value=NOON.replace(tzinfo=None), max_value=NOON.replace(tzinfo=None, year=2030)), min_size=1))
def test_the_axis_keeps_the_order_of_time_and_its_edges(moments):
    moments = sorted(moment.replace(tzinfo=NOON.tzinfo) for moment in moments)
    scale = axis(moments, 100, 1_000)
    places = [scale.x(moment) for moment in moments]
    assert places == sorted(places)
    assert all(100 <= place <= 1_000.001 for place in places)


def test_the_page_holds_its_pictures_and_still_escapes_everything_else():
    records = attack(40)
    actor = actor_of(records)
    held = {key: replace(one, owner=HOSTILE[0]) for key, one in actor.credentials.items()}
    written = report(told(records, Actor(held, actor.since, "", SEED)))
    page, markdown = render.html(written), render.text(written)
    assert page.count("<svg ") == 3
    assert 'role="img"' in page
    assert "<script" not in page
    assert not re.search(r"src\s*=|href\s*=\s*.(?!#)", page), "the page loads nothing and leads nowhere but into itself"
    assert not re.search(r"url\(|@import", page)
    assert "<script" not in markdown
    assert "| AKIAEVEEXAMPLEKEY002 |" in markdown


def test_a_graph_of_nothing_is_a_picture():
    assert parsed(actor_graph_svg(ActorGraph())).attrib["role"] == "img"
