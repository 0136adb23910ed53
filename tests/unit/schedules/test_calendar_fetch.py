"""Fetching from a stranger's address: a real server on the loopback, and addresses that must not be spoken to."""

import gzip
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from core.errors import AppError
from schedules.calendars.addresses import is_public, read_url
from schedules.calendars.fetch import Fetched, Fetcher
from schedules.calendars.lines import BYTES_MAX

CALENDAR = b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
HOST = "lich.vi-du.vn"


class Site(ThreadingHTTPServer):
    """A web site on the loopback; `answers` maps a path to what is done with a request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Callable[[Handler], None]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.over = threading.Event()  # set when the test ends: who drips bytes stops
        self.port: int = self.server_address[1]
        self.url = f"http://{HOST}:{self.port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A caller who hangs up is what is tested here."""


class Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.server.answers[self.path](self)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def reply(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def resolve(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def local(**changes: object) -> Fetcher:
    """A fetcher that may speak to the loopback, where every host is said to be."""
    wish: dict[str, object] = {"allow": lambda address: True, "ports": None, "resolve": resolve, **changes}
    return Fetcher(**wish)  # type: ignore[arg-type]


def refused(fetch: Callable[[], object]) -> AppError:
    with pytest.raises(AppError) as told:
        fetch()
    assert str(told.value)
    return told.value


# ---- addresses ----


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "192.0.2.1",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "::8.8.8.8",
        "2002:7f00:1::",
        "2002:a00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "2001::1",
        "2001:db8::1",
        "5f00::1",
        "4000::1",
    ],
)
def test_addresses_that_lead_inside_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "203.162.4.191", "2405:4800::1", "2002:808:808::1", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "calendar.bad_address"),
        ("lich.vi-du.vn/a.ics", "calendar.bad_scheme"),
        ("ftp://lich.vi-du.vn/a.ics", "calendar.bad_scheme"),
        ("file:///etc/passwd", "calendar.bad_scheme"),
        ("https:///a.ics", "calendar.bad_address"),
        ("https://lich.vi-du.vn:99999/", "calendar.bad_address"),
        ("https://lich.vi-du.vn/a b", "calendar.bad_address"),
        ("https://lich.vi-du.vn/a\r\nX: y", "calendar.bad_address"),
        ("https://lich.vi-du.vn\\@10.0.0.1/", "calendar.bad_address"),
        ("https://[fe80::1%25eth0]/", "calendar.bad_address"),
        ("https://ten:matkhau@lich.vi-du.vn/", "calendar.address_with_password"),
        ("https://@lich.vi-du.vn/", "calendar.address_with_password"),
        ("http://lich.vi-du.vn:22/", "calendar.bad_port"),
        ("http://lich.vi-du.vn:6379/", "calendar.bad_port"),
        ("https://lich.vi-du.vn/" + "a" * 2000, "calendar.bad_address"),
    ],
)
def test_addresses_that_are_never_asked(url: str, code: str) -> None:
    assert refused(lambda: read_url(url)).code == code


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("webcal://Lich.Vi-Du.VN/a.ics#x", "https://lich.vi-du.vn/a.ics"),
        (" https://lich.vi-du.vn ", "https://lich.vi-du.vn/"),
        ("http://lich.vi-du.vn:80/a.ics?khóa=1&b=%20", "http://lich.vi-du.vn/a.ics?kh%C3%B3a=1&b=%20"),
        ("https://lich.vi-du.vn:8443/a", "https://lich.vi-du.vn:8443/a"),
        ("https://[2405:4800::1]/a", "https://[2405:4800::1]/a"),
        ("https://lịch.vn/a", "https://xn--lch-llz.vn/a"),
    ],
)
def test_addresses_as_they_are_kept(url: str, kept: str) -> None:
    assert Fetcher().check(url) == kept
    assert Fetcher().check(kept) == kept


@given(st.text(max_size=60) | st.from_regex(r"https?://[^/]{0,20}/.{0,10}"))
def test_only_an_apps_error_leaves_an_address(url: str) -> None:
    try:
        place = read_url(url)
    except AppError:
        return
    assert place.host.isascii()
    assert place.target.startswith("/")
    assert place.target.isascii()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
def test_the_guard_stands_by_default(host: str, site: Site) -> None:
    fetcher = Fetcher(ports=None)
    assert refused(lambda: fetcher.fetch(f"http://{host}:{site.port}/")).code in (
        "calendar.private_address",
        "calendar.host_unknown",  # where the system's resolver does not know numbers, or IPv6
    )
    assert site.requests == []


def test_one_inner_address_among_public_ones_is_enough_to_refuse(site: Site) -> None:
    fetcher = Fetcher(ports=None, resolve=lambda host, port: ["203.162.4.191", "127.0.0.1"])
    assert refused(lambda: fetcher.fetch(site.url)).code == "calendar.private_address"


