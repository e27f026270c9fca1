"""The process that forks, with a few lines of Python from the environment in the place of Prefect's engine."""

from __future__ import annotations

import os
import signal
import socket
import sys

from gateway.worker.forks import Forks, take_over

for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
job = Forks(socket.socket(fileno=int(sys.argv[1])), worker=os.dup(0)).next_job()
if job is not None:
    take_over(job)
    exec(os.environ["LINES"])
