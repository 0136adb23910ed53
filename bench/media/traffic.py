"""What the publisher sends: H.264 and Opus as a browser shapes and paces them. Pure and the same in every run.

Four seconds long, then again: 800 video packets (25 frames a second, one key frame) and 200 audio
packets, 250 packets/s and 1.9 Mbit/s. Every payload ends with the packet's number, so that a
receiver can tell when it was sent.
"""

import random
import struct
from dataclasses import dataclass

PERIOD_S = 4.0
PACKETS = 1000  # per period
FRAMES = 100
VIDEO_PACKETS = 800
KEY_PACKETS = 30  # of the key frame; it is about four times as large as the others
PACE_S = 0.002  # between the packets of a frame: browsers send at 2.5 times the mean rate, not all at once
AUDIO_EVERY_S = 0.02
VIDEO_SSRC, AUDIO_SSRC = 21, 11
VIDEO_TYPE, AUDIO_TYPE = 96, 111
VIDEO_BYTES = (1100, 1200)
AUDIO_BYTES = (80, 120)
STAP_A, FU_A, IDR, SLICE = 24, 28, 5, 1
PARAMETER_SETS = (bytes.fromhex("6742c01fda014016ec0440000003004000000c83c60ca8"), bytes.fromhex("68ce3c80"))


@dataclass(frozen=True)
class Packet:
    """One RTP packet of the period, before it is numbered.

    at_s: due after the period's start; ticks: RTP time since then; marker: of the RTP header;
    key: whether a key frame starts here.
    """

    at_s: float
    audio: bool
    ticks: int
    marker: bool
    key: bool
    payload: bytes


def period() -> list[Packet]:
    """Return the PACKETS packets of one period in the order they are due."""
    draw = random.Random(1)
    made = [*_video(draw), *_audio(draw)]
    return sorted(made, key=lambda packet: packet.at_s)


def _video(draw: random.Random) -> list[Packet]:
    rest = VIDEO_PACKETS - KEY_PACKETS
    made: list[Packet] = []
    for frame in range(FRAMES):
        # Spread evenly: 99 frames share 770 packets, 7 or 8 each.
        count = KEY_PACKETS if frame == 0 else rest * frame // (FRAMES - 1) - rest * (frame - 1) // (FRAMES - 1)
        for i in range(count):
            payload = _payload(draw, key=frame == 0, first=i <= (frame == 0), last=i == count - 1, place=i)
            at_s = frame / 25 + i * PACE_S
            made.append(Packet(at_s, False, frame * 3600, i == count - 1, frame == 0 and i == 0, payload))
    return made


def _payload(draw: random.Random, *, key: bool, first: bool, last: bool, place: int) -> bytes:
    """Return a STAP-A of the parameter sets, or one FU-A fragment.  Source: RFC 6184 sections 5.7.1 and 5.8."""
    if key and place == 0:
        sets = b"".join(struct.pack("!H", len(unit)) + unit for unit in PARAMETER_SETS)
        return bytes((0x60 | STAP_A,)) + sets
    head = bytes((0x60 | FU_A, first << 7 | last << 6 | (IDR if key else SLICE)))
    return head + draw.randbytes(draw.randint(*VIDEO_BYTES) - len(head))


def _audio(draw: random.Random) -> list[Packet]:
    # Half a step late, so that sound and the first packet of a frame are not due at the same moment.
    return [
        Packet((i + 0.25) * AUDIO_EVERY_S, True, i * 960, False, False, draw.randbytes(draw.randint(*AUDIO_BYTES)))
        for i in range(PACKETS - VIDEO_PACKETS)
    ]


class Stream:
    """The periods one after another, numbered."""

    def __init__(self) -> None:
        """Begin before the first packet."""
        self._period = period()
        self._seq = {True: 0, False: 0}
        self.sent = 0

    @property
    def due_s(self) -> float:
        """Return when the next packet is due, in seconds since the first period's start."""
        return self.sent // PACKETS * PERIOD_S + self._period[self.sent % PACKETS].at_s

    def next(self) -> bytes:
        """Return the next RTP packet; its last four bytes are its number."""
        packet = self._period[self.sent % PACKETS]
        rounds = self.sent // PACKETS
        seq = self._seq[packet.audio]
        self._seq[packet.audio] = (seq + 1) & 0xFFFF
        if packet.audio:
            kind, ticks, ssrc = AUDIO_TYPE, rounds * int(PERIOD_S * 48_000), AUDIO_SSRC
        else:
            kind, ticks, ssrc = VIDEO_TYPE, rounds * int(PERIOD_S * 90_000), VIDEO_SSRC
        header = struct.pack("!BBHLL", 0x80, packet.marker << 7 | kind, seq, (ticks + packet.ticks) & 0xFFFFFFFF, ssrc)
        number = struct.pack("!L", self.sent)
        self.sent += 1
        # A parameter-set packet is read by receivers: the number goes behind it, as one more (unknown) unit.
        body = packet.payload + b"\x00\x05\x7e" if packet.key else packet.payload[:-4]
        return header + body + number


def number(packet: bytes) -> int:
    """Return the number at the end of a received RTP packet."""
    return int(struct.unpack("!L", packet[-4:])[0])
