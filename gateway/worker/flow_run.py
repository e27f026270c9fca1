"""Runs one flow run in a fork of the process that has everything imported; where there is none, in a new process.

The worker calls this file by its path, with `-I -S` and the socket of the forks: it must begin at once, and so uses the standard
library alone. To the worker it is the flow run's process: its output, its signals, its death and its exit code are the fork's.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys

READY, LENGTH, ENDED = b"r", struct.Struct("!Q"), struct.Struct("!i")
"""What goes over the socket: the server is there; how long the request is that follows; the exit code of the fork.
After the request, each byte that the client sends is the number of a signal for the fork."""

_PATIENCE_SECONDS = 15.0
_LOST = 128 + signal.SIGKILL
"""The exit code where the fork is gone and nobody knows how it ended: as of one that was killed."""


def main() -> None:
    # Of a session of its own, as Prefect has it: what ends the worker must not end a response half way.
    os.setsid()
    connection = _connected(sys.argv[1])
    if connection is None:
        os.execv(sys.executable, [sys.executable, "-m", "prefect.engine"])  # noqa: S606
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: connection.send(bytes([number])))
    _asked(connection)
    sys.exit(_exit_code(connection))


def _connected(path: str) -> socket.socket | None:
    """A connection to a server that has said that it is ready; nothing has been asked of it yet."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_PATIENCE_SECONDS)
    try:
        connection.connect(path)
        ready = connection.recv(1) == READY
    except OSError:
        ready = False
    if not ready:
        connection.close()
        return None
    connection.settimeout(None)
    return connection


def _asked(connection: socket.socket) -> None:
    """Hand over where the output goes, the folder and the environment."""
    request = b"\0".join([os.fsencode(os.getcwd()), *(name + b"=" + value for name, value in os.environb.items())])
    socket.send_fds(connection, [LENGTH.pack(len(request))], [1, 2])
    connection.sendall(request)


def _exit_code(connection: socket.socket) -> int:
    """Wait until the fork has ended; one that a signal ended ends this process in the same way."""
    told = b""
    while len(told) < ENDED.size and (more := connection.recv(ENDED.size - len(told))):
        told += more
    code = ENDED.unpack(told)[0] if len(told) == ENDED.size else _LOST
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    return code


if __name__ == "__main__":
    main()
