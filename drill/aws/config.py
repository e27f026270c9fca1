"""How one practice range is set up, and the credentials that exist before anybody acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from botocore.session import Session

DEFAULT_ACCOUNT = "111122223333"
HOME_REGION = "us-east-1"
RESPONDER_ROLE = "CountermandResponder"
RESPONDER_SESSION = "countermand"
# The address and the user agent of what the console asks for by itself.
AWS_INTERNAL = "AWS Internal"
# Each service that acts by itself, with its service-linked role.
SERVICE_LINKED_ROLES = {"autoscaling.amazonaws.com": "AWSServiceRoleForAutoScaling"}

# Enabled in every account, and never to be opted out of: the regions older than 20 March 2019.
DEFAULT_REGIONS = (
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
)


@cache
def all_regions() -> tuple[str, ...]:
    """Every region of the commercial partition that the installed botocore knows."""
    return tuple(sorted(Session().get_available_regions("ec2")))


@dataclass(frozen=True)
class KeyPair:
    """Credentials to sign with."""

    access_key: str
    secret: str
    token: str = ""

    def for_boto3(self) -> dict[str, str | None]:
        """Keyword arguments of `boto3.client`."""
        return {
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret,
            "aws_session_token": self.token or None,
        }


def bootstrap_keys(account: str) -> KeyPair:
    """The account's root. Its calls leave no record, and meet no throttle and no fault."""
    return KeyPair(f"AKIABOOT{account}", "bootstrap-secret")


def responder_keys(account: str) -> KeyPair:
    """A standing session of the role `CountermandResponder`, for the program under exercise."""
    return KeyPair(f"ASIARESP{account}", "responder-secret", f"responder-token-{account}")


class Granted(NamedTuple):
    """Policies as documents, and the document of the permissions boundary."""

    policies: list[dict[str, Any]]
    boundary: dict[str, Any]


@dataclass(frozen=True)
class RangeConfig:
    """Everything that can be set about a range.

    Attributes:
        accounts: Account ids. The first is where the responder starts.
        regions: Enabled regions. `us-east-1` always is, as global services live there.
        delivery_lag: Seconds until LookupEvents shows an event.
        snapshot_seconds: How long a snapshot takes to complete.
        lookup_rate: LookupEvents calls a second, for each account and region.
        host, port: Where to listen; port 0 takes a free one.
        trail_files: Whether a trail delivers to S3 too, into the bucket `range-trail` of the first account.
        trail_prefix, trail_organization: What its keys have before `AWSLogs/` and after it.
        clock_offset: Where the clock starts, in seconds from now.
        seed: For the random faults, so that a run can be repeated.
        granted: What the responder's role may do, by account: its policies, and the boundary that limits them. Without it the role
            may do everything.
    """

    accounts: tuple[str, ...] = (DEFAULT_ACCOUNT,)
    regions: tuple[str, ...] = DEFAULT_REGIONS
    delivery_lag: float = 0.0
    snapshot_seconds: float = 0.0
    lookup_rate: float = 2.0
    trail_files: bool = False
    trail_prefix: str = ""
    trail_organization: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    clock_offset: float = 0.0
    seed: int = 0
    granted: Mapping[str, Granted] | None = field(default=None, hash=False)
    enabled: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        for account in self.accounts:
            if not (account.isdigit() and len(account) == 12):
                raise ValueError(f"account {account!r} is not twelve digits")
        known = all_regions()
        for region in self.regions:
            if region not in known:
                raise ValueError(f"region {region!r} does not exist; known are {', '.join(known)}")
        object.__setattr__(self, "enabled", frozenset(self.regions) | {HOME_REGION})
