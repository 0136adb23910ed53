"""Addresses of the web that may be asked on a stranger's word. Pure.

Who types the address of a calendar makes this server speak to it. So only public addresses are
spoken to: not the machine itself, not its network, not the metadata service of a cloud.

**Source:** RFC 6890 (special-purpose addresses), RFC 4291 section 2.4 (global unicast), RFC 3056
(6to4), RFC 6052 (NAT64); RFC 3986 section 3.2 (authority).
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import quote, urlsplit

from core.errors import N_, Invalid

URL_LENGTH_MAX = 2_000
PORTS = frozenset({80, 443, 8443})
GLOBAL_UNICAST = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")  # the rest of it, 64:ff9b:1::/48, is for networks' own use
HOST = re.compile(r"(?=.{1,253}\.?$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_-]{1,63})*\.?")
AS_IT_IS = "/%:?#[]@!$&'()*+,;=-._~"  # of a path and query; all else is quoted

Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Place:
    """Where a request goes.  target: path and query."""

    scheme: str  # http | https
    host: str  # lower case; an IPv6 address without brackets
    port: int
    target: str

    @property
    def url(self) -> str:
        """Return the address as text."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == {"http": 80, "https": 443}[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.target}"


def read_url(url: str, ports: frozenset[int] | None = PORTS) -> Place:
    """Return where an address leads; `webcal` means `https`, a fragment is dropped.

    ports: those that may be asked, None: any.  Raises Invalid: `calendar.bad_address`,
    `calendar.bad_scheme`, `calendar.address_with_password`, `calendar.bad_port`.
    """
    url = url.strip()
    if not url or len(url) > URL_LENGTH_MAX or any(ord(c) <= 32 or ord(c) == 127 for c in url) or "\\" in url:
        raise _bad_address()
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise _bad_address() from error
    scheme = "https" if parts.scheme in ("webcal", "webcals") else parts.scheme
    if scheme not in ("http", "https"):
        raise Invalid("calendar.bad_scheme", N_("The address must begin with https://, http:// or webcal://."))
    try:
        port, host = parts.port, _host(parts.hostname or "")
    except ValueError as error:
        raise _bad_address() from error
    if "@" in parts.netloc:
        raise Invalid("calendar.address_with_password", N_("The address must not hold a name or a password."))
    port = {"http": 80, "https": 443}[scheme] if port is None else port
    if ports is not None and port not in ports:
        raise Invalid("calendar.bad_port", N_("Port %(port)s is not one that calendars are fetched from."), port=port)
    query = f"?{quote(parts.query, safe=AS_IT_IS)}" if parts.query else ""
    return Place(scheme, host, port, (quote(parts.path, safe=AS_IT_IS) or "/") + query)


def _bad_address() -> Invalid:
    return Invalid("calendar.bad_address", N_("This is not the address of a calendar."))


def _host(name: str) -> str:
    """Return a host in lower case, as DNS knows it.  Raises ValueError for what is none."""
    if ":" in name:
        address = IPv6Address(name)
        if address.scope_id:
            raise ValueError("an address of one link only")
        return str(address)
    ascii_name = name.encode("idna").decode().lower()
    if not HOST.fullmatch(ascii_name):
        raise ValueError("not a host")
    return ascii_name


def is_public(address: Address) -> bool:
    """Say whether an address is one of the public internet, also by what is embedded in it."""
    if isinstance(address, IPv4Address):
        return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    if address.sixtofour is not None:
        return is_public(address.sixtofour)
    return address in GLOBAL_UNICAST and address.is_global and not address.scope_id


def address_of(text: str) -> Address:
    """Return an address that a resolver gave, with the zone that may hang on it."""
    return ip_address(text)
