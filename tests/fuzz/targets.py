"""What must hold for any bytes: one function for each reader of strangers' input.

Each takes one input and raises when the contract is broken; the same functions are driven by
hypothesis in `make test` and by coverage in `make fuzz`.
"""

import asyncio
import hashlib
import hmac
import math
import socket
from collections.abc import Callable, Iterator
from typing import Any

from core.errors import AppError, Invalid
from media import avc, frames, rtcp, sdp
from media.depacketise import REORDER_PACKETS, Depacketiser
from media.ice import IceLite, is_stun, local_ufrag
from media.recorder import Recorder
from media.rtp import Incoming, extension, starts_key_frame, vp8_fields
from media.slots import RING, Slot
from media.sources import Source
from media.tcp import FRAME_MAX, Stream, TcpServer
from tests.fuzz import corpus

ADDRESS = ("198.51.100.7", 4321)
OURS = sdp.Credentials("ours1234", "p" * 32, bytes(32), (("203.0.113.5", 5004),))


def stun(data: bytes) -> None:
    """A check is taken only when its integrity holds, by our own count over the bytes."""
    name = local_ufrag(data)
    assert name is None or len(name) <= len(data)
    ice = IceLite(corpus.THEIRS)
    ice.ufrag, ice.pwd = corpus.UFRAG, corpus.PWD
    if ice.check(data, ADDRESS) is not None:
        assert _authentic(data), "taken without a valid MESSAGE-INTEGRITY"


def _authentic(data: bytes) -> bool:
    """Whether any MESSAGE-INTEGRITY in the bytes is right.  Source: RFC 8489 section 14.5."""
    at = 20
    while at + 4 <= len(data):
        kind, size = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == 8 and size == 20:
            signed = data[:2] + (at + 4).to_bytes(2, "big") + data[4:at]
            return hmac.digest(corpus.PWD.encode(), signed, hashlib.sha1) == data[at + 4 : at + 24]
        at += 4 + size + (-size % 4)
    return False


def signed_stun(data: bytes) -> None:
    """Attributes of any kind from somebody who knows the password: answered or dropped, never an exception."""
    head = b"\0\1" + (len(data) + 24).to_bytes(2, "big") + bytes.fromhex("2112a442") + b"t" * 12
    integrity = hmac.digest(corpus.PWD.encode(), head + data, hashlib.sha1)
    stun(head + data + b"\0\x08\0\x14" + integrity)


def description(data: bytes) -> None:
    """An offer is answered with something that can itself be read, or refused with a reason."""
    try:
        offer = sdp.read(data.decode("utf-8", "replace"))
        text, codecs = sdp.answer_up(offer, OURS)
    except AppError as error:
        assert error.code.startswith("sdp.")
        return
    assert 0 < len(codecs) <= len(offer.sections) and len(text) < 3 * len(data) + 4000
    assert all(line and line == line.strip("\r") for line in text.split("\r\n")[:-1])
    assert text.count("\r\nm=") == len(offer.sections)
    assert text.count("a=recvonly") == len(codecs)
    for section in offer.sections:
        section.mid.encode()


def rtp(data: bytes) -> None:
    """A packet is refused as Invalid, or its parts lie within it."""
    try:
        packet = Incoming(data)
    except Invalid:
        return
    assert 12 <= packet.pos <= packet.end <= len(data)
    assert len(packet.payload) == packet.end - packet.pos
    for wanted in (1, 4, 14, 15, 255):
        value = extension(data, wanted)
        assert value is None or len(value) <= 255
    payload(packet.payload)


def payload(data: bytes) -> None:
    """Whatever a payload says, the offsets found in it lie within it."""
    for codec in ("H264", "VP8", "opus", "AV1"):
        assert starts_key_frame(codec, data) in (True, False)
    picture, level = vp8_fields(data)
    assert -1 <= picture <= max(len(data) - 2, -1) and -1 <= level < max(len(data), 1)


def control(data: bytes) -> None:
    """What is read of a compound packet is in range and bounded by its length."""
    missing = 0
    for report in rtcp.walk(data):
        if isinstance(report, rtcp.Nack):
            assert all(0 <= seq <= 0xFFFF for seq in report.missing)
            missing += len(report.missing)
            if report.missing:
                again = [r for r in rtcp.walk(rtcp.nack(report.ssrc, sorted(set(report.missing))))]
                assert [set(r.missing) for r in again if isinstance(r, rtcp.Nack)] == [set(report.missing)]
        elif isinstance(report, rtcp.SenderReport):
            assert math.isfinite(report.ntp) and 0 <= report.rtp <= 0xFFFFFFFF
    assert missing <= 17 * len(data) / 4


def h264(data: bytes) -> None:
    """Payloads give whole units or BadStream; a parameter set gives a picture that can exist, or BadStream."""
    parts = [part for part in corpus.split(data) if part]
    try:
        nals = avc.nals_of_payloads(parts)
    except avc.BadStream:
        nals = parts
    assert all(nals)
    avc.is_key(nals)
    again = avc.nals_of_stream(avc.annex_b(nals))
    assert sum(map(len, again)) <= sum(map(len, nals))
    for unit in [*avc.parameter_sets(nals), *nals[:4]]:
        try:
            picture = avc.picture_of(unit)
        except avc.BadStream:
            continue
        assert 0 < picture.width <= avc.MAX_SIDE and 0 < picture.height <= avc.MAX_SIDE


