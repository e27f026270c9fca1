"""Who a key belongs to. Long-term keys are moto's own; everything temporary is minted and remembered here."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.iam.models import IAMBackend, iam_backends

from drill.aws.clock import iso
from drill.aws.config import RESPONDER_ROLE, RESPONDER_SESSION, SERVICE_LINKED_ROLES, Granted, bootstrap_keys, responder_keys

_ALPHABET = string.ascii_uppercase + "234567"


@dataclass(frozen=True)
class Caller:
    """The holder of a credential.

    Attributes:
        kind: `Root`, `IAMUser`, `AssumedRole` or `FederatedUser`, as CloudTrail has it.
        name: The user's or the role's name, whose policies count.
        arn: The ARN that AWS shows for the caller.
        principal_id: `AIDA…`, `AROA…:session` or the account id.
        issued_at: When a temporary credential was issued; None for a long-term key.
        bootstrap: True for the range's own hands, which leave no trace.
        session_policy: The policy passed when the session was made; None when there was none.
        tags, transitive: Session tags, and the keys of those that a chained session inherits.
        console: Whether it is a session of the Management Console.
        role_delivery: Which version of the metadata service handed the credential to an instance.
        in_scope_of: The resource that a service gave the credential to.
    """

    kind: str
    account: str
    name: str
    arn: str
    principal_id: str
    access_key: str
    secret: str = ""
    token: str = ""
    issued_at: float | None = None
    expires_at: float | None = None
    active: bool = True
    bootstrap: bool = False
    session_policy: str | None = None
    issuer: dict[str, Any] = field(default_factory=dict)
    source_identity: str = ""
    mfa: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    transitive: tuple[str, ...] = ()
    console: bool = False
    role_delivery: str = ""
    in_scope_of: dict[str, str] = field(default_factory=dict)

    def user_identity(self) -> dict[str, Any]:
        """The caller as CloudTrail's `userIdentity`.

        See https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
        """
        identity: dict[str, Any] = {
            "type": self.kind,
            "principalId": self.principal_id,
            "arn": self.arn,
            "accountId": self.account,
            "accessKeyId": self.access_key,
        }
        if self.kind == "IAMUser":
            identity["userName"] = self.name
        if self.issued_at is not None:
            identity["sessionContext"] = self._session_context(self.issued_at)
        if self.in_scope_of:
            identity["inScopeOf"] = dict(self.in_scope_of)
        return identity

    def _session_context(self, issued_at: float) -> dict[str, Any]:
        context: dict[str, Any] = {}
        if self.issuer:
            context = {"sessionIssuer": self.issuer, "webIdFederationData": {}}
        context["attributes"] = {"creationDate": iso(issued_at), "mfaAuthenticated": str(self.mfa).lower()}
        if self.source_identity:
            context["sourceIdentity"] = self.source_identity
        if self.role_delivery:
            context["ec2RoleDelivery"] = self.role_delivery
        return context

    @property
    def session_name(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    @property
    def role_arn(self) -> str:
        """The ARN of the role behind a role session."""
        return str(self.issuer.get("arn", ""))


def backend(account: str) -> IAMBackend:
    """moto's IAM of an account."""
    iam: IAMBackend = iam_backends[account]["aws"]
    return iam


def role_issuer(account: str, role: Any) -> dict[str, Any]:
    """The role behind a session as CloudTrail's `sessionIssuer`."""
    return {"type": "Role", "principalId": role.id, "arn": role.arn, "accountId": account, "userName": role.name}


def role_session(account: str, role: Any, name: str, **fields: Any) -> Caller:
    """Whoever holds a session of a role, with a fresh key; it counts once the directory has issued it."""
    return Caller(
        kind="AssumedRole",
        account=account,
        name=role.name,
        arn=f"arn:aws:sts::{account}:assumed-role/{role.name}/{name}",
        principal_id=f"{role.id}:{name}",
        access_key=mint_key(),
        issuer=role_issuer(account, role),
        **fields,
    )


