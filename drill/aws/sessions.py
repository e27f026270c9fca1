"""Sessions that nobody asks STS for: AWS hands them to root, to the console, to an instance, a function or a service.

Each is written down as CloudTrail does:

- the role of an instance, a function or a service: AssumeRole by an `AWSService`, with the name of the instance or the function
  as the session's. https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
- the console: `ConsoleLogin` and `SwitchRole`, events of the type `AwsConsoleSignIn` which name no key.
  https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-aws-console-sign-in-events.html
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from drill.aws.clock import Clock, iso
from drill.aws.config import AWS_INTERNAL, HOME_REGION, RangeConfig
from drill.aws.errors import AwsError
from drill.aws.identity import Caller, Directory, backend, mint_key, role_session
from drill.aws.sts import issue
from drill.aws.trail import Record, Trail
from drill.aws.wire import Answer, Call, parse_result

_HOUR = 3600
_CONSOLE_HOURS, _INSTANCE_HOURS, _FUNCTION_HOURS = 12, 6, 12
_METADATA_SERVICE = "2.0"


class Sessions:
    """Opens sessions. `serve` performs and records a call as if it had come over the wire."""

    def __init__(
        self, config: RangeConfig, directory: Directory, trail: Trail, clock: Clock, serve: Callable[[Call], Answer]
    ) -> None:
        self._config, self._directory, self._trail, self._clock, self._serve = config, directory, trail, clock, serve
        self._kinds: dict[str, Callable[..., Caller]] = {
            "console": self.console,
            "function": self.function,
            "instance": self.instance,
            "root": self.root,
            "service": self.service,
            "switch": self.switch,
        }

    def open(self, kind: str, **asked: Any) -> Caller:
        """A session of a kind.

        Raises:
            ValueError: there is no such kind, or AWS would hand out none.
        """
        if kind not in self._kinds:
            raise ValueError(f"unknown kind of session {kind!r}; use one of {', '.join(self._kinds)}")
        return self._kinds[kind](**asked)

    def root(self, account: str) -> Caller:
        """A standing access key of the account's root user, which leaves records as every other key does."""
        arn = f"arn:aws:iam::{account}:root"
        return self._directory.issue(Caller("Root", account, "root", arn, account, mint_key("AKIA"), secret=uuid.uuid4().hex))

    # ---- the console ------------------------------------------------------------------------------------------------

    def console(
        self, account: str, user: str = "", source_ip: str = "", user_agent: str = "", region: str = HOME_REGION, mfa: bool = False
    ) -> Caller:
        """Sign in as a user who has a password, or as root where no user is named.

        Raises:
            ValueError: the user does not exist, or has no password.
        """
        session = self._root_session(account) if not user else self._user_session(account, user)
        session = issue(self._directory, replace(session, console=True, mfa=mfa), self._clock.now(), _CONSOLE_HOURS * _HOUR)
        identity = {k: v for k, v in session.user_identity().items() if k not in ("accessKeyId", "sessionContext")}
        home = f"https://{region}.console.aws.amazon.com/console/home?region={region}"
        record = self._record("signin", "ConsoleLogin", account, region if user else HOME_REGION, identity, source_ip, user_agent)
        record["responseElements"] = {"ConsoleLogin": "Success"}
        record["additionalEventData"] = {"LoginTo": home, "MobileVersion": "No", "MFAUsed": "Yes" if mfa else "No"}
        self._keep_sign_in(record)
        return session

    def switch(
        self, access_key: str, role_arn: str, source_ip: str = "", user_agent: str = "", region: str = HOME_REGION
    ) -> Caller:
        """Switch to a role in the console: an AssumeRole that the console makes, and SwitchRole in the role's account.

        Raises:
            ValueError: the key is of no console session, or may not assume the role.
        """
        caller = self._directory.find(access_key)
        if caller is None or not caller.console:
            raise ValueError("roles are switched from a session of the console; sign in first")
        name = caller.session_name if caller.kind != "Root" else "root"
        params = {"RoleArn": role_arn, "RoleSessionName": name}
        call = _sts_call("AssumeRole", params, caller, region, self._clock.now())
        try:
            result = parse_result(call, self._serve(call))
        except AwsError as e:
            raise ValueError(f"{caller.arn} cannot switch to {role_arn}: {e}") from e
        if "Error" in result:
            raise ValueError(f"{caller.arn} cannot switch to {role_arn}: {result['Error'].get('Message', '')}")
        found = self._directory.find(result["Credentials"]["AccessKeyId"])
        assert found is not None
        session = self._directory.issue(replace(found, console=True, mfa=caller.mfa))
        identity = {k: v for k, v in session.user_identity().items() if k not in ("accessKeyId", "sessionContext")}
        record = self._record("signin", "SwitchRole", session.account, region, identity, source_ip, user_agent)
        record["responseElements"] = {"SwitchRole": "Success"}
        home = f"https://{region}.console.aws.amazon.com/console/home?region={region}#"
        record["additionalEventData"] = {"SwitchFrom": caller.arn, "RedirectTo": home}
        self._keep_sign_in(record)
        return session

    @staticmethod
    def _root_session(account: str) -> Caller:
        return Caller("Root", account, "root", f"arn:aws:iam::{account}:root", account, mint_key())

    @staticmethod
    def _user_session(account: str, name: str) -> Caller:
        user = backend(account).users.get(name)
        if user is None or not user.password:
            raise ValueError(f"{name} cannot sign in to the console of {account}; create the user and a login profile first")
        return Caller("IAMUser", account, user.name, user.arn, user.id, mint_key())

    # ---- services ---------------------------------------------------------------------------------------------------

    def instance(self, account: str, instance_id: str) -> Caller:
        """The session that the metadata service gives to an instance with a profile.

        Raises:
            ValueError: there is no such instance, or it has no profile with a role.
        """
        from moto.ec2.models import ec2_backends

        for region in sorted(self._config.enabled):
            profiles = ec2_backends[account][region].iam_instance_profile_associations.values()
            for held in profiles:
                if held.instance.id == instance_id and held.iam_instance_profile.roles:
                    role = held.iam_instance_profile.roles[0]
                    given = {"role_delivery": _METADATA_SERVICE}
                    return self._given("ec2.amazonaws.com", account, region, role, instance_id, _INSTANCE_HOURS, **given)
        raise ValueError(f"{instance_id} has no session in {account}; run it with an IamInstanceProfile that has a role")

    def function(self, account: str, name: str) -> Caller:
        """The session in which a function's code runs.

        Raises:
            ValueError: there is no such function.
        """
        from moto.awslambda.models import lambda_backends

        for region in sorted(self._config.enabled):
            for function in lambda_backends[account][region].list_functions():
                if function.function_name == name:
                    role = self._role(account, function.role)
                    scope = {"issuerType": "AWS::Lambda::Function", "credentialsIssuedTo": function.function_arn}
                    return self._given("lambda.amazonaws.com", account, region, role, name, _FUNCTION_HOURS, in_scope_of=scope)
        raise ValueError(f"there is no function {name} in {account}; create it first")

    def service(self, account: str, region: str, service: str, role: str, session: str) -> Caller:
        """The session of a role that a service itself assumes, such as a service-linked one.

        Raises:
            ValueError: there is no such role.
        """
        return self._given(service, account, region, self._role(account, role), session, 1)

    @staticmethod
    def _role(account: str, named: str) -> Any:
        for role in backend(account).roles.values():
            if named in (role.name, role.arn):
                return role
        raise ValueError(f"there is no role {named} in {account}; create it first")

    def _given(self, service: str, account: str, region: str, role: Any, name: str, hours: int, **fields: Any) -> Caller:
        session = role_session(
            account,
            role,
            name,
            **fields,
        )
        session = issue(self._directory, session, self._clock.now(), hours * _HOUR)
        identity = {"type": "AWSService", "invokedBy": service}
        record = self._record("sts", "AssumeRole", account, region, identity, service, service)
        record |= {
            "requestParameters": {"roleArn": role.arn, "roleSessionName": name},
            "responseElements": {
                "credentials": {
                    "accessKeyId": session.access_key,
                    "sessionToken": session.token,
                    "expiration": datetime.fromtimestamp(session.expires_at or 0, UTC).strftime("%b %-d, %Y, %-I:%M:%S %p"),
                }
            },
            "requestID": str(uuid.uuid4()),
            "readOnly": True,
            "resources": [{"accountId": account, "type": "AWS::IAM::Role", "ARN": role.arn}],
            "sharedEventID": str(uuid.uuid4()),
        }
        self._trail.keep(record, self._clock.now())
        return session

    # ---- records ----------------------------------------------------------------------------------------------------

    def _keep_sign_in(self, record: Record) -> None:
        record["eventType"] = "AwsConsoleSignIn"
        record["tlsDetails"] = {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": f"{record['awsRegion']}.signin.aws.amazon.com",
        }
        self._trail.keep(record, self._clock.now())

    def _record(
        self, service: str, name: str, account: str, region: str, identity: dict[str, Any], source_ip: str, user_agent: str
    ) -> Record:
        return {
            "eventVersion": "1.11",
            "userIdentity": identity,
            "eventTime": iso(self._clock.now()),
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": source_ip,
            "userAgent": user_agent,
            "requestParameters": None,
            "responseElements": None,
            "eventID": str(uuid.uuid4()),
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": account,
            "eventCategory": "Management",
        }


def _sts_call(operation: str, params: dict[str, Any], caller: Caller, region: str, time: float) -> Call:
    return Call(
        service="sts",
        operation=operation,
        params=params,
        protocol="query",
        signing_name="sts",
        access_key=caller.access_key,
        token=caller.token,
        region=region,
        source_ip=AWS_INTERNAL,
        user_agent=AWS_INTERNAL,
        time=time,
        environ={},
        body=b"",
        invoked_by=AWS_INTERNAL,
    )
