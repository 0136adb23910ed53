"""Fetch a calendar that somebody typed the address of, without becoming their tool against others.

The host is looked up once, each of its addresses must be public, and the connection goes to one of
those very addresses: a name that means something else a moment later (DNS rebinding) changes nothing.
Names in the Host line, in TLS and in the certificate stay the host's own. The environment's proxies
play no part: urllib3 asks for none of its own accord. A call blocks for up to ten seconds, so it belongs in a thread.

**Source:** RFC 9110 section 13.1.2 (If-None-Match), 15.4 (redirects), 8.4 (Content-Encoding).
"""

import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPException
from time import monotonic
from urllib.parse import urljoin

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

from core.errors import N_, AppError, Invalid, Unavailable
from schedules.calendars.addresses import PORTS, Address, Place, address_of, is_public, read_url
from schedules.calendars.lines import BYTES_MAX, too_large

DEADLINE_S = 10.0
REDIRECTS_MAX = 3
ADDRESSES_MAX = 4  # of a host that are tried
CHUNK = 65_536
REDIRECTS = frozenset({301, 302, 303, 307, 308})
ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS

Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Fetched:
    """A calendar's bytes.  etag: to be shown at the next request, empty: the server gave none."""

    data: bytes
    etag: str


def system_resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host as the system knows them.  Raises OSError."""
    return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Fetcher:
    """Fetches calendars from the public web."""

    def __init__(
        self,
        *,
        allow: Callable[[Address], bool] = is_public,
        ports: frozenset[int] | None = PORTS,
        resolve: Resolve = system_resolve,
        tls: ssl.SSLContext | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """Speak only to addresses that `allow` allows.

        ports: that may be asked, None: any; resolve: from host and port to addresses, as text; tls: None: the
        system's authorities, certificates verified; deadline_s: seconds for all of a fetch, redirects included.
        """
        self._allow, self._ports, self._resolve, self._deadline_s = allow, ports, resolve, deadline_s
        self._tls = tls or ssl.create_default_context()

    def check(self, url: str) -> str:
        """Return an address as it is kept.  Raises Invalid for one that is never asked; the network is not."""
        return read_url(url, self._ports).url

    def fetch(self, url: str, etag: str = "") -> Fetched | None:
        """Return what an address holds, or None when it is still what `etag` stands for.

        Raises Invalid: what `read_url` raises, `calendar.private_address`, `calendar.too_many_redirects`,
        `calendar.downgrade`, `calendar.too_large`, `calendar.bad_encoding`; Unavailable:
        `calendar.host_unknown`, `calendar.no_answer`, `calendar.bad_certificate`, `calendar.too_slow`,
        `calendar.bad_status`.
        """
        place, deadline = read_url(url, self._ports), monotonic() + self._deadline_s
        for _ in range(REDIRECTS_MAX + 1):
            answer = self._ask(place, etag, deadline)
            if not isinstance(answer, Place):
                return answer
            if place.scheme == "https" and answer.scheme == "http":
                raise Invalid(
                    "calendar.downgrade", N_("The address leads on to one that is not encrypted; it is not followed.")
                )
            place = answer
        raise Invalid("calendar.too_many_redirects", N_("The address leads on and on to others."))

    def _ask(self, place: Place, etag: str, deadline: float) -> Fetched | Place | None:
        """Make one request.  Returns what came, where it leads on to, or None for `not modified`."""
        with _Hurry(deadline) as hurry:
            connection = self._connection(place, self._addresses(place, deadline), hurry)
            try:
                connection.request("GET", place.target, headers=_headers(etag), preload_content=False)
                with closing(connection.getresponse()) as answer:
                    told = self._answer(place, answer, etag)
                hurry.check()  # a connection that was shut looks like the end of a body
                return told
            except AppError:
                hurry.check()
                raise
            except (HTTPError, HTTPException, OSError, ValueError) as error:
                raise _refusal(error, place, hurry) from error
            finally:
                connection.close()

    def _answer(self, place: Place, answer: HTTPResponse, etag: str) -> Fetched | Place | None:
        if answer.status in REDIRECTS and answer.headers.get("Location"):
            return read_url(urljoin(place.url, answer.headers["Location"]), self._ports)
        if answer.status == 304 and etag:
            return None
        if answer.status != 200:
            raise Unavailable(
                "calendar.bad_status", N_("The server answers %(status)s instead of a calendar."), status=answer.status
            )
        return Fetched(_body(answer), answer.headers.get("ETag", ""))

    def _addresses(self, place: Place, deadline: float) -> list[str]:
        """Look the host up and return its addresses, all of them allowed."""
        texts = _in_time(lambda: self._resolve(place.host, place.port), deadline)
        try:
            allowed = bool(texts) and all(self._allow(address_of(text)) for text in texts or ())
        except ValueError:
            allowed = False
        if not texts:
            raise Unavailable("calendar.host_unknown", N_("There is no host called %(host)s."), host=place.host)
        if not allowed:
            raise Invalid(
                "calendar.private_address",
                N_("%(host)s is not on the public internet; calendars are fetched from there only."),
                host=place.host,
            )
        return texts

    def _connection(self, place: Place, addresses: list[str], hurry: "_Hurry") -> HTTPConnection:
        """Return a connection that goes to the addresses that were looked at, under the host's name."""

        def connect() -> socket.socket:
            error: OSError = OSError("no address")
            for address in addresses[:ADDRESSES_MAX]:
                try:
                    made = socket.create_connection((address, place.port), timeout=hurry.left())
                except OSError as failed:
                    error = failed
                else:
                    hurry.watch(made)
                    return made
            raise error

        if place.scheme == "https":
            secure = _PinnedHttps(place.host, place.port, timeout=hurry.left(), ssl_context=self._tls)
            secure.pinned = connect
            return secure
        plain = _PinnedHttp(place.host, place.port, timeout=hurry.left())
        plain.pinned = connect
        return plain


