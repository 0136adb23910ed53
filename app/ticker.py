"""What happens because time passes: lobbies open, lost connections expire, tallies are told, classes end."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from app.services import Services
from attendance.service import BallotsChanged
from core.clock import to_ms
from core.errors import AppError

log = logging.getLogger(__name__)

TICK_S = 0.5  # a poll is tallied at most once a tick: twice a second
SLOW_EVERY = 2  # ticks between two rounds of the rest: once a second


class Ticker:
    """Does the rounds; one failing step is logged and never stops the others."""

    def __init__(self, services: Services) -> None:
        """Use the services; `tick` does one round, `run` does rounds until `stop`."""
        self._services = services
        self._to_tally: dict[str, str] = {}  # poll -> lecture
        self._lock = threading.Lock()
        self._going = True

    def ballots_changed(self, event: BallotsChanged) -> None:
        """Remember that a poll's box has more in it."""
        with self._lock:
            self._to_tally[event.poll] = event.lecture

    def run(self, pause: Callable[[float], Any]) -> None:
        """Do rounds for ever.

        pause: sleeps that many seconds, the Socket.IO server's own kind of sleep.
        """
        count = 0
        while self._going:
            self._step("tally", self.tally)
            if count % SLOW_EVERY == 0:
                self.tick()
            count += 1
            pause(TICK_S)

    def stop(self) -> None:
        """End `run` at its next pause."""
        self._going = False

    def tick(self) -> None:
        """Do one round of everything but tallies."""
        self._step("open due lectures", self.open_due)
        self._step("expire lost connections", self._services.rooms.sweep)
        self._step("end overdue lectures", self.end_overdue)
        self._step("give free where nobody came", self.release_no_shows)

    def tally(self) -> None:
        """Tell each room the new counts of its polls."""
        with self._lock:
            polls, self._to_tally = self._to_tally, {}
        for poll in polls:
            counts, phones = self._services.attendance.tally(poll)
            try:
                self._services.rooms.tally(poll, counts, phones)
            except AppError as error:  # it was closed meanwhile, with its final count
                log.info("poll not tallied", extra={"poll": poll, "code": error.code})

    def open_due(self) -> None:
        """Open the lobby of each lecture whose time has come."""
        schedules, config = self._services.schedules, self._services.config
        for lecture in schedules.due(self._services.clock.now(), config.lobby_minutes):
            self._services.rooms.open(lecture.id, lecture.lecturer_id, lecture.main_point_id, lecture.point_ids)
            schedules.mark(lecture.id, "open")

    def end_overdue(self) -> None:
        """End each class that nobody ended, half an hour after its planned end."""
        for lecture in self._services.schedules.overdue(self._services.clock.now()):
            self._services.rooms.expire(lecture.id)
            self._services.schedules.mark(lecture.id, "ended")

    def release_no_shows(self) -> None:
        """Give points free at which nobody has come long after a class began; the class goes on without them."""
        services, minutes = self._services, self._services.config.no_show_minutes
        if not minutes:
            return
        now = services.clock.now()
        for lecture in services.schedules.live():
            state = services.rooms.state(lecture.id)
            if state.started_ms is None or to_ms(now) - state.started_ms < minutes * 60_000:
                continue
            missing = set(lecture.point_ids) - set(lecture.released) - state.present.keys()
            if missing:
                missing -= {stay.participant for stay in services.attendance.intervals(lecture.id)}
            for point_id in missing:
                services.schedules.release_point(lecture.id, point_id)

    def _step(self, what: str, step: Callable[[], Any]) -> None:
        try:
            step()
        except Exception:
            log.exception("ticker step failed", extra={"step": what})