def test_a_resolver_that_changes_its_mind_is_asked_once_only(site: Site) -> None:
    """Rebinding: public when it is looked at, inside when it is connected to."""
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    seen: list[str] = []
    site.answers["/a"] = lambda h: (seen.append(h.connection.getsockname()[0]), h.reply(body=CALENDAR))[1]
    fetcher = local(resolve=rebinding, allow=lambda address: str(address) == "127.0.0.1")
    assert fetcher.fetch(f"{site.url}/a") == Fetched(CALENDAR, "")
    assert (asked, seen) == ([HOST], ["127.0.0.1"])
    assert refused(lambda: fetcher.fetch(f"{site.url}/a")).code == "calendar.private_address"


def test_a_host_that_does_not_exist_and_one_that_does_not_listen() -> None:
    def nobody(host: str, port: int) -> list[str]:
        raise socket.gaierror("no such host")

    assert refused(lambda: local(resolve=nobody).fetch("http://lich.vi-du.vn/")).code == "calendar.host_unknown"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, but it does not listen
        url = f"http://{HOST}:{closed.getsockname()[1]}/"
        assert refused(lambda: local().fetch(url)).code == "calendar.no_answer"


# ---- answers ----


def test_a_calendar_is_fetched_under_its_hosts_name_and_not_again_while_it_is_the_same(site: Site) -> None:
    def answer(h: Handler) -> None:
        h.reply(304) if h.headers["If-None-Match"] == '"1"' else h.reply(body=CALENDAR, ETag='"1"')

    site.answers["/a.ics?k=1"] = answer
    assert local().fetch(f"{site.url}/a.ics?k=1") == Fetched(CALENDAR, '"1"')
    assert local().fetch(f"{site.url}/a.ics?k=1", '"1"') is None
    first, second = (headers for _, headers in site.requests)
    assert first["host"] == f"{HOST}:{site.port}"
    assert first["accept-encoding"] == "identity"
    assert "if-none-match" not in first
    assert second["if-none-match"] == '"1"'


def test_the_environments_proxies_are_not_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    site.answers["/a"] = lambda h: h.reply(body=CALENDAR)
    assert local().fetch(f"{site.url}/a") == Fetched(CALENDAR, "")


@pytest.mark.parametrize("status", [204, 304, 401, 404, 500])
def test_an_answer_that_is_no_calendar_is_named_by_its_number(status: int, site: Site) -> None:
    site.answers["/a"] = lambda h: h.reply(status)
    error = refused(lambda: local().fetch(f"{site.url}/a"))
    assert (error.code, error.params) == ("calendar.bad_status", {"status": status})


def test_redirects_are_followed_three_times(site: Site) -> None:
    for n in range(1, 5):
        site.answers[f"/{n}"] = lambda h, n=n: h.reply(302, Location=f"/{n - 1}")  # type: ignore[misc]
    site.answers["/0"] = lambda h: h.reply(body=CALENDAR)
    assert local().fetch(f"{site.url}/3") == Fetched(CALENDAR, "")
    assert refused(lambda: local().fetch(f"{site.url}/4")).code == "calendar.too_many_redirects"


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", "calendar.private_address"),
        ("http://10.0.0.1/", "calendar.private_address"),
        ("http://[::1]/", "calendar.private_address"),
        ("file:///etc/passwd", "calendar.bad_scheme"),
        ("gopher://lich.vi-du.vn/", "calendar.bad_scheme"),
        ("http://ten:mk@lich.vi-du.vn/", "calendar.address_with_password"),
    ],
)
def test_where_a_redirect_leads_is_looked_at_again(location: str, code: str, site: Site) -> None:
    site.answers["/a"] = lambda h: h.reply(301, Location=location)
    literal = {"10.0.0.1", "169.254.169.254", "::1"}
    fetcher = local(
        allow=lambda address: str(address) == "127.0.0.1" or is_public(address),
        resolve=lambda host, port: [host] if host in literal else ["127.0.0.1"],
    )
    assert refused(lambda: fetcher.fetch(f"{site.url}/a")).code == code
    assert len(site.requests) == 1


def test_a_redirect_to_a_port_that_is_not_asked(site: Site) -> None:
    site.answers["/a"] = lambda h: h.reply(301, Location=f"http://{HOST}:22/")
    assert refused(lambda: local(ports=frozenset({site.port})).fetch(f"{site.url}/a")).code == "calendar.bad_port"


# ---- too much ----


def endless(h: Handler) -> None:
    """Send without saying how much it will be, until the caller hangs up or 50 MB."""
    h.send_response(200)
    h.send_header("Connection", "close")
    h.end_headers()
    for _ in range(800):
        h.wfile.write(b"x" * 65_536)
    raise AssertionError("the caller took it all")


def test_a_body_is_read_as_far_as_the_limit(site: Site) -> None:
    site.answers["/endless"] = endless
    site.answers["/just"] = lambda h: h.reply(body=b"x" * BYTES_MAX)
    site.answers["/over"] = lambda h: h.reply(body=b"x" * (BYTES_MAX + 1))
    assert refused(lambda: local().fetch(f"{site.url}/endless")).code == "calendar.too_large"
    assert refused(lambda: local().fetch(f"{site.url}/over")).code == "calendar.too_large"
    fetched = local().fetch(f"{site.url}/just")
    assert fetched is not None
    assert len(fetched.data) == BYTES_MAX


