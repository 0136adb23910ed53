"""Credentials for the relay (TURN), good for minutes, from a secret shared with it. No account, no state.

**Source:** draft-uberti-behave-turn-rest-00 section 2.2, which coturn knows as `use-auth-secret`.
"""

import base64
import hashlib
import hmac

from core.clock import Clock
from signaling.messages import Ice, IceServer


class Turn:
    """Gives each participant servers and fresh credentials for them."""

    def __init__(self, urls: tuple[str, ...], secret: str, ttl_s: int, clock: Clock) -> None:
        """Prepare.

        urls: such as `turns:turn.example.vn:443?transport=tcp`, none for an installation without a
        relay; secret: shared with the relay; ttl_s: how long an allocation may be begun.
        """
        self._urls, self._secret, self._ttl_s, self._clock = urls, secret, ttl_s, clock

    def ice(self, participant: str) -> Ice:
        """Return what goes into a browser's `iceServers`, with credentials that nobody had before."""
        if not self._urls:
            return Ice(servers=[], ttl_s=self._ttl_s)
        username = f"{int(self._clock.now().timestamp()) + self._ttl_s}:{participant}"
        server = IceServer(urls=list(self._urls), username=username, credential=password(self._secret, username))
        return Ice(servers=[server], ttl_s=self._ttl_s)


def password(secret: str, username: str) -> str:
    """Return the password of a username `expiry:participant`; expiry in seconds since 1970 UTC."""
    digest = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")
