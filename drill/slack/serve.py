"""Run a practice Slack: `python -m drill.slack.serve --port 5006 --request-url http://127.0.0.1:8400/slack/events`."""

from __future__ import annotations

import argparse
import signal
import threading

from drill.slack.people import DEFAULT_TEAM, read_people
from drill.slack.server import DEFAULT_CHANNEL, FakeSlack


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(prog="python -m drill.slack.serve", description="A practice Slack, with a page to click on.")
    out.add_argument("--host", default="127.0.0.1")
    out.add_argument("--port", type=int, default=5006, help="0 takes a free one (default 5006)")
    out.add_argument("--signing-secret", default="practice-signing-secret", help="what clicks are signed with")
    out.add_argument("--bot-token", default="xoxb-practice", help="the token that the Web API takes")
    out.add_argument("--app-token", default="xapp-practice", help="the token for Socket Mode")
    out.add_argument("--request-url", default="", help="where clicks are POSTed while no app is connected over Socket Mode")
    out.add_argument("--channel", action="append", metavar="ID[:NAME]", help=f"may be repeated (default {DEFAULT_CHANNEL})")
    out.add_argument("--team", default=DEFAULT_TEAM, help=f"the workspace's id (default {DEFAULT_TEAM})")
    out.add_argument("--users", metavar="FILE|JSON", help="a JSON list of people, or a file with one (default: five made-up ones)")
    out.add_argument("--no-rate-limit", dest="rate_limit", action="store_false", help="let messages through as fast as they come")
    return out


def main(argv: list[str] | None = None) -> int:
    """Serve until interrupted or terminated."""
    options = parser()
    given = vars(options.parse_args(argv))
    channels, users = given.pop("channel") or [DEFAULT_CHANNEL], given.pop("users")
    try:
        people = read_people(users, given["team"]) if users else None
    except ValueError as error:
        options.error(f"--users: {error}")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    try:
        with FakeSlack(**given, channels=channels, users=people) as slack:
            print(f"slack at {slack.url}  api {slack.api_url}", flush=True)
            stopped.wait()
    except OSError as error:
        options.error(f"cannot listen: {error.strerror or error}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
