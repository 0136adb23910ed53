"""ICE-lite: answer authenticated checks, and learn addresses from nothing else.

Source: RFC 8445 (lite implementation), RFC 8489 (STUN), RFC 7675 (consent), RFC 7983 (demultiplexing).
"""

import secrets
from collections import Counter
from dataclasses import dataclass

from media import stun
from media.stun import Address

CONSENT_S = 30.0  # RFC 7675 section 5.1: no check for this long, no more sending
ATTRIBUTES_READ = 8  # browsers put USERNAME first; a stranger's 500 empty ones would cost 250 us


def is_stun(data: bytes) -> bool:
    """Return whether a datagram's first byte says STUN."""
    return data[0] < 4


def is_dtls(data: bytes) -> bool:
    """Return whether a datagram's first byte says DTLS."""
    return 20 <= data[0] <= 63


def is_rtp(data: bytes) -> bool:
    """Return whether a datagram's first byte says RTP or RTCP."""
    return 128 <= data[0] <= 191


def is_rtcp(data: bytes) -> bool:
    """Return whether an RTP-or-RTCP datagram is RTCP.  Source: RFC 5761 section 4."""
    return len(data) > 1 and 192 <= data[1] <= 223


def local_ufrag(data: bytes) -> str | None:
    """Return our half of a binding request's USERNAME, read from the raw bytes.

    Cheap on purpose: it decides, before any HMAC, whether a stranger's datagram is worth parsing.
    """
    kind, length = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
    if len(data) < stun.HEAD or kind != stun.BINDING_REQUEST or length != len(data) - stun.HEAD:
        return None
    i = stun.HEAD
    for _ in range(ATTRIBUTES_READ):
        if i + 4 > len(data):
            break
        kind, length = int.from_bytes(data[i : i + 2], "big"), int.from_bytes(data[i + 2 : i + 4], "big")
        if kind == stun.USERNAME:
            return data[i + 4 : i + 4 + length].split(b":")[0].decode("ascii", "replace")
        i += 4 + length + (-length % 4)
    return None


@dataclass(frozen=True)
class Check:
    """What came of a binding request: the reply to send, and whether the pair was nominated."""

    reply: bytes
    nominated: bool
    valid: bool


class IceLite:
    """Our side of one leg's ICE."""

    def __init__(self, remote_ufrag: str | None = None) -> None:
        """Make fresh credentials.

        remote_ufrag: from the peer's SDP, None while it is not known (it answers our offer).
        """
        self.ufrag = secrets.token_hex(4)
        self.pwd = secrets.token_hex(16)
        self.remote_ufrag = remote_ufrag

    def check(self, data: bytes, address: Address) -> Check | None:
        """Verify a binding request that names our ufrag.

        data: the datagram or RFC 4571 frame; address: where it came from, told back to the peer.
        Returns None for anything that must be dropped without an answer.
        """
        request = stun.read_request(data)
        if request is None:
            return None
        theirs = request.username.partition(b":")[2].decode("ascii", "replace")
        if self.remote_ufrag is not None and theirs != self.remote_ufrag:
            return None
        password = self.pwd.encode()
        if not stun.is_authentic(data, request, password):
            return None
        if request.controlled:
            return Check(stun.role_conflict(request, password), request.nominated, valid=False)
        return Check(stun.success(request, address, password), request.nominated, valid=True)


class Throttle:
    """How many failed checks an address may send before its checks cost nothing any more.

    Only addresses that no leg knows are looked at: who has shown a valid check is never throttled.
    """

    PER_SECOND = 50  # failed checks of one address; a hall's browser that retries sends about 10
    ADDRESSES = 4096

    def __init__(self) -> None:
        """Start with a clean slate."""
        self._second = 0
        self._failed: Counter[str] = Counter()

    def allows(self, host: str, now: float) -> bool:
        """Return whether a check from this host is worth verifying.  now: seconds."""
        if int(now) != self._second or len(self._failed) > self.ADDRESSES:
            self._second = int(now)
            self._failed.clear()
        return self._failed[host] < self.PER_SECOND

    def failed(self, host: str, now: float) -> None:
        """Count a check that was not valid.  now: seconds."""
        if self.allows(host, now):
            self._failed[host] += 1
