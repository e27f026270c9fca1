"""The database of a practice's Prefect server: its tables are made once for this installation, and copied.

Prefect makes them by some eighty migrations, which take longer than all the rest of a practice's start.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import prefect

from gateway.processes import prefect_command

URL = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
_SCHEME = "sqlite+aiosqlite:///"
_UPGRADE_SECONDS = 180.0


def one_connection(folder: Path) -> dict[str, str]:
    """The setting for a database in a file to which the server keeps one connection.

    Of several that write side by side each finds the file locked now and then; the server then answers 503, and each of its clients
    rests two seconds before it asks again. Prefect keeps one where the address holds what names a database in memory.
    """
    return {URL: f"{_SCHEME}{folder / 'prefect' / ':memory:' / 'prefect.db'}"}


def give_tables(environment: Mapping[str, str]) -> None:
    """Put a database with Prefect's tables where the server of this environment looks for its own.

    Nothing is done where it has one already. Where no copy can be kept, the server makes its tables itself.
    """
    database = _database(environment)
    if database.exists():
        return
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        kept = Path(sys.prefix) / "countermand" / f"prefect-{prefect.__version__}.db"
        if not kept.exists():
            _make(kept, environment)
        database.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(kept, database)


def _database(environment: Mapping[str, str]) -> Path:
    address = environment.get(URL)
    return Path(address.removeprefix(_SCHEME)) if address else Path(environment["PREFECT_HOME"]) / "prefect.db"


def _make(kept: Path, environment: Mapping[str, str]) -> None:
    kept.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        made = Path(folder) / "prefect.db"
        own = {**environment, "PREFECT_HOME": folder, URL: f"{_SCHEME}{made}"}
        command = [*prefect_command(), "server", "database", "upgrade", "--yes"]
        subprocess.run(command, env=own, capture_output=True, timeout=_UPGRADE_SECONDS, check=True)  # noqa: S603
        os.replace(made, kept)
