"""The principals of a scenario brought to life: users, roles, keys and sessions, made when the scenario needs them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from drill.aws.config import HOME_REGION, KeyPair, bootstrap_keys
from drill.client import boto_client
from drill.scenario import Principal, Scenario

ADMINISTRATOR_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"
_MARGIN_SECONDS = 60


@dataclass
class Actor:
    """A principal with the credentials it holds now, and every key it ever had."""

    principal: Principal
    keys: KeyPair | None = None
    expires: datetime | None = None
    all_keys: list[KeyPair] = field(default_factory=list)
    principal_id: str = ""


class Cast:
    """Everybody in a scenario.

    Args:
        url: The range.
        tick: Called before every recorded call, to move the clock on.
        now: The range's time.
    """

    def __init__(self, scenario: Scenario, url: str, tick: Callable[[], None], now: Callable[[], datetime]) -> None:
        self.actors = {name: Actor(p) for name, p in scenario.principals.items()}
        self._principals = scenario.principals
        self._url = url
        self._tick = tick
        self._now = now
        self._clients: dict[tuple[str, ...], Any] = {}
        self._shared: dict[tuple[str, str, str], KeyPair] = {}

    def client(self, name: str, service: str, region: str) -> Any:
        """A boto3 client that acts as the principal."""
        keys = self._keys(name)
        principal = self._principals[name]
        handle = (name, service, region, keys.access_key)
        if handle not in self._clients:
            self._clients[handle] = boto_client(self._url, service, region, keys, principal.source_ip, principal.user_agent)
        return self._clients[handle]

    def makers(self, name: str) -> list[str]:
        """The principal and all those by whom it came to be."""
        chain = [name]
        while maker := self._principals[chain[-1]].made_by or self._principals[chain[-1]].assumed_by:
            chain.append(maker)
        return chain

    def working_keys(self, name: str, region: str) -> list[str]:
        """Which of a principal's keys still get an answer to a harmless read."""
        working = []
        for keys in self.actors[name].all_keys:
            try:
                boto_client(self._url, "ec2", region, keys).describe_account_attributes()
            except ClientError:
                continue
            working.append(keys.access_key)
        return working

    # ---- before the exercise ------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Make, unrecorded, the users with standing keys, and all roles."""
        for actor in self.actors.values():
            principal = actor.principal
            if principal.user and not principal.made_by:
                self._give_standing_key(actor)
        for account, role, trusted in self._roles():
            iam = self._bootstrap_iam(account)
            trust = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}],
            }
            iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
            iam.attach_role_policy(RoleName=role, PolicyArn=ADMINISTRATOR_POLICY)

    def _bootstrap_iam(self, account: str) -> Any:
        return boto_client(self._url, "iam", HOME_REGION, bootstrap_keys(account))

    def _give_standing_key(self, actor: Actor) -> None:
        principal = actor.principal
        shared = (principal.account, principal.user, "")
        if shared not in self._shared:
            iam = self._bootstrap_iam(principal.account)
            iam.create_user(UserName=principal.user)
            iam.attach_user_policy(UserName=principal.user, PolicyArn=ADMINISTRATOR_POLICY)
            self._shared[shared] = _long_term(iam.create_access_key(UserName=principal.user))
        self._hold(actor, self._shared[shared])

    def _roles(self) -> list[tuple[str, str, list[str]]]:
        """Every role with those it trusts; roles that others are assumed by come as ARNs that need not exist yet."""
        trusted: dict[tuple[str, str], list[str]] = defaultdict(list)
        for principal in self._principals.values():
            if principal.role:
                arn = self._trusted_arn(self._principals[principal.assumed_by])
                names = trusted[principal.account, principal.role]
                if arn not in names:
                    names.append(arn)
        return [(account, role, names) for (account, role), names in trusted.items()]

    @staticmethod
    def _trusted_arn(assumer: Principal) -> str:
        if assumer.role:
            return f"arn:aws:iam::{assumer.account}:role/{assumer.role}"
        # A user made during the attack does not exist when the role is made, and AWS takes no unknown ARN.
        name = "root" if assumer.made_by else f"user/{assumer.user}"
        return f"arn:aws:iam::{assumer.account}:{name}"

    # ---- during the exercise ------------------------------------------------------------------------------------

    def _keys(self, name: str) -> KeyPair:
        """Credentials that are good now; whatever is still missing is made first, by those who are to make it."""
        actor = self.actors[name]
        expiring = actor.expires is not None and (actor.expires - self._now()).total_seconds() < _MARGIN_SECONDS
        if actor.keys is None or expiring:
            if actor.principal.role:
                self._assume(actor)
            else:
                self._make_user(actor)
        assert actor.keys is not None
        return actor.keys

    def _hold(self, actor: Actor, keys: KeyPair, expires: datetime | None = None) -> None:
        actor.keys, actor.expires = keys, expires
        if keys not in actor.all_keys:
            actor.all_keys.append(keys)
        if not actor.principal_id:
            sts = boto_client(self._url, "sts", HOME_REGION, keys)
            actor.principal_id = sts.get_caller_identity()["UserId"]

    def _assume(self, actor: Actor) -> None:
        principal = actor.principal
        sts = self.client(principal.assumed_by, "sts", HOME_REGION)
        self._tick()
        answer = sts.assume_role(
            RoleArn=f"arn:aws:iam::{principal.account}:role/{principal.role}", RoleSessionName=principal.session
        )
        given = answer["Credentials"]
        keys = KeyPair(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        self._hold(actor, keys, given["Expiration"])

    def _make_user(self, actor: Actor) -> None:
        principal = actor.principal
        shared = (principal.account, principal.user, principal.made_by)
        if shared not in self._shared:
            iam = self.client(principal.made_by, "iam", HOME_REGION)
            if not self._user_exists(principal):
                self._tick()
                iam.create_user(UserName=principal.user)
                self._tick()
                iam.attach_user_policy(UserName=principal.user, PolicyArn=ADMINISTRATOR_POLICY)
            self._tick()
            self._shared[shared] = _long_term(iam.create_access_key(UserName=principal.user))
        self._hold(actor, self._shared[shared])

    def _user_exists(self, principal: Principal) -> bool:
        try:
            self._bootstrap_iam(principal.account).get_user(UserName=principal.user)
        except ClientError as e:
            if e.response["Error"]["Code"] == "NoSuchEntity":
                return False
            raise
        return True


def _long_term(answer: dict[str, Any]) -> KeyPair:
    key = answer["AccessKey"]
    return KeyPair(key["AccessKeyId"], key["SecretAccessKey"])
