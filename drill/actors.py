"""The principals of a scenario brought to life: users, roles, keys and sessions, made when the scenario needs them.

What a person or a program does for it is done by calls; what AWS hands out by itself comes from `drill.aws.sessions`.
"""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from drill.aws.config import AWS_INTERNAL, HOME_REGION, KeyPair, bootstrap_keys
from drill.client import RangeClient, boto_client
from drill.scenario import Principal, Scenario

ADMINISTRATOR_POLICY = "arn:aws:iam::aws:policy/AdministratorAccess"
_MARGIN_SECONDS = 60
_CLOUDFORMATION = "cloudformation.amazonaws.com"
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
# What the trust of a role lets its assumers do, so that sessions may have tags and a source identity.
_ASSUMING = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]

Session = tuple[KeyPair, datetime | None]


@dataclass
class Actor:
    """A principal with the credentials it holds now, every key it ever had, and the address that it calls from."""

    principal: Principal
    source_ip: str = ""
    keys: KeyPair | None = None
    expires: datetime | None = None
    all_keys: list[KeyPair] = field(default_factory=list)
    principal_id: str = ""
    arn: str = ""

    @property
    def identity(self) -> tuple[str, str]:
        """The kind of the caller as CloudTrail and GuardDuty have it, and the name of the user, the role or the session."""
        kinds = {"assumed-role": "AssumedRole", "federated-user": "FederatedUser", "user": "IAMUser"}
        kind, _, rest = self.arn.rpartition(":")[2].partition("/")
        if kind not in kinds:
            return "Root", "Root"
        return kinds[kind], rest.split("/")[0] if kind == "assumed-role" else rest.rpartition("/")[2]


