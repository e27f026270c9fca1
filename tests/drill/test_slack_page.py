"""The page of the practice Slack in a real browser: it shows what Slack shows, and nothing in it is ever markup."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from drill.slack.server import FakeSlack
from tests.drill.slack_desk import CHANNEL, App, Heard, actions, button, modal, mrkdwn, plain, section, text_input, web

CHROMIUM = shutil.which("chromium")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"),
]


@dataclass
class Seen:
    """The page, what it complained about, and which addresses it asked."""

    page: Page
    slack: FakeSlack
    app: App
    complaints: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield running
        running.close()


@pytest.fixture
def seen(browser: Browser) -> Iterator[Seen]:
    with App() as app, FakeSlack(request_url=app.url, rate_limit=False) as slack:
        page = browser.new_page()
        seen = Seen(page, slack, app)
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("console", lambda line: seen.complaints.append(line.text) if line.type == "error" else None)
        page.on("request", lambda request: seen.addresses.append(request.url))
        page.on("dialog", lambda dialog: (seen.complaints.append(dialog.message), dialog.dismiss()))
        yield seen
        page.close()
        assert seen.complaints == []
        assert all(address.startswith(slack.url) for address in seen.addresses), seen.addresses


def _answer(seen: Seen) -> Any:
    """What an app like ours does: opens a dialog, takes one code only, and says that it counts."""

    def answer(heard: Heard) -> object:
        payload = heard.payload
        if payload["type"] == "block_actions":
            web(seen.slack).views_open(trigger_id=payload["trigger_id"], view=modal(section("*Remove* `sg-1`"), text_input("code")))
            return None
        if payload["view"]["state"]["values"]["code"]["value"]["value"] != "123456":
            return {"response_action": "errors", "errors": {"code": "The code is wrong."}}
        web(seen.slack).chat_postEphemeral(channel=CHANNEL, user=payload["user"]["id"], text="Your answer counts.")
        return None

    return answer


def test_a_person_reads_clicks_is_refused_and_approves(seen: Seen) -> None:
    seen.app.answer = _answer(seen)
    client, page = web(seen.slack), seen.page
    root = client.chat_postMessage(channel=CHANNEL, text="inc-1 opened")["ts"]
    client.chat_postMessage(channel=CHANNEL, thread_ts=root, text="Decide", blocks=[section("Decide"), actions(button())])
    page.goto(seen.slack.url)
    page.get_by_role("button", name="Bob Brandt").click()
    page.get_by_text("View thread").click()
    page.get_by_role("button", name="Go").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("strong")).to_have_text("Remove")
    dialog.get_by_label("Code").fill("000000")
    dialog.get_by_role("button", name="Approve").click()
    expect(dialog.get_by_text("The code is wrong.")).to_be_visible()
    expect(dialog.get_by_label("Code")).to_have_value("000000")
    dialog.get_by_label("Code").fill("123456")
    dialog.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Your answer counts.")).to_be_visible()
    expect(dialog).to_have_count(0)
    assert {heard.payload["user"]["id"] for heard in seen.app.heard} == {"U0BOB"}
    page.get_by_role("button", name="Carol Cruz").click()
    expect(page.get_by_text("Your answer counts.")).to_have_count(0)


def test_a_message_that_comes_later_appears_by_itself(seen: Seen) -> None:
    seen.page.goto(seen.slack.url)
    expect(seen.page.get_by_text("Nothing here yet.")).to_be_visible()
    ts = web(seen.slack).chat_postMessage(channel=CHANNEL, text="first")["ts"]
    expect(seen.page.get_by_text("first")).to_be_visible()
    web(seen.slack).chat_update(channel=CHANNEL, ts=ts, text="changed")
    expect(seen.page.get_by_text("changed")).to_be_visible()
    expect(seen.page.get_by_text("(edited)")).to_be_visible()


def test_pins_lead_to_their_messages_and_commands_are_offered(seen: Seen) -> None:
    client = web(seen.slack)
    ts = client.chat_postMessage(channel=CHANNEL, text="the status <b>", blocks=[section("the status")])["ts"]
    client.pins_add(channel=CHANNEL, timestamp=ts)
    for number in range(40):
        client.chat_postMessage(channel=CHANNEL, text=f"later {number}")
    seen.page.goto(seen.slack.url)
    seen.page.get_by_text("1 pinned").click()
    seen.page.locator("#pinned button").click()
    expect(seen.page.locator(f'#messages [data-ts="{ts}"]')).to_be_in_viewport()
    seen.slack.hands.commands = frozenset({"/incident"})
    seen.slack.workspace.touch()
    expect(seen.page.locator("#commands")).to_be_hidden()
    seen.page.locator("#draft").press_sequentially("/inc")
    seen.page.locator("#commands button").click()
    expect(seen.page.locator("#draft")).to_have_value("/incident ")


def test_what_is_typed_into_a_dialog_survives_the_refreshes(seen: Seen) -> None:
    seen.app.answer = _answer(seen)
    web(seen.slack).chat_postMessage(channel=CHANNEL, text="Decide", blocks=[actions(button())])
    seen.page.goto(seen.slack.url)
    seen.page.get_by_role("button", name="Go").click()
    code = seen.page.get_by_role("dialog").get_by_label("Code")
    code.fill("12")
    web(seen.slack).chat_postMessage(channel=CHANNEL, text="meanwhile")
    expect(seen.page.get_by_text("meanwhile")).to_be_visible()
    expect(code).to_have_value("12")
    expect(code).to_be_focused()


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "&lt;img src=x onerror=alert(1)&gt;",
    "<javascript:alert(1)|click me>",
    "<data:text/html,<script>alert(1)</script>|click me>",
    "<https://example.com|<img src=x onerror=alert(1)>>",
    '<https://example.com/"onmouseover="alert(1)|hover me>',
    "*<b onclick=alert(1)>bold</b>*",
    "```<script>alert(1)</script>```",
    "`<svg onload=alert(1)>`",
    "<@U0ALICE|<img src=x onerror=alert(1)>>",
    "<!channel|<img src=x onerror=alert(1)>>",
    "> <iframe src=javascript:alert(1)>",
]


def test_nothing_that_anybody_writes_becomes_markup(seen: Seen) -> None:
    client = web(seen.slack)
    for words in HOSTILE:
        fields = {"type": "section", "fields": [mrkdwn(words), plain(words)]}
        context = {"type": "context", "elements": [mrkdwn(words)]}
        blocks = [{"type": "header", "text": plain(words)}, section(words), fields, context, actions(button(text=plain(words)))]
        client.chat_postMessage(channel=CHANNEL, text=words, blocks=blocks)
        client.chat_postMessage(channel=CHANNEL, text=words)
    seen.page.goto(seen.slack.url)
    expect(seen.page.locator("article")).to_have_count(2 * len(HOSTILE))
    assert seen.page.locator(":is(article, .messages) :is(script, img, svg, iframe, b[onclick])").count() == 0
    links = seen.page.locator("article a").evaluate_all("links => links.map((link) => link.protocol)")
    assert set(links) <= {"https:"}
    handlers = "all => all.filter((one) => one.getAttributeNames().some((name) => name.startsWith('on'))).length"
    assert seen.page.locator("article *").evaluate_all(handlers) == 0


def test_mrkdwn_is_shown_as_slack_shows_it(seen: Seen) -> None:
    words = "*bold* _leaning_ ~gone~ `code` snake_case 2*3*4 &amp;lt; <https://example.com|a link>\n> quoted\n```\na *block*\n```"
    web(seen.slack).chat_postMessage(channel=CHANNEL, text=words)
    seen.page.goto(seen.slack.url)
    shown = seen.page.locator("article .words")
    expect(shown.locator("strong")).to_have_text("bold")
    expect(shown.locator("em")).to_have_text("leaning")
    expect(shown.locator("s")).to_have_text("gone")
    expect(shown.locator("code")).to_have_text("code")
    expect(shown.locator("blockquote")).to_have_text("quoted")
    expect(shown.locator("pre")).to_contain_text("a *block*")
    expect(shown.locator("a")).to_have_attribute("href", "https://example.com/")
    expect(shown).to_contain_text("snake_case 2*3*4 &lt;")


def test_the_page_says_when_slack_is_away_and_when_the_app_is(seen: Seen) -> None:
    web(seen.slack).chat_postMessage(channel=CHANNEL, text="Decide", blocks=[actions(button())])
    seen.slack.request_url = "http://127.0.0.1:9/"
    seen.page.goto(seen.slack.url)
    seen.page.get_by_role("button", name="Go").click()
    expect(seen.page.get_by_text("The app did not answer")).to_be_visible()
    seen.slack.stop()
    expect(seen.page.get_by_text("Reconnecting…")).to_be_visible()
    seen.slack.start()
    expect(seen.page.get_by_text("Reconnecting…")).to_have_count(0)
    seen.complaints[:] = [line for line in seen.complaints if "ERR_CONNECTION_REFUSED" not in line]


@pytest.mark.parametrize("width", [1280, 760, 400])
def test_nothing_runs_over_the_edge(seen: Seen, width: int) -> None:
    long = "arn:aws:iam::111122223333:role/" + "very-long-name-" * 12
    web(seen.slack).chat_postMessage(
        channel=CHANNEL, text=long, blocks=[section(f"`{long}` {long}"), actions(button(), button("b"))]
    )
    seen.page.set_viewport_size({"width": width, "height": 800})
    seen.page.goto(seen.slack.url)
    expect(seen.page.locator("article")).to_have_count(1)
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    box = seen.page.get_by_role("button", name="Send").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= width
    assert box["y"] + box["height"] <= 800


def test_the_page_is_served_with_a_strict_policy(seen: Seen) -> None:
    answer = httpx.get(seen.slack.url)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert json.loads(httpx.get(f"{seen.slack.url}/control/state").text)["team"] == "T0PRACTICE"
