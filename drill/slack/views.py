"""Modals and the trigger ids that open them: each opens one, within three seconds of the click."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from drill.slack.errors import CannotDo, SlackError
from drill.slack.workspace import APP_ID, BOT_ID, Workspace

TRIGGER_SECONDS = 3.0
_MOST_STACKED = 3

View = dict[str, Any]


@dataclass(slots=True)
class _Trigger:
    user: str
    minted: float
    spent: bool = False


class Views:
    """Every modal that was opened; the open ones of a person form a stack."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._triggers: dict[str, _Trigger] = {}
        self._all: dict[str, View] = {}
        self._users: dict[str, str] = {}
        self._errors: dict[str, dict[str, str]] = {}
        self._open: list[str] = []

    def mint_trigger(self, user: str) -> str:
        """The trigger id of something that a person did just now."""
        trigger = f"{self._workspace.number()}.{int(self._workspace.clock() * 1000)}.{secrets.token_hex(16)}"
        self._triggers[trigger] = _Trigger(user, self._workspace.clock())
        return trigger

    def open(self, trigger_id: str, view: View) -> View:
        """Show a modal to whoever made the trigger.

        Raises:
            SlackError: the trigger is unknown, spent or too old, or another view has the external id.
        """
        return self._show(self._spend(trigger_id), view, previous=None)

    def push(self, trigger_id: str, view: View) -> View:
        """Show a modal on top of the one that the trigger comes from.

        Raises:
            SlackError: as `open`, or too many are on top of each other.
        """
        user = self._spend(trigger_id)
        return self.stack(user, view)

    def stack(self, user: str, view: View) -> View:
        """Put a modal on top of those that a person has open.

        Raises:
            SlackError: there is none below, or there are three already.
        """
        below = self.opened(user)
        if not below:
            raise SlackError("not_found")
        if len(below) >= _MOST_STACKED:
            raise SlackError("push_limit_reached")
        return self._show(user, view, previous=below[-1])

    def update(self, view: View, *, view_id: str = "", external_id: str = "", hash_: str = "") -> View:
        """Replace an open modal's content.

        Raises:
            SlackError: it is not open, or changed since `hash_` was read.
        """
        old = next((v for v in self.opened() if view_id == v["id"] or (external_id and external_id == v["external_id"])), None)
        if old is None:
            raise SlackError("not_found")
        if hash_ and hash_ != old["hash"]:
            raise SlackError("hash_conflict")
        kept = {name: old[name] for name in ("id", "root_view_id", "previous_view_id")}
        new = {**self._complete(view), **kept}
        self._all[old["id"]] = new
        self._errors.pop(old["id"], None)
        self._workspace.touch()
        return new

    def close(self, view_id: str) -> None:
        """Take one modal away."""
        if view_id in self._open:
            self._open.remove(view_id)
            self._workspace.touch()

    def clear(self, user: str) -> None:
        """Take every modal of a person away."""
        for view in self.opened(user):
            self.close(view["id"])

    def refuse(self, view_id: str, errors: dict[str, str]) -> None:
        """Show the app's errors below the fields they are about."""
        self._errors[view_id] = errors
        self._workspace.touch()

    def opened(self, user: str = "") -> list[View]:
        """What is open, of one person or of all, the topmost last."""
        return [self._all[view_id] for view_id in self._open if not user or self._users[view_id] == user]

    def all(self) -> list[View]:
        """Every view there ever was."""
        return list(self._all.values())

    def described(self, view: View) -> View:
        """A view with what is no part of Slack's object: whose it is, whether it is open, the errors that it shows."""
        view_id = view["id"]
        more = {"user": self._users[view_id], "open": view_id in self._open, "errors": self._errors.get(view_id, {})}
        return {**view, **more}

    def of(self, user: str, view_id: str) -> View:
        """A modal that a person has open.

        Raises:
            CannotDo: they have no such one.
        """
        if view_id not in self._open or self._users.get(view_id) != user:
            raise CannotDo(f"{user} has no modal {view_id} open")
        return self._all[view_id]

    def _spend(self, trigger_id: str) -> str:
        trigger = self._triggers.get(trigger_id)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.spent:
            raise SlackError("exchanged_trigger_id")
        if self._workspace.clock() - trigger.minted > TRIGGER_SECONDS:
            raise SlackError("expired_trigger_id")
        trigger.spent = True
        return trigger.user

    def _show(self, user: str, view: View, previous: View | None) -> View:
        shown = self._complete(view)
        if shown["external_id"] and any(v["external_id"] == shown["external_id"] for v in self.opened()):
            raise SlackError("duplicate_external_id")
        shown["previous_view_id"] = previous["id"] if previous else None
        shown["root_view_id"] = previous["root_view_id"] if previous else shown["id"]
        self._all[shown["id"]] = shown
        self._users[shown["id"]] = user
        self._open.append(shown["id"])
        self._workspace.touch()
        return shown

    def _complete(self, view: View) -> View:
        stamp = self._workspace.new_ts()
        return {
            "id": f"V0{secrets.token_hex(5).upper()}",
            "team_id": self._workspace.team,
            "app_id": APP_ID,
            "bot_id": BOT_ID,
            "app_installed_team_id": self._workspace.team,
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "clear_on_close": False,
            "notify_on_close": False,
            "submit": None,
            "close": None,
            **view,
            "state": {"values": {}},
            "hash": f"{stamp.split('.')[0]}.{secrets.token_hex(4)}",
        }
