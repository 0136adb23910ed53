"""Opaque identifiers: a prefix that names the kind, then 80 random bits."""

import secrets

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case: no i, l, o, u
KEY_BYTES = 18  # 144 bits
LENGTH = 16  # 16 x 5 bits = 80 bits: a clash among a billion ids has odds of about 1 in a million


def new_id(prefix: str) -> str:
    """Return a fresh id.

    prefix: the kind, such as `lec`, `bp`, `usr`.  Returns `prefix_` and 16 characters.
    """
    bits = secrets.randbits(5 * LENGTH)
    return prefix + "_" + "".join(ALPHABET[bits >> 5 * n & 31] for n in range(LENGTH))


def new_key() -> str:
    """Return a fresh secret for an address that opens without signing in: 24 characters."""
    return secrets.token_urlsafe(KEY_BYTES)
