"""One recording: packets of the slots in, segments on disk out.

Everything here runs on the media time of the packets: no clock, no socket. Sound and pictures are
written `HORIZON_S` behind the present, which is what late packets and retransmissions may take.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from av.error import FFmpegError

from core.errors import Invalid
from media import avc
from media.depacketise import Depacketiser, Frame
from media.mixer import RATE, Mixer
from media.program import TICK_S, Program
from media.rtp import Incoming
from media.segment_store import SegmentStore
from media.takes import VIDEO_HZ, SoundEncoder, Take, black_key_frame

HORIZON_S = 0.6
FAR_S = 60.0  # a capture time this far from the arrival is not believed: one packet must not stop the line
CUT_S = 1.8  # a key frame this long after the last cut begins a segment; they are asked for every 2 s
MIN_TAKE_S = 1.0  # a source whose parameters change faster (browsers' do not) is frozen, not given a file for each
VIDEO_SLOTS = ("stage", "guest", "screen")
PT_H264, PT_OPUS = 96, 111


@dataclass
class _Open:
    """A segment whose fragments are still coming."""

    start_s: float
    take: int
    end_s: float | None = None
    fragments: int = 0  # key frames in it: each gives one fragment
    data: bytearray = field(default_factory=bytearray)


class Writer:
    """Frames and sound, in step, into takes and segments."""

    def __init__(
        self, store: SegmentStore, start_s: float, on_segment: Callable[[float, float, int, bytes], None]
    ) -> None:
        """Begin to write.

        store: keeps the inits; start_s: media time of the first picture and the first sample;
        on_segment: gets (start, end in seconds, take, data) of each whole segment.
        """
        origin_ms = store.origin_ms
        self._origin_s = start_s if origin_ms is None else min(origin_ms / 1000, start_s)
        self._start_s = start_s
        self._store = store
        self._on_segment = on_segment
        self._take: Take | None = None
        self._take_s = -MIN_TAKE_S  # when the newest take began
        self._frozen = False  # pictures are left out until a key frame that may be written
        self._next_take = store.next_take
        self._frames: deque[Frame] = deque()
        self._sound: deque[tuple[float, bytes, int]] = deque()
        self._open: deque[_Open] = deque()
        self._muxed_pts = -1
        self.unusable = 0  # frames that could not be written: an unreadable SPS, or refused by the muxer

    def push(self, frames: list[Frame], sound: list[tuple[int, bytes]]) -> None:
        """Queue pictures and AAC packets (sample number, data), and write what is complete."""
        self._frames.extend(frames)
        shift = round((self._start_s - self._origin_s) * RATE)
        for at, data in sound:
            self._sound.append((self._start_s + at / RATE, data, shift + at))
        while len(self._frames) > 1 and self._sound:
            if not self._step(self._frames[1].media_s):
                break

    def finish(self, end_s: float) -> None:
        """Write everything up to `end_s`, the media time of the end, and close the take."""
        while self._frames:
            following = self._frames[1].media_s if len(self._frames) > 1 else end_s
            self._step(following, last=True)
        while self._sound and self._take is not None:
            at, data, pts = self._sound.popleft()
            if at < end_s:
                self._hear(data, pts)
        self._close_take(end_s)

    def _step(self, following_s: float, *, last: bool = False) -> bool:
        """Write the sound before the next picture, then the picture; False: sound is still to come."""
        frame = self._frames[0]
        while self._sound and self._sound[0][0] < frame.media_s:
            _, data, pts = self._sound.popleft()
            self._hear(data, pts)
        if not self._sound and not last:
            return False
        self._frames.popleft()
        if frame.is_key:
            self._frozen = not self._begin(frame)
        if self._take is not None and not self._frozen:
            self._mux(self._take, frame, following_s)
        return True

    def _mux(self, take: Take, frame: Frame, following_s: float) -> None:
        pts = max(self._ticks(frame.media_s), self._muxed_pts + 1)
        self._muxed_pts = pts
        try:
            take.video(frame, pts, max(self._ticks(following_s) - pts, 1))
        except FFmpegError:
            self._give_up()

    def _hear(self, data: bytes, pts: int) -> None:
        try:
            if self._take is not None:
                self._take.audio(data, pts)
        except FFmpegError:  # a take whose pictures could not be begun takes no sound either
            self._give_up()

    def _give_up(self) -> None:
        """End a take that the muxer refused: what a publisher sends is not trusted; a key frame begins another."""
        self.unusable += 1
        self._open.clear()
        self._take = None

    def _ticks(self, media_s: float) -> int:
        return round((media_s - self._origin_s) * VIDEO_HZ)

    def _begin(self, frame: Frame) -> bool:
        """Start a take or a segment at a key frame, if it is time; returns whether it may be written."""
        if self._take is None or frame.parameters != self._take.parameters:
            if frame.media_s - self._take_s < MIN_TAKE_S:
                return False
            self._take_s = frame.media_s
            self._close_take(frame.media_s)
            try:
                self._take = Take(self._next_take, frame.parameters, self._store.keep_init, self._fragment)
            except avc.BadStream:
                self.unusable += 1
                return False
            self._next_take += 1
            self._open.append(_Open(frame.media_s, self._take.number))
        elif frame.media_s - self._open[-1].start_s >= CUT_S:
            self._open[-1].end_s = frame.media_s
            self._open.append(_Open(frame.media_s, self._take.number))
        self._open[-1].fragments += 1
        return True

    def _close_take(self, end_s: float) -> None:
        if self._take is None:
            return
        self._open[-1].end_s = end_s
        try:
            self._take.close()
        except FFmpegError:
            self.unusable += 1
        self._take = None
        self._open.clear()

    def _fragment(self, data: bytes) -> None:
        """Take the next fragment: they come in the order of the key frames that begin them."""
        piece = self._open[0]
        piece.data += data
        piece.fragments -= 1
        if piece.fragments == 0 and piece.end_s is not None:
            self._open.popleft()
            self._on_segment(piece.start_s, piece.end_s, piece.take, bytes(piece.data))


class Recording:
    """What the recorder process runs: one lecture's program, until it is told to stop."""

    def __init__(self, store: SegmentStore, say: Callable[[dict[str, object]], None]) -> None:
        """Begin with nothing; the time line starts at the first `advance` or packet.

        store: where it is kept; say: tells the node something (one JSON object).
        """
        self._store = store
        self._say = say
        self._slots = {slot: Depacketiser() for slot in VIDEO_SLOTS}
        self._muted: frozenset[str] = frozenset()
        self._wanted = "stage"
        self._unsupported: set[int] = set()
        self._begun: tuple[Mixer, Program, Writer] | None = None
        self._sound = SoundEncoder()
        self._said: str | None = None
        self.newest_s = 0.0  # media time of the newest packet

    def control(self, message: dict[str, object]) -> None:
        """Obey the node: `{"program": slot}` or `{"muted": [slots]}`; anything else is ignored."""
        wanted, muted = message.get("program"), message.get("muted")
        if isinstance(wanted, str) and wanted in VIDEO_SLOTS:
            self._wanted = wanted
            if self._begun is not None:
                self._begun[1].want(wanted)
        if isinstance(muted, list):
            self._muted = frozenset(str(slot) for slot in muted)

    def packet(self, slot: str, media_s: float, data: bytes, now_s: float) -> None:
        """Take one RTP packet of a slot; malformed ones are dropped.

        media_s: when it was captured, now_s: when it arrived, seconds of the same clock.
        """
        try:
            packet = Incoming(data)
        except (Invalid, IndexError):
            return
        if not abs(media_s - now_s) <= FAR_S:  # not a number either
            media_s = now_s
        mixer, program, _ = self._begin(media_s)
        self.newest_s = max(self.newest_s, media_s)
        if slot not in self._slots:
            if packet.payload_type == PT_OPUS and slot not in self._muted:
                mixer.push(slot, packet, media_s)
        elif packet.payload_type == PT_H264:
            self._slots[slot].push(packet, media_s, now_s)
            self._collect(slot, now_s, program)
        elif packet.payload_type not in self._unsupported:
            self._unsupported.add(packet.payload_type)
            self._say({"problem": "unsupported_codec", "detail": str(packet.payload_type)})

    def advance(self, now_s: float) -> None:
        """Write what lies `HORIZON_S` behind the present; call it about every 50 ms.

        now_s: the present in media time, seconds.
        """
        _, program, _ = self._begin(now_s)
        for slot in self._slots:
            self._collect(slot, now_s, program)
        broken = frozenset(slot for slot, stream in self._slots.items() if stream.needs_key)
        for slot in program.key_requests(now_s, broken):
            self._say({"keyframe": slot})
        self._write(now_s - HORIZON_S)

    def finish(self, now_s: float, *, ended: bool) -> None:
        """Write all there is.

        now_s: the present in media time; ended: the class is over, so the playlist is closed.
        """
        if self._begun is not None:
            mixer, _, writer = self._begun
            end_s = max(now_s, mixer.start_s)
            self._write(end_s)
            writer.push([], self._sound.finish())
            writer.finish(end_s)
        if ended:
            self._store.finish()

    def _begin(self, start_s: float) -> tuple[Mixer, Program, Writer]:
        if self._begun is None:
            writer = Writer(self._store, start_s, self._keep)
            self._begun = Mixer(start_s), Program(start_s, black_key_frame()), writer
            self._begun[1].want(self._wanted)
        return self._begun

    def _collect(self, slot: str, now_s: float, program: Program) -> None:
        for frame in self._slots[slot].frames(now_s):
            program.push(slot, frame)

    def _write(self, until_s: float) -> None:
        assert self._begun is not None
        mixer, program, writer = self._begun
        if until_s - mixer.start_s < TICK_S:
            return
        samples = mixer.advance(mixer.place_of(until_s))
        writer.push(program.take(until_s), self._sound.push(samples))

    def _keep(self, start_s: float, end_s: float, take: int, data: bytes) -> None:
        start_ms, end_ms = round(start_s * 1000), round(end_s * 1000)
        segment = self._store.add(start_ms, end_ms - start_ms, take, data)
        problem = self._store.problem
        if problem is not None:
            self._say({"problem": problem.code, "detail": problem.detail})
        elif self._said is not None:
            self._say({"solved": self._said})
        self._said = problem.code if problem is not None else None
        if segment is not None:
            self._say(
                {
                    "segment": {
                        "track": "program",
                        "name": segment.name,
                        "started_ms": start_ms,
                        "duration_ms": end_ms - start_ms,
                    }
                }
            )
