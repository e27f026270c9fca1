"""The one password of Prefect's API: where it is kept, and how its server and its clients are told of it.

Prefect has one shared password and no users: whoever has it may start, end and resume any run.
https://docs.prefect.io/v3/advanced/security-settings
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from tasks.config import ConfigError

PASSWORD_FILE = "prefect-password"  # noqa: S105
USER = "admin"


def kept_password(folder: Path) -> str:
    """The password that is kept in a folder; made once, and only its owner may read it.

    Raises:
        ConfigError: the file cannot be read or written, or holds none.
    """
    file = folder / PASSWORD_FILE
    try:
        return _kept(file)
    except OSError as error:
        raise ConfigError(
            f"{file}: {error.strerror}; let Countermand's user read and write it, or set serve.prefect_password"
        ) from None


def for_clients(password: str) -> dict[str, str]:
    """What whoever calls Prefect's API must see: the gateway, the worker, the flows and the command line."""
    return {"PREFECT_API_AUTH_STRING": f"{USER}:{password}"}


def for_server(seen: Mapping[str, str]) -> dict[str, str]:
    """What the server must see beside that, so that it lets in nobody else."""
    return {"PREFECT_SERVER_API_AUTH_STRING": seen["PREFECT_API_AUTH_STRING"]}


def _kept(file: Path) -> str:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        held = file.read_text().strip()
        if not held:
            raise ConfigError(f"{file} is empty; remove it, and a new password is made") from None
        return held
    made = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w") as writing:
        writing.write(made)
    return made
