"""Who speaks: from the sound levels browsers send along.  Source: RFC 6464 section 3."""

LOUD = 50  # dB below overload; speech into a room microphone is at 20-45, a quiet hall at 60-80
ATTACK = 8  # loud packets of 20 ms that make a speaker: a cough is shorter
RELEASE_S = 1.2  # silence after which a speaker has stopped: a breath is shorter


class Voice:
    """One microphone."""

    def __init__(self) -> None:
        """Start silent."""
        self.speaking = False
        self._loud = 0
        self._loud_at = -1e9

    def heard(self, level: int, now: float) -> bool | None:
        """Take one packet's level.

        level: 0 (overload) to 127 (silence), dB below overload; now: seconds.
        Returns whether the person now speaks, None when that has not changed.
        """
        if level <= LOUD:
            self._loud = min(self._loud + 1, ATTACK)
            self._loud_at = now
        elif self._loud:
            self._loud -= 1
        if not self.speaking and self._loud >= ATTACK:
            self.speaking = True
            return True
        return self.quiet(now)

    def quiet(self, now: float) -> bool | None:
        """Return False when a speaker has just stopped, also because packets stay away, else None."""
        if self.speaking and now - self._loud_at > RELEASE_S:
            self.speaking, self._loud = False, 0
            return False
        return None
