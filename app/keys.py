"""The installation's secrets: given, or made once with the system's randomness and kept beside the data."""

import os
import secrets

from core.config import Config

LENGTH_MIN = 32  # characters


def secret_key(config: Config) -> str:
    """Return the secret that signs cookies and tokens; a kept one is readable for the owner only.

    Raises ValueError when a configured one is too short to protect anything.
    """
    if config.secret_key:
        if len(config.secret_key) < LENGTH_MIN:
            raise ValueError(f"SECRET_KEY must have at least {LENGTH_MIN} characters")
        return config.secret_key
    return _kept(config, "secret_key")


def turn_secret(config: Config) -> str:
    """Return the secret shared with the relay: configured, or kept as `turn_secret` beside the data."""
    return config.turn_secret or _kept(config, "turn_secret")


def _kept(config: Config, name: str) -> str:
    path = config.data_dir / name
    config.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text("ascii")
    with os.fdopen(handle, "w") as file:
        made = secrets.token_urlsafe(48)
        file.write(made)
    return made
