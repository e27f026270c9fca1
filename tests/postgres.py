"""A PostgreSQL server of the tests' own: in a temporary folder, on a socket in it, gone when the tests end."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

_INSTALL = "PostgreSQL's binaries are not installed: apt-get install postgresql"
_FOLDERS = ("/usr/local/bin", *sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a running server's maintenance database."""
    path = os.pathsep.join([*_FOLDERS, os.environ.get("PATH", "")])
    initdb, control = shutil.which("initdb", path=path), shutil.which("pg_ctl", path=path)
    if initdb is None or control is None or shutil.which("postgres", path=path) is None:
        pytest.skip(_INSTALL)
    # A socket's path may have 107 bytes, which pytest's own temporary folders can pass.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    data, log, user = folder / "data", folder / "log", _user()
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=120"
    try:
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        _run(user, initdb, "-D", data, "-U", "countermand", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C")
        _run(user, control, "-D", data, "-l", log, "-o", options, "-w", "-t", "60", "start")
        try:
            yield f"postgresql://countermand@/postgres?host={folder}"
        finally:
            _run(user, control, "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """The URL of an empty database for one test."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return postgres_server.replace("/postgres?", f"/{name}?")


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
