"""The secret that signs cookies and tokens: given, or made once and kept beside the data."""

import os
import secrets

from core.config import Config

LENGTH_MIN = 32  # characters


def secret_key(config: Config) -> str:
    """Return the installation's secret.

    Made with the system's randomness at the first start and kept readable for the owner only.
    Raises ValueError when a configured one is too short to protect anything.
    """
    if config.secret_key:
        if len(config.secret_key) < LENGTH_MIN:
            raise ValueError(f"SECRET_KEY must have at least {LENGTH_MIN} characters")
        return config.secret_key
    path = config.data_dir / "secret_key"
    config.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text("ascii")
    with os.fdopen(handle, "w") as file:
        made = secrets.token_urlsafe(48)
        file.write(made)
    return made
