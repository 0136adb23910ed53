"""The recorder's pure parts: NAL units, order, mixing, the program line, playlists."""

import struct
from array import array
from pathlib import Path

import pytest

from media import avc, playlist
from media.depacketise import Depacketiser, Frame, unwrap
from media.mixer import RATE, Mixer, mix
from media.playlist import Rendition, Segment
from media.program import Program
from media.rtp import Incoming
from media.takes import SoundEncoder, black_key_frame
from tests.media.synthetic import START_S, Camera, Microphone, Sent, payloads_of

# ---- NAL units ----


def test_units_survive_the_way_through_rtp_payloads() -> None:
    nals = [b"\x67\x42\xc0\x1f", b"\x68\xce", b"\x65" + bytes(range(1, 251)) * 20, b"\x65short"]
    assert avc.nals_of_payloads(payloads_of(nals)) == nals
    assert avc.nals_of_stream(avc.annex_b(nals)) == nals


@pytest.mark.parametrize(
    "payloads",
    [
        [b"\x7c\x05middle of nothing"],
        [b"\x7c\x85start", b"\x61another unit"],
        [b"\x7c\x85start only"],
        [b"\x7c\x85start", b"\x7c\x85start again"],
        [b"\x7c\x85"],
        [b"\x78\x00\x09cut"],
        [b"\x78\x00\x00"],
        [b"\x7d nothing we negotiated"],
        [b"\x60 unit type 0"],
    ],
)
def test_damaged_payloads_are_refused(payloads: list[bytes]) -> None:
    with pytest.raises(avc.BadStream):
        avc.nals_of_payloads(payloads)


@pytest.mark.parametrize(("width", "height"), [(320, 240), (640, 360), (1280, 720), (1920, 1080), (270, 480)])
def test_the_picture_size_is_read_from_the_parameter_sets(width: int, height: int) -> None:
    first = Incoming(Camera("stage", width, height).packets(START_S, 100, key=True)[0].data)
    (sps, *_) = avc.parameter_sets(avc.nals_of_payloads([first.payload]))
    assert avc.picture_of(sps) == avc.Picture(width, height, f"avc1.{sps[1:4].hex().upper()}")


@pytest.mark.parametrize(
    "sps", [b"", b"\x68abcd", b"\x67\x42\xc0\x1f\x00\x00\x00\x00\x00\x00", b"\x67\x64\x00\x1f\xff"]
)
def test_an_unreadable_parameter_set_is_refused(sps: bytes) -> None:
    with pytest.raises(avc.BadStream):
        avc.picture_of(sps)


def test_the_black_picture_is_small_and_complete() -> None:
    black = black_key_frame()
    assert black.is_key and len(black.parameters) == 2 and sum(map(len, black.nals)) < 2000


# ---- order and loss ----


def frames_of(sent: list[Sent], now_s: float = START_S) -> tuple[Depacketiser, list[Frame]]:
    stream = Depacketiser()
    for packet in sent:
        stream.push(Incoming(packet.data), packet.media_s, packet.media_s)
    return stream, stream.frames(now_s)


def test_sequence_numbers_unwrap_to_the_nearest() -> None:
    assert unwrap(3, 65_534) == 65_539
    assert unwrap(65_534, 65_539) == 65_534
    assert unwrap(5, 5) == 5


def test_a_gap_is_waited_for_and_then_given_up() -> None:
    camera = Camera("stage", 640, 480)
    line = [packet for i in range(6) for packet in camera.packets(START_S + i * 0.04, 40 * i, key=i in (0, 5))]
    key_at = max(i for i, packet in enumerate(line) if packet.data[12] & 31 == 24)
    missing = line[2:key_at][0]
    stream, early = frames_of([packet for packet in line if packet is not missing], START_S + 0.2)
    assert stream.needs_key is False and len(early) == 1, "what follows the gap is still waiting"
    late = stream.frames(START_S + 0.5)
    assert [frame.is_key for frame in late] == [True] and stream.lost == 1


def test_a_frame_cut_by_a_switch_is_not_kept() -> None:
    nals = avc.nals_of_payloads([packet.data[12:] for packet in Camera("guest").packets(START_S, 90, key=True)])
    key = list(payloads_of(nals))
    head = struct.Struct("!BBHLL")

    def packet(seq: int, timestamp: int, payload: bytes, *, marker: bool) -> Sent:
        return Sent("stage", START_S, head.pack(0x80, 96 | (0x80 if marker else 0), seq, timestamp, 1) + payload)

    line = [packet(i, 0, payload, marker=i == len(key) - 1) for i, payload in enumerate(key)]
    cut = packet(len(key), 3600, b"\x61 the first slice of two", marker=False)
    after = [packet(len(key) + 1 + i, 7200, p, marker=i == len(key) - 1) for i, p in enumerate(key)]
    _, frames = frames_of([*line, cut, *after])
    assert [frame.is_key for frame in frames] == [True, True]


