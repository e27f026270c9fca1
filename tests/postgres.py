"""A PostgreSQL server of the tests' own: in a temporary folder, on a socket in it, gone when the tests end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

_INSTALL = "PostgreSQL's binaries are not installed: apt-get install postgresql"
_FOLDERS = ("/usr/local/bin", *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True))
_STOP_SECONDS = 30.0


class NotInstalled(Exception):
    """PostgreSQL's binaries are not on this machine."""


class Server:
    """A server from the installed binaries.

    Args:
        durable: whether a commit reaches the disk before it is answered, as it must where figures are measured.
    """

    def __init__(self, folder: Path, *, durable: bool = False) -> None:
        path = os.pathsep.join([*_FOLDERS, os.environ.get("PATH", "")])
        initdb, control = shutil.which("initdb", path=path), shutil.which("pg_ctl", path=path)
        if initdb is None or control is None or shutil.which("postgres", path=path) is None:
            raise NotInstalled(_INSTALL)
        self._control, self._folder, self._data, self._user = control, folder, folder / "data", _user()
        fsync = "on" if durable else "off"
        self._options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync={fsync} -c max_connections=120"
        if self._user is not None:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        _run(self._user, initdb, "-D", self._data, "-U", "countermand", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")

    @property
    def url(self) -> str:
        """The URL of the maintenance database."""
        return f"postgresql://countermand@/postgres?host={self._folder}"

    def start(self) -> None:
        """Start it and wait until it answers; also after a crash, whose log it then replays."""
        log = self._folder / "log"
        _run(self._user, self._control, "-D", self._data, "-l", log, "-o", self._options, "-w", "-t", "60", "start")

    def stop(self) -> None:
        _run(self._user, self._control, "-D", self._data, "-m", "immediate", "-w", "stop")

    def kill(self) -> None:
        """End it by SIGKILL, and wait until the sessions' processes have noticed."""
        process = int((self._data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        os.kill(process, signal.SIGKILL)
        deadline = time.monotonic() + _STOP_SECONDS
        while any(Path(f"/proc/{child}").exists() for child in children):
            assert time.monotonic() < deadline, "what PostgreSQL started did not end with it"
            time.sleep(0.01)

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"test_{uuid4().hex}"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url.replace("/postgres?", f"/{name}?")


@contextmanager
def running(*, durable: bool = False) -> Iterator[Server]:
    """A running server, gone at the end.

    Raises:
        NotInstalled: there are no binaries.
    """
    # A socket's path may have 107 bytes, which pytest's own temporary folders can pass.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        server = Server(folder, durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running server that all tests share."""
    yield from _for_tests()


@pytest.fixture(scope="module")
def mortal_postgres() -> Iterator[Server]:
    """A running server that a test may kill; it must start it again."""
    yield from _for_tests()


def _for_tests() -> Iterator[Server]:
    try:
        with running() as server:
            yield server
    except NotInstalled as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def postgres_server(postgres: Server) -> str:
    """The URL of a running server's maintenance database."""
    return postgres.url


@pytest.fixture
def postgres_url(postgres: Server) -> str:
    """The URL of an empty database for one test."""
    return postgres.new_database()


def _user() -> pwd.struct_passwd | None:
    """Whom the server runs as: itself it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return known.get("postgres") or known["nobody"]


def _run(user: pwd.struct_passwd | None, *command: str | Path) -> None:
    who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
    # The server keeps what it inherits, so that output to a pipe would never end.
    with tempfile.TemporaryFile() as output:
        ended = subprocess.run([*map(str, command)], stdout=output, stderr=output, cwd="/", timeout=120, check=False, **who)
        output.seek(0)
        assert ended.returncode == 0, output.read().decode(errors="replace")
