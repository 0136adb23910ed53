"""Who follows what: every listener of every event, on one page.

Features never call each other. They publish events on the bus after the journal has them; what
follows from an event in another feature is one line here.

    RoomChanged       an entry is in a lecture's journal
    StreamRevoked     an encoder's or a player's token is worthless
    BallotsChanged    a poll's ballot box has more in it
    LectureScheduled  a lecture is in the timetable
    LectureChanged    a planned lecture is different now
    ConversionWanted  a file of a lesson plan has no PDF yet
    LectureCancelled  a planned lecture will not take place
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from flask import Flask, url_for
from flask_babel import gettext
from flask_socketio import SocketIO

from app.errands import Errands, transport_of
from app.keys import turn_secret
from app.node_pool import NodePool
from app.services import Services
from app.ticker import Ticker
from app.tokens import verify
from attendance.service import BallotsChanged
from media.client import MediaClient
from rooms.events import LectureEnded, LectureStarted, RoomChanged
from rooms.service import RoomService
from schedules.events import LectureCancelled, LectureChanged, LectureScheduled, StreamRevoked
from schedules.plans.convert import Conversions
from schedules.plans.events import ConversionWanted
from schedules.service import ScheduleService
from signaling import whip
from signaling.broadcast import Broadcast
from signaling.connections import Member
from signaling.edge import Edge, register, socket_options
from signaling.handlers import Parts
from signaling.media_bridge import Background, MediaBridge
from signaling.signals import Signals
from signaling.streams import Streams
from signaling.turn import Turn


@dataclass(frozen=True)
class Wiring:
    """The parts that run beside the requests."""

    socketio: SocketIO
    edge: Edge
    bridge: MediaBridge
    ticker: Ticker
    errands: Errands
    signals: Signals
    conversions: Conversions
    services: Services

    def start(self) -> None:
        """Take up the rooms where the last process left them, and begin the rounds."""
        self.services.rooms.resume()
        self.conversions.resume()
        self.bridge.start()
        self.socketio.start_background_task(self.ticker.run, pause_of(self.socketio))
        self.socketio.start_background_task(self.errands.run, pause_of(self.socketio))
        self.socketio.start_background_task(self.signals.run, pause_of(self.socketio))

    def stop(self) -> None:
        """End what runs in the background at its next pause."""
        self.ticker.stop()
        self.errands.stop()
        self.signals.stop()
        self.bridge.stop()


def init_app(app: Flask, services: Services, node: NodePool | None) -> None:
    """Join all parts; nothing runs before `Wiring.start`."""
    socketio = SocketIO(app, **socket_options(services.config))
    words = partial(words_for, services)
    broadcast = Broadcast(socketio, words)
    turn = turn_of(services)

    def members() -> list[Member]:
        return edge.connections.members()

    signals = Signals(members, broadcast.signals)
    bridge = _bridge(services, socketio, node, broadcast, signals)
    parts = Parts(services.rooms, bridge, partial(verify, str(app.secret_key)), words, services.clock, turn)
    ticker = Ticker(services)
    errands = Errands(services, transport_of(services.config))

    streams = Streams(services.schedules.streams, services.rooms, bridge)
    bridge.watcher = streams
    whip.init_app(app, streams, turn)
    edge = register(socketio, parts, broadcast, gettext)

    conversions = _conversions(app, services, socketio, node)

    # what a feature asks another inside its own decision: a closing poll's last count, and whether a class may start
    services.rooms.count_ballots = services.attendance.seal
    if services.config.plan_required:
        services.rooms.may_start = services.plans.check_may_go_live

    # and one that pages ask before they let somebody in: where to go first
    app.extensions["entry"] = partial(rules_first, services)

    on = services.bus.subscribe
    on(RoomChanged, broadcast.room_changed)  # everybody in the room hears of it
    on(RoomChanged, bridge.room_changed)  # the media node gets the new plan
    on(RoomChanged, services.attendance.room_changed)  # presence is projected, a closed poll's box sealed
    on(RoomChanged, partial(keep_status, services.schedules))  # the timetable shows what is on
    on(BallotsChanged, ticker.ballots_changed)  # told to the room at the next tick
    on(RoomChanged, streams.room_changed)  # a class that is over ends its streams
    on(StreamRevoked, lambda event: streams.revoked(event.token))  # what runs on it ends at once
    for planned in (LectureScheduled, LectureChanged, LectureCancelled):
        on(planned, services.letters.follow)  # whoever takes part gets an invitation, its update or its end
    on(LectureChanged, services.plans.lecture_changed)  # another topic or lecturer: its plan is reviewed again
    on(LectureCancelled, partial(close_lobby, services.rooms))  # a lobby that is open closes

    on(ConversionWanted, conversions.wanted)  # beside the requests

    app.extensions["wiring"] = Wiring(socketio, edge, bridge, ticker, errands, signals, conversions, services)


def _bridge(
    services: Services, socketio: SocketIO, node: NodePool | None, broadcast: Broadcast, signals: Signals
) -> MediaBridge:
    """Without a node (tests, tools) plans are made but carried nowhere."""
    if node is None:
        idle = Background(spawn=lambda *work: None, pause=pause_of(socketio))
        return MediaBridge(MediaClient(lambda: None), services.rooms, idle, broadcast.media_reset)
    background = Background(spawn=socketio.start_background_task, pause=pause_of(socketio))
    return MediaBridge(node.media, services.rooms, background, broadcast.media_reset, signals.node_event)


def _conversions(app: Flask, services: Services, socketio: SocketIO, node: NodePool | None) -> Conversions:
    """Without a node (tests, tools) nothing runs in the background: a file is converted at once."""
    spawn = (lambda work: work()) if node is None else socketio.start_background_task
    return Conversions(services.plans, app.extensions["offload"], spawn)


def turn_of(services: Services) -> Turn:
    """Return who gives credentials for the relay; an installation without one needs no secret."""
    config = services.config
    secret = turn_secret(config) if config.turn_urls else ""
    return Turn(config.turn_urls, secret, config.turn_ttl_s, services.clock)


def pause_of(socketio: SocketIO) -> Callable[[float], Any]:
    """Return the async mode's sleep; it takes fractions of a second, whatever its stub says."""
    return cast(Callable[[float], Any], socketio.sleep)


