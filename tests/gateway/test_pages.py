"""What else the doors show: probes, reports, and nothing more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from delivering import DOOR


def test_the_probes_tell_alive_from_ready(doors: httpx.Client) -> None:
    assert (doors.get("/healthz").text, doors.get("/readyz").text) == ("ok", "ready")


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "inc-0123456789ab.html").write_text("<!doctype html><title>Report</title>")
    (folder / "secret.html").write_text("secret")
    (tmp_path / "inc-aaaaaaaaaaaa.html").write_text("secret")
    (folder / "inc-bbbbbbbbbbbb.html").symlink_to(tmp_path / "inc-aaaaaaaaaaaa.html")
    (folder / "inc-cccccccccccc.html").mkdir()
    return folder


def test_a_report_is_a_page_that_loads_and_runs_nothing(doors: httpx.Client, reports: Path) -> None:
    answer = doors.get("/incidents/inc-0123456789ab/report")
    assert (answer.status_code, answer.text) == (200, "<!doctype html><title>Report</title>")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "path",
    [
        "inc-ffffffffffff",
        "secret",
        "..%2finc-aaaaaaaaaaaa",
        "%2e%2e/inc-aaaaaaaaaaaa",
        "inc-bbbbbbbbbbbb",
        "inc-cccccccccccc",
        "inc-0123456789ab%00",
        "inc-0123456789ab%0a",
        "INC-0123456789AB",
        "inc-0123456789ab.html",
        "%2fetc%2fpasswd",
    ],
)
def test_no_other_path_shows_a_file(doors: httpx.Client, reports: Path, path: str) -> None:
    answer = doors.get(f"/incidents/{path}/report")
    assert answer.status_code == 404
    assert "secret" not in answer.text


@pytest.mark.parametrize("path", ["/", DOOR, "/docs", "/incidents/inc-0123456789ab"])
def test_other_requests_get_no_more_than_a_code(doors: httpx.Client, path: str) -> None:
    answer = doors.get(path)
    assert answer.status_code == (405 if path == DOOR else 404)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


def test_slack_answers_under_its_own_path(open_doors: Any) -> None:
    async def slack(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    assert open_doors(slack=slack).post("/slack/events").text == "/slack/events"
    assert open_doors().post("/slack/events").status_code == 404
