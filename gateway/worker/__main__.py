"""`python -m gateway.worker OPTIONS`: `prefect worker start OPTIONS`, whose process worker lets flow runs begin in forks."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any, ClassVar

from prefect.cli import app
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

from gateway.processes import ROOT
from gateway.worker import flow_run
from gateway.worker.forks import NOT_HERE

_REST_SECONDS = 5.0


class ForkedConfiguration(ProcessJobConfiguration):
    """Where the pool and the deployment name no command of their own, runs begin in a fork."""

    forks: ClassVar[str] = ""
    """The socket of the process that forks."""

    def prepare_for_flow_run(self, *arguments: Any, **named: Any) -> None:
        if self.command is None:
            self.command = shlex.join([sys.executable, "-I", "-S", flow_run.__file__, self.forks])
        super().prepare_for_flow_run(*arguments, **named)


# Prefect looks workers up by their type; this one takes the place of its own.
with warnings.catch_warnings(action="ignore"):

    class ForkingWorker(ProcessWorker):
        """Prefect's process worker."""

        type = "process"
        job_configuration = ForkedConfiguration


def keep_forking(path: Path) -> None:
    """Start the process that forks, and again where it has died; not where this system cannot fork."""
    while True:
        with socket.socket(socket.AF_UNIX) as listener:
            path.unlink(missing_ok=True)
            listener.bind(str(path))
            listener.listen(128)
            process = started(listener)
        if process.wait() == NOT_HERE:
            return
        print(f"the process that forks flow runs ended with {process.returncode}; it is started again", file=sys.stderr)
        time.sleep(_REST_SECONDS)


def started(listener: socket.socket) -> subprocess.Popen[bytes]:
    """Start the process that forks on a socket that listens already, so that who comes meanwhile waits."""
    descriptor = listener.fileno()
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "gateway.worker.forks", str(descriptor)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        pass_fds=[descriptor],
        start_new_session=True,
    )


def main() -> None:
    """Start the forks where this system has what they need, and be Prefect's worker."""
    with tempfile.TemporaryDirectory(prefix="countermand-") as folder:
        if sys.platform == "linux":
            path = Path(folder) / "forks"
            ForkedConfiguration.forks = str(path)
            threading.Thread(target=keep_forking, args=(path,), name="forks", daemon=True).start()
        sys.argv[:1] = ["prefect", "worker", "start"]
        app()


if __name__ == "__main__":
    main()
