"""Whole recordings made of synthetic cameras and microphones, played back by libavformat."""

import errno
import itertools
import struct
from pathlib import Path

import av
import pytest

from media import playlist
from media.recording import Recording
from media.segment_store import SegmentStore, finalise, write_whole
from tests.media.synthetic import (
    FPS,
    START_S,
    Camera,
    Microphone,
    Sent,
    feed,
    in_time,
    loud_from,
    pictures,
    sound,
    watch,
)

CHROMIUM = Path(__file__).parent.parent / "fixtures" / "media" / "chrome_h264.rtp"


class Recorded:
    """A recording under test and what it said."""

    def __init__(self, folder: Path, **store: object) -> None:
        self.folder = folder
        self.said: list[dict[str, object]] = []
        self.store = SegmentStore(folder, floor_bytes=0, **store)  # type: ignore[arg-type]
        self.recording = Recording(self.store, self.said.append)

    def run(self, *lines: list[Sent], until_s: float | None = None) -> None:
        self.recording.finish(feed(self.recording, in_time(*lines), until_s=until_s), ended=True)


@pytest.fixture
def recorded(tmp_path: Path) -> Recorded:
    return Recorded(tmp_path / "lec_1")


def test_every_picture_of_a_quiet_hour_comes_back_in_order(recorded: Recorded) -> None:
    camera, mic = Camera("stage"), Microphone("audio-0")
    recorded.run(pictures(camera, START_S, 8, lambda t: 40 + int(t * 20)), sound(mic, START_S, 8, lambda t: 8000))
    seen = watch(recorded.folder)
    assert len(seen.pictures) == 8 * FPS
    times = [at for at, _, _ in seen.pictures]
    assert all(b > a for a, b in itertools.pairwise(times))
    assert times[-1] - times[0] == pytest.approx(8 - 1 / FPS, abs=0.01)
    assert len(seen.samples) / 48_000 == pytest.approx(8, abs=0.06)
    text = (recorded.folder / "program.m3u8").read_text()
    assert text.count("#EXTINF") == 4 and text.rstrip().endswith("#EXT-X-ENDLIST")
    assert "#EXT-X-PROGRAM-DATE-TIME:2026-03-02T02:00:00.000Z" in text and "DISCONTINUITY" not in text


def test_a_flash_and_a_beep_stay_together(recorded: Recorded) -> None:
    camera, mic = Camera("stage"), Microphone("audio-0", hz=1000)
    recorded.run(
        pictures(camera, START_S, 6, lambda t: 220 if t >= 3.0 else 30),
        sound(mic, START_S, 6, lambda t: 12_000 if t >= 3.0 else 0),
    )
    seen = watch(recorded.folder)
    flash = next(at for at, _, luma in seen.pictures if luma > 120)
    beep = seen.sound_start_s + loud_from(seen.samples)
    assert abs(flash - beep) < 0.1
    assert flash - seen.pictures[0][0] == pytest.approx(3.0, abs=0.05)


def test_passing_the_floor_changes_the_picture_at_the_guests_key_frame(recorded: Recorded) -> None:
    lecturer, hall = Camera("stage"), Camera("guest", 640, 360, ssrc=101)
    stage = pictures(lecturer, START_S, 9, lambda t: 60)
    guest = pictures(hall, START_S + 2.5, 4, lambda t: 200)
    lines = in_time(stage, guest)
    before = [sent for sent in lines if sent.media_s < START_S + 3]
    during = [sent for sent in lines if START_S + 3 <= sent.media_s < START_S + 6]
    after = [sent for sent in lines if sent.media_s >= START_S + 6]
    feed(recorded.recording, before)
    recorded.recording.control({"program": "guest"})
    feed(recorded.recording, during)
    recorded.recording.control({"program": "stage"})
    recorded.recording.finish(feed(recorded.recording, after), ended=True)

    seen = watch(recorded.folder)
    widths = [width for _, width, _ in seen.pictures]
    assert widths[0] == widths[-1] == 320 and 640 in widths
    changes = [i for i in range(1, len(widths)) if widths[i] != widths[i - 1]]
    assert len(changes) == 2
    # The guest's key frames are at 2.5 and 4.5 s: at 3 s it is wanted, from 4.5 s it is shown.
    assert seen.pictures[changes[0]][0] - seen.pictures[0][0] == pytest.approx(4.5, abs=0.05)
    times = [at for at, _, _ in seen.pictures]
    assert all(b > a for a, b in itertools.pairwise(times))
    assert len(seen.pictures) == 113 + 38 + 75  # to 4.48 s, 4.50 to 5.98 s, from 6.00 s
    text = (recorded.folder / "program.m3u8").read_text()
    assert text.count("#EXT-X-DISCONTINUITY\n") == 2 and text.count("#EXT-X-MAP") == 3
    assert {"keyframe": "guest"} in recorded.said


