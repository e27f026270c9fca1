"""The state of the practice workspace: channels, people, messages and their threads."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from drill.slack.errors import CannotDo, SlackError
from drill.slack.people import Person

Clock = Callable[[], float]
Message = dict[str, Any]

APP_ID = "A0COUNTERMAND"
BOT_ID = "B0COUNTERMAND"
BOT_USER = "U0COUNTERMAND"
BOT_NAME = "countermand"
_MICROSECONDS = 1_000_000


@dataclass(slots=True)
class Channel:
    """A channel; `joined` says whether the bot is in it, `members` who else is; none named means everybody in the workspace."""

    id: str
    name: str
    joined: bool = True
    pinned: list[str] = field(default_factory=list)
    private: bool = False
    archived: bool = False
    creator: str = ""
    topic: str = ""
    members: set[str] | None = None

    @property
    def scopes_of(self) -> str:
        """What stands before the colon in the scopes for channels of this kind."""
        return "groups" if self.private else "channels"

    def holds(self, user: str) -> bool:
        """Whether somebody is in it."""
        return self.members is None or user in self.members

    def as_conversation(self) -> dict[str, Any]:
        """The conversation object."""
        topic = {"value": self.topic, "creator": self.creator, "last_set": 0}
        return {
            "id": self.id,
            "name": self.name,
            "name_normalized": self.name,
            "is_channel": not self.private,
            "is_group": self.private,
            "is_private": self.private,
            "is_archived": self.archived,
            "is_member": self.joined,
            "creator": self.creator,
            "topic": topic,
        }

    @classmethod
    def named(cls, text: str) -> Channel:
        """From `ID` or `ID:name`."""
        id_, _, name = text.partition(":")
        return cls(id_, name or id_.removeprefix("C0").lower() or id_)


class Workspace:
    """Messages are kept by channel and timestamp, as Slack's own identity of them is."""

    def __init__(self, team: str, channels: Iterable[Channel], people: Iterable[Person], clock: Clock) -> None:
        self.team, self.clock = team, clock
        self.channels = {channel.id: channel for channel in channels}
        self.people = {person.id: person for person in people}
        self.messages: dict[tuple[str, str], Message] = {}
        self.whispers: list[Message] = []
        self.revision = 0
        self._last_ts = (0, 0)
        self._sent_ids: dict[tuple[str, str], str] = {}
        self._numbers = itertools.count(1)

    def touch(self) -> None:
        """Note a change, for whoever shows the workspace."""
        self.revision += 1

    def number(self) -> int:
        return next(self._numbers)

    def new_ts(self) -> str:
        """A timestamp that nothing else has, later than every one before."""
        second, micro = divmod(int(self.clock() * _MICROSECONDS), _MICROSECONDS)
        self._last_ts = max((second, micro), _after(self._last_ts))
        return f"{self._last_ts[0]}.{self._last_ts[1]:06d}"

    def person(self, user: str) -> Person:
        """Somebody who acts, by id or name.

        Raises:
            CannotDo: nobody is called so.
        """
        found = self.people.get(user) or next((person for person in self.people.values() if person.name == user), None)
        if found is None:
            raise CannotDo(f"there is no user {user}")
        return found

    def channel(self, name: str) -> Channel:
        """A channel by id or `#name`.

        Raises:
            SlackError: there is none.
        """
        found = self.channels.get(name) or next((c for c in self.channels.values() if c.name == name.removeprefix("#")), None)
        if found is None:
            raise SlackError("channel_not_found")
        return found

    def joined(self, name: str) -> Channel:
        """A channel that the bot is in.

        Raises:
            SlackError: there is none, or the bot is not in it.
        """
        channel = self.channel(name)
        if not channel.joined:
            raise SlackError("channel_not_found" if channel.private else "not_in_channel")
        return channel

    def writable(self, name: str) -> Channel:
        """A channel that the bot may write in.

        Raises:
            SlackError: as `joined`, or it is archived.
        """
        channel = self.joined(name)
        if channel.archived:
            raise SlackError("is_archived")
        return channel

    def create(self, name: str, *, private: bool) -> Channel:
        """A new channel that the bot made, and in which it is alone.

        Raises:
            SlackError: the name is taken, also by a channel that the bot cannot see.
        """
        if any(channel.name == name for channel in self.channels.values()):
            raise SlackError("name_taken")
        id_ = f"C0{secrets.token_hex(5).upper()}"
        self.channels[id_] = Channel(id_, name, private=private, creator=BOT_USER, members=set())
        self.touch()
        return self.channels[id_]

    def message(self, channel: str, ts: str) -> Message:
        """
        Raises:
            SlackError: there is no such message.
        """
        try:
            return self.messages[(channel, ts)]
        except KeyError:
            raise SlackError("message_not_found") from None

    def post(
        self, channel: Channel, content: Message, thread_ts: str = "", sent_id: str = "", *, broadcast: bool = False
    ) -> Message:
        """Add a message of the bot's. A `client_msg_id` that was used before returns the message that it made.

        A reply that is broadcast shows in the channel too.

        Raises:
            SlackError: there is no such thread.
        """
        if sent_id and (channel.id, sent_id) in self._sent_ids:
            return self.message(channel.id, self._sent_ids[(channel.id, sent_id)])
        message = {**_bot_says(self.team), **content}
        if broadcast and thread_ts:
            message["subtype"] = "thread_broadcast"
        if sent_id:
            message["client_msg_id"] = sent_id
        self._add(channel, message, thread_ts)
        if sent_id:
            self._sent_ids[(channel.id, sent_id)] = message["ts"]
        return message

    def say(self, channel: Channel, person: Person, text: str, thread_ts: str = "") -> Message:
        """Add what a person wrote."""
        message = {"type": "message", "user": person.id, "team": person.team_id, "text": text}
        self._add(channel, message, thread_ts)
        return message

    def whisper(self, channel: Channel, user: str, content: Message, thread_ts: str = "") -> Message:
        """Show something to one person only; no history has it."""
        message = {**_bot_says(self.team), **content, "ts": self.new_ts(), "is_ephemeral": True, "channel": channel.id, "for": user}
        if thread_ts:
            message["thread_ts"] = thread_ts
        self.whispers.append(message)
        self.touch()
        return message

    def edit(self, message: Message, content: Message) -> None:
        """Replace what `content` names; the rest of a message stays, its old buttons too."""
        message.update(content)
        if not message.get("blocks"):
            message.pop("blocks", None)
        if message.get("metadata") == {}:
            del message["metadata"]
        if not message.get("is_ephemeral"):
            message["edited"] = {"user": BOT_USER, "ts": self.new_ts()}
        self.touch()

    def remove(self, channel: str, message: Message) -> None:
        """Delete a message or a whisper; a pin goes with it."""
        self.messages.pop((channel, message["ts"]), None)
        if channel in self.channels and message["ts"] in self.channels[channel].pinned:
            self.channels[channel].pinned.remove(message["ts"])
        self.whispers = [whisper for whisper in self.whispers if whisper is not message]
        self.touch()

    def roots(self, channel: str) -> list[Message]:
        """What a channel shows outside threads, newest first."""
        found = (m for (c, _), m in self.messages.items() if c == channel)
        shown = (m for m in found if m.get("thread_ts", m["ts"]) == m["ts"] or m.get("subtype") == "thread_broadcast")
        return sorted(shown, key=_moment, reverse=True)

    def thread(self, channel: str, ts: str) -> list[Message]:
        """A message and its replies, oldest first; a reply's timestamp finds its thread too.

        Raises:
            SlackError: there is no such message.
        """
        try:
            root = self.messages[(channel, ts)]
        except KeyError:
            raise SlackError("thread_not_found") from None
        root_ts = root.get("thread_ts", ts)
        replies = (m for (c, _), m in self.messages.items() if c == channel and m.get("thread_ts") == root_ts != m["ts"])
        return [self.message(channel, root_ts), *sorted(replies, key=_moment)]

    def _add(self, channel: Channel, message: Message, thread_ts: str) -> None:
        root = self._root(channel, thread_ts) if thread_ts else None
        message["ts"] = self.new_ts()
        if root is not None:
            message["thread_ts"] = root["ts"]
            message["parent_user_id"] = root["user"]
            replies = [m for m in self.thread(channel.id, root["ts"]) if m is not root]
            users = sorted({m["user"] for m in [*replies, message]})
            root.update(
                thread_ts=root["ts"],
                reply_count=len(replies) + 1,
                reply_users=users,
                reply_users_count=len(users),
                latest_reply=message["ts"],
            )
        self.messages[(channel.id, message["ts"])] = message
        self.touch()

    def _root(self, channel: Channel, ts: str) -> Message:
        """The message that a thread hangs from. Stricter than Slack, which takes an unknown one and shows the reply nowhere."""
        if not _is_ts(ts):
            raise SlackError("invalid_thread_ts", [f"{ts} is not a valid thread_ts"])
        root = self.messages.get((channel.id, ts))
        if root is None or root.get("thread_ts", ts) != ts:
            raise SlackError("thread_not_found")
        return root


def _bot_says(team: str) -> Message:
    profile = {"id": BOT_ID, "app_id": APP_ID, "name": BOT_NAME, "team_id": team}
    return {"type": "message", "user": BOT_USER, "bot_id": BOT_ID, "app_id": APP_ID, "team": team, "bot_profile": profile}


def _is_ts(text: str) -> bool:
    second, dot, micro = text.partition(".")
    return bool(dot) and second.isdecimal() and micro.isdecimal() and len(micro) == 6


def _after(ts: tuple[int, int]) -> tuple[int, int]:
    return (ts[0], ts[1] + 1) if ts[1] + 1 < _MICROSECONDS else (ts[0] + 1, 0)


def _moment(message: Message) -> tuple[int, int]:
    second, _, micro = message["ts"].partition(".")
    return int(second), int(micro)