def film(data: bytes) -> None:
    """The recorder's depacketiser gives frames that begin with a key frame, and keeps little."""
    stream, now, out = Depacketiser(), 0.0, []
    for one in corpus.split(data):
        try:
            packet = Incoming(one)
        except Invalid:
            continue
        now += 0.01
        stream.push(packet, now, now)
        out += stream.frames(now)
        assert len(stream._waiting) <= REORDER_PACKETS + 1
    out += stream.frames(now + 1)
    assert not out or out[0].is_key
    for frame in out:
        assert all(frame.nals) and (frame.parameters or not frame.is_key)


class _Store:
    """A recorder's collaborators that keep nothing."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []
        self.dropped = 0
        self.obeyed: list[Any] = []

    def packet(self, *given: Any) -> None:
        Incoming(given[2]) if len(given[2]) > 12 and given[2][0] == 0x80 else None

    def control(self, message: dict[str, object]) -> None:
        self.obeyed.append(message)


def recorder(data: bytes) -> None:
    """Frames are cut the same way whatever the pieces, and a control frame is obeyed or ignored."""
    whole = list(frames.Splitter().feed(data))
    splitter = frames.Splitter()
    pieces = [f for i in range(0, len(data), 7) for f in splitter.feed(data[i : i + 7])]
    assert repr(whole) == repr(pieces)  # repr: a NaN is not equal to itself
    obeying = Recorder.__new__(Recorder)
    obeying._recording, obeying._stopped = _Store(), False  # type: ignore[assignment]
    for frame in whole:
        if frame.kind == frames.CONTROL:
            obeying._obey(frame.body)


def stream(data: bytes) -> None:
    """A source and the slot that shows it: bounded memory, one SSRC, proper packets, whatever arrives."""
    for codec, pt, kind in (("H264", 96, "video"), ("VP8", 98, "video"), ("opus", 111, "audio")):
        sent: list[bytes] = []
        source, slot, now = Source("usr_a/camera", codec, 21, sent.append, 0.0), Slot("stage", kind, 500), 0.0  # type: ignore[arg-type]
        slot.show(source, 0.0)
        for one in corpus.split(data):
            try:
                packet = Incoming(one)
            except Invalid:
                continue
            now += 0.005
            source.arrived(packet, now)
            out, _ = slot.feed(source, packet, now)
            if out is not None:
                read = Incoming(out)
                assert (read.ssrc, read.payload_type) == (500, pt)
                assert len(out) <= len(one) + 24
                assert Incoming(slot.repair(read.seq, 1) or out).ssrc in (500, 501)
            source.repair(now)
            source.captured_at(packet.timestamp)
        slot.report(now)
        assert len(slot.ring) <= RING
        assert all(len(report) <= 1400 for report in sent)


class _Wire(asyncio.Transport):
    """A connection in memory: what is written to it is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ADDRESS, "socket": _SOCKET}.get(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    close = abort


_SOCKET = socket.socket(socket.AF_INET, socket.SOCK_STREAM)  # never connected; it takes the options


def framed(data: bytes) -> None:
    """Frames of a TCP peer come out whole, whatever the pieces; a stranger's, or an impossible one, ends the connection."""

    async def story(checked: bool, step: int) -> tuple[list[bytes], bool]:
        got: list[bytes] = []
        server = TcpServer(lambda frame, stream: got.append(frame))
        stream, wire = Stream(server), _Wire()
        stream.connection_made(wire)
        if checked:
            stream.accepted()
        at = 0
        while at < len(data) and not wire.closed:
            window = stream.get_buffer(-1)
            size = min(step, len(window), len(data) - at)
            assert size, "no room for the rest of a frame"
            window[:size] = data[at : at + size]
            stream.buffer_updated(size)
            at += size
        stream.connection_lost(None)
        assert server.connections == 0 and not server._waiting
        return got, wire.closed

    whole, closed = asyncio.run(story(True, 4096))
    pieces, also = asyncio.run(story(True, 7))
    assert whole == pieces and closed == also
    assert whole == list(_frames(data))
    strange, _ = asyncio.run(story(False, 11))
    assert all(is_stun(frame) for frame in strange)


def _frames(data: bytes) -> Iterator[bytes]:
    """Whole, non-empty frames up to the first that is too large.  Source: RFC 4571 section 2."""
    at = 0
    while at + 2 <= len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        if size > FRAME_MAX or at + 2 + size > len(data):
            return
        if size:
            yield data[at + 2 : at + 2 + size]
        at += 2 + size


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "stun": (stun, corpus.stun_seeds),
    "stun-signed": (signed_stun, lambda: [seed[20:-32] for seed in corpus.stun_seeds()]),
    "sdp": (description, corpus.sdp_seeds),
    "rtp": (rtp, corpus.rtp_seeds),
    "payload": (payload, lambda: [corpus.VP8_KEY, corpus.VP8_DELTA, *corpus.split(corpus.h264_seeds()[0])]),
    "rtcp": (control, corpus.rtcp_seeds),
    "rfc4571": (framed, lambda: [corpus.joined(seeds) for seeds in (corpus.stun_seeds(), corpus.rtp_seeds())]),
    "h264": (h264, corpus.h264_seeds),
    "film": (film, corpus.film_seeds),
    "recorder": (recorder, corpus.recorder_seeds),
    "stream": (stream, lambda: [*corpus.class_seeds(), corpus.joined(corpus.rtp_seeds())]),
}

if __name__ == "__main__":
    print(*TARGETS)
