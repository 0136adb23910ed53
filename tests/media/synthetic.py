"""A camera and a microphone made of numbers: H.264 and Opus RTP with known content and times."""

import math
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from media import avc
from media.recording import Recording
from media.rtp import HEADER

START_S = 1_772_416_800.0  # Monday 2 March 2026, 09:00 in Vietnam
FPS = 25
MTU = 1100


@dataclass(frozen=True)
class Sent:
    """One packet on its way to the recorder."""

    slot: str
    media_s: float
    data: bytes


class Camera:
    """Encodes flat pictures of a chosen brightness; a key frame when told so, none by itself."""

    def __init__(self, slot: str, width: int = 320, height: int = 240, ssrc: int = 100) -> None:
        self.slot, self.ssrc = slot, ssrc
        self._seq, self._n = 65_500, 0  # wraps soon
        self._codec: Any = av.CodecContext.create("libx264", "w")
        self._codec.width, self._codec.height, self._codec.pix_fmt = width, height, "yuv420p"
        self._codec.time_base, self._codec.framerate = Fraction(1, 90_000), Fraction(FPS)
        self._codec.options = {
            "tune": "zerolatency", "preset": "ultrafast", "profile": "baseline",
            "forced-idr": "1", "x264-params": "keyint=100000:scenecut=0:repeat-headers=1:annexb=1:sliced-threads=0:threads=1",
        }  # fmt: skip

    def packets(self, media_s: float, luma: int, *, key: bool = False) -> list[Sent]:
        picture = self._picture(luma)
        picture.pts = self._n * 90_000 // FPS
        picture.time_base = Fraction(1, 90_000)
        if key or not self._n:
            picture.pict_type = av.video.frame.PictureType.I
        self._n += 1
        nals = avc.nals_of_stream(b"".join(bytes(packet) for packet in self._codec.encode(picture)))
        payloads = list(payloads_of([nal for nal in nals if nal[0] & 31 != 6]))
        return [
            Sent(self.slot, media_s, self._rtp(payload, picture.pts, marker=i == len(payloads) - 1))
            for i, payload in enumerate(payloads)
        ]

    def _picture(self, luma: int) -> av.VideoFrame:
        picture = av.VideoFrame(self._codec.width, self._codec.height, "yuv420p")
        for plane, level in zip(picture.planes, (luma, 128, 128), strict=True):
            plane.update(bytes([level]) * plane.buffer_size)
        return picture

    def _rtp(self, payload: bytes, timestamp: int, *, marker: bool) -> bytes:
        self._seq = (self._seq + 1) & 0xFFFF
        return HEADER.pack(0x80, (0x80 if marker else 0) | 96, self._seq, timestamp & 0xFFFFFFFF, self.ssrc) + payload


def payloads_of(nals: Iterable[bytes]) -> Iterator[bytes]:
    """As browsers do: parameter sets in one STAP-A, small units alone, large ones in FU-A."""
    nals = list(nals)
    sets = list(avc.parameter_sets(nals))
    if sets:
        yield bytes([24 | 0x60]) + b"".join(len(nal).to_bytes(2, "big") + nal for nal in sets)
    for nal in nals:
        if nal in sets:
            continue
        if len(nal) <= MTU:
            yield nal
            continue
        pieces = [nal[i : i + MTU] for i in range(1, len(nal), MTU)]
        for i, piece in enumerate(pieces):
            flags = (0x80 if i == 0 else 0) | (0x40 if i == len(pieces) - 1 else 0)
            yield bytes([(nal[0] & 0xE0) | 28, flags | (nal[0] & 31)]) + piece


