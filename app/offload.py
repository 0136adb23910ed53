"""The one door to real threads: what would stop every green thread goes through it.

argon2, fsync and a wait for SQLite's write lock each hold the whole hub (measured: a one-second
hash is a one-second silence for everybody). `wsgi.py` puts the pool of its async mode here.
"""

from collections.abc import Callable
from typing import Any, Protocol


class Offload(Protocol):
    """Runs a blocking function elsewhere and returns its result."""

    def __call__(self, function: Callable[..., Any], *args: Any) -> Any:
        """Return `function(*args)`; other green threads run meanwhile."""
        ...


def directly(function: Callable[..., Any], *args: Any) -> Any:
    """Run it here: right where each request has a thread of its own."""
    return function(*args)
