"""Debian's Janus for comparison: start it on one address, drive its VideoRoom, stop it by process id."""

import contextlib
import ctypes
import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PLUGINS = Path("/usr/lib/x86_64-linux-gnu/janus")
CLONE_NEWNET = 0x40000000
START_S = 15.0
ANSWER_S = 20.0
PUBLISHED_S = 5.0
ROOM = 1234
RTP_PORTS = "20000-24000"  # one port per participant, as `rtcp-mux` and BUNDLE are always used


class JanusError(RuntimeError):
    """Janus refused a request or did not answer."""


class Janus:
    """One Janus process; a context manager.

    libnice never offers the loopback interface: with `address` 127.0.0.1 the candidates are those of
    this machine's other interfaces, reached without leaving it. `address` of any other interface
    is the only one offered.
    """

    def __init__(
        self, *, address: str = "127.0.0.1", namespace: str | None = None, ice_lite: bool = True, port: int = 0
    ) -> None:
        """Prepare; `with` starts it.

        address: IPv4 address of its candidates and of its control port; namespace: the network
        namespace it runs in (as `ip netns` names it), None for this one; ice_lite: whether it only
        answers checks; port: TCP port of the control interface, 0 for a free one.
        """
        self.address = address
        self.namespace = namespace
        self.ice_lite = ice_lite
        self.port = port or _free_port()
        self.secret = secrets.token_hex(8)
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id of the running Janus."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        """Start it and wait until its control port answers.  Raises JanusError when it does not."""
        self._folder = Path(tempfile.mkdtemp(prefix="janus-"))
        _configure(self._folder, self)
        command = ["janus", "-F", str(self._folder), "-C", str(self._folder / "janus.jcfg")]
        if self.namespace:
            command = ["ip", "netns", "exec", self.namespace, *command]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + START_S
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException, JanusError):
                self.call("GET", "/janus/info")
                return self
            time.sleep(0.1)
        said = self.log()[-2000:]
        self._stop()
        raise JanusError(f"Janus did not start: {said}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the process and delete its folder."""
        self._stop()

    def log(self) -> str:
        """Return what Janus has printed so far."""
        return (self._folder / "log").read_text("utf-8", "replace") if self._folder else ""

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Send one HTTP request to the control port and return the decoded JSON.

        Raises JanusError for a refusal, OSError when nobody listens.
        """
        connection = http.client.HTTPConnection(self.address, self.port, timeout=ANSWER_S)
        connection.sock = connect(self.address, self.port, self.namespace)
        try:
            data = json.dumps({**body, "apisecret": self.secret}) if body is not None else None
            connection.request(method, path, data, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if isinstance(answer, dict) and answer.get("janus") == "error":
            raise JanusError(str(answer["error"]))
        return answer

    def session(self) -> "Session":
        """Open a session; its handles are publishers and subscribers."""
        return Session(self)

    def _stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


class Session:
    """One session of Janus's REST interface; for one thread."""

    def __init__(self, janus: Janus) -> None:
        self._janus = janus
        self._path = f"/janus/{janus.call('POST', '/janus', _request('create'))['data']['id']}"

    def attach(self) -> "Handle":
        """Return a new handle of the VideoRoom plugin: one per publisher and one per subscriber."""
        answer = self._janus.call("POST", self._path, _request("attach", plugin="janus.plugin.videoroom"))
        return Handle(self, answer["data"]["id"])

    def message(
        self, handle: int, body: dict[str, Any], jsep: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Send a plugin message and wait for what the plugin says to it.

        Returns (the plugin's data, the JSEP that came with it or {}).  Raises JanusError.
        """
        request = _request("message", body=body, **({"jsep": jsep} if jsep else {}))
        answer = self._janus.call("POST", f"{self._path}/{handle}", request)
        end = time.monotonic() + ANSWER_S
        while answer["janus"] == "ack" and time.monotonic() < end:
            event = self._janus.call("GET", f"{self._path}?maxev=1&apisecret={self._janus.secret}")
            for one in event if isinstance(event, list) else [event]:
                if one.get("transaction") == request["transaction"]:
                    answer = one
        if answer["janus"] == "ack":
            raise JanusError(f"no answer to {body.get('request')}")
        data: dict[str, Any] = answer["plugindata"]["data"]
        if "error" in data:
            raise JanusError(f"{body.get('request')}: {data['error']}")
        return data, answer.get("jsep", {})


class Handle:
    """One participant of a room: publishes with `publish`, or sees a feed with `subscribe` and `answer`."""

    def __init__(self, session: Session, number: int) -> None:
        self.number = number
        self._session = session

    def create_room(self, room: int = ROOM) -> None:
        """Make a room that takes H.264, VP8 and Opus and limits no bitrate."""
        self._session.message(
            self.number,
            {"request": "create", "room": room, "publishers": 64, "bitrate": 0, "audiocodec": "opus",
             "videocodec": "h264,vp8", "h264_profile": "42e01f", "fir_freq": 0},
        )  # fmt: skip

    def publish(self, offer: str, *, feed: int = 1, room: int = ROOM) -> str:
        """Join as publisher number `feed` with an SDP offer; return the SDP answer."""
        body = {"request": "joinandconfigure", "ptype": "publisher", "room": room, "id": feed,
                "audio": True, "video": True}  # fmt: skip
        return str(self._session.message(self.number, body, {"type": "offer", "sdp": offer})[1]["sdp"])

    def subscribe(self, feed: int = 1, *, room: int = ROOM) -> str:
        """Ask for a publisher's streams; return Janus's SDP offer.

        A publisher is "no such feed" until its DTLS handshake is done: asked again for PUBLISHED_S.
        """
        body = {"request": "join", "ptype": "subscriber", "room": room, "streams": [{"feed": feed}]}
        end = time.monotonic() + PUBLISHED_S
        while True:
            try:
                return str(self._session.message(self.number, body)[1]["sdp"])
            except JanusError as error:
                if "No such feed" not in str(error) or time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def answer(self, sdp: str) -> None:
        """Answer the offer that `subscribe` returned."""
        self._session.message(self.number, {"request": "start"}, {"type": "answer", "sdp": sdp})


def connect(address: str, port: int, namespace: str | None) -> socket.socket:
    """Return a TCP connection made from inside a network namespace.

    address, port: IPv4; namespace: as `ip netns` names it, None for this one.  Raises OSError.
    """
    if namespace is None:
        return socket.create_connection((address, port), ANSWER_S)
    made: list[socket.socket] = []
    errors: list[OSError] = []

    def enter() -> None:  # setns(2) moves this thread alone; a socket stays where it was made
        try:
            with Path(f"/run/netns/{namespace}").open("rb") as place:
                if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
            made.append(socket.create_connection((address, port), ANSWER_S))
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return made[0]


def _request(kind: str, **more: Any) -> dict[str, Any]:
    return {"janus": kind, "transaction": secrets.token_hex(6), **more}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _configure(folder: Path, janus: Janus) -> None:
    """Write the few files Janus reads: one transport, one plugin, no STUN server, no admin interface."""
    for kind, wanted in (("plugins", "libjanus_videoroom.so"), ("transports", "libjanus_http.so")):
        (folder / kind).mkdir()
        (folder / kind / wanted).symlink_to(PLUGINS / kind / wanted)
    for kind in ("events", "loggers"):
        (folder / kind).mkdir()
    (folder / "janus.jcfg").write_text(f"""
general: {{
    configs_folder = "{folder}"
    plugins_folder = "{folder}/plugins"
    transports_folder = "{folder}/transports"
    events_folder = "{folder}/events"
    loggers_folder = "{folder}/loggers"
    debug_level = 3
    debug_colors = false
    interface = "{janus.address}"
    api_secret = "{janus.secret}"
    session_timeout = 0
}}
media: {{
    ipv6 = false
    rtp_port_range = "{RTP_PORTS}"
}}
nat: {{
    ice_lite = {str(janus.ice_lite).lower()}
    ice_tcp = false
    ice_enforce_list = "{janus.address}"
    ice_keepalive_conncheck = false
}}
""")
    (folder / "janus.transport.http.jcfg").write_text(f"""
general: {{
    json = "compact"
    base_path = "/janus"
    http = true
    port = {janus.port}
    ip = "{janus.address}"
    https = false
}}
admin: {{
    admin_http = false
    admin_https = false
}}
""")
    (folder / "janus.plugin.videoroom.jcfg").write_text("general: {\n    events = false\n}\n")
