"""One frozen configuration, read from the environment once."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

PROCESSES_MAX = 64
AsyncMode = Literal["eventlet", "gevent", "threading"]
Tls = Literal["none", "starttls", "tls"]
SMTP_SCHEMES: dict[str, tuple[Tls, int]] = {  # and the port where the URL names none
    "smtp": ("none", 25),
    "smtp+starttls": ("starttls", 587),
    "smtps": ("tls", 465),
}
SECRETS = frozenset({"SMTP_URL"})  # variables whose value no error may repeat


@dataclass(frozen=True)
class SmtpServer:
    """The server that takes our mail.  user: empty when it wants no password."""

    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)
    tls: Tls = "starttls"


@dataclass(frozen=True)
class Config:
    """Everything that differs from one installation to the next."""

    data_dir: Path = Path("instance")
    database_url: str = ""  # empty: SQLite in data_dir
    secret_key: str = ""  # empty: made once and kept in data_dir
    host: str = "127.0.0.1"
    port: int = 5000
    public_url: str = "http://localhost:5000"
    async_mode: AsyncMode = "eventlet"
    message_queue: str = ""  # Redis URL when several web processes share the sockets
    locale: str = "vi"
    zone: str = "Asia/Ho_Chi_Minh"
    media_announce: tuple[str, ...] = ("auto",)  # addresses put in candidates; auto: this machine's own
    media_host: str = "0.0.0.0,::"
    media_port: int = 5004  # UDP and TCP, of the first media process; the others have the numbers after it
    control_port: int = 0  # loopback, counted up in the same way; 0: any free port
    media_processes: int = 0  # 0: one less than this machine has cores
    turn_urls: tuple[str, ...] = ()  # such as turns:turn.example.vn:443?transport=tcp; none: no relay
    turn_secret: str = ""  # shared with coturn; empty: made once and kept in data_dir
    turn_ttl_s: int = 600  # an allocation must begin within this; it then lives as long as its leg
    lobby_minutes: int = 15  # the lobby opens this long before a lecture's start
    plan_required: bool = True  # a class goes live only with an approved lesson plan, or a waiver
    smtp: SmtpServer | None = None  # who takes invitations; None: each is put in mail_outbox as a file
    mail_from: str = ""  # such as Điểm Cầu <lich@example.vn>; empty: no-reply at public_url's host
    mail_outbox: Path | None = None  # None: `outbox` in data_dir
    no_show_minutes: int = 30  # after the start a point where nobody came is given free, a missing class told; 0: never
    grace_s: float = 8.0  # a lost connection counts as gone only after this long
    testing: bool = False

    @property
    def database(self) -> str:
        """Return the SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.data_dir / 'diemcau.sqlite3'}"

    @property
    def media_nodes(self) -> int:
        """Return how many media processes there shall be: a core is left to the web process."""
        return self.media_processes or max(1, len(os.sched_getaffinity(0)) - 1)

    @property
    def recordings_dir(self) -> Path:
        """Return the folder that holds one sub-folder per lecture."""
        return self.data_dir / "recordings"

    @property
    def uploads_dir(self) -> Path:
        """Return the folder of sheets that were uploaded and not confirmed yet."""
        return self.data_dir / "uploads"

    @property
    def plans_dir(self) -> Path:
        """Return the folder that holds the files of lesson plans."""
        return self.data_dir / "plans"

    @property
    def outbox_dir(self) -> Path:
        """Return the folder for letters while there is no SMTP server."""
        return self.mail_outbox or self.data_dir / "outbox"

    @property
    def sender(self) -> str:
        """Return whom letters come from, such as `Điểm Cầu <lich@example.vn>`."""
        host = urlsplit(self.public_url).hostname or ""
        usable = host.isascii() and ":" not in host  # no IPv6 address
        return self.mail_from or f"Điểm Cầu <no-reply@{host if host and usable else 'localhost'}>"


