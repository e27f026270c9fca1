"""An account's block of public access to S3, which counts beside that of each bucket and in every region.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_PutPublicAccessBlock.html
"""

from __future__ import annotations

from collections.abc import Iterator

from incident.family import Acts, Call, Change, Read, Scope
from incident.network.kinds import Event, Kind, family
from incident.network.values import text
from incident.record import JsonObject
from incident.resources.bucket_access import blocks, blocks_less, blocks_told
from incident.resources.iam import GLOBAL
from incident.settings import Observed, SettingKey, Unknown, Value, Write

ACCOUNT_ACCESS = "account-access"
PUBLIC_ACCESS = "public access block of S3"

_CONTROL = "s3control"
_SETS = ("s3:PutAccountPublicAccessBlock",)


def _key(account: str) -> SettingKey:
    return SettingKey(account, GLOBAL, ACCOUNT_ACCESS, account, PUBLIC_ACCESS)


def _put(event: Event) -> Iterator[Write]:
    yield from _written(event, blocks(event.record.request))


def _delete(event: Event) -> Iterator[Write]:
    yield from _written(event, None)


def _written(event: Event, value: Value | Unknown) -> Iterator[Write]:
    """A record that names a bucket is about that bucket, whatever it is called."""
    if not text(event.record.request.get("bucketName")):
        yield Write(_key(event.record.account), value)


def _observe(scope: Scope, read: Read, answer: JsonObject) -> Iterator[Observed]:
    yield Observed(_key(scope.account), blocks_told(answer))


def _change(key: SettingKey, live: Observed | None, wanted: Value) -> Change:
    of_account = {"AccountId": key.resource}
    if wanted is None:
        return (Call(_CONTROL, "DeletePublicAccessBlock", of_account, _SETS),)
    return (Call(_CONTROL, "PutPublicAccessBlock", {**of_account, "PublicAccessBlockConfiguration": wanted}, _SETS),)


# Each call of S3's control plane names its account; `Aws` does where a read of everything cannot.
_LIST = Read(_CONTROL, "GetPublicAccessBlock")

ACCOUNT_PUBLIC_ACCESS = family(
    Kind(ACCOUNT_ACCESS, 8, lambda key: _LIST, _change, harm=blocks_less, acts=Acts(_SETS, _SETS)),
    service="s3",
    readers={
        "PutAccountPublicAccessBlock": _put,
        "PutPublicAccessBlock": _put,
        "DeleteAccountPublicAccessBlock": _delete,
        "DeletePublicAccessBlock": _delete,
    },
    observers={"GetPublicAccessBlock": _observe},
    inventory=(_LIST,),
    absent_codes=("NoSuchPublicAccessBlockConfiguration",),
    home_only=True,
)
