"""Exceptions: findings that people agreed to leave unanswered for a time, with who and why."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from incident.findings.finding import Finding
from incident.findings.finding_types import ROOT
from incident.findings.joining import handles
from incident.policy import matches

LONGEST = timedelta(days=366)


class Suppression(BaseModel):
    """One exception. What it names must all fit; what it leaves empty fits everything.

    Attributes:
        id: by which it is removed.
        types: patterns of finding types (with `*`); at least one, and none that fits every type.
        accounts: account ids.
        names: users, access keys, instances or resources that the finding is about.
        below: only findings under this severity.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    types: tuple[str, ...] = Field(min_length=1)
    accounts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    below: float = Field(default=9.0, gt=0, le=10)
    person: str = Field(min_length=1)
    reason: str = Field(min_length=1, max_length=1000)
    since: AwareDatetime
    until: AwareDatetime

    @model_validator(mode="after")
    def _is_narrow_and_ends(self) -> Self:
        if any(not pattern.strip("*?[]!") for pattern in self.types):
            raise ValueError("a type pattern that fits every finding suppresses everything; name the type")
        if self.until <= self.since:
            raise ValueError("it ends before it begins; give a later --until")
        if self.until - self.since > LONGEST:
            raise ValueError("it holds for more than a year; give an earlier --until and renew it then")
        return self

    def covers(self, finding: Finding, now: datetime) -> bool:
        """Whether it holds for a finding now. Root is never suppressed, nor what has no severity."""
        root = finding.type in ROOT or (finding.access_key is not None and finding.access_key.user_type == "Root")
        if root or not self.since <= now < self.until or not 0 < finding.severity < self.below:
            return False
        about = {handle.rpartition(":")[2] for handle in handles(finding)}
        return (
            matches(finding.type, self.types)
            and (not self.accounts or finding.account in self.accounts)
            and (not self.names or bool(about & set(self.names)))
        )
