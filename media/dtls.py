"""DTLS-SRTP: one context for all peers, one small state machine per leg, public libraries only.

Push style: the transport hands datagrams in, `send` takes datagrams out, no task per peer.
Source: RFC 5764 (DTLS-SRTP), RFC 8827 section 6.5 (fingerprint), RFC 7714 (AES-GCM in SRTP).
"""

import asyncio
import datetime
import os
from collections.abc import Callable
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from pylibsrtp import Policy, Session

# GCM first: half the cost of CM/SHA1 in libsrtp (0.9 against 1.7 us for 1200 B), and every browser takes it.
PROFILES = (
    (b"SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    (b"SRTP_AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12),
    (b"SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
)
CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
MTU = 1200  # bytes of DTLS per datagram: fits every path that carries video
RECORD_HEADER = 13
REPLAY_WINDOW = 1024  # packets; libsrtp's default of 128 is half a second at 250 packets/s


class Identity:
    """The node's certificate (fresh at every start) and the context all legs share."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())  # never RSA: its flight does not fit one datagram
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, os.urandom(8).hex())])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=365))
            .sign(key, hashes.SHA256())
        )
        self.context = SSL.Context(SSL.DTLS_METHOD)
        self.context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU)
        self.context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # nobody resumes: it would keep every handshake
        # Self-signed on both sides: the fingerprint from the signalling is what authenticates (RFC 8827).
        self.context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        self.context.use_certificate(certificate)
        self.context.use_privatekey(key)
        self.context.set_cipher_list(CIPHERS)
        self.context.set_tlsext_use_srtp(b":".join(p[0] for p in PROFILES))
        self.fingerprint = certificate.fingerprint(hashes.SHA256())


class Dtls:
    """One handshake and the SRTP keys that come of it."""

    def __init__(
        self,
        identity: Identity,
        peer_fingerprint: bytes,
        send: Callable[[bytes], None],
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
        *,
        server: bool = True,
    ) -> None:
        """Prepare a handshake; `start` begins it.

        peer_fingerprint: SHA-256 of the peer's certificate, 32 bytes, from its SDP;
        send: takes one datagram; on_up, on_down(reason): called once each; server: our DTLS role.
        """
        self._ssl = SSL.Connection(identity.context)
        self._ssl.set_ciphertext_mtu(MTU)
        self._fingerprint = peer_fingerprint
        self._send = send
        self._on_up = on_up
        self._on_down = on_down
        self._server = server
        self._timer: asyncio.TimerHandle | None = None
        self._over = False
        self.outbound: Any = None  # pylibsrtp Session, once up
        self.gcm_master: bytes | None = None  # key and salt of `outbound` when the cipher is AES-128-GCM
        self.inbound: Any = None
        if server:
            self._ssl.set_accept_state()
        else:
            self._ssl.set_connect_state()

    def start(self) -> None:
        """Begin the handshake (a client speaks first, a server waits)."""
        self._handshake()

    def datagram(self, data: bytes) -> None:
        """Take one DTLS datagram from the peer."""
        if self._over:
            return
        self._ssl.bio_write(data)
        if self.outbound is None:
            self._handshake()
            return
        try:
            while True:
                self._ssl.recv(2048)
        except SSL.WantReadError:
            self._flush()
        except (SSL.ZeroReturnError, SSL.Error):
            self._end("closed by peer")

    def close(self) -> None:
        """Say close_notify and stop; `on_down` is not called."""
        if self._over:
            return
        self._over = True
        self._cancel()
        try:
            self._ssl.shutdown()
        except SSL.Error:
            pass  # nothing was established: nothing to say goodbye to
        self._flush()

    def _handshake(self) -> None:
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            self._flush()
            self._arm()
            return
        except SSL.Error as error:
            self._flush()
            self._end(f"handshake failed: {error}")
            return
        self._flush()
        self._cancel()
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        if certificate is None or certificate.fingerprint(hashes.SHA256()) != self._fingerprint:
            self._end("fingerprint does not match the signalling")
            return
        self._key()

    def _key(self) -> None:
        chosen = self._ssl.get_selected_srtp_profile()
        profile = next((p for p in PROFILES if p[0] == chosen), None)
        if profile is None:
            self._end("no SRTP profile in common")
            return
        _, number, key, salt = profile
        material = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        ours, theirs = (server, client) if self._server else (client, server)
        self.gcm_master = ours if number == Policy.SRTP_PROFILE_AEAD_AES_128_GCM else None
        self.outbound = _srtp(ours, number, Policy.SSRC_ANY_OUTBOUND)
        self.inbound = _srtp(theirs, number, Policy.SSRC_ANY_INBOUND)
        self._on_up()

    def _flush(self) -> None:
        # A memory BIO loses the boundaries of datagrams: cut at DTLS records, whose length is at byte 11.
        pending = b""
        try:
            while True:
                pending += self._ssl.bio_read(65536)
        except SSL.Error:
            pass
        datagram = b""
        while pending:
            size = RECORD_HEADER + int.from_bytes(pending[11:13], "big")
            record, pending = pending[:size], pending[size:]
            if datagram and len(datagram) + len(record) > MTU:
                self._send(datagram)
                datagram = b""
            datagram += record
        if datagram:
            self._send(datagram)

    def _arm(self) -> None:
        self._cancel()
        wait_s = self._ssl.DTLSv1_get_timeout()
        if wait_s is not None:
            self._timer = asyncio.get_running_loop().call_later(max(wait_s, 0.01), self._resend)

    def _resend(self) -> None:
        if self._over:
            return
        try:
            self._ssl.DTLSv1_handle_timeout()
        except SSL.Error:
            pass  # OpenSSL gives up after its own count; consent expiry frees the leg
        self._flush()
        self._arm()

    def _cancel(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _end(self, reason: str) -> None:
        if not self._over:
            self._over = True
            self._cancel()
            self._on_down(reason)


def _srtp(key: bytes, profile: int, direction: int) -> Any:
    policy = Policy(key=key, ssrc_type=direction, srtp_profile=profile)
    policy.allow_repeat_tx = True  # a retransmission is the same packet again
    policy.window_size = REPLAY_WINDOW
    return Session(policy)
