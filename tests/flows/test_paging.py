"""Root and the management account: people are told, once each, and nothing is said to be contained."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from flows import paging
from incident.actor import Actor, Credential, Link
from incident.containment import containment, still_open
from incident.plan import Unplanned
from tasks.aws import AwsError

MANAGER, MEMBER = "111122223333", "444455556666"


def actor(account: str, kind: str = "user") -> Actor:
    credential = Credential("AKIA1", "root" if kind == "root" else "mallory", kind, Link.PROVED, "seen", "", account)
    return Actor({"AKIA1": credential})


class Organization:
    def __init__(self) -> None:
        self.error: AwsError | None = None

    def management_account(self) -> str:
        if self.error is not None:
            raise self.error
        return MANAGER


@pytest.fixture
def desk(monkeypatch):
    aws, said = Organization(), dict[str, str]()

    async def post(incident: str, key: str, text: str, blocks: list) -> str:
        said[key] = text
        return ""

    monkeypatch.setattr(paging, "post", post)
    case = SimpleNamespace(incident="inc-1", hands=SimpleNamespace(aws=aws))

    def paged(left: list[Unplanned]) -> list[str]:
        asyncio.run(paging.page_people(case, left))
        return list(said.values())

    return SimpleNamespace(aws=aws, paged=paged, managed=lambda who: asyncio.run(paging.management_account(case, who)))


def test_roots_key_pages_a_person_once_however_it_was_found_and_stays_open(desk):
    from_root = actor(MEMBER, "root")
    steps, left = containment(from_root, {}, None)
    assert steps == []
    (said,) = desk.paged(left)
    assert "A person must act now" in said
    assert "change the root password" in said
    assert desk.paged(left) == [said]
    assert still_open(from_root, {}, None) == ["AKIA1"]


def test_an_actor_in_the_management_account_pages_a_person(desk):
    left = desk.managed(actor(MANAGER))
    assert "management account 111122223333" in desk.paged(left)[0]


def test_a_member_account_pages_nobody(desk):
    assert desk.managed(actor(MEMBER)) == []
    assert desk.managed(Actor()) == []


@pytest.mark.parametrize(("code", "said"), [("AWSOrganizationsNotInUseException", []), ("AccessDeniedException", ["unread"])])
def test_where_nobody_says_which_account_manages_it_is_not_known(desk, code, said):
    desk.aws.error = AwsError("DescribeOrganization", code, "no")
    assert [item.status for item in desk.managed(actor(MEMBER))] == said