def test_a_new_stream_on_a_slot_begins_at_its_key_frame() -> None:
    one, two = Camera("stage"), Camera("stage", ssrc=999)
    two.packets(START_S, 10)
    line = [*one.packets(START_S, 10), *two.packets(START_S + 0.04, 20), *two.packets(START_S + 0.08, 30, key=True)]
    _, frames = frames_of(line)
    assert [frame.media_s for frame in frames] == [START_S, START_S + 0.08]


def test_padding_uses_up_a_number_and_nothing_else() -> None:
    camera = Camera("stage")
    line = camera.packets(START_S, 10)
    probe = struct.pack("!BBHLL", 0xA0, 96, (camera._seq + 1) & 0xFFFF, 0, camera.ssrc) + bytes([0] * 9 + [10])
    camera._seq += 1
    _, frames = frames_of([*line, Sent("stage", START_S, probe), *camera.packets(START_S + 0.04, 20)])
    assert len(frames) == 2


# ---- sound ----


def test_one_voice_passes_unchanged_and_two_are_bent_instead_of_clipped() -> None:
    quiet, loud = array("h", [100, -100, 20_000]), array("h", [23_000, -30_000, 20_000])
    assert list(mix(quiet, array("h", [0, 0, 0]))) == list(quiet)
    mixed = mix(loud, loud)
    assert all(abs(level) <= 32_767 for level in mixed)
    assert mixed[0] > 24_000 and mixed[1] < -24_000


