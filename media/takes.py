"""Takes: fragmented MP4 with constant parameter sets, written by PyAV, no picture transcoded.

A take is one init segment and the fragments that go with it. Parameter sets that change need a
new take. One AAC encoder runs through all takes, so that sound has no seam where the picture has.
"""

import functools
import struct
from array import array
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av

from media import avc
from media.depacketise import Frame
from media.mixer import RATE

VIDEO_HZ = 90_000
VIDEO_BASE = Fraction(1, VIDEO_HZ)
AUDIO_BASE = Fraction(1, RATE)
AAC_FRAME = 1024
AAC_BPS = 64_000
# delay_moov: the init is written when the first picture is known; frag_discont: fragments carry the
# running time, without which libavformat loses frames after a discontinuity.
MOVFLAGS = "cmaf+empty_moov+default_base_moof+frag_keyframe+skip_trailer+delay_moov+frag_discont"


def _mono_48k(codec: Any) -> None:
    codec.sample_rate = RATE
    codec.layout = "mono"
    codec.format = "fltp"
    codec.bit_rate = AAC_BPS


class SoundEncoder:
    """One line of 48 kHz mono samples to AAC packets."""

    def __init__(self) -> None:
        """Open the encoder."""
        self._codec: Any = av.CodecContext.create("aac", "w")
        _mono_48k(self._codec)
        self._codec.time_base = AUDIO_BASE
        self._to_float = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        self._rest = array("h")
        self._at = 0

    def push(self, samples: "array[int]") -> list[tuple[int, bytes]]:
        """Encode what follows.

        samples: signed 16-bit.  Returns (sample number, packet) pairs of 1024 samples each.
        """
        self._rest += samples
        packets = []
        while len(self._rest) >= AAC_FRAME:
            packets += self._encode(self._rest[:AAC_FRAME])
            del self._rest[:AAC_FRAME]
        return packets

    def finish(self) -> list[tuple[int, bytes]]:
        """Encode the rest, filled up with silence, and what the encoder still holds."""
        packets = self.push(array("h", bytes(2 * 2 * AAC_FRAME)))
        return packets + self._kept(self._codec.encode(None))

    def _encode(self, samples: "array[int]") -> list[tuple[int, bytes]]:
        frame = av.AudioFrame(format="s16", layout="mono", samples=AAC_FRAME)
        plane = frame.planes[0]
        plane.update(samples.tobytes().ljust(plane.buffer_size, b"\x00"))
        frame.sample_rate = RATE
        frame.time_base = AUDIO_BASE
        frame.pts = self._at
        self._at += AAC_FRAME
        packets = []
        for ready in self._to_float.resample(frame):
            packets += self._kept(self._codec.encode(ready))
        return packets

    @staticmethod
    def _kept(packets: Any) -> list[tuple[int, bytes]]:
        # The priming packet has a time before 0: in a fragment it would read as 2^64 - 1024.
        return [(packet.pts, bytes(packet)) for packet in packets if packet.pts is not None and packet.pts >= 0]


class _Boxes:
    """File-like sink that cuts a live MP4 byte stream into the init and the fragments."""

    def __init__(self, on_init: Callable[[bytes], None], on_fragment: Callable[[bytes], None]) -> None:
        self._bytes = bytearray()
        self._piece = bytearray()
        self._on_init, self._on_fragment = on_init, on_fragment

    def write(self, data: bytes) -> int:
        self._bytes += data
        while len(self._bytes) >= 8:
            size, kind = struct.unpack_from(">I4s", self._bytes)
            if size < 8 or len(self._bytes) < size:
                break
            self._piece += self._bytes[:size]
            del self._bytes[:size]
            self._close(kind)
        return len(data)

    def _close(self, kind: bytes) -> None:
        if kind == b"moov":
            self._on_init(bytes(self._piece))
        elif kind == b"mdat":
            self._on_fragment(bytes(self._piece))
        elif kind in (b"ftyp", b"styp", b"sidx", b"prft", b"moof"):
            return
        self._piece.clear()


class Take:
    """One init segment and its fragments, one fragment per key frame."""

    def __init__(
        self,
        number: int,
        parameters: tuple[bytes, ...],
        on_init: Callable[[int, bytes], None],
        on_fragment: Callable[[bytes], None],
    ) -> None:
        """Open a take.

        number: names the init; parameters: its SPS and PPS.  The callbacks get whole boxes.
        Raises avc.BadStream when the SPS cannot be read.
        """
        self.number = number
        self.parameters = parameters
        self.picture = avc.picture_of(next(nal for nal in parameters if nal[0] & 31 == avc.SPS))
        sink = _Boxes(functools.partial(on_init, number), on_fragment)
        options = {"movflags": MOVFLAGS, "video_track_timescale": str(VIDEO_HZ), "use_editlist": "0"}
        self._container: Any = av.open(sink, "w", format="mp4", options=options)
        self._video = self._container.add_mux_stream(
            "h264", width=self.picture.width, height=self.picture.height, time_base=VIDEO_BASE
        )
        # Never encodes: it describes the packets of the one SoundEncoder, made with the same settings.
        self._audio = self._container.add_stream("aac", rate=RATE, layout="mono", bit_rate=AAC_BPS)

    def video(self, frame: Frame, pts: int, duration: int) -> None:
        """Add a picture: pts and duration in 90 kHz ticks since the recording's origin."""
        packet = av.Packet(avc.annex_b(frame.nals))
        packet.stream = self._video
        packet.time_base = VIDEO_BASE
        packet.pts = packet.dts = pts
        packet.duration = duration
        packet.is_keyframe = frame.is_key
        self._container.mux(packet)

    def audio(self, data: bytes, pts: int) -> None:
        """Add an AAC packet: pts in samples since the recording's origin."""
        packet = av.Packet(data)
        packet.stream = self._audio
        packet.time_base = AUDIO_BASE
        packet.pts = packet.dts = pts
        packet.duration = AAC_FRAME
        self._container.mux(packet)

    def close(self) -> None:
        """Write the last fragment out."""
        self._container.close()


@functools.cache
def black_key_frame() -> Frame:
    """Return one small black picture as a key frame with its parameter sets, media time 0."""
    codec: Any = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt = 640, 360, "yuv420p"
    codec.time_base = VIDEO_BASE
    codec.framerate = Fraction(25)
    codec.options = {"tune": "zerolatency", "preset": "ultrafast", "profile": "baseline"}
    picture = av.VideoFrame(codec.width, codec.height, "yuv420p")
    for plane, level in zip(picture.planes, (16, 128, 128), strict=True):
        plane.update(bytes([level]) * plane.buffer_size)
    picture.pts = 0
    picture.time_base = VIDEO_BASE
    data = b"".join(bytes(packet) for packet in [*codec.encode(picture), *codec.encode(None)])
    nals = tuple(nal for nal in avc.nals_of_stream(data) if nal[0] & 31 in (avc.IDR, avc.SPS, avc.PPS))
    return Frame(0.0, nals, is_key=True, parameters=avc.parameter_sets(nals))
