"""The practice range: an AWS on a local port that keeps CloudTrail.

    with Range(RangeConfig(accounts=("111122223333",), regions=("us-east-1",))) as aws:
        boto3.client("ec2", endpoint_url=aws.url, region_name="us-east-1", **aws.responder().for_boto3())

moto's state belongs to the process, so one range runs in a process at a time; a new one starts empty.
"""

from __future__ import annotations

import logging
import os
import threading
from types import TracebackType
from typing import Any

os.environ.setdefault("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

from moto.moto_api._internal import moto_api_backend
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from drill.aws import corrections
from drill.aws.app import Application
from drill.aws.clock import Clock
from drill.aws.config import KeyPair, RangeConfig, bootstrap_keys, responder_keys
from drill.aws.control import Control
from drill.aws.images import load_images


class _QuietHandler(MotoRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:
        """Requests are not logged; the trail has them."""


class Range:
    """A running AWS. `clock` may be given to share or to steer it."""

    def __init__(self, config: RangeConfig | None = None, clock: Clock | None = None) -> None:
        self.config = config or RangeConfig()
        self.clock = clock or Clock(offset=self.config.clock_offset)
        self.app = Application(self.config, self.clock)
        self.app.control = Control(self.app, self.reset, self.dump)
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where boto3's endpoint_url is to point.

        Raises:
            RuntimeError: The range has not been started.
        """
        if self._server is None:
            raise RuntimeError("the range is not running; call start() first")
        return f"http://{self.config.host}:{self._server.server_port}"

    @property
    def account(self) -> str:
        return self.config.accounts[0]

    def bootstrap(self, account: str | None = None) -> KeyPair:
        """Root of an account, unrecorded."""
        return bootstrap_keys(account or self.account)

    def responder(self, account: str | None = None) -> KeyPair:
        """The responder's standing session in an account."""
        return responder_keys(account or self.account)

    def start(self) -> Range:
        """Empty everything, prepare the accounts and listen."""
        self.reset()
        return self.listen()

    def listen(self) -> Range:
        """Listen, with everything as it is: after `stop`, or in a process that was forked from one in which nobody listened."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        server = make_server(self.config.host, self.config.port, self.app, threaded=True, request_handler=_QuietHandler)
        server.daemon_threads = True  # type: ignore[attr-defined]
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="range", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        if self._thread is not None:
            self._thread.join(timeout=10)
            self._thread = None

    def __enter__(self) -> Range:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def reset(self) -> None:
        """Forget everything that happened and lay the accounts out anew."""
        corrections.apply(self.clock, self.config.snapshot_seconds)
        moto_api_backend.reset()
        self.app.trail.clear()
        self.app.trail_files.switch(self.config.trail_files)
        self.app.findings.clear()
        self.app.security_incidents.clear()
        self.app.costs.clear()
        self.app.posture.clear()
        self.app.account_blocks.clear()
        self.app.troubles.clear()
        self.app.staleness.clear()
        self.app.traffic.clear()
        self.app.performed.clear()
        self.app.recorder.switch(False)
        self.app.auto_scaling.clear()
        self.app.directory.prepare(self.clock.now())
        for account in self.config.accounts:
            self._prepare_account(account)

    def _prepare_account(self, account: str) -> None:
        from moto.ec2.models import ec2_backends
        from moto.guardduty.models import guardduty_backends

        for region in sorted(self.config.enabled):
            load_images(ec2_backends[account][region])
            guardduty_backends[account][region].create_detector(True, "SIX_HOURS", {}, {}, [])

    def dump(self) -> dict[str, Any]:
        """Everything that exists, as `drill.dump` describes it."""
        from drill.dump import dump

        return dump(self.url, self.config.accounts, sorted(self.config.enabled))