class Cast:
    """Everybody in a scenario.

    Args:
        url: The range.
        tick: Called before every recorded call, to move the clock on.
        now: The range's time.
        names: The saved values, among them the instances whose sessions are used.
    """

    def __init__(
        self, scenario: Scenario, url: str, tick: Callable[[], None], now: Callable[[], datetime], names: Mapping[str, Any]
    ) -> None:
        self.actors = {name: Actor(p, p.source_ip) for name, p in scenario.principals.items()}
        self._scenario = scenario
        self._range = RangeClient(url)
        self._names = names
        self._principals = scenario.principals
        self._url = url
        self._tick = tick
        self._now = now
        self._clients: dict[tuple[str, ...], Any] = {}
        self._shared: dict[tuple[str, str, str], KeyPair] = {}
        self._sessions: dict[tuple[str, ...], Session] = {}
        self._standing: set[tuple[str, str]] = set()

    def client(self, name: str, service: str, region: str, through: str = "", service_role: str = "", proxied: bool = False) -> Any:
        """A boto3 client that acts as the principal, or as the service `through` which it has asked to act for it.

        With `proxied` the console makes the calls by itself.
        """
        keys = self._keys(name)
        if service_role:
            keys = self._service_keys(self._principals[name].account, region, through, service_role)
        actor = self.actors[name]
        address, agent = (AWS_INTERNAL, AWS_INTERNAL) if proxied else (actor.source_ip, actor.principal.user_agent)
        handle = (name, service, region, keys.access_key, through, address)
        if handle not in self._clients:
            self._clients[handle] = boto_client(self._url, service, region, keys, address, agent, invoked_by=through)
        return self._clients[handle]

    def makers(self, name: str) -> list[str]:
        """The principal and all those by whom it came to be."""
        chain = [name]
        while maker := _maker(self._principals[chain[-1]]):
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
        """Make, unrecorded, the users with standing keys or passwords, and all roles."""
        for actor in self.actors.values():
            principal = actor.principal
            if principal.user and not principal.made_by:
                self._make_standing_user(principal)
                if not principal.console:
                    self._give_standing_key(actor)
        for account, role, trusted in self._roles():
            self._make_role(account, role, {"AWS": trusted}, _ASSUMING)
        for account, role in self._service_roles():
            self._make_role(account, role, {"Service": _CLOUDFORMATION}, ["sts:AssumeRole"])

    def _make_role(self, account: str, role: str, principal: dict[str, Any], actions: list[str]) -> None:
        iam = self._bootstrap_iam(account)
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": actions}]}
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
        iam.attach_role_policy(RoleName=role, PolicyArn=ADMINISTRATOR_POLICY)

    def _bootstrap_iam(self, account: str) -> Any:
        return boto_client(self._url, "iam", HOME_REGION, bootstrap_keys(account))

    def _make_standing_user(self, principal: Principal) -> None:
        iam = self._bootstrap_iam(principal.account)
        if (principal.account, principal.user) not in self._standing:
            self._standing.add((principal.account, principal.user))
            iam.create_user(UserName=principal.user)
            iam.attach_user_policy(UserName=principal.user, PolicyArn=ADMINISTRATOR_POLICY)
        if principal.console and not self._has_password(principal):
            iam.create_login_profile(UserName=principal.user, Password=_password())

    def _give_standing_key(self, actor: Actor) -> None:
        principal = actor.principal
        shared = (principal.account, principal.user, "")
        if shared not in self._shared:
            iam = self._bootstrap_iam(principal.account)
            self._shared[shared] = _long_term(iam.create_access_key(UserName=principal.user))
        self._hold(actor, self._shared[shared])

    def _service_roles(self) -> list[tuple[str, str]]:
        """The roles that CloudFormation is to use, each with its account."""
        steps = [step for step in (*self._scenario.estate, *self._scenario.attack) if step.service_role]
        return list(dict.fromkeys((self._principals[step.principal].account, step.service_role) for step in steps))

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

    def _trusted_arn(self, assumer: Principal) -> str:
        if assumer.role:
            return f"arn:aws:iam::{assumer.account}:role/{assumer.role}"
        if assumer.session_of:
            return self._trusted_arn(self._principals[assumer.session_of])
        # Whoever is made during the attack does not exist when the role is made, and AWS takes no unknown ARN.
        name = f"user/{assumer.user}" if assumer.user and not assumer.made_by else "root"
        return f"arn:aws:iam::{assumer.account}:{name}"

    # ---- during the exercise ------------------------------------------------------------------------------------

    def _keys(self, name: str) -> KeyPair:
        """Credentials that are good now; whatever is still missing is made first, by those who are to make it."""
        actor = self.actors[name]
        expiring = actor.expires is not None and (actor.expires - self._now()).total_seconds() < _MARGIN_SECONDS
        if actor.keys is None or expiring:
            self._come_to_be(actor)
        assert actor.keys is not None
        return actor.keys

    def _come_to_be(self, actor: Actor) -> None:
        principal = actor.principal
        if principal.role:
            (self._switch if principal.console else self._assume)(actor)
        elif principal.session_of:
            self._ask_for_session(actor, principal.session_of, "get_session_token")
        elif principal.federated:
            wanted = {"Name": principal.federated, "Policy": json.dumps(_EVERYTHING)}
            self._ask_for_session(actor, principal.made_by, "get_federation_token", **wanted)
        elif principal.profile_of:
            self._take_instance_session(actor)
        elif principal.function_role:
            self._hold(actor, *self._session("function", account=principal.account, name=principal.function_role))
        elif principal.console:
            self._sign_in(actor)
        elif principal.root:
            self._hold(actor, *self._session("root", account=principal.account))
        else:
            self._make_user(actor)

    def _hold(self, actor: Actor, keys: KeyPair, expires: datetime | None = None) -> None:
        actor.keys, actor.expires = keys, expires
        if keys not in actor.all_keys:
            actor.all_keys.append(keys)
        if not actor.principal_id:
            sts = boto_client(self._url, "sts", HOME_REGION, keys)
            identity = sts.get_caller_identity()
            actor.principal_id, actor.arn = identity["UserId"], identity["Arn"]

    def _assume(self, actor: Actor) -> None:
        principal = actor.principal
        sts = self.client(principal.assumed_by, "sts", HOME_REGION)
        asked: dict[str, Any] = {"RoleArn": _role_arn(principal), "RoleSessionName": principal.session}
        if principal.source_identity:
            asked["SourceIdentity"] = principal.source_identity
        if principal.tags:
            asked["Tags"] = [{"Key": key, "Value": value} for key, value in principal.tags.items()]
            asked["TransitiveTagKeys"] = list(principal.transitive)
        self._tick()
        self._hold(actor, *_temporary(sts.assume_role(**asked)))

    def _ask_for_session(self, actor: Actor, whom: str, method: str, **asked: str) -> None:
        sts = self.client(whom, "sts", HOME_REGION)
        self._tick()
        self._hold(actor, *_temporary(getattr(sts, method)(**asked)))

    # ---- in the console -----------------------------------------------------------------------------------------

    def _sign_in(self, actor: Actor) -> None:
        principal = actor.principal
        if principal.made_by:
            self._make_console_user(principal)
        self._tick()
        mfa = {"mfa": True} if principal.mfa else {}
        self._hold(actor, *self._open("console", actor, account=principal.account, user=principal.user, **mfa))

    def _make_console_user(self, principal: Principal) -> None:
        iam = self.client(principal.made_by, "iam", HOME_REGION)
        self._make_if_missing(principal, iam)
        if not self._has_password(principal):
            self._tick()
            iam.create_login_profile(UserName=principal.user, Password=_password(), PasswordResetRequired=False)

    def _switch(self, actor: Actor) -> None:
        principal = actor.principal
        keys = self._keys(principal.assumed_by)
        self._tick()
        self._hold(actor, *self._open("switch", actor, access_key=keys.access_key, role_arn=_role_arn(principal)))

    def _open(self, kind: str, actor: Actor, **asked: Any) -> Session:
        return self._range.session(kind, source_ip=actor.source_ip, user_agent=actor.principal.user_agent, **asked)

    # ---- what AWS hands out -------------------------------------------------------------------------------------

    def _take_instance_session(self, actor: Actor) -> None:
        account, instance = actor.principal.account, str(self._names[actor.principal.profile_of])
        if not actor.source_ip:
            actor.source_ip = self._address_of(account, instance)
        self._hold(actor, *self._session("instance", account=account, instance_id=instance))

    def _address_of(self, account: str, instance: str) -> str:
        """Where an instance's own calls come from: its public address, or its private one."""
        for region in self._scenario.regions:
            ec2 = boto_client(self._url, "ec2", region, bootstrap_keys(account))
            found = ec2.describe_instances(Filters=[{"Name": "instance-id", "Values": [instance]}])["Reservations"]
            for described in (one for reservation in found for one in reservation["Instances"]):
                return str(described.get("PublicIpAddress") or described["PrivateIpAddress"])
        raise ValueError(f"instance {instance} is in none of the regions of the scenario")

    def _service_keys(self, account: str, region: str, service: str, role: str) -> KeyPair:
        session = {"account": account, "region": region, "service": service, "role": role, "session": "AWSCloudFormation"}
        return self._session("service", **session)[0]

    def _session(self, kind: str, **asked: str) -> Session:
        """A session that AWS keeps for everybody who asks: the instance and its thief hold the same one."""
        handle = (kind, *asked.values())
        held = self._sessions.get(handle)
        if held is None or (held[1] is not None and (held[1] - self._now()).total_seconds() < _MARGIN_SECONDS):
            self._tick()
            held = self._sessions[handle] = self._range.session(kind, **asked)
        return held

    # ---- users --------------------------------------------------------------------------------------------------

    def _make_user(self, actor: Actor) -> None:
        principal = actor.principal
        shared = (principal.account, principal.user, principal.made_by)
        if shared not in self._shared:
            iam = self.client(principal.made_by, "iam", HOME_REGION)
            self._make_if_missing(principal, iam)
            self._tick()
            self._shared[shared] = _long_term(iam.create_access_key(UserName=principal.user))
        self._hold(actor, self._shared[shared])

    def _make_if_missing(self, principal: Principal, iam: Any) -> None:
        if _exists(self._bootstrap_iam(principal.account).get_user, principal.user):
            return
        self._tick()
        iam.create_user(UserName=principal.user)
        self._tick()
        iam.attach_user_policy(UserName=principal.user, PolicyArn=ADMINISTRATOR_POLICY)

    def _has_password(self, principal: Principal) -> bool:
        return _exists(self._bootstrap_iam(principal.account).get_login_profile, principal.user)


def _exists(read: Callable[..., Any], user: str) -> bool:
    try:
        read(UserName=user)
    except ClientError as e:
        if e.response["Error"]["Code"] == "NoSuchEntity":
            return False
        raise
    return True


def _maker(principal: Principal) -> str:
    return principal.made_by or principal.assumed_by or principal.session_of


def _role_arn(principal: Principal) -> str:
    return f"arn:aws:iam::{principal.account}:role/{principal.role}"


def _password() -> str:
    return f"Aa1!{secrets.token_urlsafe(18)}"


def _temporary(answer: dict[str, Any]) -> Session:
    given = answer["Credentials"]
    return KeyPair(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]), given["Expiration"]


def _long_term(answer: dict[str, Any]) -> KeyPair:
    key = answer["AccessKey"]
    return KeyPair(key["AccessKeyId"], key["SecretAccessKey"])
