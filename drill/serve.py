"""Run a practice range: `python -m drill.serve --port 5005 --accounts 111122223333 --regions us-east-1,eu-central-1`."""

from __future__ import annotations

import argparse
import signal
import threading

from drill.aws import DEFAULT_REGIONS, Range, RangeConfig
from drill.aws.config import DEFAULT_ACCOUNT


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parser() -> argparse.ArgumentParser:
    """The command line."""
    out = argparse.ArgumentParser(prog="python -m drill.serve", description="A practice AWS that keeps CloudTrail.")
    out.add_argument("--host", default="127.0.0.1")
    out.add_argument("--port", type=int, default=5005, help="0 takes a free one (default 5005)")
    out.add_argument("--accounts", type=_list, default=(DEFAULT_ACCOUNT,), help="account ids, with commas between")
    out.add_argument("--regions", type=_list, default=DEFAULT_REGIONS, help="enabled regions, with commas between")
    out.add_argument("--delivery-lag", type=float, default=0.0, help="seconds until LookupEvents shows an event")
    out.add_argument("--snapshot-seconds", type=float, default=0.0, help="how long a snapshot takes")
    out.add_argument("--lookup-rate", type=float, default=2.0, help="LookupEvents calls a second (default 2)")
    out.add_argument("--trail-files", action="store_true", help="deliver the trail to the bucket range-trail too")
    out.add_argument("--trail-prefix", default="", help="what stands before AWSLogs/ in its keys")
    out.add_argument("--trail-organization", default="", help="the organization's id in its keys, as in o-abcdefghij")
    out.add_argument("--clock-offset", type=float, default=0.0, help="seconds to add to real time")
    out.add_argument("--seed", type=int, default=0, help="for faults by chance")
    return out


def main(argv: list[str] | None = None) -> int:
    """Serve until interrupted or terminated."""
    options = parser()
    given = options.parse_args(argv)
    try:
        config = RangeConfig(**vars(given))
    except ValueError as e:
        options.error(str(e))
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Range(config) as aws:
        print(f"range at {aws.url}  accounts {','.join(config.accounts)}", flush=True)
        stopped.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