def test_a_voice_goes_on_where_its_own_clock_says_unless_that_is_far_off() -> None:
    mixer, mic = Mixer(START_S), Microphone("audio-0", hz=1000)
    for i in range(50):  # arrival shakes by up to 40 ms: no hole may be heard
        for sent in mic.packets(START_S + i * 0.02 + (i % 3) * 0.02, 10_000):
            mixer.push("audio-0", Incoming(sent.data), sent.media_s)
    line = mixer.advance(RATE * 9 // 10)
    windows = [max(abs(s) for s in line[i : i + 480]) for i in range(4800, len(line) - 480, 480)]
    assert min(windows) > 7000
    for sent in mic.packets(START_S + 2.0, 10_000):  # its clock says 1.0 s
        mixer.push("audio-0", Incoming(sent.data), sent.media_s)
    rest = mixer.advance(RATE * 3)
    late = rest[RATE * 2 - RATE * 9 // 10 :]
    assert max(abs(s) for s in rest[RATE // 5 : RATE]) == 0 and max(abs(s) for s in late[:960]) > 1000


def test_sound_that_comes_too_late_is_left_out() -> None:
    mixer, mic = Mixer(START_S), Microphone("audio-0")
    mixer.advance(RATE)
    for sent in mic.packets(START_S + 0.2, 10_000):
        mixer.push("audio-0", Incoming(sent.data), sent.media_s)
    assert not any(mixer.advance(2 * RATE))
    assert not mixer.advance(RATE), "the line never goes back"


def test_sound_packets_are_gapless_from_zero() -> None:
    encoder = SoundEncoder()
    packets = [packet for i in range(10) for packet in encoder.push(array("h", bytes(2 * 777)))] + encoder.finish()
    assert [at for at, _ in packets] == [i * 1024 for i in range(len(packets))]
    assert len(packets) * 1024 >= 7770


# ---- the program ----


def frame(at_s: float, *, key: bool = False, name: bytes = b"s") -> Frame:
    return Frame(START_S + at_s, ((b"\x65" if key else b"\x61") + name,), key, (name,))


def started() -> Program:
    program = Program(START_S, black_key_frame())
    program.push("stage", frame(0, key=True))
    program.take(START_S)
    return program


def test_the_old_picture_stays_until_the_wanted_one_has_a_key_frame() -> None:
    program = started()
    program.want("guest")
    program.push("guest", frame(0.04, name=b"g"))
    program.push("stage", frame(0.05))
    program.push("guest", frame(0.08, key=True, name=b"g"))
    program.push("stage", frame(0.09))
    program.push("guest", frame(0.12, name=b"g"))
    shown = program.take(START_S + 0.2)
    assert [(round(f.media_s - START_S, 2), f.parameters[0]) for f in shown] == [
        (0.05, b"s"),
        (0.08, b"g"),
        (0.12, b"g"),
    ]


def test_time_never_goes_back_at_a_switch() -> None:
    program = started()
    program.push("stage", frame(0.10))
    program.want("guest")
    program.push("guest", frame(0.07, key=True, name=b"g"))
    times = [f.media_s for f in program.take(START_S + 1)]
    assert len(times) == 2 and times[1] > times[0]


def test_key_frames_are_asked_for_at_a_switch_and_every_two_seconds() -> None:
    program = started()
    none: frozenset[str] = frozenset()
    assert program.key_requests(START_S + 1.0, none) == []
    program.want("guest")
    assert program.key_requests(START_S + 1.1, none) == ["guest"]
    assert program.key_requests(START_S + 1.3, none) == []
    assert program.key_requests(START_S + 1.6, none) == ["guest"]
    program.push("guest", frame(1.7, key=True, name=b"g"))
    assert program.key_requests(START_S + 3.6, none) == []
    assert program.key_requests(START_S + 3.7, none) == ["guest"]
    assert program.key_requests(START_S + 4.3, frozenset({"guest"})) == ["guest"]


def test_after_a_held_picture_nothing_is_shown_before_a_key_frame() -> None:
    program = started()
    held = program.take(START_S + 2.5)
    assert [round(f.media_s - START_S, 3) for f in held] == [1.0, 2.0] and all(f.is_key for f in held)
    program.push("stage", frame(2.6))
    program.push("stage", frame(2.7, key=True))
    assert [round(f.media_s - START_S, 3) for f in program.take(START_S + 3)] == [2.7]


# ---- playlists ----


def test_a_name_holds_every_fact_of_a_segment() -> None:
    segment = Segment(7, 1_772_416_800_123, 2040, 3)
    assert segment.name == "000007_1772416800123_2040_3.m4s"
    assert playlist.parse_segment(segment.name) == segment
    for other in ("init_3.mp4", "000007_1772416800123_2040_3.m4s.tmp", "7_1_1_1.m4s", "../000007.m4s"):
        assert playlist.parse_segment(other) is None
    assert playlist.parse_init("init_3.mp4") == 3 and playlist.parse_init("init_x.mp4") is None


def test_a_listing_is_enough_for_the_playlist() -> None:
    start = 1_772_416_800_000
    pieces = [Segment(i, start + i * 2000, 2000, 0) for i in range(3)]
    pieces += [Segment(3, start + 6000, 1500, 1), Segment(4, start + 9500, 2000, 1), Segment(5, 1, 0, 1)]
    names = [piece.name for piece in reversed(pieces)] + ["init_0.mp4", "init_1.mp4", "notes.txt"]
    names += [Segment(9, start + 90_000, 2000, 7).name]  # its init was never written
    found = playlist.segments_of(names)
    assert found == pieces[:5]
    text = playlist.playlist(found, ended=True)
    assert text.count("#EXT-X-DISCONTINUITY\n") == 2 and text.count("#EXT-X-MAP") == 2
    assert text.splitlines()[:6] == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        "#EXT-X-TARGETDURATION:4",
        "#EXT-X-MEDIA-SEQUENCE:0",
        "#EXT-X-PLAYLIST-TYPE:VOD",
        "#EXT-X-INDEPENDENT-SEGMENTS",
    ]
    assert text.endswith("#EXT-X-ENDLIST\n")
    assert "EVENT" in playlist.playlist(found, ended=False) and "ENDLIST" not in playlist.playlist(found, ended=False)


def test_the_master_names_the_most_demanding_picture() -> None:
    text = playlist.master([Rendition("avc1.42C01F", 640, 360), Rendition("avc1.42E028", 1280, 720)], 900_000)
    assert 'CODECS="avc1.42E028,mp4a.40.2"' in text and "RESOLUTION=1280x720" in text and "BANDWIDTH=900000" in text


def test_a_long_segment_raises_the_target_duration() -> None:
    assert "#EXT-X-TARGETDURATION:7" in playlist.playlist([Segment(0, 1_772_416_800_000, 6600, 0)], ended=False)


def test_no_name_leaves_the_folder() -> None:
    assert "/" not in Segment(0, 1_772_416_800_000, 1, 0).name and Path(playlist.init_name(0)).name == "init_0.mp4"
