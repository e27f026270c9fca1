"""The escalation policy: who is told of an incident, by which channels, when the next level is called, and who else comes in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

ClimbPhase = Literal["opened", "notified", "waiting", "expired", "must-act", "gap", "trouble", "called"]
"""What a ladder is climbed for: the response has begun, only people were told, a question waits, one expired unanswered, a person
must act, a region is unknown, a step did not end well, somebody called for help."""

CasePhase = Literal[ClimbPhase, "reported"]
Channel = Literal["slack", "email", "sns", "webhook"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)
NOBODY = "none"

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}$")]
Address = Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;]+@[^@\s<>,;]+$", max_length=254)]
Topic = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$")]
SlackUser = Annotated[str, StringConstraints(pattern=r"^[UWS][A-Z0-9]{2,20}$")]
"""A member's id (U…, W…) or a user group's (S…)."""

_LONGEST_QUIET = timedelta(days=8)
_LATEST = timedelta(days=16)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QuietHours(_Strict):
    """A part of the day in which somebody is not told of what is not severe enough.

    Attributes:
        zone: the time zone in which the times are meant, such as Europe/Berlin.
        since: when it begins, `from` in the file, as 22:00.
        until: when it ends; at or before `since` means on the next day.
        days: the days on which it begins.
        below_severity: what is at least this severe is told all the same.
    """

    zone: str
    since: time = Field(alias="from")
    until: time
    days: tuple[Day, ...] = DAYS
    below_severity: float = Field(default=7, ge=0, le=11)

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("this is no time zone; name one of the tz database, such as Europe/Berlin") from None
        return zone

    @model_validator(mode="after")
    def _ends(self) -> QuietHours:
        if self.since.tzinfo or self.until.tzinfo:
            raise ValueError("times of quiet hours have no zone of their own; give them as 22:00, and the zone under zone")
        if self.since == self.until:
            raise ValueError("from and until are the same; give two different times, such as 22:00 and 07:00")
        return self

    def end_at(self, now: datetime) -> datetime | None:
        """When the quiet hours that hold at `now` end, in UTC; `None` where none hold."""
        today = now.astimezone(ZoneInfo(self.zone)).date()
        for shift in (-1, 0):
            day = today + timedelta(days=shift)
            begins, ends = self._window(datetime.combine(day, time()))
            if DAYS[day.weekday()] in self.days and begins <= now < ends:
                return ends
        return None

    def _window(self, day: datetime) -> tuple[datetime, datetime]:
        """As instants: an hour that the clocks repeat or skip neither begins nor ends the quiet twice."""
        last = day + timedelta(days=1) if self.until <= self.since else day
        zone = ZoneInfo(self.zone)
        begins = datetime.combine(day.date(), self.since, zone)
        ends = datetime.combine(last.date(), self.until, zone)
        return begins.astimezone(UTC), ends.astimezone(UTC)


class Contact(_Strict):
    """Somebody who can be told, or a group behind one address.

    Attributes:
        responder: the name in the policy file of whoever answers as this contact; empty means the contact's own name.
        slack: ids that are mentioned in the incident's thread.
        email: e-mail addresses.
        sns: ARNs of SNS topics.
        webhook: names under `webhooks` in the configuration.
        quiet: when this contact is left in peace.
    """

    responder: str = ""
    slack: tuple[SlackUser, ...] = ()
    email: tuple[Address, ...] = ()
    sns: tuple[Topic, ...] = ()
    webhook: tuple[Name, ...] = ()
    quiet: tuple[QuietHours, ...] = ()

    @model_validator(mode="after")
    def _can_be_told(self) -> Contact:
        if not any(self.addresses(channel) for channel in CHANNELS):
            raise ValueError("this contact has no address; give slack, email, sns or webhook")
        start = datetime(2026, 1, 5, tzinfo=UTC)
        if self.awake_from(start, 0) - start > _LONGEST_QUIET:
            raise ValueError("the quiet hours of this contact never end; leave a part of the week free")
        return self

    def addresses(self, channel: Channel) -> tuple[str, ...]:
        match channel:
            case "slack":
                return self.slack
            case "email":
                return self.email
            case "sns":
                return self.sns
            case "webhook":
                return self.webhook

    def awake_from(self, now: datetime, severity: float) -> datetime:
        """The first moment from `now` on at which no quiet hours hold for this severity."""
        at, quiet = now, [one for one in self.quiet if severity < one.below_severity]
        while at - now <= _LATEST:
            ends = [end for one in quiet if (end := one.end_at(at)) is not None]
            if not ends:
                break
            at = max(ends)
        return at


class Told(_Strict):
    """Contacts, and the channels by which they are told; no channel means all that each contact has."""

    whom: tuple[Name, ...] = Field(min_length=1)
    channels: tuple[Channel, ...] = ()

    @property
    def used(self) -> tuple[Channel, ...]:
        return self.channels or CHANNELS


class Level(Told):
    """One level of a ladder.

    Attributes:
        wait_minutes: how long to wait for an answer after each time that it was told.
        repeats: how often it is told again before the next level is.
    """

    name: Name
    wait_minutes: float = Field(default=15, gt=0, le=10080)
    repeats: int = Field(default=0, ge=0, le=100)

    @property
    def wait(self) -> timedelta:
        return timedelta(minutes=self.wait_minutes)


class Ladder(_Strict):
    """The levels, in the order in which they are told."""

    levels: tuple[Level, ...] = Field(min_length=1, max_length=20)


class Rule(_Strict):
    """Which ladder is climbed; of several rules the first that fits counts.

    Attributes:
        severity: from this severity on, as GuardDuty counts.
        phases: for these phases; none means all.
        ladder: its name, or `none`.
        after_minutes: how long the phase must have lasted before anybody is told.
    """

    severity: float = Field(default=0, ge=0, le=10)
    phases: tuple[ClimbPhase, ...] = ()
    ladder: Name
    after_minutes: float = Field(default=0, ge=0, le=10080)

    def fits(self, severity: float, phase: ClimbPhase) -> bool:
        return severity >= self.severity and (not self.phases or phase in self.phases)

    @property
    def after(self) -> timedelta:
        return timedelta(minutes=self.after_minutes)


class Condition(_Strict):
    """When a stakeholder is called in: all that is given must hold.

    Attributes:
        severity: from this severity on.
        phases: the incident is in one of these phases, or has been.
        findings: the finding's type is one of these patterns (with `*`).
        accounts: the incident is in one of these accounts.
        level: a ladder has reached this level, counted from 1.
        minutes: the incident is at least this old and has no report.
    """

    severity: float = Field(default=0, ge=0, le=10)
    phases: tuple[CasePhase, ...] = ()
    findings: tuple[str, ...] = ()
    accounts: tuple[Annotated[str, StringConstraints(pattern=r"^\d{12}$")], ...] = ()
    level: int = Field(default=0, ge=0, le=20)
    minutes: float = Field(default=0, ge=0, le=100_000)


class SupportCase(_Strict):
    """A case with AWS Support, which needs a Business support plan or better.

    See https://docs.aws.amazon.com/awssupport/latest/APIReference/API_CreateCase.html

    Attributes:
        severity: `low`, `normal`, `high`, `urgent` or `critical`; which ones there are depends on the plan.
        service, category: codes as DescribeServices lists them.
        language: in which the case is held.
        cc: e-mail addresses that AWS copies.
    """

    severity: Literal["low", "normal", "high", "urgent", "critical"] = "urgent"
    service: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,100}$")] = "amazon-elastic-compute-cloud-linux"
    category: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,100}$")] = "other"
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] = "en"
    cc: tuple[Address, ...] = Field(default=(), max_length=10)


class Watcher(_Strict):
    """Who is kept informed of a Security Incident Response case."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=50)]
    email: Address
    title: Annotated[str, StringConstraints(max_length=50)] = ""


