"""Letters with an invitation, and the two ways they leave: as a file, or by SMTP. No database here.

**Source:** RFC 5322 (messages), RFC 2047 (names and subjects that are not ASCII), RFC 6047 (iMIP: an
iTIP object in `text/calendar` with its method), RFC 3834 (Auto-Submitted), RFC 3207 (STARTTLS).
"""

import base64
import os
import re
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import format_datetime, parseaddr
from pathlib import Path
from typing import Protocol

from core.config import Tls
from core.errors import N_, Invalid
from schedules.ical import Attendee, Method, one_line

TIMEOUT_S = 20.0  # for each answer of the server
AUTHENTICATED = 235  # RFC 4954 section 6
CLOSING = 421  # “service not available, closing transmission channel”, RFC 5321 section 4.2.2
ADDRESS_MAX = 254  # characters, RFC 5321 section 4.5.3.1.3 without the angle brackets
# The plain form of RFC 5321 section 4.1.2: no quoted local parts, no address literals, ASCII alone.
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
LETTER_ID = re.compile(r"[a-z0-9_]{1,40}")
HEADERS = frozenset(
    ("from", "to", "subject", "date", "message-id", "auto-submitted", "content-language", "mime-version")
) | {"content-type", "content-transfer-encoding", "content-disposition"}


class DeliveryFailed(Exception):
    """A letter did not leave; trying again later may help.

    code: for programs, such as `smtp.550`, never with a password in it; is_server: it is not this
    letter's fault, so the others need not be tried now.
    """

    def __init__(self, code: str, is_server: bool) -> None:
        super().__init__(code)
        self.code = code
        self.is_server = is_server


class Transport(Protocol):
    """A way for letters to leave."""

    def send(self, letter_id: str, address: str, message: bytes) -> None:
        """Hand over one letter.  Raises DeliveryFailed; whoever returns has it for good."""
        ...


def mail_address(text: str) -> str:
    """Return an address of e-mail without the blanks around it.  Raises Invalid for anything doubtful."""
    address = text.strip(" ")
    local = address.partition("@")[0]
    doubtful = local.startswith(".") or local.endswith(".") or ".." in local
    if len(address) > ADDRESS_MAX or doubtful or not ADDRESS.fullmatch(address):
        raise Invalid("mail.bad_address", N_("“%(address)s” is not an e-mail address."), address=one_line(text)[:100])
    return address


def mailbox(text: str) -> Attendee:
    """Return the name and address of a sender such as `Điểm Cầu <lich@example.vn>`.  Raises Invalid."""
    name, address = parseaddr(text)
    return Attendee(one_line(name), mail_address(address))


def header_text(text: str) -> str:
    """Return text that can stand in a header and mean only itself.

    Line ends and control characters go. `=?` is parted: the email package would read it as the beginning
    of an encoded word and decode what follows, line ends too, which made headers of one's own possible
    until Python 3.11.10 (CVE-2024-6923).
    """
    return "".join(c for c in one_line(text) if c.isprintable()).replace("=?", "= ?")


def compose(
    letter_id: str,
    sender: Attendee,
    to: Attendee,
    subject: str,
    text: str,
    calendar: bytes,
    method: Method,
    at: datetime,
    language: str,
) -> bytes:
    """Return a letter as RFC 5322 bytes, ready to send: text, the iTIP object, and that again as a file.

    letter_id: makes the Message-ID, so that a letter sent twice is known for the same one; at: aware;
    language: of the text, such as `vi`.  Raises Invalid for an address that is none.
    """
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = _address(sender)
    message["To"] = _address(to)
    message["Subject"] = header_text(subject)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = f"<{letter_id}@{mail_address(sender.address).partition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Content-Language"] = language
    message.set_content(text, charset="utf-8", cte="base64")
    # The line ends of iCalendar are CRLF; base64 keeps them as they are, whoever passes the letter on.
    message.add_alternative(
        calendar.decode(), subtype="calendar", charset="UTF-8", cte="base64", params={"method": method}
    )
    message.add_attachment(calendar, maintype="application", subtype="ics", filename="invite.ics")
    written = bytes(message)
    headers = [name.lower() for name in BytesHeaderParser(policy=policy.compat32).parsebytes(written)]
    if set(headers) - HEADERS or len(headers) != len(set(headers)):
        raise Invalid("mail.bad_header", N_("The letter cannot be written: a name or title in it is not allowed."))
    return written