def test_what_comes_packed_although_it_was_not_asked_for_is_unpacked_within_the_limit(site: Site) -> None:
    bomb = gzip.compress(b"x" * 50_000_000)
    packed = {
        "/gzip": ("gzip", gzip.compress(CALENDAR)),
        "/deflate": ("deflate", zlib.compress(CALENDAR)),
        "/bomb": ("gzip", bomb),
        "/half": ("gzip", gzip.compress(CALENDAR)[:-9]),
        "/not": ("gzip", CALENDAR),
        "/br": ("br", CALENDAR),
    }
    for path, (encoding, body) in packed.items():
        site.answers[path] = lambda h, e=encoding, b=body: h.reply(body=b, Content_Encoding=e)  # type: ignore[misc]
    assert local().fetch(f"{site.url}/gzip") == Fetched(CALENDAR, "")
    assert local().fetch(f"{site.url}/deflate") == Fetched(CALENDAR, "")
    assert refused(lambda: local().fetch(f"{site.url}/bomb")).code == "calendar.too_large"
    for path in ("/half", "/not", "/br"):
        assert refused(lambda path=path: local().fetch(site.url + path)).code == "calendar.bad_encoding"  # type: ignore[misc]


def test_a_body_that_stops_short_is_not_taken_for_whole(site: Site) -> None:
    site.answers["/a"] = lambda h: (h.reply(body=CALENDAR, Content_Length="900"), setattr(h, "close_connection", True))[
        0
    ]
    assert refused(lambda: local().fetch(f"{site.url}/a")).code == "calendar.no_answer"


def drip(start: bytes) -> Callable[[Handler], None]:
    """Send a byte every 20 ms, so that no timeout of a single read ever comes."""

    def answer(h: Handler) -> None:
        h.wfile.write(start)
        for _ in range(500):
            if h.server.over.wait(0.02):
                return
            h.wfile.write(b"x")

    return answer


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTT",
    ],
)
def test_bytes_that_drip_in_do_not_stretch_the_time(start: bytes, site: Site) -> None:
    site.answers["/slow"] = drip(start)
    error = refused(lambda: local(deadline_s=0.3).fetch(f"{site.url}/slow"))
    assert error.code in ("calendar.too_slow", "calendar.no_answer")
    assert not site.over.is_set()
    assert error.code == "calendar.too_slow" or start.endswith(b"\r\n\r\n")  # "x" is no length of a chunk


def test_silence_and_a_resolver_that_hangs_end_at_the_deadline(site: Site) -> None:
    site.answers["/silent"] = lambda h: (h.server.over.wait(20), None)[1]
    assert refused(lambda: local(deadline_s=0.2).fetch(f"{site.url}/silent")).code == "calendar.too_slow"

    def hang(host: str, port: int) -> list[str]:
        site.over.wait(20)
        return ["127.0.0.1"]

    assert refused(lambda: local(deadline_s=0.1, resolve=hang).fetch(site.url)).code == "calendar.too_slow"


# ---- TLS ----


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate that is its own authority, for a name.  Returns it and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Nơi thử")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


@pytest.fixture
def secure(site: Site, tmp_path: Path) -> tuple[Site, ssl.SSLContext, list[str | None]]:
    """The site with TLS, an SSL context that trusts it, and the names that callers ask for."""
    cert_file, key_file = certificate(tmp_path, HOST)
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    context.sni_callback = lambda connection, name, _: names.append(name)
    site.socket = context.wrap_socket(site.socket, server_side=True)
    return site, ssl.create_default_context(cafile=str(cert_file)), names


def test_tls_speaks_to_the_pinned_address_in_the_hosts_name(secure: tuple[Site, ssl.SSLContext, list[str]]) -> None:
    site, trusting, names = secure
    site.answers["/a"] = lambda h: h.reply(body=CALENDAR)
    site.answers["/plain"] = lambda h: h.reply(302, Location=f"http://{HOST}:{site.port}/a")
    site.answers["/slow"] = drip(b"HTTP/1.1 200 OK\r\n\r\n")
    url = f"webcal://{HOST}:{site.port}"
    assert local(tls=trusting).fetch(f"{url}/a") == Fetched(CALENDAR, "")
    assert names == [HOST]
    assert refused(lambda: local(tls=trusting).fetch(f"{url}/plain")).code == "calendar.downgrade"
    assert refused(lambda: local(tls=trusting, deadline_s=0.3).fetch(f"{url}/slow")).code == "calendar.too_slow"


def test_a_certificate_of_another_name_or_of_nobody_is_refused(secure: tuple[Site, ssl.SSLContext, list[str]]) -> None:
    site, trusting, _ = secure
    other, same = f"https://lich-khac.vn:{site.port}/a", f"https://{HOST}:{site.port}/a"
    assert refused(lambda: local(tls=trusting).fetch(other)).code == "calendar.bad_certificate"
    assert refused(lambda: local().fetch(same)).code == "calendar.bad_certificate"
    assert site.requests == []
