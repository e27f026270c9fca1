"""CloudTrail records as facts: who called what, when, from where, and whether it changed anything.

Record contents: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, Protocol, TypeVar, cast

Json = Any
JsonObject = Mapping[str, Any]

_EMPTY: JsonObject = {}
_OTHER_TIME_FORMATS = ("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%d %H:%M:%S", "%b %d, %Y, %I:%M:%S %p")


class RecordError(ValueError):
    """Something that is not a CloudTrail record; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Identity:
    """`userIdentity`: the credential that signed a call, and the principal behind it.

    `name` is the IAM user name, or the role name of an assumed-role session.
    """

    type: str
    arn: str
    account: str
    principal_id: str
    access_key: str
    name: str
    issuer_arn: str
    session_created: str
    invoked_by: str
    source_identity: str

    @classmethod
    def parse(cls, raw: JsonObject) -> Identity:
        session = _mapping(raw.get("sessionContext"))
        issuer = _mapping(session.get("sessionIssuer"))
        return cls(
            type=_text(raw.get("type")),
            arn=_text(raw.get("arn")),
            account=_text(raw.get("accountId")),
            principal_id=_text(raw.get("principalId")),
            access_key=_text(raw.get("accessKeyId")),
            name=_text(raw.get("userName")) or _text(issuer.get("userName")),
            issuer_arn=_text(issuer.get("arn")),
            session_created=_text(_mapping(session.get("attributes")).get("creationDate")),
            invoked_by=_text(raw.get("invokedBy")),
            source_identity=_text(session.get("sourceIdentity")),
        )

    @property
    def label(self) -> str:
        """The name by which people know the caller: its ARN, or the AWS service that acted."""
        return self.arn or self.invoked_by or self.principal_id or self.type or "unknown"


@dataclass(frozen=True)
class Record:
    """One CloudTrail record. `request` and `response` keep CloudTrail's own shape."""

    event_id: str
    event_name: str
    event_source: str
    region: str
    account: str
    time: datetime
    identity: Identity
    source_ip: str
    user_agent: str
    request: JsonObject
    response: JsonObject
    error_code: str
    error_message: str
    read_only: bool
    raw: JsonObject

    @classmethod
    def parse(cls, raw: object) -> Record:
        """Read one record as CloudTrail delivers it.

        Raises:
            RecordError: `raw` is no JSON object, or lacks an event name, source or time.
        """
        if not isinstance(raw, Mapping):
            raise RecordError(f"a CloudTrail record is a JSON object, this is {type(raw).__name__}")
        body = cast(JsonObject, raw)
        name, source = _text(body.get("eventName")), _text(body.get("eventSource"))
        if not name or not source:
            raise RecordError("not a CloudTrail record: it has no eventName or no eventSource")
        identity = Identity.parse(_mapping(body.get("userIdentity")))
        return cls(
            event_id=_text(body.get("eventID")),
            event_name=name,
            event_source=source,
            region=_text(body.get("awsRegion")),
            account=_text(body.get("recipientAccountId")) or identity.account,
            time=parse_time(body.get("eventTime")),
            identity=identity,
            source_ip=_text(body.get("sourceIPAddress")),
            user_agent=_text(body.get("userAgent")),
            request=_mapping(body.get("requestParameters")),
            response=_mapping(body.get("responseElements")),
            error_code=_text(body.get("errorCode")),
            error_message=_text(body.get("errorMessage")),
            read_only=_is_true(body.get("readOnly")),
            raw=body,
        )

    @property
    def succeeded(self) -> bool:
        """A record with an `errorCode` changed nothing."""
        return not self.error_code

    @property
    def service(self) -> str:
        """The service part of the event source: `ec2` of `ec2.amazonaws.com`."""
        return _service(self.event_source)

    @property
    def operation(self) -> str:
        """`service:EventName`, the key by which the registry knows it."""
        return _operation(self.event_source, self.event_name)

    @property
    def gist(self) -> Record:
        """Who did what, and when: the record without its bodies, which is all that a long memory need keep of it."""
        light = object.__new__(Record)
        light.__dict__.update(self.__dict__, request=_EMPTY, response=_EMPTY, raw=_EMPTY)
        return light

    @cached_property
    def order(self) -> tuple[datetime, str]:
        """Records sort by time; CloudTrail's seconds leave ties, which the event id breaks the same way each time."""
        return (self.time, self.event_id)


class Timed(Protocol):
    """What happened at a time."""

    @property
    def time(self) -> datetime: ...


_Timed = TypeVar("_Timed", bound=Timed)


def in_order(records: Iterable[_Timed]) -> list[_Timed]:
    """Records by time. CloudTrail's times are whole seconds, so those of one second stay in the order in which they were given.

    `LookupEvents` gives the newest first: what runs backwards as a whole is turned round.
    """
    given = list(records)
    if len(given) > 1 and given[0].time > given[-1].time:
        given.reverse()
    return sorted(given, key=lambda record: record.time)


def _service(event_source: str) -> str:
    return event_source.removesuffix(".amazonaws.com")


@lru_cache(maxsize=65536)
def _operation(event_source: str, event_name: str) -> str:
    return f"{_service(event_source)}:{event_name}"


def parse_time(value: object) -> datetime:
    """Read CloudTrail's `eventTime` in any form seen in real exports; the answer is in UTC.

    Raises:
        RecordError: no time, or a form that is not known.
    """
    text = _text(value).strip()
    if not text:
        raise RecordError("the record has no eventTime")
    try:
        return _as_utc(datetime.fromisoformat(text))
    except OverflowError:
        raise RecordError(f"eventTime {text[:40]!r} lies outside of all years") from None
    except ValueError:
        pass
    for form in _OTHER_TIME_FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise RecordError(f"eventTime {text[:40]!r} is in no form that CloudTrail writes")


def _as_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _mapping(value: object) -> JsonObject:
    return cast(JsonObject, value) if isinstance(value, Mapping) else _EMPTY


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")