def recipient(message: bytes) -> Attendee:
    """Return whom a letter written by `compose` is to."""
    (to,) = BytesHeaderParser(policy=policy.default).parsebytes(message)["To"].addresses
    return Attendee(to.display_name, to.addr_spec)


def _address(person: Attendee) -> Address:
    local, _, domain = mail_address(person.address).partition("@")
    return Address(header_text(person.name), local, domain)


class FileOutbox:
    """Puts each letter in a folder as one .eml file, for installations without a mail server."""

    def __init__(self, folder: Path) -> None:
        """folder: made when needed, readable by its owner alone: letters carry names and addresses."""
        self._folder = folder

    def send(self, letter_id: str, address: str, message: bytes) -> None:
        """Write the file whole or not at all; the same letter twice is one file."""
        if not LETTER_ID.fullmatch(letter_id):
            raise ValueError(f"not a letter's id: {letter_id!r}")
        draft = self._folder / f".{letter_id}.{os.getpid()}.part"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(message)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, self._folder / f"{letter_id}.eml")
        except OSError as error:
            raise DeliveryFailed("outbox.unwritable", is_server=True) from error


@dataclass(frozen=True)
class SmtpTransport:
    """Hands each letter to a mail server, in a connection of its own.

    tls: "starttls" and "tls" check the server's certificate and never go on without; sender: of the
    envelope, where bounces go; context: for a certificate authority of one's own.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: Tls
    sender: str
    context: ssl.SSLContext | None = field(default=None, repr=False)
    timeout_s: float = TIMEOUT_S

    def send(self, letter_id: str, address: str, message: bytes) -> None:
        """Send one letter.  Raises DeliveryFailed with the server's reply code."""
        with _named_failures(is_server=True):
            connection = self._connect()
        try:
            with _named_failures(is_server=True):
                self._greet(connection)
            with _named_failures(is_server=False):
                connection.sendmail(self.sender, [address], message)
        finally:
            # The server has the letter, or has refused it, by now: a broken good-bye changes neither.
            try:
                connection.quit()
            except (OSError, smtplib.SMTPException):
                connection.close()

    def _connect(self) -> smtplib.SMTP:
        name = self.sender.partition("@")[2] or "localhost"  # else smtplib asks the DNS who we are
        if self.tls == "tls":
            context = self.context or ssl.create_default_context()
            return smtplib.SMTP_SSL(self.host, self.port, local_hostname=name, timeout=self.timeout_s, context=context)
        return smtplib.SMTP(self.host, self.port, local_hostname=name, timeout=self.timeout_s)

    def _greet(self, connection: smtplib.SMTP) -> None:
        if self.tls == "starttls":
            connection.starttls(context=self.context or ssl.create_default_context())
        if self.user and (self.user + self.password).isascii():
            connection.login(self.user, self.password)
        elif self.user:
            self._login_in_utf8(connection)

    def _login_in_utf8(self, connection: smtplib.SMTP) -> None:
        """Do what `login` cannot: smtplib knows ASCII alone, but AUTH PLAIN is UTF-8 (RFC 4616)."""
        connection.ehlo_or_helo_if_needed()
        if "PLAIN" not in connection.esmtp_features.get("auth", "").upper().split():
            raise smtplib.SMTPNotSupportedError("no AUTH PLAIN")
        proof = base64.b64encode(f"\0{self.user}\0{self.password}".encode()).decode()
        code, words = connection.docmd("AUTH", f"PLAIN {proof}")
        if code != AUTHENTICATED:
            raise smtplib.SMTPAuthenticationError(code, words)


@contextmanager
def _named_failures(is_server: bool) -> Iterator[None]:
    """Turn what smtplib raises into DeliveryFailed; the reply's words stay out, they may quote what was sent."""
    try:
        yield
    except ssl.SSLError as error:
        raise DeliveryFailed("smtp.tls", is_server=True) from error
    except smtplib.SMTPRecipientsRefused as error:
        ((code, _words),) = error.recipients.values()
        raise DeliveryFailed(f"smtp.{code}", is_server=False) from error
    except smtplib.SMTPResponseException as error:
        is_closing = error.smtp_code == CLOSING
        raise DeliveryFailed(f"smtp.{error.smtp_code}", is_server=is_server or is_closing) from error
    except smtplib.SMTPNotSupportedError as error:
        raise DeliveryFailed("smtp.unsupported", is_server=is_server) from error
    except (smtplib.SMTPException, OSError) as error:
        raise DeliveryFailed("smtp.unreachable", is_server=True) from error
