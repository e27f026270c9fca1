"""What every channel promises."""

from __future__ import annotations

from typing import Protocol

from incident.people.notices import Notice


class NotTaken(Exception):
    """The message was not taken, or it is not known whether it was; it may be tried again. One line without secrets."""


class WillNotTake(Exception):
    """The message will never be taken as it is; the line says what a person can do."""


class Channel(Protocol):
    """Carries a message."""

    def deliver(self, notice: Notice, attempt: int) -> str:
        """Carry it and return what the other side calls it. `attempt` counts from 1; a later one may be a copy.

        Raises:
            NotTaken: try again later with the same notice.
            WillNotTake: do not.
        """
        ...
