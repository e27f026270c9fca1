"""Channels: new ones, their topics, who is in them."""

from __future__ import annotations

import re

from drill.slack.errors import SlackError
from drill.slack.methods.conversations import page_of
from drill.slack.methods.registry import TIER_2, TIER_3, Answer, Call, method
from drill.slack.workspace import BOT_USER, Channel

_LONGEST_NAME, _LONGEST_TOPIC, _MOST_INVITED = 80, 250, 100
_NAME = re.compile(r"[a-z0-9_-]+")


@method("conversations.create", scope="{new}:write", tier=TIER_2)
def create(call: Call) -> Answer:
    """A new channel with the bot in it. https://docs.slack.dev/reference/methods/conversations.create"""
    name = call.given.text("name")
    if not name:
        raise SlackError("invalid_name_required")
    if len(name) > _LONGEST_NAME:
        raise SlackError("invalid_name_maxlength")
    if not _NAME.fullmatch(name):
        raise SlackError("invalid_name_specials")
    if not name.strip("-_"):
        raise SlackError("invalid_name_punctuation")
    return {"channel": call.workspace.create(name, private=call.given.flag("is_private")).as_conversation()}


@method("conversations.invite", scope="{kind}:write", tier=TIER_3)
def invite(call: Call) -> Answer:
    """Bring people in. One who cannot come keeps all of them out, unless `force` is set."""
    channel = call.workspace.writable(call.given.needed("channel"))
    users = [user.strip() for user in call.given.needed("users").split(",") if user.strip()]
    if len(users) > _MOST_INVITED:
        raise SlackError("too_many_users")
    problems = {user: problem for user in users if (problem := _why_not(call, channel, user))}
    able = [user for user in users if user not in problems]
    if problems and (not able or not call.given.flag("force")):
        raise SlackError(next(iter(problems.values())))
    if channel.members is not None:
        channel.members.update(able)
    call.workspace.touch()
    return {"channel": channel.as_conversation()}


@method("conversations.setTopic", scope="{kind}:write", tier=TIER_2)
def set_topic(call: Call) -> Answer:
    """What stands at the head of a channel."""
    channel = call.workspace.writable(call.given.needed("channel"))
    topic = call.given.text("topic")
    if len(topic) > _LONGEST_TOPIC:
        raise SlackError("too_long")
    channel.topic = topic
    call.workspace.touch()
    return {"channel": channel.as_conversation()}


@method("users.conversations", scope="{types}:read", tier=TIER_3)
def of_bot(call: Call) -> Answer:
    """The channels that the bot is in."""
    kinds = set(call.given.text("types", "public_channel").split(","))
    if kinds - {"public_channel", "private_channel", "mpim", "im"}:
        raise SlackError("invalid_types")
    skip_archived = call.given.flag("exclude_archived")
    found = [
        channel.as_conversation()
        for channel in call.workspace.channels.values()
        if channel.joined and not (skip_archived and channel.archived) and _kind(channel) in kinds
    ]
    shown, more = page_of(found, call.given, default=100)
    return {"channels": list(shown), **more}


def _kind(channel: Channel) -> str:
    return "private_channel" if channel.private else "public_channel"


def _why_not(call: Call, channel: Channel, user: str) -> str:
    person = call.workspace.people.get(user)
    if user == BOT_USER:
        return "cant_invite_self"
    if person is None:
        return "user_not_found"
    if person.deleted:
        return "cant_invite"
    if person.is_foreign(call.workspace.team) and not channel.holds(user):
        return "not_allowed_for_external_user"
    if person.guest == "single" and channel.members is not None and user not in channel.members:
        return "ura_max_channels"
    return "already_in_channel" if channel.holds(user) else ""
