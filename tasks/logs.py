"""What every process writes to its standard error: a line an event, for people or as JSON.

Names that an attacker chose end up in messages. Whatever is no printable character is escaped, so that one event is one line and no
terminal is steered by it, and the configured secrets are struck out wherever they appear.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TextIO

from pydantic import BaseModel, SecretStr

from tasks.config import Config, ConfigError, load_config

STRUCK = "[secret]"
_SHORTEST_SECRET = 6
"""What is shorter than this is no secret worth the name, and striking it out would make logs unreadable."""

_INCIDENT = re.compile(r"\binc-[0-9a-f]{12}\b")
_LONGEST = 20_000


class JsonFormatter(logging.Formatter):
    """A JSON object a line: `at` (UTC), `level`, `logger`, `message`, `process`; `incident`, `error` and the run where known."""

    def __init__(self, *as_logging_configures: object, secrets: tuple[str, ...] | None = None) -> None:
        super().__init__()
        self._secrets = _of_this_process() if secrets is None else secrets

    def format(self, record: logging.LogRecord) -> str:
        message = _struck(_message(record), self._secrets)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {"at": at, "level": record.levelname.lower(), "logger": record.name, "message": message, "process": record.process}
        if found := _INCIDENT.search(message):
            entry["incident"] = found.group()
        if record.exc_info:
            entry["error"] = _struck(self.formatException(record.exc_info), self._secrets)
        for name in ("flow_run_id", "task_run_id", "flow_run_name", "task_run_name"):
            if (value := getattr(record, name, None)) is not None:
                entry[name] = _struck(str(value), self._secrets)
        return json.dumps(entry, ensure_ascii=True)


class TextFormatter(logging.Formatter):
    """`2026-11-24T02:00:00.000+00:00 WARNING countermand.gateway: …`, one line an event and one for each line of a traceback."""

    def __init__(self, *as_logging_configures: object, secrets: tuple[str, ...] | None = None) -> None:
        super().__init__()
        self._secrets = _of_this_process() if secrets is None else secrets

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        lines = [f"{at} {record.levelname} {record.name}: {_escaped(_message(record))}"]
        if record.exc_info:
            lines += [f"    {_escaped(line)}" for line in self.formatException(record.exc_info).splitlines()]
        return _struck("\n".join(lines), self._secrets)


class PrefectsHandler(logging.StreamHandler[TextIO]):
    """Writes what it is given as it is; Prefect's own would colour it. Takes what Prefect's configuration gives a handler."""

    def __init__(self, stream: TextIO | None = None, **styles: object) -> None:
        super().__init__(stream)


def use_logs(config: Config) -> None:
    """Let this process log as the configuration says. What uvicorn and Prefect's client say comes out the same way."""
    handler = logging.StreamHandler(sys.stderr)
    secrets = secrets_of(config)
    handler.setFormatter(JsonFormatter(secrets=secrets) if config.log.format == "json" else TextFormatter(secrets=secrets))
    logging.basicConfig(level=config.log.level.upper(), handlers=[handler], force=True)
    for noisy in ("alembic", "httpx", "httpcore", "botocore", "boto3", "urllib3", "slack_sdk", "slack_bolt"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))


def prefect_logs(config: Config) -> dict[str, str]:
    """The environment that lets Prefect's own processes, and the flows, write as this one does."""
    formatter = JsonFormatter if config.log.format == "json" else TextFormatter
    return {
        "PREFECT_LOGGING_LEVEL": config.log.level.upper(),
        "PREFECT_LOGGING_FORMATTERS_JSON_CLASS": f"{formatter.__module__}.{formatter.__qualname__}",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS": f"{PrefectsHandler.__module__}.{PrefectsHandler.__qualname__}",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_FORMATTER": "json",
    }


def secrets_of(config: Config) -> tuple[str, ...]:
    """Every secret that the configuration holds, and Prefect's password; the longest first."""
    prefect = os.environ.get("PREFECT_API_AUTH_STRING", "").partition(":")[2]
    found = {secret for secret in (*_secrets(config), prefect) if len(secret) >= _SHORTEST_SECRET}
    return tuple(sorted(found, key=lambda secret: (-len(secret), secret)))


def _secrets(value: object) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, dict):
        for one in value.values():
            yield from _secrets(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _secrets(one)


def _of_this_process() -> tuple[str, ...]:
    """For a formatter that Prefect makes: a process that reads no configuration, as its server's, holds none of its secrets."""
    try:
        return secrets_of(load_config())
    except ConfigError:
        return ()


def _message(record: logging.LogRecord) -> str:
    try:
        message = record.getMessage()
    except (TypeError, ValueError):
        message = str(record.msg)
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]} … ({len(message)} characters)"


def _escaped(text: str) -> str:
    """The text in one line: a line break, an escape sequence or a sign that turns the reading direction shows as its code."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def _struck(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, STRUCK)
    return text
