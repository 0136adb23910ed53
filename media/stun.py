"""Binding requests and the answers to them, on the bytes: what ICE-lite needs of STUN, in a tenth of a library's time.

Every viewer sends a check each 2.5 s; with aioice's messages they took a twentieth of the node's time. The tests hold
this against aioice, both ways.
Source: RFC 8489 sections 5 (header), 14.2 (XOR-MAPPED-ADDRESS), 14.5 (MESSAGE-INTEGRITY), 14.7 (FINGERPRINT), 14.8
(ERROR-CODE); RFC 8445 section 7.3.1.1 (role conflict).
"""

import hmac
import socket
import struct
import zlib
from typing import NamedTuple

Address = tuple[str, int]  # numeric IPv4 or IPv6 address, port
BINDING_REQUEST, BINDING_SUCCESS, BINDING_ERROR = 0x0001, 0x0101, 0x0111
COOKIE = 0x2112A442
USERNAME, INTEGRITY, ERROR_CODE, XOR_MAPPED_ADDRESS = 0x0006, 0x0008, 0x0009, 0x0020
USE_CANDIDATE, FINGERPRINT, ICE_CONTROLLED = 0x0025, 0x8028, 0x8029
FINGERPRINT_XOR = 0x5354554E
ATTRIBUTES_READ = 24  # browsers send 7 to 9; a stranger's 500 empty ones would cost 100 us
HEAD, SHA1 = 20, 20  # bytes
ROLE_CONFLICT = b"\0\0\x04\x57Role Conflict\0\0\0"
_header = struct.Struct("!HHL12s")
_two = struct.Struct("!HH")


class Request(NamedTuple):
    """A binding request.  signed: bytes before its MESSAGE-INTEGRITY, which is not verified yet."""

    transaction: bytes
    username: bytes
    nominated: bool  # USE-CANDIDATE
    controlled: bool  # it claims the role that is ours
    signed: int


def read_request(data: bytes) -> Request | None:
    """Return what a datagram asks, None when it is no whole, signed binding request.

    What comes after MESSAGE-INTEGRITY is not protected and not looked at, but for a FINGERPRINT that does not fit.
    """
    if len(data) < HEAD or len(data) & 3:
        return None
    kind, length, cookie, transaction = _header.unpack_from(data)
    if kind != BINDING_REQUEST or cookie != COOKIE or length != len(data) - HEAD:
        return None
    username, nominated, controlled, at = b"", False, False, HEAD
    for _ in range(ATTRIBUTES_READ):
        if at + 4 > len(data):
            return None
        kind, size = _two.unpack_from(data, at)
        start = at + 4
        if start + size > len(data):
            return None
        if kind == INTEGRITY:
            whole = size == SHA1 and _fingerprint_fits(data, start + size)
            return Request(transaction, username, nominated, controlled, at) if whole else None
        if kind == USERNAME:
            username = data[start : start + size]
        elif kind == USE_CANDIDATE:
            nominated = True
        elif kind == ICE_CONTROLLED:
            controlled = True
        at = start + size + (-size & 3)
    return None


def is_authentic(data: bytes, request: Request, password: bytes) -> bool:
    """Return whether a request was made by somebody who knows the password."""
    at = request.signed
    signed = data[:2] + (at + 4 + SHA1 - HEAD).to_bytes(2, "big") + data[4:at]
    return hmac.compare_digest(hmac.digest(password, signed, "sha1"), data[at + 4 : at + 4 + SHA1])


def success(request: Request, address: Address, password: bytes) -> bytes:
    """Return the answer that tells a peer the address its request came from."""
    host, port = address
    v6 = ":" in host
    packed = socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, host.partition("%")[0])
    mask = (COOKIE.to_bytes(4, "big") + request.transaction)[: len(packed)]
    hidden = int.from_bytes(packed, "big") ^ int.from_bytes(mask, "big")
    value = struct.pack("!BBH", 0, 2 if v6 else 1, port ^ COOKIE >> 16) + hidden.to_bytes(len(packed), "big")
    return _signed(BINDING_SUCCESS, request, XOR_MAPPED_ADDRESS, value, password)


def role_conflict(request: Request, password: bytes) -> bytes:
    """Return the answer to a peer that claims our role (487)."""
    return _signed(BINDING_ERROR, request, ERROR_CODE, ROLE_CONFLICT, password, unpadded=len(ROLE_CONFLICT) - 3)


def _signed(kind: int, request: Request, attribute: int, value: bytes, password: bytes, unpadded: int = 0) -> bytes:
    body = _two.pack(attribute, unpadded or len(value)) + value
    length = len(body) + 4 + SHA1
    integrity = hmac.digest(password, _header.pack(kind, length, COOKIE, request.transaction) + body, "sha1")
    out = _header.pack(kind, length + 8, COOKIE, request.transaction) + body + _two.pack(INTEGRITY, SHA1) + integrity
    return out + struct.pack("!HHL", FINGERPRINT, 4, zlib.crc32(out) ^ FINGERPRINT_XOR)


def _fingerprint_fits(data: bytes, at: int) -> bool:
    if at == len(data):
        return True
    if at + 8 != len(data) or data[at : at + 4] != _two.pack(FINGERPRINT, 4):
        return True  # something else that is not protected
    return int.from_bytes(data[at + 4 :], "big") == zlib.crc32(data[:at]) ^ FINGERPRINT_XOR
