"""What waits for other machines or is not urgent: letters are sent, calendars fetched, old uploads forgotten.

Letters are written when the timetable changes; one that a crash kept from being written is written here.

Beside the ticker and slower than it: a mail server that does not answer holds nobody up.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from app.services import Services
from core.config import Config
from core.errors import Unavailable
from schedules.calendars.mail import FileOutbox, SmtpTransport, Transport

log = logging.getLogger(__name__)

EVERY_S = 10.0
LOOKED_AT = 20  # lectures in one round: while they are looked at, nobody else gets the processor
LOOK_S = 0.5  # how long a stop may have to wait


class Errands:
    """Goes its rounds; one failing errand is logged and never stops the other."""

    def __init__(self, services: Services, transport: Transport) -> None:
        """Send letters by `transport`; under green threads its sockets let the others run."""
        self._services = services
        self._transport = transport
        self._going = True
        self._looked: set[tuple[str, int]] = set()  # lectures, by id and SEQUENCE, that want no letters

    def run(self, pause: Callable[[float], Any]) -> None:
        """Do rounds until `stop`.  pause: sleeps that many seconds, the Socket.IO server's own kind of sleep."""
        while self._going:
            self.round()
            waited = 0.0
            while self._going and waited < EVERY_S:
                pause(LOOK_S)
                waited += LOOK_S

    def stop(self) -> None:
        """End `run` at its next pause."""
        self._going = False

    def round(self) -> None:
        """Write letters that are missing, send those that are due, fetch calendars, forget uploads nobody confirmed."""
        now = self._services.clock.now()
        self._do("write missing letters", lambda: self._write_missing(now))
        self._do("send letters", lambda: self._services.letters.deliver_due(now, self._transport))
        self._do("fetch calendars", lambda: self._services.subscriptions.refresh_due(now))
        self._do("forget old uploads", self._services.uploads.tidy)

    def _write_missing(self, now: datetime) -> None:
        """Look once at each lecture that has no letter: many have nobody with an address."""
        letters, schedules = self._services.letters, self._services.schedules
        untold = letters.untold(now)
        self._looked.intersection_update(untold)
        for told in [each for each in untold if each not in self._looked][:LOOKED_AT]:
            try:
                letters.write(schedules.lecture(told[0]))
            except Unavailable:
                raise  # the database is busy: again in the next round
            except Exception:
                log.exception("letter not written", extra={"lecture": told[0]})
            self._looked.add(told)

    def _do(self, what: str, errand: Callable[[], object]) -> None:
        try:
            errand()
        except Exception:
            log.exception("errand failed", extra={"errand": what})


def transport_of(config: Config) -> Transport:
    """Return what takes letters: the mail server that is set, else a folder of files."""
    if config.smtp is None:
        return FileOutbox(config.outbox_dir)
    server = config.smtp
    return SmtpTransport(server.host, server.port, server.user, server.password, server.tls, config.sender)
