"""A mail server on loopback that keeps what it is given, and a certificate for it."""

import ipaddress
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORDS = "diemcau", ("mật khẩu thư", "a plain password")

PEOPLE = [(USER, password) for password in PASSWORDS]


@dataclass
class Mailbox:
    """What came in.  refuses: the reply for some addresses, instead of taking their letters."""

    refuses: dict[str, str] = field(default_factory=dict)
    letters: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    users: list[str | None] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.letters.append((envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        self.encrypted.append(server.transport.get_extra_info("ssl_object") is not None)
        self.users.append(session.auth_data.login.decode() if session.auth_data else None)
        return "250 taken"


@dataclass(frozen=True)
class Certificate:
    """Of `localhost`, signed by itself."""

    chain: Path
    key: Path

    def server_side(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain, self.key)
        return context

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.chain))


def make_certificate(folder: Path, host: str = "localhost") -> Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    made = Certificate(folder / f"{host}.crt", folder / f"{host}.key")
    made.chain.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    made.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return made


def _check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) in PEOPLE
    return AuthResult(success=right, handled=False, auth_data=data)


class AnyPort(Controller):
    """A controller that knows which free port it was given."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server(
    box: Mailbox,
    starttls: Certificate | None = None,
    tls: Certificate | None = None,
    wants_password: bool = False,
) -> Iterator[int]:
    """Run it; yields the port on 127.0.0.1."""
    controller = AnyPort(
        box,
        hostname="127.0.0.1",
        port=0,
        ssl_context=tls.server_side() if tls else None,
        tls_context=starttls.server_side() if starttls else None,
        require_starttls=starttls is not None,
        authenticator=_check,
        # aiosmtpd does not see that a connection is encrypted from its first byte, and warns
        auth_required=wants_password and starttls is not None,
        auth_require_tls=starttls is not None,
    )
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()
