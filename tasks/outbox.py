"""Carries an incident's messages from the ledger to Slack: in order, once, and the status message with them.

A try stands in the ledger before it is made. So a message that was never tried is posted at once, and one whose answer was lost, or
whose sender was killed, is looked for first. Only one process does this at a time (`tasks.ledger.Turn`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime

from incident.ledger import BASELINE_CHAIN, Kind, Line
from incident.people.blocks import channel_name
from incident.people.outbox import ROOT, Closing, Message, Outbox, Sent, outbox
from incident.people.status import Status, status
from incident.people.status_message import closed, digest_of, late, status_message, topic
from incident.policy import Policy
from tasks.config import Config
from tasks.ledger import Ledger
from tasks.slack import Blocks, SlackUnavailable, SlackWorkspace

_CLOCKS_APART_SECONDS = 300
"""How far Slack's clock and ours may be apart where a message is looked for from a time on."""

_ROOT_IS_GONE = frozenset({"message_not_found", "thread_not_found", "cant_update_message", "cannot_reply_to_message"})
_CHANNEL_IS_GONE = frozenset({"channel_not_found", "is_archived", "not_in_channel"})


class Sender:
    """Brings one incident after the other up to date in Slack.

    Args:
        policy: whom questions wait for, and who is invited into an incident's own channel.
    """

    def __init__(
        self, ledger: Ledger, slack: SlackWorkspace, policy: Policy, config: Config, clock: Callable[[], datetime]
    ) -> None:
        self._ledger, self._slack, self._policy, self._config, self._clock = ledger, slack, policy, config, clock

    def send(self, incident: str) -> None:
        """Send what is outstanding, take the buttons of settled questions away, and bring the status message up to date.

        Raises:
            SlackUnavailable: Slack did not take something; what stands before it in order has arrived. Call again.
            LedgerUnavailable: the ledger cannot be read or written.
        """
        if incident == BASELINE_CHAIN:
            self._send_plain(incident)
            return
        lines = self._ledger.lines(incident)
        box = outbox(lines)
        if not box.waiting and (box.root is None or self._is_old(lines, box)):
            return
        try:
            self._bring_up_to_date(incident, lines, box)
        except SlackUnavailable as error:
            self._note(incident, error)
            if not self._lost(incident, box, error):
                raise

    def _send_plain(self, chain: str) -> None:
        """What belongs to no incident stands in the channel by itself, without a status message."""
        for message in outbox(self._ledger.lines(chain, Kind.MESSAGE)).waiting:
            self._post(chain, message, self._config.slack.channel, None)

    def _bring_up_to_date(self, incident: str, lines: list[Line], box: Outbox) -> None:
        channel = self._place(incident, lines, box)
        shown = self._shown(incident, lines)
        content = status_message(shown, *self._links(shown))
        digest = digest_of(*content)
        if box.root is None:
            self._post_root(incident, box, channel, content, digest)
            box = outbox(self._ledger.lines(incident))
        root = box.root
        if root is None:
            return
        if not box.pinned:
            self._pin(incident, root, channel)
        # A channel of its own needs no thread: everything in it is about the incident.
        thread = None if box.channel else root.ts
        for message in box.waiting:
            self._post(incident, message, channel, thread)
        for closing in box.closings:
            self._close(incident, closing)
        if box.shown != digest:
            self._slack.at(root.channel or channel).update(root.ts, *content)
            self._record(incident, f"shown:{box.updates + 1}", {"digest": digest, "text": content[0]})

    def _is_old(self, lines: list[Line], box: Outbox) -> bool:
        """Whether an incident ended before there were status messages; those are left as they are."""
        return not box.shown and not box.pinned and any(line.kind == Kind.REPORT for line in lines)

    def _shown(self, incident: str, lines: list[Line]) -> Status:
        return status(incident, lines, self._policy, self._clock())

    def _links(self, shown: Status) -> tuple[str, str]:
        report = f"{self._config.gateway.public_url}/incidents/{shown.incident}/report" if shown.ended else ""
        run = f"{self._config.prefect_ui_url}/v2/runs/flow-run/{shown.run}" if shown.run else ""
        return report, run

    def _place(self, incident: str, lines: list[Line], box: Outbox) -> str:
        """The channel of an incident; its own one is opened the first time, where the configuration says so."""
        if box.root is not None and not box.channel:
            return box.root.channel or self._config.slack.channel
        if self._config.slack.place == "thread" and not box.channel:
            return self._config.slack.channel
        return box.channel or self._open_place(incident, lines)

    def _open_place(self, incident: str, lines: list[Line]) -> str:
        shown = self._shown(incident, lines)
        channel = self._slack.open_channel(channel_name(incident, shown.type if shown.opened_at else ""))
        self._slack.describe(channel, topic(shown))
        people = [one.slack_user for one in self._policy.responders if one.slack_user and one.slack_team == self._config.slack.team]
        missing = self._slack.invite(channel, people)
        self._record(incident, "place", {"channel": channel, "not_invited": missing})
        return channel

    def _post_root(self, incident: str, box: Outbox, channel: str, content: tuple[str, Blocks], digest: str) -> None:
        key = ROOT if box.roots == 0 else f"{ROOT}#{box.roots + 1}"
        ts = self._posted(incident, key, channel, content, thread=None)
        self._record(incident, f"sent:{key}", {"key": key, "ts": ts, "channel": channel})
        self._record(incident, f"shown:{box.updates + 1}", {"digest": digest, "text": content[0]})

    def _post(self, incident: str, message: Message, channel: str, thread: str | None) -> None:
        content = late(message.text, message.blocks, message.written, self._clock())
        ts = self._posted(incident, message.key, channel, content, thread, broadcast=message.asks)
        self._record(incident, f"sent:{message.key}", {"key": message.key, "ts": ts, "channel": channel})

    def _posted(
        self, incident: str, key: str, channel: str, content: tuple[str, Blocks], thread: str | None, *, broadcast: bool = False
    ) -> str:
        """Post what may have been tried before; where it stands."""
        tried, first = self._record(incident, f"trying:{key}", {"key": key, "channel": channel})
        oldest = tried.at.timestamp() - _CLOCKS_APART_SECONDS
        return self._slack.at(channel).post(
            f"{incident}:{key}", *content, thread, look=not first, oldest=oldest, broadcast=broadcast
        )

    def _pin(self, incident: str, root: Sent, channel: str) -> None:
        """Pin the status message. Where Slack refuses that, the messages matter more."""
        why = ""
        try:
            self._slack.at(root.channel or channel).pin(root.ts)
        except SlackUnavailable as error:
            if not error.code or error.code in _ROOT_IS_GONE | _CHANNEL_IS_GONE:
                raise
            why = str(error)
        self._record(incident, f"pinned:{root.ts}", {"why_not": why})

    def _close(self, incident: str, closing: Closing) -> None:
        """Take a settled question's buttons away. One that somebody deleted has none."""
        try:
            self._slack.at(closing.sent.channel or self._config.slack.channel).update(closing.sent.ts, *closed(closing))
        except SlackUnavailable as error:
            if error.code not in _ROOT_IS_GONE:
                raise
        self._record(incident, f"closed:{closing.question.key}", {"outcome": closing.outcome})

    def _lost(self, incident: str, box: Outbox, error: SlackUnavailable) -> bool:
        """Whether somebody deleted the status message, so that another takes its place at the next sending."""
        if box.root is None or error.code not in _ROOT_IS_GONE:
            return False
        return self._record(incident, f"lost:{box.root.ts}", {"why": str(error)})[1]

    def _note(self, incident: str, error: SlackUnavailable) -> None:
        """Say once for each reason that Slack did not take a message; how long that lasted, the messages' own lines tell."""
        which = hashlib.sha256(str(error).encode()).hexdigest()[:12]
        self._ledger.append(incident, Kind.NOTE, f"slack-failed:{which}", {"why": str(error)})

    def _record(self, incident: str, key: str, body: dict[str, object]) -> tuple[Line, bool]:
        return self._ledger.append(incident, Kind.MESSAGE, key, body)
