"""boto3 clients for every account and region: throttling is waited out, reads that get no answer are asked again, and every read is
accounted for.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import botocore.session
from botocore.config import Config as BotoConfig
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection
from botocore.loaders import Loader
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_delay, stop_any, wait_random_exponential

from incident.family import Family, Read, Scope
from incident.planner import Unread
from incident.resources.identity import GLOBAL
from incident.settings import Observed, SettingKey
from tasks.config import AwsConfig

THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
        "Client.RequestLimitExceeded",
        "EC2ThrottledException",
    }
)
DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure", "InvalidClientTokenId", "OptInRequired"}
)
_WAIT_OUT_SECONDS = 60
_ASKED_AT_MOST = 8
"""With a fault on every third call, one read in seven thousand still fails."""
_READ = re.compile(r"(BatchGet|Describe|Filter|Get|Head|List|Lookup|Search)[A-Z]")
_HARMLESS_TWICE = frozenset({"AssumeRole", "PutObject"})
"""What may be done again though it may have been done: a session more, or a version more of the same evidence."""
_NAMES_ITS_ACCOUNT = "s3control"
"""The service each of whose calls says on which account it is made."""
_SESSION_SECONDS = 45 * 60
_ACCOUNT_IN_HOST = re.compile(r"://\d{12}\.")
_making = threading.Lock()


class AwsError(Exception):
    """A call that AWS refused or that got no answer. `code` is AWS's, or the transport's name."""

    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__(f"{operation}: {code}: {message}")
        self.operation, self.code, self.message = operation, code, message

    @property
    def refused(self) -> bool:
        """Whether AWS answered; where it did not, the call may still have taken effect."""
        return not self.code.startswith("transport:") and not self.code.startswith("5")


@dataclass(frozen=True, slots=True)
class Regions:
    """An account's regions. `opted_out` ones cannot hold resources."""

    enabled: tuple[str, ...]
    opted_out: tuple[str, ...]


