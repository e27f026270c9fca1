"""AWS STS: temporary credentials with real trust checks, expiry and identities."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from drill.aws import policies
from drill.aws.access import request_context
from drill.aws.errors import AwsError, not_authorized
from drill.aws.identity import Caller, Directory, backend, mint_key, role_session
from drill.aws.wire import Call

_HOUR = 3600
_CHAINED_LIMIT = _HOUR


class TokenService:
    """The operations of STS that the range has."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def assume_role(self, call: Call, caller: Caller) -> dict[str, Any]:
        """AssumeRole: the role must exist, and its trust policy must name the caller."""
        arn: str = call.params["RoleArn"]
        if caller.kind == "Root" and not caller.bootstrap:
            raise AwsError("AccessDenied", "Roles may not be assumed by root accounts.", 403)
        role = self._role(arn)
        if role is None or not _trusts(role, call, caller):
            raise not_authorized("sts", caller.arn, "sts:AssumeRole", f"on resource: {arn}")
        account = arn.split(":")[4]
        seconds = self._duration(call, caller, role)
        name = call.params["RoleSessionName"]
        session = role_session(
            account,
            role,
            name,
            session_policy=call.params.get("Policy"),
            source_identity=call.params.get("SourceIdentity") or caller.source_identity,
            mfa=bool(call.params.get("TokenCode")),
            tags=_tags(call, caller),
            transitive=(*caller.transitive, *(call.params.get("TransitiveTagKeys") or [])),
        )
        session = issue(self._directory, session, call.time, seconds)
        user = {"AssumedRoleId": session.principal_id, "Arn": session.arn}
        result: dict[str, Any] = {"Credentials": _credentials(session), "AssumedRoleUser": user}
        if session.source_identity:
            result["SourceIdentity"] = session.source_identity
        return result

    def get_session_token(self, call: Call, caller: Caller) -> dict[str, Any]:
        """GetSessionToken: the same user, by a temporary key that outlives the long-term one."""
        self._only_long_term(caller, "sts:GetSessionToken")
        seconds = call.params.get("DurationSeconds") or 12 * _HOUR
        key, mfa = mint_key(), bool(call.params.get("TokenCode"))
        session = issue(self._directory, replace(caller, access_key=key, mfa=mfa, bootstrap=False), call.time, seconds)
        return {"Credentials": _credentials(session)}

    def get_federation_token(self, call: Call, caller: Caller) -> dict[str, Any]:
        """GetFederationToken: at most what the user and the passed policy both allow."""
        self._only_long_term(caller, "sts:GetFederationToken")
        name = call.params["Name"]
        issuer = {k: v for k, v in caller.user_identity().items() if k != "accessKeyId"}
        session = Caller(
            kind="FederatedUser",
            account=caller.account,
            name=caller.name,
            arn=f"arn:aws:sts::{caller.account}:federated-user/{name}",
            principal_id=f"{caller.account}:{name}",
            access_key=mint_key(),
            issuer=issuer,
            session_policy=call.params.get("Policy"),
        )
        session = issue(self._directory, session, call.time, call.params.get("DurationSeconds") or 12 * _HOUR)
        return {
            "Credentials": _credentials(session),
            "FederatedUser": {"FederatedUserId": session.principal_id, "Arn": session.arn},
            "PackedPolicySize": 4,
        }

    def get_caller_identity(self, call: Call, caller: Caller) -> dict[str, Any]:
        """GetCallerIdentity."""
        return {"UserId": caller.principal_id, "Account": caller.account, "Arn": caller.arn}

    def get_access_key_info(self, call: Call, caller: Caller) -> dict[str, Any]:
        """GetAccessKeyInfo: the account of any key."""
        holder = self._directory.find(call.params["AccessKeyId"])
        if holder is None:
            raise AwsError("ValidationError", "The access key id is not known.", 400)
        return {"Account": holder.account}

    def _role(self, arn: str) -> Any | None:
        parts = arn.split(":")
        if len(parts) < 6 or parts[4] not in self._directory.accounts:
            return None
        return next((r for r in list(backend(parts[4]).roles.values()) if r.arn == arn), None)

    def _duration(self, call: Call, caller: Caller, role: Any) -> int:
        seconds = int(call.params.get("DurationSeconds") or _HOUR)
        longest = int(role.max_session_duration or _HOUR)
        if caller.kind == "AssumedRole":
            longest = min(longest, _CHAINED_LIMIT)
        if not 900 <= seconds <= longest:
            message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            raise AwsError("ValidationError", message, 400)
        return seconds

    @staticmethod
    def _only_long_term(caller: Caller, action: str) -> None:
        if caller.issued_at is not None:
            message = f"Cannot call {action.split(':')[1]} with session credentials"
            raise AwsError("AccessDenied", message, 403)


def issue(directory: Directory, session: Caller, now: float, seconds: float) -> Caller:
    """Give a session its secret and its token, and remember it."""
    secret, token = secrets.token_urlsafe(30), secrets.token_urlsafe(96)
    return directory.issue(replace(session, secret=secret, token=token, issued_at=now, expires_at=now + seconds))


def _tags(call: Call, caller: Caller) -> dict[str, str]:
    """A session's tags: those that it inherits from the session which assumes, and those that the call passes."""
    inherited = {key: value for key, value in caller.tags.items() if key in caller.transitive}
    return inherited | {tag["Key"]: tag["Value"] for tag in call.params.get("Tags") or []}


def _credentials(session: Caller) -> dict[str, Any]:
    return {
        "AccessKeyId": session.access_key,
        "SecretAccessKey": session.secret,
        "SessionToken": session.token,
        "Expiration": datetime.fromtimestamp(int(session.expires_at or 0), UTC),
    }


def _trusts(role: Any, call: Call, caller: Caller) -> bool:
    document = json.loads(role.assume_role_policy_document)
    context = request_context(call, caller)
    if call.params.get("ExternalId"):
        context["sts:ExternalId"] = call.params["ExternalId"]
    allowed = False
    for statement in policies.statements(document):
        if not _names(statement, caller) or not _covers_assume_role(statement):
            continue
        if not policies.conditions_hold(statement.get("Condition", {}), context):
            continue
        if statement.get("Effect") == "Deny":
            return False
        allowed = True
    return allowed


def _covers_assume_role(statement: dict[str, Any]) -> bool:
    actions = statement.get("Action", [])
    names = actions if isinstance(actions, list) else [actions]
    return any(fnmatchcase("sts:assumerole", str(n).lower()) for n in names)


def _names(statement: dict[str, Any], caller: Caller) -> bool:
    principal = statement.get("Principal", {})
    if principal == "*":
        return True
    named = principal.get("AWS", []) if isinstance(principal, dict) else []
    mine = {"*", caller.account, f"arn:aws:iam::{caller.account}:root", caller.arn, caller.role_arn}
    return any(name in mine for name in (named if isinstance(named, list) else [named]))