def test_lost_packets_cost_pictures_up_to_the_next_key_frame_and_one_is_asked_for(recorded: Recorded) -> None:
    camera = Camera("stage", 640, 360)
    line = pictures(camera, START_S, 6, lambda t: 50 + int(t * 25))
    lost = next(i for i, sent in enumerate(line) if sent.media_s >= START_S + 3)
    del line[lost]
    line[40], line[41], line[43] = line[43], line[40], line[41]  # reordered: nothing is lost by that
    recorded.run(line)
    seen = watch(recorded.folder)
    at = [when - seen.pictures[0][0] for when, _, _ in seen.pictures]
    assert not [when for when in at if 3.0 <= when < 4.0]
    assert len(at) == 5 * FPS
    asked = [said for said in recorded.said if "keyframe" in said]
    assert {"keyframe": "stage"} in asked


def test_sound_is_kept_while_no_picture_comes(recorded: Recorded) -> None:
    recorded.run(sound(Microphone("audio-1"), START_S, 5, lambda t: 8000), until_s=START_S + 5)
    seen = watch(recorded.folder)
    assert len(seen.samples) / 48_000 == pytest.approx(5, abs=0.06)
    assert len(seen.pictures) == 5 and {luma for _, _, luma in seen.pictures} <= {15, 16, 17}


def test_a_picture_that_stops_is_held_and_comes_back_at_a_key_frame(recorded: Recorded) -> None:
    camera = Camera("stage")
    line = pictures(camera, START_S, 2, lambda t: 80) + pictures(camera, START_S + 6, 3, lambda t: 180)
    recorded.run(line, sound(Microphone("audio-0"), START_S, 9, lambda t: 5000))
    seen = watch(recorded.folder)
    first = seen.pictures[0][0]
    held = [luma for at, _, luma in seen.pictures if 2.5 < at - first < 5.9]
    assert len(held) >= 3 and all(abs(luma - 80) < 12 for luma in held)
    assert abs(seen.pictures[-1][2] - 180) < 12
    assert seen.pictures[-1][0] - first == pytest.approx(9 - 1 / FPS, abs=0.05)


def test_two_voices_are_heard_together(recorded: Recorded) -> None:
    one, two = Microphone("audio-0", hz=500), Microphone("audio-1", hz=1300, ssrc=201)
    recorded.run(
        pictures(Camera("stage"), START_S, 3, lambda t: 100),
        sound(one, START_S, 3, lambda t: 6000),
        sound(two, START_S + 1, 1, lambda t: 6000),
    )
    samples = watch(recorded.folder).samples

    def peak(start_s: float) -> float:
        return max(abs(s) for s in samples[round(start_s * 48_000) : round((start_s + 0.3) * 48_000)])

    assert peak(0.3) < 0.25 < peak(1.4)
    assert peak(2.5) < 0.25


def test_a_muted_slot_is_not_recorded(recorded: Recorded) -> None:
    recorded.recording.control({"muted": ["audio-0"]})
    recorded.run(
        pictures(Camera("stage"), START_S, 3, lambda t: 100), sound(Microphone("audio-0"), START_S, 3, lambda t: 9000)
    )
    assert max(abs(s) for s in watch(recorded.folder).samples) < 0.01


def test_a_real_browsers_stream_is_kept_whole(recorded: Recorded) -> None:
    recorded.run(_chromium())
    seen = watch(recorded.folder)
    frames = len({struct.unpack_from("!L", sent.data, 4) for sent in _chromium() if sent.slot == "stage"})
    assert frames > 70
    assert len(seen.pictures) == frames + 1  # the first one also stands for the moment before it came
    assert len(seen.samples) > 3.5 * 48_000
    master = (recorded.folder / "master.m3u8").read_text()
    assert "avc1.42C0" in master and "mp4a.40.2" in master and "RESOLUTION=640x360" in master


def _chromium() -> list[Sent]:
    """The dump's packets: arrival, length, RTP; H.264 has payload type 102 there, 96 in a slot."""
    data, at, out = CHROMIUM.read_bytes(), 0, []
    while at < len(data):
        arrived, size = struct.unpack_from("!dH", data, at)
        packet = bytearray(data[at + 10 : at + 10 + size])
        at += 10 + size
        kind = packet[1] & 0x7F
        if kind == 102:
            packet[1] = (packet[1] & 0x80) | 96
            out.append(Sent("stage", arrived, bytes(packet)))
        elif kind == 111:
            out.append(Sent("audio-0", arrived, bytes(packet)))
    return out


def test_a_full_disk_costs_only_what_came_while_it_was_full(tmp_path: Path) -> None:
    full = {"now": False}

    def write(path: Path, data: bytes) -> None:
        if full["now"]:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_whole(path, data)

    recorded = Recorded(tmp_path / "lec_1", write=write)
    camera, mic = Camera("stage"), Microphone("audio-0")
    line = in_time(pictures(camera, START_S, 12, lambda t: 90), sound(mic, START_S, 12, lambda t: 5000))
    feed(recorded.recording, [sent for sent in line if sent.media_s < START_S + 4.9])
    full["now"] = True
    feed(recorded.recording, [sent for sent in line if START_S + 4.9 <= sent.media_s < START_S + 8.9])
    assert (recorded.folder / "program.m3u8").read_text().count("#EXTINF") == 2
    assert any(said.get("problem") == "disk_full" for said in recorded.said)
    full["now"] = False
    rest = [sent for sent in line if sent.media_s >= START_S + 8.9]
    recorded.recording.finish(feed(recorded.recording, rest), ended=True)

    assert {"solved": "disk_full"} in recorded.said
    text = (recorded.folder / "program.m3u8").read_text()
    assert text.count("#EXTINF") == 4 and text.count("#EXT-X-DISCONTINUITY\n") == 1
    seen = watch(recorded.folder)
    assert len(seen.pictures) == 8 * FPS
    assert not list(recorded.folder.rglob("*.tmp"))