class Aws:
    """AWS as one incident sees it: clients by account and region, made once, safe to share between threads.

    Args:
        config: how AWS is reached.
        session_name: the session name that carries the incident into CloudTrail.
        pause: waits for so many seconds.
    """

    def __init__(self, config: AwsConfig, session_name: str = "countermand", pause: Callable[[float], None] = time.sleep) -> None:
        self.config = config
        self._pause = pause
        self._session_name = session_name[:64]
        self._own = ""
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._sessions: dict[str, boto3.Session] = {}
        self._assumed_at: dict[str, float] = {}
        self._lock = threading.RLock()

    def client(self, account: str, region: str, service: str) -> Any:
        """A client; `global` stands for the home region."""
        region = self.config.home_region if region == GLOBAL else region
        with self._lock:
            self._drop_what_expires(account)
            key = (account, region, service)
            if key not in self._clients:
                # One attempt: a blind retry of a change that took effect would do it twice. Throttling is waited out in `call`.
                options = BotoConfig(
                    retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=60, max_pool_connections=50
                )
                session = self._session(account)
                client = session.client(service, region_name=region, endpoint_url=self.config.endpoint_url, config=options)
                if self.config.endpoint_url:
                    at_one_name(client)
                self._clients[key] = client
            return self._clients[key]

    def call(self, account: str, region: str, service: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Make one call, waiting out throttling. A read that gets no answer, or a 5xx, is asked again; a change is not, for it may
        have taken effect.

        Raises:
            AwsError: AWS refused the call, or gave no answer.
        """
        client = self.client(account, region, service)
        if service == _NAMES_ITS_ACCOUNT:
            parameters = {"AccountId": account, **parameters}
        try:
            for attempt in self._ridden_out(operation):
                with attempt:
                    return _answer(client, operation, parameters)
        except ClientError as error:
            raise _as_aws_error(operation, error) from None
        except BotoCoreError as error:
            raise AwsError(operation, f"transport:{type(error).__name__}", _one_line(error)) from None
        raise AssertionError("unreachable: the retry loop returns or raises")

    def _ridden_out(self, operation: str) -> Retrying:
        harmless = bool(_READ.match(operation)) or operation in _HARMLESS_TWICE
        return Retrying(
            retry=retry_if_exception(lambda error: _is_throttled(error) or (harmless and _is_unanswered(error))),
            wait=wait_random_exponential(multiplier=0.3, max=8),
            stop=stop_any(stop_after_delay(_WAIT_OUT_SECONDS), _asked_enough),
            sleep=self._pause,
            reraise=True,
        )

    def read_all(self, scope: Scope, read: Read) -> Iterator[dict[str, Any]]:
        """Every page of a read.

        Raises:
            AwsError: see `call`; a page that fails fails the read.
        """
        client = self.client(scope.account, scope.region, read.service)
        method = boto3_name(client, read.operation)
        if not client.can_paginate(method):
            yield self.call(scope.account, scope.region, read.service, read.operation, read.parameters)
            return
        rule = client.get_paginator(method)._pagination_cfg
        parameters = dict(read.parameters)
        tokens = dict(zip(_listed(rule["input_token"]), _listed(rule["output_token"]), strict=True))
        while True:
            page = self.call(scope.account, scope.region, read.service, read.operation, parameters)
            yield page
            given = {sent: page.get(name.split(" || ")[0]) for sent, name in tokens.items()}
            if not any(given.values()):
                return
            asked = {name: value for name, value in parameters.items() if name not in tokens}
            parameters = asked | {name: value for name, value in given.items() if value}

    def accounts(self) -> tuple[str, ...]:
        """The accounts to cover, our own first: those that the configuration names, and all active ones of the organization if it
        says so.

        Raises:
            AwsError: the organization's accounts could not be listed.
        """
        named = self.config.accounts
        if not self.config.organization:
            return named
        own = self._own_account()
        pages = self.read_all(Scope(own, self.config.home_region), Read("organizations", "ListAccounts"))
        active = [item["Id"] for page in pages for item in page["Accounts"] if item.get("State", item.get("Status")) == "ACTIVE"]
        return tuple(dict.fromkeys((own, *named, *sorted(active))))

    def covered(self) -> tuple[str, ...]:
        """The accounts in which anything may be done at all: those of `accounts`, and without any our own.

        Raises:
            AwsError: see `accounts`.
        """
        return self.accounts() or (self._own_account(),)

    def management_account(self) -> str:
        """The account that manages the organization.

        Raises:
            AwsError: there is no organization (`AWSOrganizationsNotInUseException`), or it was not said.
        """
        told = self.call(self._own_account(), self.config.home_region, "organizations", "DescribeOrganization", {})["Organization"]
        return str(told.get("MasterAccountId", ""))

    def act_for(self, incident: str) -> None:
        """Let the sessions that are opened from here on carry an incident's name, so that CloudTrail shows for what we called."""
        with self._lock:
            self._session_name = f"countermand-{incident}"[:64]

    def regions(self, account: str) -> Regions:
        """The account's regions, enabled and not.

        Raises:
            AwsError: the list could not be read; then no region is known to be clean.
        """
        answer = self.call(account, self.config.home_region, "ec2", "DescribeRegions", {"AllRegions": True})
        states = {region["RegionName"]: region.get("OptInStatus", "") for region in answer["Regions"]}
        enabled = tuple(sorted(name for name, state in states.items() if state != "not-opted-in"))
        return Regions(enabled, tuple(sorted(name for name, state in states.items() if state == "not-opted-in")))

    def own_access_key(self, account: str) -> str:
        credentials = self._session(account).get_credentials()
        return credentials.access_key if credentials else ""

    def own_principal(self, account: str) -> str:
        """The ARN under which our own calls appear in an account: of the role without its session, or of the user.

        Raises:
            AwsError: STS does not say who we are.
        """
        arn = str(self.call(account, self.config.home_region, "sts", "GetCallerIdentity", {})["Arn"])
        return principal_of(arn)

    def _drop_what_expires(self, account: str) -> None:
        """An assumed session ends after an hour; a process may live longer. Ask for another in time."""
        if time.monotonic() - self._assumed_at.get(account, math.inf) > _SESSION_SECONDS:
            del self._assumed_at[account], self._sessions[account]
            self._clients = {key: client for key, client in self._clients.items() if key[0] != account}

    def _session(self, account: str) -> boto3.Session:
        with self._lock:
            if account not in self._sessions:
                self._sessions[account] = self._new_session(account)
            return self._sessions[account]

    def _new_session(self, account: str) -> boto3.Session:
        if account == "" or account == self._own_account():
            return _new_session()
        return self._assumed(account)

    def _own_account(self) -> str:
        """The account of our own credentials: the first that the configuration names, else what STS says."""
        if self.config.accounts:
            return self.config.accounts[0]
        if not self._own:
            self._own = str(self.call("", self.config.home_region, "sts", "GetCallerIdentity", {})["Account"])
        return self._own

    def own_account(self) -> str:
        """The account of our own credentials.

        Raises:
            AwsError: STS does not say who we are.
        """
        return self._own_account()

    def _assumed(self, account: str) -> boto3.Session:
        """A session in another account. The regional STS endpoint's tokens work in opt-in regions too."""
        own = self._own_account()
        parameters = {
            "RoleArn": f"arn:aws:iam::{account}:role/{self.config.role_name}",
            "RoleSessionName": self._session_name,
            **({"ExternalId": self.config.external_id} if self.config.external_id else {}),
            **({"SourceIdentity": self._session_name} if self.config.source_identity else {}),
        }
        granted = self.call(own, self.config.home_region, "sts", "AssumeRole", parameters)["Credentials"]
        self._assumed_at[account] = time.monotonic()
        return _new_session(granted["AccessKeyId"], granted["SecretAccessKey"], granted["SessionToken"])


def at_one_name(client: Any) -> None:
    """Let a client of an endpoint of one's own call it by its one name: S3's control plane would put the account before it."""

    def renamed(request: Any, **told: Any) -> None:
        request.url = _ACCOUNT_IN_HOST.sub("://", request.url, count=1)

    client.meta.events.register("before-sign.s3-control", renamed)


def _new_session(*keys: str) -> boto3.Session:
    """A session, of the given key, secret and token or of the environment's.

    All share one reader of the services' models. With one each, every account's session would read and keep them anew.
    """
    with _making:
        core = botocore.session.Session()
        core.register_component("data_loader", _models())
        session = boto3.Session(*keys, botocore_session=core)
        # boto3 adds its own folder for every session.
        _models().search_paths[:] = dict.fromkeys(_models().search_paths)
        return session


def read_models(services: Iterable[str]) -> None:
    """Read the models of services before this process forks; each fork would read them anew, EC2's in 0.2 s of CPU time."""
    for service in services:
        for kind in ("service-2", "endpoint-rule-set-1"):
            _models().load_service_model(service, kind)


@cache
def _models() -> Loader:
    return botocore.session.Session().get_component("data_loader")


def principal_of(arn: str) -> str:
    """A session's ARN without the session's name, so that every session of a role has the same principal."""
    return arn.rpartition("/")[0] if ":assumed-role/" in arn else arn


def observe(aws: Aws, family: Family, key: SettingKey) -> Observed | Unread | None:
    """Read one setting live: its value, `None` where it is absent, `Unread` with the reason where AWS does not say."""
    scope, read = Scope(key.account, key.region), family.read(key)
    try:
        for page in aws.read_all(scope, read):
            for observed in family.observe(scope, read, page):
                if observed.key == key:
                    return observed
    except AwsError as error:
        return None if error.code in family.absent_codes else Unread(str(error))
    return None


def boto3_name(client: Any, operation: str) -> str:
    """The client's method for an API operation name."""
    names: Mapping[str, str] = client.meta.method_to_api_mapping
    found = next((method for method, api in names.items() if api == operation), None)
    if found is None:
        raise AwsError(operation, "UnknownOperation", "this version of boto3 has no such operation")
    return found


def _answer(client: Any, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    method: Callable[..., dict[str, Any]] = getattr(client, boto3_name(client, operation))
    return method(**parameters)


def _asked_enough(state: RetryCallState) -> bool:
    error = state.outcome.exception() if state.outcome else None
    return error is not None and not _is_throttled(error) and state.attempt_number >= _ASKED_AT_MOST


def _is_throttled(error: BaseException) -> bool:
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in THROTTLED


def _is_unanswered(error: BaseException) -> bool:
    if isinstance(error, ClientError):
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)) >= 500
    return isinstance(error, HTTPClientError | NoConnection)


def _as_aws_error(operation: str, error: ClientError) -> AwsError:
    body = error.response.get("Error", {})
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
    code = str(body.get("Code") or status)
    if status >= 500 and code not in THROTTLED:
        code = f"5xx:{code}"
    return AwsError(operation, code, _one_line(body.get("Message") or ""))


def _one_line(value: object) -> str:
    return " ".join(str(value).split())[:300]


def _listed(token: str | list[str]) -> list[str]:
    return [token] if isinstance(token, str) else token
