"""How fast one connection may speak."""

from collections.abc import Callable

BURST = 40  # frames at once: a page that joins, negotiates both legs and taps about needs ten
RATE = 20.0  # frames a second after that


class TokenBucket:
    """Lets a burst through, then a steady rate. Pure: time comes from outside."""

    def __init__(self, monotonic: Callable[[], float], burst: int = BURST, rate: float = RATE) -> None:
        """Begin full.

        monotonic: seconds that never go back; burst: tokens; rate: tokens a second.
        """
        self._monotonic, self._burst, self._rate = monotonic, burst, rate
        self._tokens, self._at = float(burst), monotonic()

    def take(self, cost: float = 1.0) -> bool:
        """Take `cost` tokens.  Returns False, and takes nothing, when there are not so many."""
        now = self._monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < cost:
            return False
        self._tokens -= cost
        return True
