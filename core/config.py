"""One frozen configuration, read from the environment once."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

AsyncMode = Literal["eventlet", "gevent", "threading"]


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
    media_port: int = 5004  # UDP and TCP
    control_port: int = 0  # loopback; 0: any free port
    lobby_minutes: int = 15  # the lobby opens this long before a lecture's start
    grace_s: float = 8.0  # a lost connection counts as gone only after this long
    testing: bool = False

    @property
    def database(self) -> str:
        """Return the SQLAlchemy URL of the database."""
        return self.database_url or f"sqlite:///{self.data_dir / 'diemcau.sqlite3'}"

    @property
    def recordings_dir(self) -> Path:
        """Return the folder that holds one sub-folder per lecture."""
        return self.data_dir / "recordings"


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
                raise ValueError(f"{name}={env[name]!r}: {error}") from error
    given.setdefault("data_dir", Path("instance").resolve())
    given.setdefault("public_url", f"http://localhost:{given.get('port', 5000)}")
    return Config(**given)


def _zone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("no such time zone") from error


def _mode(value: str) -> str:
    if value not in ("eventlet", "gevent", "threading"):
        raise ValueError("must be eventlet, gevent or threading")
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
    "LOBBY_MINUTES": ("lobby_minutes", int),
    "GRACE_S": ("grace_s", float),
}