class SecurityIncidentCase(_Strict):
    """A case with AWS Security Incident Response, which needs a membership.

    See https://docs.aws.amazon.com/security-ir/latest/APIReference/API_CreateCase.html

    Attributes:
        region: the membership's region.
        resolver: `AWS` asks AWS's responders to work on it; `Self` only keeps a record.
    """

    region: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{5,30}$")] = "us-east-1"
    resolver: Literal["AWS", "Self"] = "AWS"
    watchers: tuple[Watcher, ...] = Field(min_length=1, max_length=30)


class Stakeholder(_Strict):
    """Somebody beside the ladders: legal, press, the business's owner, or AWS. Called in once an incident.

    Attributes:
        when: the condition that calls them in; without one they come in at once.
        whom, channels: the contacts; or
        support_case, security_incident_response: the case that is opened.
    """

    name: Name
    when: Condition = Condition()
    whom: tuple[Name, ...] = ()
    channels: tuple[Channel, ...] = ()
    support_case: SupportCase | None = None
    security_incident_response: SecurityIncidentCase | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Stakeholder:
        ways = [bool(self.whom), self.support_case is not None, self.security_incident_response is not None]
        if sum(ways) != 1:
            raise ValueError("give one of whom, support_case and security_incident_response")
        return self

    @property
    def used(self) -> tuple[Channel, ...]:
        return self.channels or CHANNELS


