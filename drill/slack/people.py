"""Who is in the practice workspace, and who visits it: members, guests, people of other companies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

Guest = Literal["", "multi", "single"]

DEFAULT_TEAM = "T0PRACTICE"
FOREIGN_TEAM = "T0ELSEWHERE"


@dataclass(frozen=True, slots=True)
class Person:
    """One Slack user. `team_id` is the workspace that the account belongs to; `guest` says for how many channels a guest is one."""

    id: str
    name: str
    team_id: str
    real_name: str = ""
    email: str = ""
    title: str = ""
    guest: Guest = ""
    deleted: bool = False

    @property
    def shown_name(self) -> str:
        return self.real_name or self.name.capitalize()

    @property
    def address(self) -> str:
        return self.email or f"{self.name}@example.com"

    def is_foreign(self, team: str) -> bool:
        return self.team_id != team

    def as_user(self, team: str) -> dict[str, Any]:
        """The user object of `users.info`."""
        return {
            "id": self.id,
            "team_id": self.team_id,
            "name": self.name,
            "deleted": self.deleted,
            "real_name": self.shown_name,
            "tz": "Etc/UTC",
            "tz_offset": 0,
            "profile": self._profile(),
            "is_admin": False,
            "is_owner": False,
            "is_bot": False,
            "is_app_user": False,
            "is_restricted": bool(self.guest),
            "is_ultra_restricted": self.guest == "single",
            **({"is_stranger": True} if self.is_foreign(team) else {}),
        }

    def _profile(self) -> dict[str, Any]:
        return {
            "real_name": self.shown_name,
            "display_name": self.name,
            "title": self.title,
            "email": self.address,
            "team": self.team_id,
        }


def default_people(team: str = DEFAULT_TEAM) -> tuple[Person, ...]:
    """Three responders, a guest, and somebody of another company."""
    return (
        Person("U0ALICE", "alice", team, "Alice Adler", title="Incident lead"),
        Person("U0BOB", "bob", team, "Bob Brandt", title="Network"),
        Person("U0CAROL", "carol", team, "Carol Cruz", title="Cloud security"),
        Person("U0GINA", "gina", team, "Gina Gray", title="Contractor", guest="multi"),
        Person("U0FELIX", "felix", FOREIGN_TEAM, "Felix Ford", title="Partner company"),
    )


def people_from(users: Iterable[Mapping[str, Any] | Person] | None, team: str) -> tuple[Person, ...]:
    """People from plain objects; nobody given means the default ones.

    Raises:
        ValueError: an object lacks an id or a name, has a property that is not known, or repeats an id.
    """
    if users is None:
        return default_people(team)
    people = tuple(user if isinstance(user, Person) else _person(user, team) for user in users)
    ids = [person.id for person in people]
    if len(set(ids)) != len(ids):
        raise ValueError("two users have the same id")
    return people


def read_people(text: str, team: str) -> tuple[Person, ...]:
    """People from inline JSON, or from a file that holds it.

    Raises:
        ValueError: it is neither, or `people_from` refuses it.
    """
    source = text if text.lstrip().startswith("[") else _file(text)
    users = json.loads(source)
    if not isinstance(users, list):
        raise ValueError("users must be a JSON list of objects")  # noqa: TRY004
    return people_from(users, team)


def _person(user: Mapping[str, Any], team: str) -> Person:
    if not isinstance(user, Mapping):
        raise ValueError("a user is an object")  # noqa: TRY004
    known = {field.name for field in fields(Person)}
    unknown = sorted(set(user) - known)
    if unknown:
        raise ValueError(f"a user has no property {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    if not all(isinstance(user.get(name), str) and user[name] for name in ("id", "name")):
        raise ValueError("a user needs an id and a name, both text")
    if user.get("guest", "") not in ("", "multi", "single"):
        raise ValueError("guest is empty, multi or single")
    return Person(**{"team_id": team, **user})


def _file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} is neither JSON nor a file that can be read: {error.strerror}") from None
