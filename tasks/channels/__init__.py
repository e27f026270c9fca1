"""The second channels: each carries one message to one address, and says honestly whether it was taken.

Slack has an outbox of its own (`tasks.work`); escalation writes its Slack messages there.
"""

from tasks.channels.base import Channel, NotTaken, WillNotTake
from tasks.channels.wiring import channels_of

__all__ = ["Channel", "NotTaken", "WillNotTake", "channels_of"]
