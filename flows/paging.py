"""What no call of ours stops: a person is told at once, whoever found it and in whichever look."""

from __future__ import annotations

from collections.abc import Iterable

from flows.case import Case
from incident.actor import Actor
from incident.containment import BEYOND_US, from_the_management_account
from incident.people import messages
from incident.plan import Unplanned
from tasks.aws import AwsError
from tasks.work import in_thread, post

_NO_ORGANIZATION = "AWSOrganizationsNotInUseException"


async def management_account(case: Case, actor: Actor) -> list[Unplanned]:
    """What must be said where the actor stands in the organization's management account, or where that is not known."""
    accounts = sorted({credential.account for credential in actor.proved if credential.account})
    if not accounts:
        return []
    try:
        manager = await in_thread(case.hands.aws.management_account)
    except AwsError as error:
        if error.code == _NO_ORGANIZATION:
            return []
        what = f"whether {', '.join(accounts)} is the organization's management account"
        return [
            Unplanned(status="unread", what=what, why=str(error), advice="Find out: no service control policy binds that account.")
        ]
    return [from_the_management_account(manager)] if manager in accounts else []


async def page_people(case: Case, left: Iterable[Unplanned]) -> None:
    """Tell people once of each thing that only they can do."""
    for item in left:
        if item.status == BEYOND_US:
            told = f"A person must act now: {item.what}: {item.why}. {item.advice}"
            await post(case.incident, f"must-act-{item.id}", *messages.progress(told))