class Fallback(Told):
    """Who gets what Slack has not taken, and after how many seconds."""

    after_seconds: float = Field(default=60, ge=1, le=86400)

    @property
    def after(self) -> timedelta:
        return timedelta(seconds=self.after_seconds)

    @property
    def used(self) -> tuple[Channel, ...]:
        return tuple(channel for channel in self.channels or CHANNELS if channel != "slack")


class EscalationPolicy(_Strict):
    """The whole file.

    Attributes:
        ack_minutes: for how long an acknowledgement holds; then the level that was told last is told again.
    """

    contacts: dict[Name, Contact] = Field(min_length=1)
    ladders: dict[Name, Ladder] = Field(min_length=1)
    rules: tuple[Rule, ...] = Field(min_length=1)
    ack_minutes: float = Field(default=60, gt=0, le=1440)
    stakeholders: tuple[Stakeholder, ...] = ()
    fallback: Fallback | None = None

    @property
    def ack_time(self) -> timedelta:
        return timedelta(minutes=self.ack_minutes)

    def rule(self, severity: float, phase: ClimbPhase) -> Rule:
        """The first rule that fits; the last one fits everything."""
        return next(rule for rule in self.rules if rule.fits(severity, phase))


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at a place of the file, and what to do about it."""

    path: tuple[str | int, ...]
    what: str
    remedy: str


def faults(policy: EscalationPolicy) -> Iterator[Fault]:
    """What a policy says that does not fit together: names that nothing bears, contacts that cannot be told as it wants."""
    yield from _faults_of_rules(policy)
    for path, told in _tellings(policy):
        yield from _faults_of_telling(policy, path, told)
    names = [one.name for one in policy.stakeholders]
    for place, name in enumerate(names):
        if name in names[:place]:
            yield Fault(("stakeholders", place, "name"), f"there are two stakeholders {name!r}", "give each a name of its own")


def _faults_of_rules(policy: EscalationPolicy) -> Iterator[Fault]:
    for place, rule in enumerate(policy.rules):
        known = ", ".join(sorted(policy.ladders))
        if rule.ladder != NOBODY and rule.ladder not in policy.ladders:
            yield Fault(("rules", place, "ladder"), f"there is no ladder {rule.ladder!r}", f"name one of {known}, or {NOBODY}")
        if rule.ladder == NOBODY and rule.phases == ("called",):
            yield Fault(("rules", place, "ladder"), "whoever calls for help must reach somebody", f"name one of {known}")
    last = policy.rules[-1]
    if last.severity > 0 or last.phases or last.ladder == NOBODY:
        remedy = "end the rules with one that has only `ladder`, and names a ladder"
        yield Fault(("rules", len(policy.rules) - 1), "the last rule does not fit everything", remedy)
    if NOBODY in policy.ladders:
        yield Fault(("ladders", NOBODY), f"{NOBODY!r} means that nobody is told", "give the ladder another name")


def _tellings(policy: EscalationPolicy) -> Iterator[tuple[tuple[str | int, ...], Told | Stakeholder]]:
    for name, ladder in policy.ladders.items():
        for place, level in enumerate(ladder.levels):
            yield ("ladders", name, "levels", place), level
    for place, stakeholder in enumerate(policy.stakeholders):
        yield ("stakeholders", place), stakeholder
    if policy.fallback is not None:
        yield ("fallback",), policy.fallback


def _faults_of_telling(policy: EscalationPolicy, path: tuple[str | int, ...], told: Told | Stakeholder) -> Iterator[Fault]:
    for place, name in enumerate(told.whom):
        where = (*path, "whom", place)
        contact = policy.contacts.get(name)
        if contact is None:
            yield Fault(where, f"there is no contact {name!r}", f"name one of {', '.join(sorted(policy.contacts))}")
        elif not any(contact.addresses(channel) for channel in told.used):
            wanted = " or ".join(told.used)
            yield Fault(where, f"{name!r} has no address for {wanted}", "give the contact one, or change channels")
