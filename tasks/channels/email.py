"""E-mail over SMTP with STARTTLS."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime

from incident.people.notices import Notice
from tasks.channels.base import NotTaken, WillNotTake
from tasks.config import EmailConfig

_TIMEOUT_SECONDS = 10


class Email:
    """Sends by one server.

    Every attempt carries the same Message-ID, by which mail servers and readers tell a copy.
    """

    def __init__(self, config: EmailConfig, clock: Callable[[], datetime], context: ssl.SSLContext | None = None) -> None:
        self._config, self._clock = config, clock
        self._context = context or ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file else None)

    def deliver(self, notice: Notice, attempt: int) -> str:
        message = self._message(notice)
        try:
            with self._connected() as server:
                server.send_message(message, self._config.sender, [notice.to])
        except smtplib.SMTPNotSupportedError:
            raise NotTaken("the mail server offers no STARTTLS; correct email.host, email.port or email.tls") from None
        except smtplib.SMTPAuthenticationError:
            raise NotTaken("the mail server refused the user or the password; correct email.user and email.password") from None
        except smtplib.SMTPRecipientsRefused as error:
            code, _ = error.recipients[notice.to]
            _give_up_if_final(code, f"the mail server refused {notice.to} with {code}; correct the address")
        except smtplib.SMTPResponseException as error:
            _give_up_if_final(error.smtp_code, f"the mail server answered {error.smtp_code}; see its log")
        except (smtplib.SMTPException, OSError) as error:
            raise NotTaken(f"the mail server was not reached or broke off ({type(error).__name__})") from None
        return str(message["Message-ID"])

    def _connected(self) -> smtplib.SMTP:
        """A connection that nobody can read or change on the way, unless the settings allow one."""
        config = self._config
        if config.tls == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(config.host, config.port, timeout=_TIMEOUT_SECONDS, context=self._context)
        else:
            server = smtplib.SMTP(config.host, config.port, timeout=_TIMEOUT_SECONDS)
        try:
            if config.tls == "starttls":
                server.starttls(context=self._context)
            if config.user:
                server.login(config.user, config.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage()
        message["From"], message["To"] = self._config.sender, notice.to
        message["Subject"] = f"[Countermand] {notice.subject}"
        message["Date"] = format_datetime(self._clock())
        message["Message-ID"] = f"<{notice.dedup}@{self._config.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notice.text)
        return message


def _give_up_if_final(code: int, why: str) -> None:
    """A 5xx answer of SMTP is final, a 4xx one is for now. See RFC 5321, 4.2.1."""
    raise (WillNotTake(why) if code >= 500 else NotTaken(why)) from None
