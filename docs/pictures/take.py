"""Takes the pictures of the documentation from a real run of the demo: `make pictures`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from gateway.practice.exercise import DEMO, Exercise

_HERE = Path(__file__).parent
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-sync"]


def visit(addresses: dict[str, str]) -> None:
    """Photograph each page as a person sees it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 1100})
        _take(page, addresses["report"], "report.png")
        page.goto(addresses["Slack page"])
        page.get_by_text("View thread").first.click()
        page.get_by_text("Decision needed").first.wait_for()
        page.screenshot(path=str(_HERE / "slack.png"))
        browser.close()


def _take(page: Page, address: str, name: str) -> None:
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=str(_HERE / name))


if __name__ == "__main__":
    sys.exit(Exercise(DEMO, interactive=False, json_out=None, dump=None, console=Console(), visit=visit).run())