def mint_key(prefix: str = "ASIA") -> str:
    """A fresh access key id."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(16))


class Directory:
    """Every credential that the range accepts."""

    def __init__(self, accounts: tuple[str, ...], granted: Mapping[str, Granted] | None = None) -> None:
        self.accounts = accounts
        self._granted = granted
        self._temporary: dict[str, Caller] = {}

    def prepare(self, now: float) -> None:
        """Give each account its root, and the responder's role with a standing session."""
        self._temporary.clear()
        for account in self.accounts:
            keys = bootstrap_keys(account)
            arn = f"arn:aws:iam::{account}:root"
            self._remember(Caller("Root", account, "root", arn, account, keys.access_key, keys.secret, bootstrap=True))
            self._prepare_responder(account, now)
            self._prepare_service_roles(account)

    def _prepare_responder(self, account: str, now: float) -> None:
        iam = backend(account)
        home = self.accounts[0]
        trust = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"AWS": f"arn:aws:iam::{home}:root"},
                        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
                    }
                ],
            }
        )
        role = iam.create_role(RESPONDER_ROLE, trust, "/", None, "The program under exercise", [], "43200")
        self._grant(account, role)
        keys = responder_keys(account)
        self._remember(
            Caller(
                kind="AssumedRole",
                account=account,
                name=role.name,
                arn=f"arn:aws:sts::{account}:assumed-role/{role.name}/{RESPONDER_SESSION}",
                principal_id=f"{role.id}:{RESPONDER_SESSION}",
                access_key=keys.access_key,
                secret=keys.secret,
                token=keys.token,
                issued_at=now,
                issuer=role_issuer(account, role),
            )
        )

    def _grant(self, account: str, role: Any) -> None:
        if self._granted is None:
            role.policies["everything"] = json.dumps(ADMINISTRATOR)
            return
        granted = self._granted[account]
        for number, document in enumerate(granted.policies):
            role.policies[f"granted-{number}"] = json.dumps(document)
        limit = backend(account).create_policy("", "/countermand/", json.dumps(granted.boundary), "CountermandBoundary", [])
        role.permissions_boundary_arn = limit.arn

    @staticmethod
    def _prepare_service_roles(account: str) -> None:
        """The service-linked roles, as if each service had been used before."""
        for service, name in SERVICE_LINKED_ROLES.items():
            statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
            trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            role = backend(account).create_role(name, trust, f"/aws-service-role/{service}/", None, "", [], "3600")
            role.policies["everything"] = json.dumps(ADMINISTRATOR)

    def _remember(self, caller: Caller) -> Caller:
        self._temporary[caller.access_key] = caller
        return caller

    def issue(self, caller: Caller) -> Caller:
        """Keep a temporary credential that STS has just made."""
        return self._remember(caller)

    def find(self, access_key: str) -> Caller | None:
        """Who holds this key, active or not; None where nobody does."""
        if access_key in self._temporary:
            caller = self._temporary[access_key]
            return caller if caller.bootstrap or self._principal_exists(caller) else None
        for account in self.accounts:
            for user in list(backend(account).users.values()):
                for key in user.access_keys:
                    if key.access_key_id == access_key:
                        return self._user_caller(account, user, key)
        return None

    @staticmethod
    def _user_caller(account: str, user: Any, key: Any) -> Caller:
        return Caller(
            kind="IAMUser",
            account=account,
            name=user.name,
            arn=user.arn,
            principal_id=user.id,
            access_key=key.access_key_id,
            secret=key.secret_access_key,
            active=key.status == "Active",
        )

    @staticmethod
    def _principal_exists(caller: Caller) -> bool:
        iam = backend(caller.account)
        if caller.kind == "AssumedRole":
            return any(role.id == caller.principal_id.split(":")[0] for role in iam.roles.values())
        return caller.name in iam.users or caller.kind == "Root" or caller.name == "root"


ADMINISTRATOR = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
