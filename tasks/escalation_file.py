"""Reads the escalation policy. Whatever is wrong with it is one line: file, line, fault and remedy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from incident.people.escalation import EscalationPolicy, Fault, faults
from tasks.config import Config, ConfigError

Place = tuple[str | int, ...]
_REMEDIES = {
    "extra_forbidden": "remove it, or correct its name",
    "missing": "add it",
    "string_pattern_mismatch": "compare it with docs/escalation.md",
    "literal_error": "use one of these",
    "time_parsing": "give a time such as 22:00, in quotes",
    "time_type": "give a time such as 22:00, in quotes",
}


def load_escalation(config: Config) -> EscalationPolicy | None:
    """The policy that the configuration names; `None` where it names none.

    Raises:
        ConfigError: the file is missing or wrong, or needs a channel that is not configured.
    """
    if config.escalation_file is None:
        return None
    policy, lines = _read(config.escalation_file)
    for fault in (*faults(policy), *_unconfigured(policy, config)):
        raise lines.error(fault.path, fault.what, fault.remedy)
    return policy


def _read(file: Path) -> tuple[EscalationPolicy, _Lines]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError(f"{file}:1: the escalation policy cannot be read: {why}; correct escalation_file") from None
    lines = _Lines(file, text)
    try:
        return EscalationPolicy.model_validate(lines.data), lines
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        what = problem["msg"].removeprefix("Value error, ")
        place = tuple(part for part in problem["loc"] if part != "[key]")
        what, _, remedy = what.partition("; ")
        named = f"{place[-1]}: {what}" if place else what
        raise lines.error(place, named, remedy or _REMEDIES.get(problem["type"], "compare it with docs/escalation.md")) from None


class _Lines:
    """A YAML file as data, with the line of every part of it."""

    def __init__(self, file: Path, text: str) -> None:
        self._file = file
        self._at: dict[Place, int] = {(): 1}
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
            self._note(root, ())
            self.data: Any = yaml.safe_load(text) or {}
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            what = " ".join(str(getattr(error, "problem", None) or error).split())
            where = mark.line + 1 if mark else 1
            raise ConfigError(f"{file}:{where}: not readable as YAML: {what}; check the indentation and the quotes") from None

    def error(self, place: Place, what: str, remedy: str) -> ConfigError:
        while place not in self._at:
            place = place[:-1]
        return ConfigError(f"{self._file}:{self._at[place]}: {' '.join(f'{what}; {remedy}'.split())}")

    def _note(self, node: yaml.Node | None, place: Place) -> None:
        if isinstance(node, yaml.MappingNode):
            self._note_mapping(node, place)
        elif isinstance(node, yaml.SequenceNode):
            for number, child in enumerate(node.value):
                self._at[(*place, number)] = child.start_mark.line + 1
                self._note(child, (*place, number))

    def _note_mapping(self, node: yaml.MappingNode, place: Place) -> None:
        for key, child in node.value:
            inner = (*place, str(key.value))
            if inner in self._at:
                raise ConfigError(f"{self._file}:{key.start_mark.line + 1}: {key.value!r} is given twice; remove one of the two")
            self._at[inner] = key.start_mark.line + 1
            self._note(child, inner)


def _unconfigured(policy: EscalationPolicy, config: Config) -> Iterator[Fault]:
    """Addresses that no channel of the configuration reaches."""
    for name, contact in policy.contacts.items():
        place: Place = ("contacts", name)
        if contact.email and not config.email.host:
            yield Fault((*place, "email"), f"{name} has an e-mail address and no mail server is configured", "set email.host")
        for number, webhook in enumerate(contact.webhook):
            if webhook not in config.webhooks:
                remedy = f"add {webhook} to webhooks in the configuration"
                yield Fault((*place, "webhook", number), f"no webhook {webhook!r} is configured", remedy)
        if contact.slack and not config.slack.channel:
            yield Fault((*place, "slack"), f"{name} is told in Slack and Slack is not configured", "set slack.channel")
