import pytest

from bench.class_day.recorded import Picture, lasting_ms, out_of_step_ms, parse_playlist
from bench.class_day.report import FIGURES, Missing, Report
from bench.timecode import MS_MODULUS, TimeCode, wall_ms
from bench.tones import pitch_at

NOON = 1_772_434_800_000
EVERY = 2000


def film(seconds: float, begin_ms: int, source: int = 30) -> list[Picture]:
    """Pictures at 15 a second, each saying when it was made."""
    return [
        Picture(n / 15, TimeCode(source, (begin_ms + n * 1000 // 15) % MS_MODULUS, 0)) for n in range(int(seconds * 15))
    ]


def sound(begin_ms: int, late_ms: int, count: int) -> list[tuple[float, int]]:
    first = -(-begin_ms // EVERY) * EVERY
    return [
        ((at - begin_ms + late_ms) / 1000, pitch_at(at, EVERY)) for at in range(first, first + count * EVERY, EVERY)
    ]


@pytest.mark.parametrize("late_ms", [0, 60, -90, 400, -1500, 2600])
def test_sound_out_of_step_is_measured(late_ms: int) -> None:
    begin = NOON + 130
    found = out_of_step_ms(film(12, begin), sound(begin, late_ms, 4), 30, NOON)
    assert len(found) >= 3
    assert found == pytest.approx([late_ms] * len(found), abs=3)


def test_beeps_are_not_measured_against_somebody_elses_picture() -> None:
    assert out_of_step_ms(film(10, NOON, source=2), sound(NOON, 0, 4), 30, NOON) == []


def test_beeps_are_not_measured_against_a_picture_that_stands_still() -> None:
    assert out_of_step_ms(film(1, NOON), [(4.0, pitch_at(NOON + 4000, EVERY))], 30, NOON) == []


def test_the_wall_clock_comes_back_from_32_bits() -> None:
    for at in (NOON, NOON + MS_MODULUS // 3, NOON - MS_MODULUS // 3):
        assert wall_ms(TimeCode(1, at % MS_MODULUS, 0), NOON) == at


@pytest.mark.parametrize(
    ("off", "lasting"),
    [
        ([], 0),
        ([250], 250),
        ([3] * 20, 3),
        ([3] * 8 + [-2755, 250] + [3] * 8, 3),  # the machine stood still
        ([3] * 8 + [250, 240, 230] + [3] * 8, 230),
        ([3] * 8 + [-2755] * 8, -2755),
    ],
)
def test_sound_is_out_of_step_when_it_stays_so(off: list[float], lasting: float) -> None:
    assert lasting_ms(off) == lasting


PLAYLIST = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MAP:URI="program/init_0.mp4"
#EXTINF:2.000,
program/000000_1_2000_0.m4s
#EXTINF:1.500,
program/000001_2_1500_0.m4s
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI="program/init_1.mp4"
#EXTINF:2.000,
program/000002_3_2000_1.m4s
#EXT-X-ENDLIST
"""


def test_a_playlist_is_taken_apart() -> None:
    takes, ended = parse_playlist(PLAYLIST)
    assert ended
    assert [take.init for take in takes] == ["program/init_0.mp4", "program/init_1.mp4"]
    assert [len(take.segments) for take in takes] == [2, 1]
    assert [take.seconds for take in takes] == [3.5, 2.0]
    assert not parse_playlist(PLAYLIST.replace("#EXT-X-ENDLIST\n", ""))[1]


def test_a_report_is_good_only_with_every_figure_and_no_problem() -> None:
    report = Report()
    assert '"ok": false' in report.as_json()
    report.figures.update(dict.fromkeys(FIGURES, 1))
    assert report.ok
    assert '"ok": true' in report.as_json()
    report.check(False, "the sound is missing")
    assert not report.ok
    assert "the sound is missing" in report.as_json()


def test_a_step_that_fails_is_a_problem_named_after_it() -> None:
    report = Report()
    with pytest.raises(Missing), report.step("a point gets the floor"):
        report.need(None, "its picture never came")
    assert report.problems == ["a point gets the floor: its picture never came"]
    assert report.steps == []