class _PinnedHttp(HTTPConnection):
    """A connection that somebody else makes."""

    pinned: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.pinned()


class _PinnedHttps(HTTPSConnection):
    """The same with TLS, whose names and certificate are the host's."""

    pinned: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.pinned()


class _Hurry:
    """Ends a connection when its time is over: a timeout of a socket begins anew with each byte that drips in."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._watched: list[socket.socket] = []
        self._timer: threading.Timer | None = None

    def __enter__(self) -> "_Hurry":
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer:
            self._timer.cancel()
        for connection in self._watched:
            connection.close()

    def left(self) -> float:
        """Return the seconds that are left.  Raises Unavailable when there are none."""
        self.check()
        return max(self._deadline - monotonic(), 0.001)

    def check(self) -> None:
        """Raise Unavailable when the time is over."""
        if monotonic() >= self._deadline:
            raise too_slow()

    def watch(self, connection: socket.socket) -> None:
        """Shut a connection at the deadline, whoever holds it then; TLS takes the descriptor over, so it is doubled."""
        double = connection.dup()
        self._watched.append(double)
        self._timer = threading.Timer(self.left(), _shut, [double])
        self._timer.daemon = True
        self._timer.start()


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # closed already


def too_slow() -> Unavailable:
    """Return the error for a server that takes longer than there is time."""
    return Unavailable("calendar.too_slow", N_("The server takes too long to send the calendar."))


def _in_time(look_up: Callable[[], list[str]], deadline: float) -> list[str] | None:
    """Return what a look-up gives, None when it fails; the system's own has no deadline, so it is left behind."""
    found: list[list[str]] = []

    def run() -> None:
        try:
            found.append(look_up())
        except (OSError, UnicodeError):
            found.append([])

    thread = threading.Thread(target=run, daemon=True, name="calendar-host")
    thread.start()
    thread.join(max(deadline - monotonic(), 0.001))
    if not found:
        raise too_slow()
    return found[0]


def _headers(etag: str) -> Mapping[str, str]:
    headers = {"Accept": "text/calendar, */*;q=0.1", "Accept-Encoding": "identity", "User-Agent": "DiemCau/1"}
    return {**headers, "If-None-Match": etag} if etag else headers


def _refusal(error: Exception, place: Place, hurry: _Hurry) -> AppError:
    """Return what to say of an error of the network."""
    hurry.check()
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unavailable(
            "calendar.bad_certificate", N_("The certificate of %(host)s is not valid for it."), host=place.host
        )
    return Unavailable("calendar.no_answer", N_("%(host)s does not answer as it should."), host=place.host)


def _body(answer: HTTPResponse) -> bytes:
    """Read a body, at most BYTES_MAX of it, both as it comes and unpacked."""
    encoding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise _bad_encoding()
    unpack = None if encoding in ("identity", "") else zlib.decompressobj(ZLIB_OR_GZIP)
    data, came = bytearray(), 0
    while chunk := answer.read1(CHUNK, decode_content=False):
        came += len(chunk)
        if unpack is None:
            data += chunk
        else:
            try:
                data += unpack.decompress(chunk, BYTES_MAX + 1 - len(data))
            except zlib.error as error:
                raise _bad_encoding() from error
        if came > BYTES_MAX or len(data) > BYTES_MAX:
            raise too_large()
    if unpack is not None and not unpack.eof:
        raise _bad_encoding()
    return bytes(data)


def _bad_encoding() -> Invalid:
    return Invalid("calendar.bad_encoding", N_("The server sends the calendar packed in a way that cannot be undone."))