def test_a_floor_of_free_space_is_never_used_up(tmp_path: Path) -> None:
    store = SegmentStore(tmp_path / "lec_1", floor_bytes=1 << 60)
    store.keep_init(0, b"init")
    assert store.add(0, 2000, 0, b"data") is None
    assert store.problem is not None and store.problem.code == "disk_full"
    assert not (tmp_path / "lec_1" / "program.m3u8").exists()


def test_a_recorder_started_again_goes_on_after_a_discontinuity(tmp_path: Path) -> None:
    folder = tmp_path / "lec_1"
    first = Recorded(folder)
    feed(first.recording, pictures(Camera("stage"), START_S, 5, lambda t: 60))  # never finished: killed
    (folder / "program" / "000002_1_1_0.m4s.tmp").write_bytes(b"half a segment")
    assert "ENDLIST" not in (folder / "program.m3u8").read_text()

    second = Recorded(folder)
    second.run(pictures(Camera("stage", ssrc=150), START_S + 8, 4, lambda t: 160))
    text = (folder / "program.m3u8").read_text()
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1 and "ENDLIST" in text
    names = [line.split("/")[1] for line in text.splitlines() if line.endswith(".m4s")]
    assert [playlist.parse_segment(name).number for name in names] == list(range(4))  # type: ignore[union-attr]
    seen = watch(folder)
    assert len(seen.pictures) == 4 * FPS + 4 * FPS  # the first run's third segment was never closed
    assert seen.pictures[-1][0] - seen.pictures[0][0] == pytest.approx(12 - 1 / FPS, abs=0.05)
    assert not list(folder.rglob("*.tmp"))


def test_a_folder_left_by_a_killed_recorder_becomes_a_replay(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "lec_1")
    feed(recorded.recording, pictures(Camera("stage"), START_S, 5, lambda t: 60))
    (recorded.folder / "program.m3u8").unlink()
    (recorded.folder / "program" / f"000009_{int(START_S * 1000)}_2000_0.m4s").write_bytes(b"")
    assert finalise(recorded.folder)
    assert (recorded.folder / "program.m3u8").read_text().rstrip().endswith("#EXT-X-ENDLIST")
    assert "avc1." in (recorded.folder / "master.m3u8").read_text()
    assert len(watch(recorded.folder).pictures) == 4 * FPS
    assert not finalise(tmp_path / "never_recorded")


def test_damaged_packets_and_unknown_codecs_are_dropped(recorded: Recorded) -> None:
    camera = Camera("stage")
    line = pictures(camera, START_S, 3, lambda t: 70)
    vp8 = bytearray(line[0].data)
    vp8[1] = 98
    hostile = [
        Sent("stage", START_S + 1, b""),
        Sent("stage", START_S + 1, b"\x80"),
        Sent("stage", START_S + 1, b"\xff" * 20),
        Sent("guest", START_S + 1, bytes(vp8)),
        Sent("audio-0", START_S + 1, struct.pack("!BBHLL", 0x80, 111, 1, 1, 1) + b"\xff" * 40),
        Sent("guest", START_S + 1, struct.pack("!BBHLL", 0x80, 0xE0, 1, 1, 1) + bytes([0x67, 1])),
        Sent("guest", START_S + 1, struct.pack("!BBHLL", 0x80, 0xE0, 2, 2, 1) + bytes([0x65, 1])),
    ]
    recorded.recording.control({"program": 7, "muted": "all"})
    recorded.run(line, hostile)
    assert len(watch(recorded.folder).pictures) == 3 * FPS
    assert [said for said in recorded.said if said.get("problem") == "unsupported_codec"] == [
        {"problem": "unsupported_codec", "detail": "98"}
    ]


def test_no_picture_is_transcoded(recorded: Recorded) -> None:
    line = pictures(Camera("stage"), START_S, 3, lambda t: 70 + int(t * 40))
    sent = [packet.data[12:] for packet in line if packet.data[12] & 31 in (1, 5)]
    recorded.run(line)
    kept = []
    with av.open(str(recorded.folder / "program.m3u8")) as container:
        for packet in container.demux(video=0):
            data = bytes(packet)
            while data:
                size = int.from_bytes(data[:4], "big")
                kept += [data[4 : 4 + size]] if data[4] & 31 in (1, 5) else []
                data = data[4 + size :]
    assert kept == sent