class Microphone:
    """Encodes 20 ms of tone or silence at a time."""

    def __init__(self, slot: str, hz: int = 440, ssrc: int = 200) -> None:
        self.slot, self.ssrc, self.hz = slot, ssrc, hz
        self._n = 0
        self._codec: Any = av.CodecContext.create("libopus", "w")
        self._codec.format, self._codec.layout, self._codec.sample_rate = "s16", "mono", 48_000
        self._codec.bit_rate, self._codec.time_base = 48_000, Fraction(1, 48_000)
        self._codec.options = {"application": "lowdelay"}

    def packets(self, media_s: float, level: int) -> list[Sent]:
        frame = av.AudioFrame(format="s16", layout="mono", samples=960)
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._n * 960, Fraction(1, 48_000)
        turn = 2 * math.pi * self.hz / 48_000
        samples = array("h", (int(level * math.sin(turn * (self._n * 960 + i))) for i in range(960)))
        plane = frame.planes[0]
        plane.update(samples.tobytes().ljust(plane.buffer_size, b"\x00"))
        self._n += 1
        return [
            Sent(
                self.slot, media_s, HEADER.pack(0x80, 111, n & 0xFFFF, n * 960 & 0xFFFFFFFF, self.ssrc) + bytes(packet)
            )
            for packet, n in ((p, self._n) for p in self._codec.encode(frame))
        ]


def sound(mic: Microphone, start_s: float, seconds: float, level: Callable[[float], int]) -> list[Sent]:
    """20 ms packets; `level(t)` with t in seconds from the start."""
    times = [i * 0.02 for i in range(round(seconds * 50))]
    return [sent for t in times for sent in mic.packets(start_s + t, level(t))]


def pictures(
    camera: Camera, start_s: float, seconds: float, luma: Callable[[float], int], key_every_s: float = 2.0
) -> list[Sent]:
    """25 frames a second; `luma(t)` with t in seconds from the start."""
    every = round(key_every_s * FPS)
    out = []
    for i in range(round(seconds * FPS)):
        out += camera.packets(start_s + i / FPS, luma(i / FPS), key=i % every == 0)
    return out


def in_time(*lines: list[Sent]) -> list[Sent]:
    """Merge lines by media time, each line's own order kept."""
    return sorted((sent for line in lines for sent in line), key=lambda sent: sent.media_s)


def feed(recording: Recording, sent: list[Sent], *, until_s: float | None = None) -> float:
    """Play packets into a recording as if they arrived at their media time; returns the end."""
    tick_s = sent[0].media_s
    for packet in sent:
        while tick_s < packet.media_s:
            recording.advance(tick_s)
            tick_s += 0.05
        recording.packet(packet.slot, packet.media_s, packet.data, packet.media_s)
    end_s = until_s if until_s is not None else sent[-1].media_s + 0.04
    while tick_s < end_s:
        recording.advance(tick_s)
        tick_s += 0.05
    recording.advance(end_s)
    return end_s


@dataclass
class Watched:
    """What a player gets out of a folder."""

    pictures: list[tuple[float, int, int]]  # seconds on the recording's line, width, brightness 0-255
    samples: array  # type: ignore[type-arg]
    sound_start_s: float


def watch(folder: Path) -> Watched:
    """Play a recording's program playlist, as libavformat's HLS reader sees it.

    A copy with an end is played: libavformat would wait for more of a live playlist for ever.
    """
    text = (folder / "program.m3u8").read_text()
    played = folder / "played.m3u8"
    played.write_text(text if "ENDLIST" in text else text + "#EXT-X-ENDLIST\n")
    seen: list[tuple[float, int, int]] = []
    with av.open(str(played)) as container:
        for frame in container.decode(video=0):
            seen.append((float(frame.time), frame.width, bytes(frame.planes[0])[frame.planes[0].line_size * 20 + 20]))
    samples, start = array("f"), None
    with av.open(str(played)) as container:
        for piece in container.decode(audio=0):
            if start is None:
                start = float(piece.time)
            at = round((float(piece.time) - start) * 48_000)
            if at > len(samples):
                samples.extend([0.0] * (at - len(samples)))
            samples.frombytes(bytes(piece.planes[0])[: piece.samples * 4])
    return Watched(seen, samples, start or 0.0)


def loud_from(samples: Any, threshold: float = 0.05) -> float:
    """Seconds from the start to the first 5 ms that are loud."""
    for i in range(0, len(samples) - 240, 240):
        if max(abs(s) for s in samples[i : i + 240]) > threshold:
            return i / 48_000
    raise AssertionError("nothing loud")
