"""The relay's configuration: coturn's file, written from the template in `deploy/coturn/`."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

TEMPLATE = Path(__file__).resolve().parent.parent / "deploy" / "coturn" / "turnserver.conf"
USER_QUOTA = (
    24  # allocations a participant may hold: two legs, four addresses of the hall's PC, a reload within minutes
)
TOTAL_QUOTA = 1200  # fits the 2048 relay ports of the template


@dataclass(frozen=True)
class Relay:
    """What differs from one relay to the next.  cert, key: PEM files that coturn can read."""

    realm: str
    listen: tuple[str, ...]  # addresses for clients; peers are reached from the same ones
    peers: tuple[str, ...]  # addresses of the media nodes
    cert: str
    key: str
    port: int = 443
    user_quota: int = USER_QUOTA
    total_quota: int = TOTAL_QUOTA
    log: str = "syslog"


def render(relay: Relay, secret: str) -> str:
    """Return coturn's configuration.

    secret: the one the web process signs credentials with.
    Raises ValueError for a value that cannot stand in the file, or no peer at all.
    """
    if not relay.peers:
        raise ValueError("name the media node's address: without one the relay reaches nobody")
    for word in (relay.realm, relay.cert, relay.key, relay.log, secret):
        if not word or any(character.isspace() for character in word):
            raise ValueError(f"not a value for turnserver.conf: {word!r}")
    listening = [f"{name}={address}" for address in _checked(relay.listen) for name in ("listening-ip", "relay-ip")]
    return Template(TEMPLATE.read_text("utf-8")).substitute(
        realm=relay.realm, cert=relay.cert, key=relay.key, port=relay.port, secret=secret, log=relay.log,
        user_quota=relay.user_quota, total_quota=relay.total_quota, listening="\n".join(listening),
        allowed="\n".join(f"allowed-peer-ip={address}" for address in _checked(relay.peers)),
    )  # fmt: skip


def _checked(addresses: Sequence[str]) -> list[str]:
    """Return addresses in their shortest notation.  Raises ValueError."""
    return [str(ipaddress.ip_address(address)) for address in dict.fromkeys(addresses)]