def from_environment(environ: dict[str, str] | None = None) -> Config:
    """Read the configuration from environment variables.

    environ: defaults to the process's own.  Returns a frozen `Config`.
    Raises ValueError naming the variable that cannot be read.
    """
    env = dict(os.environ if environ is None else environ)
    given: dict[str, Any] = {}
    for name, (key, parse) in _READ.items():
        if env.get(name):
            try:
                given[key] = parse(env[name])
            except ValueError as error:
                if name in SECRETS:
                    raise ValueError(f"{name}: {error}") from None
                raise ValueError(f"{name}={env[name]!r}: {error}") from error
    given.setdefault("data_dir", Path("instance").resolve())
    given.setdefault("public_url", f"http://localhost:{given.get('port', 5000)}")
    return Config(**given)


def _zone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("no such time zone") from error


def _count(value: str) -> int:
    number = int(value)
    if not 1 <= number <= PROCESSES_MAX:
        raise ValueError(f"must be 1 to {PROCESSES_MAX}")
    return number


def _mode(value: str) -> str:
    if value not in ("eventlet", "gevent", "threading"):
        raise ValueError("must be eventlet, gevent or threading")
    return value


def _yes(value: str) -> bool:
    if value not in ("0", "1"):
        raise ValueError("must be 0 or 1")
    return value == "1"


def _smtp(value: str) -> SmtpServer:
    """Read `smtp+starttls://user:password@host:587`; user and password are percent-encoded.  Never repeats them."""
    try:
        url = urlsplit(value)
        host, port = url.hostname or "", url.port
    except ValueError:
        raise ValueError("not a URL with a host and a port") from None
    if url.scheme not in SMTP_SCHEMES or not host or url.path.strip("/") or url.query or url.fragment:
        raise ValueError("must be smtp://, smtp+starttls:// or smtps:// with user:password@host:port")
    tls, usual_port = SMTP_SCHEMES[url.scheme]
    if url.password and tls == "none" and host not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("a password needs smtp+starttls:// or smtps://: others could read it on the way")
    return SmtpServer(host, port or usual_port, unquote(url.username or ""), unquote(url.password or ""), tls)


def _mailbox(value: str) -> str:
    _, address = parseaddr(value)
    if address.count("@") != 1 or not address.isascii() or any(c.isspace() for c in address) or "\n" in value:
        raise ValueError("must be an address, or a name with an <address>")
    return value


_READ: dict[str, tuple[str, Callable[[str], Any]]] = {
    "DATA_DIR": ("data_dir", lambda v: Path(v).resolve()),
    "DATABASE_URL": ("database_url", str),
    "SECRET_KEY": ("secret_key", str),
    "HOST": ("host", str),
    "PORT": ("port", int),
    "PUBLIC_URL": ("public_url", lambda v: v.rstrip("/")),
    "SOCKETIO_ASYNC_MODE": ("async_mode", _mode),
    "SOCKETIO_MESSAGE_QUEUE": ("message_queue", str),
    "DEFAULT_LOCALE": ("locale", str),
    "DEFAULT_ZONE": ("zone", _zone),
    "MEDIA_ANNOUNCE": ("media_announce", lambda v: tuple(v.replace(",", " ").split())),
    "MEDIA_HOST": ("media_host", str),
    "MEDIA_PORT": ("media_port", int),
    "MEDIA_CONTROL_PORT": ("control_port", int),
    "MEDIA_PROCESSES": ("media_processes", _count),
    "TURN_URLS": ("turn_urls", lambda v: tuple(v.replace(",", " ").split())),
    "TURN_SECRET": ("turn_secret", str),
    "TURN_TTL_S": ("turn_ttl_s", int),
    "LOBBY_MINUTES": ("lobby_minutes", int),
    "PLAN_REQUIRED": ("plan_required", _yes),
    "SMTP_URL": ("smtp", _smtp),
    "MAIL_FROM": ("mail_from", _mailbox),
    "MAIL_OUTBOX": ("mail_outbox", lambda v: Path(v).resolve()),
    "NO_SHOW_MINUTES": ("no_show_minutes", int),
    "GRACE_S": ("grace_s", float),
}
