"""The sockets in a process of their own: `python -m tests.flows.socket_server`, async mode from the environment.

Real edge, rooms, journal and bridge on a database in DATA_DIR; the media node is the stand-in unless
TEST_NODE names the real one.
Rooms are opened over HTTP, because who may open one is not what these tests are about.
"""

import wsgi  # first of all: it patches the async mode in

# isort: split
import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from flask import Flask, jsonify, request
from flask_socketio import SocketIO
from itsdangerous import BadSignature, URLSafeTimedSerializer

from app.interrupt import end_on_signals, ignore_signals
from app.node_pool import NodePool
from core.bus import EventBus
from core.clock import SystemClock
from core.config import Config, from_environment
from core.db import Base, Database
from core.errors import N_, NotAllowed
from rooms.events import RoomChanged
from rooms.service import RoomService
from signaling.broadcast import Broadcast
from signaling.connections import Member, TokenClaims
from signaling.edge import register, socket_options
from signaling.handlers import Parts
from signaling.media_bridge import Background, MediaBridge
from signaling.signals import Signals
from signaling.turn import Turn


def words(ids: Iterable[str]) -> dict[str, object]:
    return {i: {"question": i, "options": ["a", "b"]} if i.startswith("pol_") else f"Tên {i}" for i in ids}


def verify(secret: str, token: str) -> TokenClaims:
    try:
        said = URLSafeTimedSerializer(secret, salt="room").loads(token, max_age=600)
    except BadSignature as error:
        raise NotAllowed("token.invalid", N_("This page is too old. Please load it again.")) from error
    return TokenClaims(said["l"], said["p"], said["r"])


def translate(sentence: str) -> str:
    return f"[{request.headers.get('Accept-Language', '')}] {sentence}"


def add_routes(app: Flask, rooms: RoomService, pool: NodePool) -> None:
    @app.post("/open/<lecture>")
    def open_lobby(lecture: str) -> str:
        rooms.open(lecture, "usr_lecturer", "bp_main", ["bp_a", "bp_b", *(f"bp_{i}" for i in range(100))])
        return ""

    @app.get("/journal/<lecture>")
    def journal(lecture: str):  # type: ignore[no-untyped-def]
        return jsonify([{"seq": e.seq, "type": e.type, **e.body} for e in rooms.entries(lecture)])

    @app.get("/page")
    def page() -> str:
        return "<!doctype html><title>page</title><body>"

    @app.post("/token/<lecture>/<participant>/<role>")
    def token(lecture: str, participant: str, role: str):  # type: ignore[no-untyped-def]
        signer = URLSafeTimedSerializer(os.environ["SECRET_KEY"], salt="room")
        return jsonify(token=signer.dumps({"l": lecture, "p": participant, "r": role}))

    @app.get("/node")
    def node_pid():  # type: ignore[no-untyped-def]
        return jsonify(pid=pool.nodes[0].pid, ready=all(node.ready() for node in pool.nodes))

    @app.get("/node/<lecture>")
    def node_of(lecture: str):  # type: ignore[no-untyped-def]
        epoch = pool.media.epoch_of(lecture)
        addresses = [(node.pid, address.epoch) for node in pool.nodes if (address := node.address())]
        return jsonify(epoch=epoch, pid=next((pid for pid, of in addresses if epoch and of == epoch), 0))


def main(config: Config) -> None:
    app = Flask(__name__, static_folder=str(Path(__file__).resolve().parents[2] / "static"))
    db, bus, clock = Database(config.database), EventBus(), SystemClock()
    Base.metadata.create_all(db.engine)
    rooms = RoomService(db, bus, clock, config.grace_s)
    node = NodePool(config, (sys.executable, "-m", os.environ.get("TEST_NODE", "tests.fake_node")))
    socketio = SocketIO(app, **socket_options(config))
    broadcast = Broadcast(socketio, words)
    background = Background(socketio.start_background_task, socketio.sleep)
    turn = Turn(config.turn_urls, config.turn_secret, config.turn_ttl_s, clock)

    def members() -> list[Member]:
        return edge.connections.members()

    signals = Signals(members, broadcast.signals)
    bridge = MediaBridge(node.media, rooms, background, broadcast.media_reset, signals.node_event)
    parts = Parts(rooms, bridge, lambda token: verify(config.secret_key, token), words, clock, turn)
    edge = register(socketio, parts, broadcast, translate)
    bus.subscribe(RoomChanged, broadcast.room_changed)
    bus.subscribe(RoomChanged, bridge.room_changed)
    add_routes(app, rooms, node)

    def sweep() -> None:
        while True:
            rooms.sweep()
            socketio.sleep(0.25)

    node.start()
    rooms.resume()
    bridge.start()
    socketio.start_background_task(sweep)
    socketio.start_background_task(signals.run, socketio.sleep)
    options = {"allow_unsafe_werkzeug": True} if config.async_mode == "threading" else {}
    end_on_signals(wsgi.later)
    try:
        socketio.run(app, host=os.environ.get("TEST_HOST", "127.0.0.1"), port=config.port, **options)
    except KeyboardInterrupt:
        logging.info("stopping")
    finally:
        ignore_signals()
        bridge.stop()
        node.stop()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    main(from_environment())
