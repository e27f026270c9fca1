"""Which channel carries what, by the configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from incident.people.notices import Notice, Way
from tasks.aws import Aws
from tasks.channels.base import Channel, NotTaken
from tasks.channels.cases import SecurityIncidentCases, SupportCases
from tasks.channels.email import Email
from tasks.channels.topic import Topic
from tasks.channels.webhook import Webhooks
from tasks.config import Config


class _NoMailServer:
    """Stands for e-mail where no server is configured: what waits is sent once there is one."""

    def deliver(self, notice: Notice, attempt: int) -> str:
        raise NotTaken("no mail server is configured; set email.host and email.sender")


def channels_of(config: Config, aws: Aws, clock: Callable[[], datetime]) -> Mapping[Way, Channel]:
    """Every channel beside Slack."""
    return {
        "email": Email(config.email, clock) if config.email.host else _NoMailServer(),
        "sns": Topic(aws),
        "webhook": Webhooks(config.webhooks, clock),
        "support-case": SupportCases(aws),
        "security-incident-case": SecurityIncidentCases(aws),
    }
