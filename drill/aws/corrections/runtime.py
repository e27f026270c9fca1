"""Time, memory and slow work: moto keeps the range's clock, forgets what it need not keep, and takes its time."""

from __future__ import annotations

import datetime as datetime_module
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import moto.core.utils as moto_utils
from moto.core.common_models import BaseModel
from moto.ec2.models.elastic_block_store import Snapshot
from moto.iam import models as iam_models

from drill.aws.clock import Clock


@dataclass
class _Settings:
    clock: Clock = field(default_factory=Clock)
    snapshot_seconds: float = 0.0
    snapshot_failures: int = 0


settings = _Settings()


class _RangeDatetime(datetime_module.datetime):
    """`datetime` whose now() is the range's."""

    @classmethod
    def now(cls, tz: datetime_module.tzinfo | None = None) -> Any:
        return datetime_module.datetime.fromtimestamp(settings.clock.now(), tz)


def correct() -> None:
    """Apply the corrections of this module."""
    _keep_the_ranges_time()
    _forget_instances()
    _let_snapshots_take_time()
    _give_users_their_prefix()


def _keep_the_ranges_time() -> None:
    """moto's `utcnow` reads the wall clock; every module has imported it, so its own `datetime` is what changes."""
    names = {k: getattr(datetime_module, k) for k in dir(datetime_module) if not k.startswith("_")}
    moto_utils.datetime = SimpleNamespace(**{**names, "datetime": _RangeDatetime})  # type: ignore[assignment]


def _forget_instances() -> None:
    """moto keeps every model object it ever made, and makes new ones on describe calls, until it is reset."""

    def new(cls: type, *args: Any, **kwargs: Any) -> Any:
        return object.__new__(cls)

    BaseModel.__new__ = staticmethod(new)  # type: ignore[method-assign,assignment]


def _snapshot_age(snapshot: Snapshot) -> float:
    started = snapshot.start_time.replace(tzinfo=datetime_module.UTC)
    return settings.clock.now() - started.timestamp()


# How far a snapshot gets that fails.
_FAILING_SHARE = 0.4


def _snapshot_share(snapshot: Snapshot) -> float:
    """How much of the snapshot is done, from 0 to 1. Those behind machine images are done at once."""
    if settings.snapshot_seconds <= 0 or snapshot.from_ami:
        return 1.0
    return max(0.0, min(1.0, _snapshot_age(snapshot) / settings.snapshot_seconds))


def _let_snapshots_take_time() -> None:
    """moto's snapshots are complete at birth; in AWS they are pending, with a percentage, until copied, and some fail."""
    original = Snapshot.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.fails = settings.snapshot_failures > 0 and not self.from_ami
        settings.snapshot_failures -= self.fails

    def status(self: Any) -> str:
        share = _snapshot_share(self)
        if getattr(self, "fails", False):
            return "error" if share >= _FAILING_SHARE else "pending"
        return "completed" if share >= 1 else "pending"

    def progress(self: Any) -> str:
        share = _snapshot_share(self)
        return f"{int(min(share, _FAILING_SHARE) * 100 if getattr(self, 'fails', False) else share * 100)}%"

    def ignore(self: Snapshot, value: str) -> None:
        """The state follows from the age."""

    Snapshot.__init__ = __init__  # type: ignore[method-assign]
    Snapshot.status = property(status, ignore)  # type: ignore[assignment]
    Snapshot.progress = property(progress)  # type: ignore[assignment]


def _give_users_their_prefix() -> None:
    """moto's user ids lack the prefix AIDA by which AWS marks users."""
    original = iam_models.User.__init__

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.id = "AIDA" + self.id.upper()[:17]

    iam_models.User.__init__ = __init__  # type: ignore[method-assign]
