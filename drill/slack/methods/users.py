"""Who somebody is: the bot itself, and people."""

from __future__ import annotations

from drill.slack.errors import SlackError
from drill.slack.methods.registry import TIER_3, TIER_4, Answer, Call, method
from drill.slack.people import Person
from drill.slack.workspace import BOT_ID, BOT_NAME, BOT_USER


@method("auth.test")
def auth_test(call: Call) -> Answer:
    """Whose token this is."""
    return {
        "url": "https://practice.slack.com/",
        "team": "Practice",
        "team_id": call.workspace.team,
        "user": BOT_NAME,
        "user_id": BOT_USER,
        "bot_id": BOT_ID,
        "is_enterprise_install": False,
    }


@method("users.info", scope="users:read", tier=TIER_4)
def info(call: Call) -> Answer:
    """One user; people of other workspaces in a shared channel too."""
    person = call.workspace.people.get(call.given.needed("user"))
    if person is None:
        raise SlackError("user_not_found")
    return {"user": person.as_user(call.workspace.team)}


@method("users.lookupByEmail", scope="users:read.email", tier=TIER_3)
def lookup_by_email(call: Call) -> Answer:
    """One member of the workspace, by mail address."""
    email = call.given.needed("email").lower()
    person = next((p for p in call.workspace.people.values() if _answers_to(p, email, call.workspace.team)), None)
    if person is None:
        raise SlackError("users_not_found")
    return {"user": person.as_user(call.workspace.team)}


def _answers_to(person: Person, email: str, team: str) -> bool:
    return person.address.lower() == email and not person.deleted and not person.is_foreign(team)