def rules_first(services: Services, user_id: str, lecture_id: str, back: str) -> str | None:
    """Return where somebody accepts the rules of a class before they enter; None when they need not.

    back: the page that they wanted, where they go on to.
    """
    course_id = services.schedules.lecture(lecture_id).course_id
    if not services.rosters.needs_to_accept(course_id, user_id):
        return None
    return url_for("rosters.rules", course_id=course_id, next=back)


def close_lobby(rooms: RoomService, event: LectureCancelled) -> None:
    """Send home who waits in the lobby of a lecture that will not take place."""
    rooms.expire(event.lecture.id)


def keep_status(schedules: ScheduleService, change: RoomChanged) -> None:
    """Keep the timetable's status of a lecture in step with its room."""
    if isinstance(change.event, LectureStarted):
        schedules.mark(change.lecture, "live")
    elif isinstance(change.event, LectureEnded) and schedules.lecture(change.lecture).status != "cancelled":
        schedules.mark(change.lecture, "ended")


def words_for(services: Services, ids: Iterable[str]) -> dict[str, Any]:
    """Return the words for ids: names of people and points, question and options of polls."""
    wanted = list(ids)
    polls = services.rooms.labels_of_polls([i for i in wanted if i.startswith("pol_")])
    names = services.schedules.labels([i for i in wanted if not i.startswith("pol_")])
    texts = {i: {"question": poll.question, "options": list(poll.options)} for i, poll in polls.items()}
    return {**names, **texts}
